//! After a power cut the state can be torn, short, empty or gone. Whatever is left of it: the right bytes or an error.

use std::fs::{self, File};
use std::path::Path;

#[cfg(unix)]
use trc2npy_tests::{Convert, Ended, committed_rows};
use trc2npy_tests::{Outputs, must_be_whole, must_equal, outputs, state, usable};

use crate::common::{leave_half_done, random, twenty_rows, undisturbed};

/// What was done to the state, in words, and doing it.
type Damage<'d> = (&'d str, &'d dyn Fn(&Path));

fn set_length(path: &Path, change: impl Fn(u64) -> u64) {
    let file = File::options().write(true).open(path).expect("a file of the state");
    let length = file.metadata().expect("its length").len();
    file.set_len(change(length)).expect("another length");
}

/// The same length, all zeros: blocks that were given to the file and never written.
fn zero(path: &Path) {
    let length = fs::metadata(path).expect("a file of the state").len();
    fs::remove_file(path).expect("removed");
    File::create(path)
        .and_then(|file| file.set_len(length))
        .expect("made anew");
}

fn flip(path: &Path, at: impl Fn(usize) -> usize) {
    let mut bytes = fs::read(path).expect("a file of the state");
    let at = at(bytes.len());
    bytes[at] ^= 0x10;
    fs::write(path, bytes).expect("written back");
}

/// Does each damage to a half done conversion: the same command then ends with the same bytes, or says what is wrong,
/// names a file, and leaves nothing under a final name.
fn each(damages: &[Damage<'_>]) {
    let (bench, conversion) = twenty_rows();
    let reference = undisturbed(&bench, &conversion);
    for (what, damage) in damages {
        leave_half_done(&conversion);
        damage(&state(conversion.out()));
        let ended = conversion.run();
        if let Some(0) = ended.status.code() {
            eprintln!("{what}: ended well");
            check(what, conversion.out(), &reference);
        } else {
            ended.must_end_with(1).must_say(&[".trc2npy"]);
            let error = ended
                .stderr
                .lines()
                .find(|line| line.starts_with("error"))
                .unwrap_or_default();
            eprintln!("{what}: {error}");
            assert!(outputs(conversion.out()).is_empty(), "{what}");
            // The way on that it names: the folder of the conversion is removed.
            assert!(
                error.contains("remove") || error.contains("--overwrite"),
                "{what}: no way on: {error}"
            );
            fs::remove_dir_all(state(conversion.out())).expect("removed");
            conversion.run().must_end_with(0);
            check(what, conversion.out(), &reference);
        }
        fs::remove_dir_all(conversion.out()).expect("the outputs can be removed");
    }
}

fn check(what: &str, out: &Path, reference: &Outputs) {
    eprintln!("{what}: comparing");
    must_equal(out, reference);
}

#[test]
fn a_torn_journal_costs_work_only() {
    let random = std::cell::RefCell::new(random());
    let cut = |folder: &Path| {
        set_length(&folder.join("journal"), |length| random.borrow_mut().u64(1..length));
    };
    each(&[
        ("cut anywhere", &cut),
        ("cut elsewhere", &cut),
        ("empty", &|folder| set_length(&folder.join("journal"), |_| 0)),
        ("zeros behind it", &|folder| {
            set_length(&folder.join("journal"), |length| length + 512);
        }),
        ("zeros in its place", &|folder| zero(&folder.join("journal"))),
        ("a bit in its middle", &|folder| {
            flip(&folder.join("journal"), |length| length / 2);
        }),
        ("gone", &|folder| {
            fs::remove_file(folder.join("journal")).expect("removed");
        }),
    ]);
}

#[test]
fn a_damaged_plan_is_never_followed() {
    each(&[
        ("gone", &|folder| {
            fs::remove_file(folder.join("plan.bin")).expect("removed");
        }),
        ("empty", &|folder| set_length(&folder.join("plan.bin"), |_| 0)),
        ("cut", &|folder| {
            set_length(&folder.join("plan.bin"), |length| length / 2);
        }),
        ("longer", &|folder| {
            set_length(&folder.join("plan.bin"), |length| length + 100);
        }),
        ("zeros", &|folder| zero(&folder.join("plan.bin"))),
        ("a bit", &|folder| flip(&folder.join("plan.bin"), |length| length / 3)),
    ]);
}

#[test]
fn lost_arrays_are_made_again() {
    each(&[
        ("array gone", &|folder| {
            fs::remove_file(folder.join("C1.npy")).expect("removed");
        }),
        ("index gone", &|folder| {
            fs::remove_file(folder.join("C1.index.npy")).expect("removed");
        }),
        ("array empty", &|folder| set_length(&folder.join("C1.npy"), |_| 0)),
        ("array cut", &|folder| {
            set_length(&folder.join("C1.npy"), |length| length / 8);
        }),
        ("array a byte short", &|folder| {
            set_length(&folder.join("C1.npy"), |length| length - 1);
        }),
        ("array longer", &|folder| {
            set_length(&folder.join("C1.npy"), |length| length + 1);
        }),
        ("index cut", &|folder| {
            set_length(&folder.join("C1.index.npy"), |length| length / 2);
        }),
    ]);
}

#[test]
fn what_lies_about_them_does_no_harm() {
    each(&[
        ("no lock", &|folder| {
            fs::remove_file(folder.join("../lock")).expect("removed");
        }),
        ("an owner that cannot be read", &|folder| {
            fs::write(folder.join("../owner.json"), "{").expect("written");
        }),
        ("a leftover of a write", &|folder| {
            fs::write(folder.join(".journal.1.0.tmp"), "half a rec").expect("written");
        }),
        ("another folder", &|folder| {
            fs::create_dir(folder.join("../0123456789abcdef")).expect("made");
        }),
    ]);
}

/// Lets a folder appear at `in_the_way` while the conversion works, so that publishing stops there.
#[cfg(unix)]
fn stop_while_publishing(conversion: &Convert, in_the_way: &Path) -> Ended {
    let out = conversion.out();
    // A machine that stalls the test can let the conversion come too far.
    for _ in 0..20 {
        let mut running = conversion.start();
        running.poll("five committed rows", |_| (committed_rows(out) >= 5).then_some(()));
        if running.runs() {
            running.signal(rustix::process::Signal::STOP);
            if (5..20).contains(&committed_rows(out)) {
                fs::create_dir_all(in_the_way.join("x")).expect("a folder in the way");
                running.signal(rustix::process::Signal::CONT);
                return running.wait();
            }
        }
        let _ = running.kill();
        fs::remove_dir_all(out).expect("the outputs can be removed");
    }
    panic!("the conversion always ended before a folder was in its way");
}

#[cfg(unix)]
#[test]
fn a_name_that_is_taken_stops_publishing_and_the_same_command_ends_it() {
    let (bench, conversion) = twenty_rows();
    let reference = undisturbed(&bench, &conversion);
    let out = conversion.out();
    let in_the_way = out.join("C1--Trace.index.npy");
    stop_while_publishing(&conversion, &in_the_way)
        .must_end_with(1)
        .must_say(&["C1--Trace.index.npy", "C1.index.npy", "the same command again"]);
    must_be_whole(out, &reference);
    // Now it is in the way from the start.
    conversion
        .run()
        .must_end_with(1)
        .must_say(&["C1--Trace.index.npy: it is a folder"]);
    must_be_whole(out, &reference);
    assert!(!out.join("C1--Trace.json").exists(), "not complete yet");
    fs::remove_dir_all(&in_the_way).expect("removed");
    conversion.run().must_end_with(0);
    must_equal(out, &reference);
}

#[cfg(unix)]
#[test]
fn a_file_lost_while_publishing_is_noticed() {
    let (bench, conversion) = twenty_rows();
    let reference = undisturbed(&bench, &conversion);
    let out = conversion.out();
    for lost in ["C1--Trace.npy", "C1.index.npy", "C1.files.txt", "C1.json"] {
        let in_the_way = out.join("C1--Trace.index.npy");
        stop_while_publishing(&conversion, &in_the_way).must_end_with(1);
        fs::remove_dir_all(&in_the_way).expect("removed");
        let path = if lost.contains("--") {
            out.join(lost)
        } else {
            state(out).join(lost)
        };
        fs::remove_file(&path).expect("removed");
        // Begun anew, or refused; never called done without it.
        let ended = conversion.run();
        if ended.status.code() == Some(0) {
            must_equal(out, &reference);
        } else {
            ended.must_end_with(1).must_say(&["C1"]);
            must_be_whole(out, &reference);
        }
        fs::remove_dir_all(out).expect("the outputs can be removed");
    }
}

/// strace lets one call fail with the error that a dying disk gives.
#[test]
fn a_failing_disk_is_told_and_survived() {
    if !usable("strace", ["-f", "-qq", "-o", "/dev/null", "true"]) {
        return;
    }
    let (bench, conversion) = twenty_rows();
    let conversion = conversion.args(["--range-size", "400kB"]);
    let reference = undisturbed(&bench, &conversion);
    let out = conversion.out();
    for (calls, error) in [
        ("fdatasync", "EIO"),
        ("?fsync", "EIO"),
        ("pwrite64", "ENOSPC"),
        ("?rename,?renameat,?renameat2", "EACCES"),
        ("?ftruncate", "EFBIG"),
    ] {
        for nth in (1..).step_by(2) {
            let inject = format!("inject={calls}:error={error}:when={nth}");
            let trace = format!("trace={calls}");
            let traced =
                conversion
                    .clone()
                    .launched_by(["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject]);
            let ended = traced.run();
            must_be_whole(out, &reference);
            let good = ended.status.code() == Some(0);
            if !good {
                ended
                    .must_end_with(1)
                    .must_say(&["error: ", &bench.path("").display().to_string()]);
            }
            conversion.run().must_end_with(0);
            must_equal(out, &reference);
            fs::remove_dir_all(out).expect("the outputs can be removed");
            if good {
                eprintln!("{calls} {error}: got through at the {nth}th");
                break;
            }
        }
    }
}
