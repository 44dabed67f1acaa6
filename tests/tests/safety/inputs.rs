//! Inputs that change between two runs, while a run reads them, or before the instrument has finished them.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use trc2npy_tests::{Bench, Convert, Ended, Outputs, Record, committed_rows, must_equal, outputs, records, usable};

use crate::common::{complete, cut_short, leave_half_done, set_time, spec, twenty_rows, undisturbed};

fn time_of(path: &Path) -> SystemTime {
    let metadata = fs::metadata(path).expect("a file of the run");
    metadata.modified().expect("a time")
}

/// Replaces what a file holds, and keeps its time.
fn write_keeping_time(path: &Path, bytes: &[u8]) {
    let time = time_of(path);
    fs::write(path, bytes).expect("a file of the run");
    set_time(path, time);
}

fn statuses(out: &Path) -> Vec<u8> {
    let records = Record::read_all(&out.join("C1--Trace.index.npy"));
    records.iter().map(|record| record.status).collect()
}

/// Good rows but for row 7.
fn all_good_but_row_7(status: u8) -> Vec<u8> {
    (0..20).map(|row| if row == 7 { status } else { 0 }).collect()
}

/// 20 rows that are done one after the other, so that those of the last files come last.
fn in_order() -> (Bench, Convert) {
    let (bench, conversion) = twenty_rows();
    (bench, conversion.args(["--threads", "1"]))
}

/// What is done to a file, in words; doing it; what is said of it.
type Change<'c> = (&'c str, &'c dyn Fn(), &'c [&'c str]);

#[test]
fn inputs_that_changed_since_the_plan_are_refused_by_name_until_they_are_put_back() {
    let (bench, conversion) = twenty_rows();
    let reference = undisturbed(&bench, &conversion);
    let out = conversion.out();
    let file = bench.file(1, 19);
    let (bytes, time) = (fs::read(&file).unwrap(), time_of(&file));
    let longer = [&bytes[..], b"more"].concat();
    let hour = Duration::from_hours(1);
    let sizes = [bytes.len(), longer.len()].map(parted);
    let changes: [Change<'_>; 4] = [
        (
            "longer",
            &|| write_keeping_time(&file, &longer),
            &[&sizes[0], &sizes[1]],
        ),
        (
            "cut",
            &|| write_keeping_time(&file, &bytes[..5000]),
            &[&sizes[0], "5,000"],
        ),
        ("written again", &|| set_time(&file, time + hour), &["--trust-size"]),
        ("gone", &|| fs::remove_file(&file).unwrap(), &["gone: 1 file"]),
    ];
    for (what, change, told) in changes {
        leave_half_done(&conversion);
        let kept = records(out);
        change();
        let ended = conversion.run();
        ended
            .must_end_with(1)
            .must_say(&["r005/C1--Trace--00019.trc", "put the planned files back", "--overwrite"])
            .must_say(told);
        assert_eq!(records(out), kept, "{what}: the state is as it was");
        assert!(outputs(out).is_empty(), "{what}");
        fs::write(&file, &bytes).unwrap();
        set_time(&file, time);
        conversion.run().must_succeed();
        must_equal(out, &reference);
        assert_eq!(committed_rows(out), 20, "{what}: no row was done twice");
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn trust_size_goes_on_where_only_times_changed() {
    let (bench, conversion) = twenty_rows();
    let reference = undisturbed(&bench, &conversion);
    leave_half_done(&conversion);
    for index in 0..20 {
        set_time(
            &bench.file(1, index),
            SystemTime::UNIX_EPOCH + Duration::from_hours(500_000),
        );
    }
    conversion.run().must_end_with(1).must_say(&["20 files"]);
    conversion.clone().args(["--trust-size"]).run().must_succeed();
    must_equal(conversion.out(), &reference);
    assert_eq!(committed_rows(conversion.out()), 20);
}

#[test]
fn files_that_are_new_since_the_plan_are_told_of_and_get_no_rows() {
    let (bench, conversion) = twenty_rows();
    let reference = undisturbed(&bench, &conversion);
    leave_half_done(&conversion);
    let new = bench.file(1, 20);
    fs::copy(bench.file(1, 0), &new).unwrap();
    let ended = conversion.run();
    ended
        .must_succeed()
        .must_say(&["warning: ", "new since the run was planned", "C1--Trace--00020.trc"]);
    must_equal(conversion.out(), &reference);
    // Asked for, it gets its row.
    conversion.args(["--overwrite"]).run().must_succeed();
    assert_eq!(Record::read_all(&bench.path("out/C1--Trace.index.npy")).len(), 21);
}

/// What a run that finds a changed file in its midst leaves; the file put back, the same command ends it.
#[cfg(unix)]
#[test]
fn a_file_that_changes_while_others_are_converted_stops_the_run_by_name() {
    let (bench, conversion) = in_order();
    let reference = undisturbed(&bench, &conversion);
    let out = conversion.out();
    let file = bench.file(1, 19);
    let (bytes, time) = (fs::read(&file).unwrap(), time_of(&file));
    let size = parted(bytes.len());
    let changes: [(&dyn Fn(), &[&str]); 4] = [
        (&|| fs::remove_file(&file).unwrap(), &["it is gone"]),
        (&|| write_keeping_time(&file, &bytes[..5000]), &[&size, "5,000"]),
        (&|| set_time(&file, SystemTime::UNIX_EPOCH), &["--trust-size"]),
        (
            // A folder in its place can be opened like a file, and not be read.
            &|| fs::remove_file(&file).and_then(|()| fs::create_dir(&file)).unwrap(),
            &[&size],
        ),
    ];
    for (change, told) in changes {
        stop_and(&conversion, 15, change)
            .must_end_with(1)
            .must_say(&["error: r005/C1--Trace--00019.trc: ", "put the planned file back"])
            .must_say(told);
        assert!(outputs(out).is_empty());
        let kept = committed_rows(out);
        assert!((5..20).contains(&kept), "{kept} rows");
        let _ = fs::remove_dir(&file);
        fs::write(&file, &bytes).unwrap();
        set_time(&file, time);
        conversion.run().must_succeed();
        must_equal(out, &reference);
        assert_eq!(committed_rows(out), 20, "no row was done twice");
        fs::remove_dir_all(out).unwrap();
    }
}

/// Stops the conversion with five rows committed or more, and fewer than `before`; does something; lets it go on.
#[cfg(unix)]
fn stop_and(conversion: &Convert, before: u64, meanwhile: impl Fn()) -> Ended {
    use rustix::process::Signal;
    let out = conversion.out();
    // A machine that stalls the test can let the conversion come too far.
    for _ in 0..50 {
        let mut running = conversion.start();
        running.poll("five committed rows", |_| (committed_rows(out) >= 5).then_some(()));
        if running.stop() && (5..before).contains(&committed_rows(out)) {
            meanwhile();
            running.signal(Signal::CONT);
            return running.wait();
        }
        let _ = running.kill();
        fs::remove_dir_all(out).expect("the outputs can be removed");
    }
    panic!("the conversion always came too far");
}

/// Truncates a file at a moment when the process has it mapped (`/proc/PID/maps`) or open (`/proc/PID/fd`).
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_is_cut_while_it_is_read_or_mapped_is_named_and_no_process_dies() {
    use rustix::process::Signal;
    // Long enough that its windows or blocks, small as they are, are many.
    let mut run = spec(3, 6_000_000, &[1]);
    run.channels = vec![1];
    let bench = Bench::new(&run);
    let last = bench.file(1, 2);
    let name = last.file_name().unwrap().to_string_lossy().into_owned();
    let (bytes, time) = (fs::read(&last).unwrap(), time_of(&last));
    let base = Convert::new([&bench.run], bench.path("out")).args(["--threads", "1", "--range-size", "1"]);
    let base = base.args(["--sync-every", "1", "--memory-limit", "2MiB"]);
    let reference = undisturbed(&bench, &base);
    let out = base.out();

    let is_mapped = |pid: u32| {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        maps.contains(&name)
    };
    let is_open = |pid: u32| {
        let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else {
            return false;
        };
        let mut targets = files.flatten().filter_map(|file| fs::read_link(file.path()).ok());
        targets.any(|target| target.ends_with(&name))
    };
    let ways: [(&str, &dyn Fn(u32) -> bool); 2] = [("mmap", &is_mapped), ("read", &is_open)];
    for (way, in_use) in ways {
        // To nothing, to its header alone, and in a page's middle.
        for left in [0, 400, 6_000_123] {
            let conversion = base.clone().args(["--io", way]);
            let mut cut = false;
            // A machine that stalls the test can let the conversion come too far.
            for _ in 0..50 {
                let mut running = conversion.start();
                // Planning opens it too.
                running.poll("the last file in use", |running| {
                    (committed_rows(out) > 0 && in_use(running.pid())).then_some(())
                });
                if running.stop() {
                    cut = in_use(running.pid());
                    if cut {
                        fs::File::options()
                            .write(true)
                            .open(&last)
                            .and_then(|file| file.set_len(left as u64))
                            .unwrap();
                    }
                    running.signal(Signal::CONT);
                }
                let ended = running.wait();
                if cut && ended.status.code() != Some(0) {
                    ended
                        .must_end_with(1)
                        .must_say(&[&format!("error: r005/{name}: "), "put the planned file back"]);
                    let told = [
                        format!("shrank from {} to {} bytes", parted(bytes.len()), parted(left)),
                        format!("is {} now", parted(left)),
                    ];
                    assert!(told.iter().any(|text| ended.stderr.contains(text)), "{ended}");
                    assert!(outputs(out).is_empty());
                    break;
                }
                // It had read all of the file before, or ended.
                cut = false;
                fs::write(&last, &bytes).unwrap();
                set_time(&last, time);
                fs::remove_dir_all(out).unwrap();
            }
            assert!(cut, "--io {way}: the file was never in use when it was looked at");
            fs::write(&last, &bytes).unwrap();
            set_time(&last, time);
            conversion.run().must_succeed();
            must_equal(out, &reference);
            fs::remove_dir_all(out).unwrap();
        }
    }
}

/// strace lets the reads of one file fail as those of a dying disk do.
#[test]
fn unreadable_files_are_bad_rows_and_too_many_of_them_stop_the_run() {
    if !usable("strace", ["-f", "-qq", "-o", "/dev/null", "true"]) {
        return;
    }
    let (bench, conversion) = in_order();
    let reference = undisturbed(&bench, &conversion);
    let out = conversion.out();
    // Neither is looked at while planning.
    let [seven, twelve] = [7, 12].map(|index| bench.file(1, index));
    let failing = |files: &[&Path], inject: &str| {
        // Opened by its name in its folder, read by its number: two ways to say which file is meant.
        let names = files.iter().map(|file| [Path::new(file.file_name().unwrap()), file]);
        let paths: Vec<_> = names
            .flatten()
            .flat_map(|path| ["-P", path.to_str().unwrap()])
            .collect();
        let words = ["strace", "-f", "-qq", "-o", "/dev/null"].into_iter().chain(paths);
        conversion.clone().launched_by(words.chain(["-e", inject]))
    };
    for (inject, why) in [
        ("inject=pread64,read:error=EIO", "nput/output error"),
        ("inject=openat:error=EACCES", "ermission denied"),
    ] {
        let ended = failing(&[&seven], inject).run();
        ended
            .must_end_with(3)
            .must_say(&["1 unreadable", "r005/C1--Trace--00007.trc: ", why]);
        assert_eq!(statuses(out), all_good_but_row_7(6));
        fs::remove_dir_all(out).unwrap();
    }
    let ended = failing(&[&seven, &twelve], "inject=pread64,read:error=EIO").run();
    ended.must_end_with(1).must_say(&[
        "2 files could not be read",
        "r005/C1--Trace--00012.trc",
        "more than 1 of a run",
        "the same command again",
    ]);
    assert!(outputs(out).is_empty());
    // The storage is mended, and the same command brings every row.
    conversion.run().must_succeed();
    must_equal(out, &reference);
}

/// A size as people read it: `12,040,346`.
fn parted(size: usize) -> String {
    let digits = size.to_string();
    let groups = digits.as_bytes().rchunks(3).rev();
    let groups: Vec<_> = groups.map(|group| str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

/// How long the conversions below wait for a short file.
const SETTLE: Duration = Duration::from_secs(3);

/// Converts 20 rows, file 7 of which is short and young; once the others are committed, `meanwhile` is told what is
/// missing of it.
fn with_a_young_file(bench: &Bench, conversion: &Convert, meanwhile: impl Fn(&Path, &[u8])) -> Ended {
    let file = bench.file(1, 7);
    let whole = fs::read(&file).unwrap();
    let out = conversion.out();
    let conversion = conversion.clone().args(["--settle", "3s"]);
    for _ in 0..20 {
        let began = Instant::now();
        let missing = cut_short(&file);
        let mut running = conversion.start();
        running.poll("19 committed rows", |_| (committed_rows(out) == 19).then_some(()));
        meanwhile(&file, &missing);
        let in_time = began.elapsed() < SETTLE;
        let ended = running.wait();
        if in_time {
            return ended;
        }
        // The machine has stalled the test: the file was no longer young.
        fs::write(&file, &whole).unwrap();
        fs::remove_dir_all(out).unwrap();
    }
    panic!("no moment was found while the file was young");
}

/// 20 rows in one range, committed together.
fn one_range() -> (Bench, Convert, Outputs) {
    let bench = Bench::new(&spec(20, 20_000, &[1]));
    let conversion = Convert::new([&bench.run], bench.path("out"));
    let reference = undisturbed(&bench, &conversion);
    (bench, conversion, reference)
}

#[test]
fn rows_beside_a_young_file_are_done_at_once_and_its_own_once_it_is_whole() {
    let (bench, conversion, reference) = one_range();
    let ended = with_a_young_file(&bench, &conversion, complete);
    ended.must_succeed();
    must_equal(conversion.out(), &reference);
    assert_eq!(committed_rows(conversion.out()), 20, "no row was done twice");
    // The plan knew a shorter file: that is no change since its rows were made.
    conversion.run().must_succeed().must_say(&["nothing to do"]);
    complete(&bench.file(1, 7), b"more");
    conversion
        .run()
        .must_end_with(1)
        .must_say(&["r005/C1--Trace--00007.trc"]);
}

#[test]
fn a_young_file_that_stays_short_is_reported_as_still_being_written() {
    let (bench, conversion, _) = one_range();
    let whole = fs::read(bench.file(1, 7)).unwrap();
    let grown: &dyn Fn(&Path, &[u8]) = &|file, missing| complete(file, &missing[..100]);
    for meanwhile in [&|_: &Path, _: &[u8]| {}, grown] {
        let ended = with_a_young_file(&bench, &conversion, meanwhile);
        ended.must_end_with(3).must_say(&[
            "BAD ROWS: 1 of 20",
            "1 still being written",
            "r005/C1--Trace--00007.trc: still being written: cut short",
        ]);
        assert_eq!(statuses(conversion.out()), all_good_but_row_7(7));
        conversion.run().must_end_with(3).must_say(&["nothing to do"]);
        // Whole now: the finished arrays do not have it, and the way to get it is told.
        fs::write(bench.file(1, 7), &whole).unwrap();
        let again = conversion.run();
        again
            .must_end_with(1)
            .must_say(&["r005/C1--Trace--00007.trc", "--overwrite"]);
        fs::remove_dir_all(conversion.out()).unwrap();
    }
}

#[test]
fn fail_waits_for_a_young_file_too_and_then_fails() {
    let bench = Bench::new(&spec(20, 20_000, &[1]));
    let conversion = Convert::new([&bench.run], bench.path("out")).args(["--on-bad-file", "fail"]);
    let reference = undisturbed(&bench, &conversion);
    let whole = fs::read(bench.file(1, 7)).unwrap();
    let ended = with_a_young_file(&bench, &conversion, |_, _| {});
    ended
        .must_end_with(1)
        .must_say(&["error: r005/C1--Trace--00007.trc: cut short", "--on-bad-file fail"]);
    assert!(outputs(conversion.out()).is_empty());
    assert_eq!(committed_rows(conversion.out()), 19);
    // The instrument has finished it meanwhile.
    fs::write(bench.file(1, 7), &whole).unwrap();
    conversion.run().must_succeed();
    must_equal(conversion.out(), &reference);
    assert_eq!(committed_rows(conversion.out()), 20);
    // And where it becomes whole in time nothing fails.
    fs::remove_dir_all(conversion.out()).unwrap();
    with_a_young_file(&bench, &conversion, complete).must_succeed();
    must_equal(conversion.out(), &reference);
}
