//! What cannot be done is refused, in words that say what to do.

use std::fs;

use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Convert, outputs};

use crate::common::{Site, flip};

#[test]
fn plan_refuses_what_convert_refuses_with_the_same_sentences() {
    let site = Site::new(&RunSpec::new(50, 1_000));
    let alike = |args: &[&str]| {
        let convert = Convert::new([site.path("run")], site.out()).args(args).run();
        let plan = site.plan(args).run();
        assert_ne!(convert.status.code(), Some(0), "{args:?}");
        assert_eq!(plan.status.code(), convert.status.code(), "{args:?}\n{plan}");
        assert_eq!(plan.stderr.lines().last(), convert.stderr.lines().last(), "{args:?}");
        assert!(!site.path("run.plan").exists());
    };
    alike(&["--channels", "C3"]);
    alike(&["--baseline", "1000"]);
    fs::create_dir(site.out()).unwrap();
    fs::write(site.path("npy/C1--Trace.npy"), "mine").unwrap();
    alike(&[]);
    assert_eq!(outputs(&site.out()).len(), 1);
}

#[test]
fn a_plan_replaces_nothing_but_a_plan() {
    let site = Site::new(&RunSpec::new(50, 1_000));
    fs::write(site.path("run.plan"), "the notes of a night").unwrap();
    site.plan(&[]).run().must_end_with(2).must_say(&["which is no plan"]);
    assert_eq!(fs::read(site.path("run.plan")).unwrap(), b"the notes of a night");
    fs::remove_file(site.path("run.plan")).unwrap();
    fs::create_dir(site.path("run.plan")).unwrap();
    site.plan(&[]).run().must_end_with(2).must_say(&["which is no plan"]);
    // Nothing was begun either.
    assert!(!site.out().exists());
}

#[test]
fn shares_that_there_are_not_are_refused() {
    let site = Site::new(&RunSpec::new(50, 1_000));
    site.plan(&[]).run().must_succeed();
    site.task(0, 0).run().must_end_with(2).must_say(&["0 shares"]);
    site.task(8, 8).run().must_end_with(2).must_say(&["the last one is 7"]);
    let call = || Call::of("run-range").args([site.path("run.plan")]);
    call().run().must_end_with(2).must_say(&["no --index"]);
    call()
        .args(["--index", "1"])
        .run()
        .must_end_with(2)
        .must_say(&["no --count"]);
    call().args(["--index", "-1", "--count", "2"]).run().must_end_with(2);
    // More shares than rows are right: most of them are empty.
    site.task(77, 1_000).run().must_succeed();
}

#[test]
fn a_plan_of_another_version_a_damaged_one_and_none_are_told_apart() {
    let site = Site::new(&RunSpec::new(50, 1_000));
    site.plan(&[]).run().must_succeed();
    let whole = fs::read(site.path("run.plan")).unwrap();
    let both = |why: &str| {
        site.task(0, 1).run().must_end_with(1).must_say(&["run.plan", why]);
        site.stitch(&[]).run().must_end_with(1).must_say(&["run.plan", why]);
    };
    flip(&site.path("run.plan"));
    both("damaged");
    fs::write(site.path("run.plan"), &whole[..whole.len() - 9]).unwrap();
    both("damaged");
    let mut newer = whole.clone();
    newer[8] = 9;
    fs::write(site.path("run.plan"), newer).unwrap();
    both("a plan of version 9");
    fs::write(site.path("run.plan"), "rows, rows, rows: twenty bytes").unwrap();
    both("not a file of trc2npy plan");
    fs::remove_file(site.path("run.plan")).unwrap();
    both("cannot be read");
    // Planned again, it is as it was.
    site.plan(&[]).run().must_succeed();
    assert!(fs::read(site.path("run.plan")).unwrap() == whole);
}

#[test]
fn a_plan_whose_state_is_gone_is_refused() {
    let site = Site::new(&RunSpec::new(50, 1_000));
    site.plan(&[]).run().must_succeed();
    fs::remove_dir_all(site.path("npy/.trc2npy")).unwrap();
    site.task(0, 1)
        .run()
        .must_end_with(1)
        .must_say(&["nothing that was planned"]);
    site.stitch(&[])
        .run()
        .must_end_with(1)
        .must_say(&["nothing that was planned"]);
    assert_eq!(fs::read_dir(site.out()).unwrap().count(), 0);
}
