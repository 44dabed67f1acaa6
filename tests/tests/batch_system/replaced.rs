//! A plan in the place of another one.

use std::fs;

use trc2npy_synth::RunSpec;
use trc2npy_tests::{Convert, must_equal};

use crate::common::Site;

/// Shares that no array has yet may be hours of many machines.
#[test]
fn what_was_made_for_another_plan_is_not_thrown_away_unasked() {
    let site = Site::new(&RunSpec::new(60, 500));
    let reference = site.reference(&[], 0);
    site.plan(&["--range-size", "8kB"]).run().must_succeed();
    site.task(0, 2).run().must_succeed();
    let made = site.shard_files("C1", ".made").len();
    assert_ne!(made, 0);
    let says = [
        "another command writes the same files and is not finished",
        "--overwrite to drop it",
    ];
    site.plan(&["--baseline", "100"]).run().must_end_with(1).must_say(&says);
    let convert = Convert::new([site.path("run")], site.out()).args(["--baseline", "100"]);
    convert.run().must_end_with(1).must_say(&says);
    assert_eq!(site.shard_files("C1", ".made").len(), made);
    site.task(1, 2).run().must_succeed();
    site.stitch(&[]).run().must_succeed();
    must_equal(&site.out(), &reference);
}

#[test]
#[cfg(unix)] // Stops and goes on.
fn a_task_whose_plan_is_replaced_does_not_pass_for_done() {
    use rustix::process::Signal;
    use trc2npy_tests::poll;

    let site = Site::new(&RunSpec::new(2_000, 500));
    let reference = site.reference(&["--baseline", "100"], 0);
    site.plan(&[]).run().must_succeed();
    let mut task = site.task(0, 1).start();
    poll("a piece of it", || {
        (!site.shard_files("C1", ".made").is_empty()).then_some(())
    });
    assert!(task.stop(), "it was over too soon");
    let other = ["--baseline", "100", "--overwrite"];
    site.plan(&other).run().must_succeed();
    task.signal(Signal::CONT);
    let ended = task.wait();
    ended.must_end_with(1).must_say(&["plan it again"]);
    site.task(0, 1).run().must_succeed();
    site.stitch(&[]).run().must_succeed();
    must_equal(&site.out(), &reference);
    site.must_be_tidy();
}

#[test]
fn a_plan_is_kept_for_the_same_command_alone() {
    let site = Site::new(&RunSpec::new(20, 500));
    site.plan(&[]).run().must_succeed();
    let before = fs::read(site.path("run.plan")).unwrap();
    let other = site.plan(&["--keep", "--baseline", "100"]).run();
    other
        .must_end_with(1)
        .must_say(&["is a plan of other inputs, another --out or other options"]);
    site.plan(&["--keep"]).from(&site.path("run")).run().must_succeed();
    assert_eq!(fs::read(site.path("run.plan")).unwrap(), before);
}

#[test]
fn of_eight_that_plan_at_once_and_keep_none_fails() {
    let site = Site::new(&RunSpec::new(2_000, 500));
    let all: Vec<_> = (0..8).map(|_| site.plan(&["--keep"]).start()).collect();
    for one in all {
        one.wait().must_succeed();
    }
}
