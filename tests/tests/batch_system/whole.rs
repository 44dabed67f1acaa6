//! Tasks come in every way that a batch system has, and the arrays are those of `convert`.

use std::fs;

use trc2npy_synth::RunSpec;
use trc2npy_tests::{must_equal, poll};

use crate::common::Site;

#[test]
fn an_array_of_tasks_killed_doubled_and_counted_otherwise_makes_what_convert_makes() {
    let site = Site::new(&RunSpec {
        channels: vec![1, 2],
        ..RunSpec::new(2_000, 5_000)
    });
    let options = ["--baseline", "500"];
    let reference = site.reference(&options, 0);
    site.plan(&options).run().must_succeed().must_say(&["4,000 rows"]);
    let stitch = site.stitch(&["--wait", "--timeout", "100s"]).start();

    // Some task is killed in the middle of its share: one of them is slow enough for that.
    let before = || site.shard_files("C1", ".made").len() + site.shard_files("C2", ".made").len();
    let mut killed = 0;
    for index in 0..4 {
        let there = before();
        let mut task = site.task(index, 8).start();
        task.poll("a shard", |_| (before() > there).then_some(()));
        let ended = task.kill();
        if ended.status.code().is_none() {
            killed += 1;
        }
    }
    eprintln!("{killed} of 4 tasks were killed in the middle");
    assert!(killed > 0, "none of the tasks was killed before its end");

    let again = (0..4).map(|index| site.task(index, 8).start());
    let doubled = [4, 4, 5].map(|index| site.task(index, 8).start());
    // Two shares of eight are one of four.
    let of_four = site.task(3, 4).start();
    let all: Vec<_> = again.chain(doubled).chain([of_four]).collect();
    for task in all {
        task.wait().must_succeed();
    }
    stitch.wait().must_succeed();
    must_equal(&site.out(), &reference);
    site.must_be_tidy();
    // Late ones find nothing to do, and so does whoever comes by another way.
    site.task(2, 8).run().must_succeed();
    site.stitch(&[]).run().must_succeed().must_say(&["nothing to do"]);
    site.plan(&options).run().must_succeed().must_say(&["finished already"]);
    must_equal(&site.out(), &reference);
}

#[test]
fn what_is_missing_is_said_as_shares_and_rows() {
    let site = Site::new(&RunSpec::new(400, 2_000));
    let reference = site.reference(&[], 0);
    site.plan(&[]).run().must_succeed();
    site.stitch(&[])
        .run()
        .must_end_with(1)
        .must_say(&["400 rows are not made: C1 0..400", "no task has begun"]);
    for index in [0, 2] {
        site.task(index, 4).run().must_succeed();
    }
    site.stitch(&[])
        .run()
        .must_end_with(1)
        .must_say(&["missing: 2 shares of 4: 1,3", "--array=1,3"]);
    site.stitch(&["--wait", "--timeout", "100ms"])
        .run()
        .must_end_with(1)
        .must_say(&["missing: 2 shares of 4: 1,3", "--timeout"]);
    for index in [1, 3] {
        site.task(index, 4).run().must_succeed();
    }
    site.stitch(&[]).run().must_succeed();
    must_equal(&site.out(), &reference);
    site.must_be_tidy();
}

#[test]
fn a_share_that_is_made_is_a_few_looks() {
    let site = Site::new(&RunSpec::new(400, 2_000));
    let reference = site.reference(&[], 0);
    site.plan(&[]).run().must_succeed();
    for index in 0..3 {
        site.task(index, 3).run().must_succeed();
    }
    // The files of the run are not even there.
    fs::rename(site.path("run"), site.path("away")).unwrap();
    site.task(1, 3)
        .run()
        .must_succeed()
        .must_say(&["0 of", "were made before"]);
    site.task(1, 2)
        .run()
        .must_succeed()
        .must_say(&["0 of", "were made before"]);
    site.stitch(&[]).run().must_succeed();
    must_equal(&site.out(), &reference);
}

#[test]
fn several_runs_are_one_plan() {
    let site = Site::new(&RunSpec::new(300, 2_000));
    fs::create_dir(site.path("all")).unwrap();
    fs::rename(site.path("run"), site.path("all/r005")).unwrap();
    trc2npy_tests::write_run(&RunSpec::new(200, 1_000), &site.path("all/r006"));
    let inputs = [site.path("all/r005"), site.path("all/r006")];
    trc2npy_tests::Convert::new(&inputs, site.path("alone/{run}"))
        .run()
        .must_succeed();
    let plan = |out: &str| {
        let call = trc2npy_tests::Call::of("plan").args(&inputs).args(["--out"]);
        call.args([site.path(out)])
            .args(["-o"])
            .args([site.path("run.plan")])
            .run()
    };
    plan("npy").must_end_with(2).must_say(&["{run}"]);
    plan("npy/{run}").must_succeed();
    for index in 0..3 {
        site.task(index, 3).run().must_succeed();
    }
    site.stitch(&[]).run().must_succeed();
    for run in ["r005", "r006"] {
        let alone = trc2npy_tests::outputs(&site.path(&format!("alone/{run}")));
        must_equal(&site.path(&format!("npy/{run}")), &alone);
    }
}

#[test]
fn a_task_knows_its_share_by_what_its_system_tells() {
    let site = Site::new(&RunSpec::new(200, 2_000));
    let reference = site.reference(&[], 0);
    site.plan(&[]).run().must_succeed();
    let call = || trc2npy_tests::Call::of("run-range").args([site.path("run.plan")]);
    for (task, index) in [("1", "share 0 of 2"), ("2", "share 1 of 2")] {
        let call = call()
            .env("SLURM_ARRAY_TASK_ID", task)
            .env("SLURM_ARRAY_TASK_COUNT", "2");
        call.env("SLURM_ARRAY_TASK_MIN", "1")
            .run()
            .must_succeed()
            .must_say(&[index]);
    }
    let pod = call().args(["--count", "5"]).env("JOB_COMPLETION_INDEX", "4");
    pod.run().must_succeed().must_say(&["share 4 of 5", "were made before"]);
    site.stitch(&[]).run().must_succeed();
    must_equal(&site.out(), &reference);
}

#[test]
fn files_that_are_still_written_are_waited_for_as_convert_does() {
    let site = Site::new(&RunSpec::new(40, 2_000));
    // Short for ever: one seems to be still being written, and one is from before.
    let cut = |file: &str, age: u64| {
        let path = site.path("run").join(file);
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_len(900).unwrap();
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(age);
        file.set_modified(then).unwrap();
    };
    cut("C1--Trace--00018.trc", 7_000);
    cut("C1--Trace--00017.trc", 0);
    // At the same time: both find the file young, and both wait.
    let convert = trc2npy_tests::Convert::new([site.path("run")], site.path("alone")).start();
    site.plan(&[]).run().must_succeed();
    let tasks = [0, 1].map(|index| site.task(index, 2).start());
    for task in tasks {
        task.wait().must_succeed();
    }
    site.stitch(&[]).run().must_end_with(3).must_say(&["BAD ROWS: 2 of 40"]);
    convert.wait().must_end_with(3);
    must_equal(&site.out(), &trc2npy_tests::outputs(&site.path("alone")));
}

#[test]
fn a_stitch_that_was_killed_is_gone_on_with() {
    let site = Site::new(&RunSpec::new(1_000, 5_000));
    let reference = site.reference(&[], 0);
    site.plan(&[]).run().must_succeed();
    for index in 0..4 {
        site.task(index, 4).run().must_succeed();
    }
    // With a small --sync-every it records, and removes shards, all the time.
    let mut stitch = site.stitch(&["--threads", "1"]).start();
    let there = site.shard_files("C1", ".json").len();
    stitch.poll("a shard that is used up", |_| {
        (site.shards().is_none() || site.shard_files("C1", ".json").len() < there).then_some(())
    });
    stitch.kill();
    poll("the end", || {
        let ended = site.stitch(&[]).run();
        ended.status.success().then_some(())
    });
    must_equal(&site.out(), &reference);
    site.must_be_tidy();
}

/// Pods that are started together all plan first: also while the arrays are put together already.
#[test]
fn a_plan_that_is_there_is_kept() {
    let site = Site::new(&RunSpec::new(20, 500));
    site.plan(&["--keep"]).run().must_succeed();
    let before = fs::read(site.path("run.plan")).unwrap();
    let mut stitching = site.stitch(&["--wait"]).start();
    poll("stitch to be at it", || {
        let planned = site.plan(&[]).run();
        (planned.status.code() == Some(1)).then_some(planned)
    })
    .must_say(&["is in use by "]);
    let kept = site.plan(&["--keep"]).run();
    kept.must_succeed();
    assert!(kept.stdout.contains("is there, and stays as it is"), "{kept}");
    assert_eq!(fs::read(site.path("run.plan")).unwrap(), before);
    stitching.kill_now();
    fs::write(site.path("run.plan"), "something else").unwrap();
    site.plan(&["--keep"]).run().must_end_with(1);
    assert_eq!(fs::read(site.path("run.plan")).unwrap(), b"something else");
}
