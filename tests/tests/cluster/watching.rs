//! Who watches a job: through restarts of the coordinator, until it has ended or is no longer waited for.

use rustix::process::Signal;
use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Running, Terminal, must_equal, poll};

use crate::common::Lab;

/// Three of its rows are bad: the exit code tells that it is the job's own.
fn spec() -> RunSpec {
    RunSpec {
        bad: vec!["truncated:3".parse().unwrap()],
        ..RunSpec::new(40, 500)
    }
}

fn submit(lab: &Lab, args: &[&str]) -> Call {
    let call = lab.cluster.client("submit");
    call.args(["data:run", "--out", "data:npy", "--settle", "0"]).args(args)
}

fn job(lab: &Lab, args: &[&str]) -> Call {
    lab.cluster.client("job").args(["1"]).args(args)
}

const WIDE: Terminal = Terminal { rows: 24, columns: 80 };

#[test]
fn a_watch_outlives_the_coordinator_and_ends_as_the_job_does() {
    let lab = Lab::new(&spec());
    let reference = lab.reference("alone", &["--settle", "0"], 3);
    let mut coordinator = lab.cluster.start_coordinator();
    // Nobody works yet.
    let mut submitted = submit(&lab, &["--watch"]).start();
    submitted.says("job 1: ");
    let mut waiting = job(&lab, &["--wait"]).start();
    let mut lines = job(&lab, &["--watch", "--quiet"]).start();
    let mut drawn = WIDE.start_call(job(&lab, &["--watch"]));
    drawn.poll("the bar", |drawn| drawn.stdout().contains("converting").then_some(()));
    let away = format!(
        "the coordinator at {} is away; trying again until it is back",
        lab.cluster.address()
    );
    for kill in [true, false] {
        if kill {
            coordinator.kill_now();
        } else {
            coordinator.signal(Signal::TERM);
            coordinator.wait().must_succeed();
        }
        for (running, times) in [
            (&mut submitted, usize::from(!kill) + 1),
            (&mut waiting, 1),
            (&mut lines, 1),
        ] {
            running.poll("that it is away", |running| {
                (running.stderr().matches(&away).count() >= times).then_some(())
            });
        }
        coordinator = lab.cluster.start_coordinator();
        let back = if kill { 1 } else { 2 };
        submitted.poll("that it is back", |running| {
            (running.stderr().matches("the coordinator is back").count() == back).then_some(())
        });
    }
    let worker = lab.cluster.start_worker("pc1");
    for running in [submitted, waiting, lines] {
        let ended = running.wait();
        ended.must_end_with(3).must_say(&["the coordinator is back"]);
    }
    let drawn = drawn.wait();
    drawn
        .must_end_with(3)
        .must_say(&["is away; trying", " 3 of 40 are not to be used"]);
    must_equal(&lab.path("npy"), &reference);
    drop((worker, coordinator));
}

/// Follows the job until it says that the coordinator is away.
fn left_alone(lab: &Lab) -> Running {
    let mut coordinator = lab.cluster.start_coordinator();
    let mut watching = submit(lab, &["--watch"]).start();
    watching.says("job 1: ");
    coordinator.kill_now();
    watching.says("is away");
    watching
}

#[test]
fn a_watch_ends_where_no_waiting_helps() {
    // Other records: there is no such job, or another one of its number.
    for with_a_job in [false, true] {
        let lab = Lab::new(&spec());
        let watching = left_alone(&lab);
        std::fs::rename(lab.cluster.state(), lab.path("../state-before")).unwrap();
        std::fs::remove_dir_all(lab.path("npy")).unwrap();
        if with_a_job {
            let before = lab.cluster.start_coordinator_at("127.0.0.1:0");
            let log = before.stderr();
            let address = log.lines().find_map(|line| line.split_once("listening on ")).unwrap().1;
            Call::of("submit")
                .args(["--coordinator", address, "data:run", "--out", "data:other"])
                .run()
                .must_succeed();
            before.kill();
        }
        let coordinator = lab.cluster.start_coordinator();
        let told = if with_a_job {
            "is another one now: its job 1 is run -> data:other; was it started with another --state?"
        } else {
            "there is no job 1; nothing was submitted yet"
        };
        watching.wait().must_end_with(1).must_say(&[told]);
        drop(coordinator);
    }
    // Another version.
    let lab = Lab::new(&spec());
    let watching = left_alone(&lab);
    let (address, mapping) = (lab.cluster.address(), lab.cluster.mapping());
    let mut newer = Call::of_test_build("coordinator")
        .args(["--listen", &address, "--root", &mapping, "--state"])
        .args([lab.cluster.state()])
        .env("TRC2NPY_TEST_PROTOCOL", "7")
        .start();
    newer.says("listening on");
    watching
        .wait()
        .must_end_with(1)
        .must_say(&["protocol mismatch: ", "use the same version of trc2npy on both"]);
}

fn must_say_farewell(lab: &Lab, said: &str) {
    let reach = format!("--coordinator {}", lab.cluster.address());
    for text in [
        "no longer watched; job 1 goes on",
        &format!("  trc2npy job 1 --watch {reach}"),
        &format!("  trc2npy cancel 1 {reach}"),
    ] {
        assert!(said.contains(text), "{text:?} is not said:\n{said}");
    }
    for text in ["in flight", "the same command"] {
        assert!(!said.contains(text), "{text:?} is not true here:\n{said}");
    }
}

#[test]
fn ctrl_c_ends_the_watching_and_not_the_job() {
    let lab = Lab::new(&spec());
    let reference = lab.reference("alone", &["--settle", "0"], 3);
    let mut coordinator = lab.cluster.start_coordinator();
    let mut first = submit(&lab, &["--wait"]).start();
    first.says("job 1: ");
    first.signal(Signal::INT);
    let ended = first.wait();
    ended.must_end_with(130);
    must_say_farewell(&lab, &ended.stderr);
    assert_eq!(ended.stdout, "");
    for signal in [Signal::INT, Signal::TERM] {
        let mut drawn = WIDE.start_call(job(&lab, &["--watch"]));
        drawn.poll("the bar", |drawn| drawn.stdout().contains("converting").then_some(()));
        drawn.signal(signal);
        let ended = drawn.wait();
        ended.must_end_with(130);
        must_say_farewell(&lab, &ended.stdout);
    }
    // While nobody answers, too.
    let mut drawn = WIDE.start_call(job(&lab, &["--watch"]));
    drawn.poll("the bar", |drawn| drawn.stdout().contains("converting").then_some(()));
    coordinator.kill_now();
    drawn.poll("that it is away", |drawn| {
        drawn.stdout().contains("is away").then_some(())
    });
    drawn.signal(Signal::INT);
    let ended = drawn.wait();
    ended.must_end_with(130);
    must_say_farewell(&lab, &ended.stdout);
    let coordinator = lab.cluster.start_coordinator();
    let worker = lab.cluster.start_worker("pc1");
    job(&lab, &["--wait"]).run().must_end_with(3);
    must_equal(&lab.path("npy"), &reference);
    drop((worker, coordinator));
}

fn json_lines(text: &str) -> Vec<Value> {
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}\nin\n{text}"));
    text.lines().map(read).collect()
}

#[test]
fn progress_as_json_is_one_object_a_line() {
    let lab = Lab::new(&spec());
    let coordinator = lab.cluster.start_coordinator();
    let worker = lab.cluster.start_worker("pc1");
    let watched = submit(&lab, &["--watch", "--progress", "json"]).run();
    let lines = json_lines(&watched.must_end_with(3).stdout);
    let (first, last) = (&lines[0], lines.last().unwrap());
    assert_eq!(
        (&first["event"], &first["job"]),
        (&"submitted".into(), &1.into()),
        "{watched}"
    );
    assert_eq!(last["event"], "end", "{watched}");
    assert_eq!(last["jobs"][0]["job"], 1, "{watched}");
    assert_eq!(last["jobs"][0]["state"], "done", "{watched}");
    assert_eq!(last["jobs"][0]["bad_rows"], 3, "{watched}");
    let middle = &lines[1..lines.len() - 1];
    assert!(
        !middle.is_empty() && middle.iter().all(|line| line["event"] == "progress"),
        "{watched}"
    );
    // Where nothing is watched the job's number is all that there is to say.
    let detached = lab
        .cluster
        .client("submit")
        .args(["data:run", "--out", "data:again", "--progress", "json", "--detach"])
        .run();
    let lines = json_lines(&detached.must_succeed().stdout);
    assert_eq!(lines.len(), 1, "{detached}");
    assert_eq!((&lines[0]["event"], &lines[0]["job"]), (&"submitted".into(), &2.into()));
    let ended = lab.cluster.client("job").args(["2", "--wait", "--json"]).run();
    let shown = lab.cluster.client("job").args(["2", "--json"]).run();
    assert_eq!(ended.must_end_with(3).stdout, shown.must_succeed().stdout);
    drop((worker, coordinator));
}

/// Long before its rows go to others, whoever looks is told.
#[test]
fn a_worker_that_stands_still_is_told_of() {
    let lab = Lab::new(&RunSpec::new(4, 500));
    let coordinator = lab.cluster.start_coordinator();
    let worker = lab.cluster.start_worker("pc1");
    worker.signal(Signal::STOP);
    let told = poll("the silence", || {
        let told = lab.told("workers", &[])?;
        (told[0]["state"] == "silent").then_some(told)
    });
    assert!(
        told[0]["why"].as_str().unwrap().starts_with("has not been heard for "),
        "{told}"
    );
    worker.signal(Signal::CONT);
    poll("its next word", || {
        (lab.told("workers", &[])?[0]["state"] == "idle").then_some(())
    });
    drop((worker, coordinator));
}

/// Asked to end while nobody heard it, it ends when it comes back.
#[test]
fn a_worker_that_was_drained_while_it_was_away_ends_when_it_is_back() {
    let lab = Lab::new(&RunSpec::new(4, 500));
    let coordinator = lab.cluster.start_coordinator();
    let worker = lab.cluster.start_worker("pc1");
    worker.signal(Signal::STOP);
    // It has rows in hand, and is not let go before they are made.
    let submit = lab.cluster.client("submit").args(["data:run", "--out", "data:npy"]);
    submit.run().must_succeed();
    poll("a lease", || {
        (lab.told("workers", &[])?[0]["leases"] != 0).then_some(())
    });
    lab.cluster.client("drain").args(["pc1"]).run().must_succeed();
    // Taken for lost.
    poll("its loss", || {
        lab.told("workers", &[])?.as_array()?.is_empty().then_some(())
    });
    worker.signal(Signal::CONT);
    let ended = worker.wait();
    ended.must_succeed();
    assert!(
        ended.stderr.contains("the coordinator has drained this worker"),
        "{ended}"
    );
    drop(coordinator);
}
