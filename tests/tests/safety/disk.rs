//! A disk without room: refused before the first byte, or, where others fill it meanwhile, an error that costs no row.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{
    Bench, Call, Convert, Ended, SmallDisk, committed_rows, must_be_whole, must_equal, outputs, records, scratch,
    state, states, write_run,
};

use crate::common::{MANY_COMMITS, spec, undisturbed};

/// What a file in memory grows by.
const PAGE: u64 = 4096;

/// 40 rows, each of 80 kB and a commit of its own.
fn forty_rows(out: &Path) -> (Bench, Convert) {
    let bench = Bench::new(&spec(40, 20_000, &[1]));
    let conversion = Convert::new([&bench.run], out).args(MANY_COMMITS);
    (bench, conversion)
}

/// The megabytes that stand in front of `text`.
fn megabytes_before(ended: &Ended, text: &str) -> f64 {
    let (before, _) = ended.stderr.split_once(text).unwrap_or_else(|| panic!("{ended}"));
    let number = before.strip_suffix(" MB").and_then(|before| before.rsplit(' ').next());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("{ended}"))
}

/// Array and index with their headers: 40 rows of 20,000 floats, and of 72 bytes.
const NEEDED: u64 = 40 * (20_000 * 4 + 72) + 2 * 4096;

#[test]
fn what_cannot_fit_is_refused_before_the_first_byte() {
    let Some(disk) = SmallDisk::mount(2 << 20) else { return };
    let (_bench, conversion) = forty_rows(&disk.out());
    let ended = conversion.run();
    ended.must_end_with(1).must_say(&[
        &format!("error: {}: ", disk.out().display()),
        "; make room, or choose another --out",
    ]);
    // With lists and JSON it is somewhat more; the disk is empty but for the state.
    let needed = megabytes_before(&ended, " are needed, ");
    let rows = NEEDED as f64 / 1e6;
    assert!((rows..rows + 0.2).contains(&needed), "{ended}");
    assert!(
        (1.9..=2.1).contains(&megabytes_before(&ended, " are free; ")),
        "{ended}"
    );
    assert!(outputs(&disk.out()).is_empty());
    // Neither an array nor an index was begun.
    for state in states(&disk.out()) {
        for entry in fs::read_dir(&state).expect("the state").flatten() {
            let name = entry.file_name();
            assert!(name == "plan.bin" || name == "journal", "{} is there", name.display());
        }
    }
}

#[test]
fn several_runs_that_do_not_fit_together_are_refused_before_the_first_byte() {
    let Some(disk) = SmallDisk::mount(8 << 20) else { return };
    let (bench, _) = forty_rows(&disk.out());
    let runs = ["a", "b", "c"].map(|name| bench.path(name));
    for run in &runs {
        write_run(&spec(40, 20_000, &[1]), run);
    }
    let conversion = Convert::new(&runs, disk.out().join("{run}"));
    conversion.clone().args(["--dry-run"]).run().must_end_with(1);
    let ended = conversion.run();
    ended.must_end_with(1).must_say(&[" are free; make room"]);
    let rows = 3.0 * NEEDED as f64 / 1e6;
    let needed = megabytes_before(&ended, " are needed, ");
    assert!((rows..rows + 0.6).contains(&needed), "{ended}");
    for name in ["a", "b", "c"] {
        let out = disk.out().join(name);
        assert!(
            outputs(&out).is_empty() && committed_rows(&out) == 0,
            "{name} was begun"
        );
    }
}

#[test]
fn a_finished_conversion_needs_no_room() {
    let Some(disk) = SmallDisk::mount(8 << 20) else { return };
    let (_bench, conversion) = forty_rows(&disk.out());
    conversion.run().must_succeed();
    let reference = outputs(&disk.out());
    disk.fill(0);
    conversion.run().must_succeed().must_say(&["nothing to do"]);
    disk.make_room();
    let remount = ["-o", "remount,ro"];
    let status = Command::new("mount").args(remount).arg(disk.path()).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "it was mounted, so it can be mounted anew"
    );
    conversion.run().must_succeed().must_say(&["nothing to do"]);
    must_equal(&disk.out(), &reference);
}

/// Stops the conversion in the middle of its 40 rows, lets the disk fill up, and lets it go on. Besides what its rows
/// still need `left` bytes stay free, if any do.
fn fill_while_it_converts(disk: &SmallDisk, conversion: &Convert, left: Option<u64>) -> Ended {
    let out = disk.out();
    // A machine that stalls the test can let the conversion come too far.
    for _ in 0..20 {
        let mut running = conversion.start();
        running.poll("five committed rows", |_| (committed_rows(&out) >= 5).then_some(()));
        if running.stop() && (5..30).contains(&committed_rows(&out)) {
            disk.fill(left.map_or(0, |left| not_there_yet(&out) + left));
            running.signal(Signal::CONT);
            return running.wait();
        }
        let _ = running.kill();
        fs::remove_dir_all(&out).expect("the outputs can be removed");
    }
    panic!("the conversion always ended before the disk was full");
}

/// Bytes that the unfinished array and index do not take yet.
fn not_there_yet(out: &Path) -> u64 {
    let state = state(out);
    let missing = ["C1.npy", "C1.index.npy"].map(|name| {
        let file = fs::metadata(state.join(name)).expect("an unfinished file");
        (file.len().next_multiple_of(PAGE)).saturating_sub(file.blocks() * 512)
    });
    missing.iter().sum()
}

#[test]
fn room_that_vanishes_meanwhile_costs_no_row() {
    let Some(disk) = SmallDisk::mount(8 << 20) else { return };
    let out = disk.out();
    let (bench, conversion) = forty_rows(&out);
    // One at a time: what is in flight when the disk fills up is not much.
    let conversion = conversion.args(["--threads", "1"]);
    let reference = undisturbed(&bench, &conversion);
    let ended = fill_while_it_converts(&disk, &conversion, None);
    ended.must_end_with(1).must_say(&[
        &out.join(".trc2npy").display().to_string(),
        "the disk is full; free some space",
        "run again",
    ]);
    assert!(outputs(&out).is_empty());
    let kept = records(&out);
    let rows = committed_rows(&out);
    assert!((5..40).contains(&rows), "{rows} rows");

    // Still no room: refused with what is missing, which is less than all of it.
    let ended = conversion.run();
    ended.must_end_with(1).must_say(&[" are free; make room"]);
    let missing = (NEEDED - rows * 80_072) as f64 / 1e6;
    assert!(megabytes_before(&ended, " are needed, ") <= missing + 0.2, "{ended}");
    assert_eq!(records(&out), kept, "the state is as it was");

    disk.make_room();
    conversion.run().must_succeed();
    must_equal(&out, &reference);
    let all = records(&out);
    assert!(all.starts_with(&kept), "committed rows were forgotten");
    assert_eq!(committed_rows(&out), 40, "no row was done twice");
}

/// The rows are all there, and the room is missing for what comes after them: records, JSON, report.
#[test]
fn room_that_is_missing_at_the_very_end_costs_no_row() {
    let Some(disk) = SmallDisk::mount(8 << 20) else { return };
    let out = disk.out();
    let (bench, conversion) = forty_rows(&out);
    let conversion = conversion.args(["--threads", "1"]);
    let reference = undisturbed(&bench, &conversion);
    let mut complete = 0;
    for pages in 0.. {
        let ended = fill_while_it_converts(&disk, &conversion, Some(pages * PAGE));
        let good = ended.status.code() == Some(0);
        if !good {
            let place = out.display().to_string();
            ended
                .must_end_with(1)
                .must_say(&["the disk is full; free some space", &place]);
            complete += u64::from(committed_rows(&out) == 40);
        }
        must_be_whole(&out, &reference);
        disk.make_room();
        conversion.run().must_succeed();
        must_equal(&out, &reference);
        fs::remove_dir_all(&out).expect("the outputs can be removed");
        if good {
            eprintln!("{pages} pages were too few, {complete} of them with all rows committed");
            break;
        }
    }
    assert!(complete > 0, "the room was never missing behind the last row");
}

/// The system ends a program whose file grows too large, unless it says that it would rather hear of it.
#[test]
fn a_limit_on_the_size_of_files_is_an_error_and_no_silent_end() {
    let folder = scratch();
    write_run(&RunSpec::new(300, 2502), &folder.path().join("run"));
    let limited = Call::launched_by("sh", &["-c", "ulimit -f 1000 && exec \"$@\"", "sh"], "convert");
    let call = limited.args([folder.path().join("run"), "--out".into(), folder.path().join("out")]);
    call.run()
        .must_end_with(1)
        .must_say(&["error: ", "C1.npy", "does not hold files this large"]);
}
