//! What storage and files do meanwhile.

use std::fs;

use trc2npy_synth::RunSpec;
use trc2npy_tests::must_equal;

use crate::common::{Site, flip};

#[test]
fn a_damaged_shard_is_told_of_and_made_again() {
    let site = Site::new(&RunSpec::new(400, 2_000));
    let reference = site.reference(&[], 0);
    site.plan(&[]).run().must_succeed();
    for index in 0..4 {
        site.task(index, 4).run().must_succeed();
    }
    let records = site.shard_files("C1", ".json");
    let arrays: Vec<_> = site.shard_files("C1", ".npy");
    let arrays: Vec<_> = arrays
        .iter()
        .filter(|path| !path.to_string_lossy().ends_with(".index.npy"))
        .collect();
    flip(arrays[1]);
    flip(&records[4]);
    let ended = site.stitch(&[]).run();
    ended
        .must_end_with(1)
        .must_say(&["are to be made again", "CRC32C", "missing: 2 shares of 4"]);
    for index in 0..4 {
        site.task(index, 4).run().must_succeed();
    }
    site.stitch(&[]).run().must_succeed();
    must_equal(&site.out(), &reference);
    site.must_be_tidy();
}

#[test]
fn a_file_that_has_changed_since_the_plan_is_refused() {
    let site = Site::new(&RunSpec::new(100, 2_000));
    site.plan(&[]).run().must_succeed();
    site.task(0, 2).run().must_succeed();
    let changed = site.path("run/C1--Trace--00090.trc");
    let longer = [fs::read(&changed).unwrap(), vec![0; 100]].concat();
    fs::write(&changed, longer).unwrap();
    site.task(1, 2)
        .run()
        .must_end_with(1)
        .must_say(&["C1--Trace--00090.trc", "since the conversion was planned"]);
    // Planned again, it is refused as by convert, unless everything is to be made anew.
    let convert = trc2npy_tests::Convert::new([site.path("run")], site.out()).run();
    let plan = site.plan(&[]).run();
    assert_eq!(plan.status.code(), convert.status.code());
    assert_eq!(plan.stderr.lines().last(), convert.stderr.lines().last());
    site.plan(&["--overwrite"]).run().must_succeed();
    let reference = site.reference(&[], 0);
    for index in 0..2 {
        site.task(index, 2).run().must_succeed();
    }
    site.stitch(&[]).run().must_succeed();
    must_equal(&site.out(), &reference);
}

#[test]
fn files_that_do_not_suit_what_was_asked_end_the_waiting() {
    let site = Site::new(&RunSpec::new(200, 2_000));
    site.plan(&["--on-bad-file", "fail"]).run().must_succeed();
    // As long as planned and as old, and no waveform: planning did not open it.
    let file = site.path("run/C1--Trace--00151.trc");
    let (length, written) = (
        fs::read(&file).unwrap().len(),
        fs::metadata(&file).unwrap().modified().unwrap(),
    );
    fs::write(&file, vec![7; length]).unwrap();
    let file = fs::File::options().write(true).open(&file).unwrap();
    file.set_modified(written).unwrap();
    let waiting = site.stitch(&["--wait", "--timeout", "100s"]).start();
    let task = site.task(1, 2).run();
    task.must_end_with(1)
        .must_say(&["C1--Trace--00151.trc", "--on-bad-file fail"]);
    waiting
        .wait()
        .must_end_with(1)
        .must_say(&["C1--Trace--00151.trc", "plan again"]);
    // The way is free for another command.
    site.plan(&[]).run().must_succeed();
    let reference = site.reference(&[], 3);
    for index in 0..2 {
        site.task(index, 2).run().must_succeed();
    }
    site.stitch(&[]).run().must_end_with(3);
    must_equal(&site.out(), &reference);
}

#[test]
fn convert_takes_the_run_over() {
    let site = Site::new(&RunSpec::new(200, 2_000));
    let reference = site.reference(&[], 0);
    site.plan(&[]).run().must_succeed();
    site.task(0, 2).run().must_succeed();
    site.stitch(&[]).run().must_end_with(1);
    trc2npy_tests::Convert::new([site.path("run")], site.out())
        .run()
        .must_succeed();
    must_equal(&site.out(), &reference);
    site.task(1, 2).run().must_succeed();
    site.stitch(&[]).run().must_succeed().must_say(&["nothing to do"]);
    must_equal(&site.out(), &reference);
}

#[cfg(target_os = "linux")] // Small file systems in memory are Linux's own.
#[test]
fn a_full_disk_is_an_error_and_costs_nothing_that_is_made() {
    let Some(disk) = trc2npy_tests::SmallDisk::mount(40 << 20) else {
        return;
    };
    let site = Site::new(&RunSpec::new(1_000, 2_000));
    let reference = site.reference(&[], 0);
    let plan = || {
        let call = trc2npy_tests::Call::of("plan")
            .args([site.path("run")])
            .args(["--out"])
            .args([disk.out()]);
        call.args(["-o"]).args([site.path("run.plan")]).run()
    };
    disk.fill(4 << 20);
    plan().must_end_with(1).must_say(&["are needed"]);
    assert!(!disk.out().join("C1--Trace.npy").exists());
    disk.make_room();
    plan().must_succeed();
    disk.fill(2 << 20);
    let full = site.task(0, 1).run();
    full.must_end_with(1).must_say(&["C1/"]);
    disk.make_room();
    site.task(0, 1).run().must_succeed().must_say(&["were made before"]);
    // Shards take the room that the array still needs: planned again, that is no reason to refuse.
    plan().must_succeed();
    site.stitch(&[]).run().must_succeed();
    must_equal(&disk.out(), &reference);
}

/// Another node's account may have the right that this one lacks: no bad rows are made of it, which nobody would make again.
#[test]
#[cfg(unix)]
fn a_task_that_may_not_read_a_file_fails_and_can_be_given_again() {
    use std::os::unix::fs::PermissionsExt as _;

    use trc2npy_tests::{Call, usable};

    // Root, without the right to read everything.
    let caps = "-dac_override,-dac_read_search";
    let as_others = ["--bounding-set", caps, "--inh-caps", caps];
    if !usable("setpriv", as_others.iter().chain(&["true"])) {
        eprintln!("left out: no setpriv by which a right could be taken away");
        return;
    }
    let site = Site::new(&RunSpec::new(40, 500));
    let reference = site.reference(&[], 0);
    site.plan(&["--range-size", "8kB"]).run().must_succeed();
    let file = site.path("run/C1--Trace--00017.trc");
    let task = || {
        let call = Call::launched_by("setpriv", &as_others, "run-range");
        call.args([site.path("run.plan")])
            .args(["--index", "0", "--count", "1"])
            .run()
    };
    fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
    task()
        .must_end_with(1)
        .must_say(&["C1--Trace--00017.trc: could not be read", "may read"]);
    site.stitch(&[]).run().must_end_with(1).must_say(&["are not made"]);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    task().must_succeed();
    site.stitch(&[]).run().must_succeed();
    must_equal(&site.out(), &reference);
}
