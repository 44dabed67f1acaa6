//! What goes wrong in a lab, and what people are told of it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Cluster, Ended, Running, must_equal, poll, usable};

use crate::common::Lab;

fn small() -> RunSpec {
    RunSpec::new(40, 500)
}

/// What `explain` says of the only job.
fn explained(lab: &Lab) -> String {
    lab.cluster.client("explain").args(["1"]).run().stdout
}

fn job(lab: &Lab) -> Option<Value> {
    lab.told("job", &["1"])
}

/// Submits the run without waiting for its end.
fn submit(lab: &Lab, args: &[&str]) {
    let submitted = lab
        .cluster
        .client("submit")
        .args(["data:run", "--out", "data:npy"])
        .args(args)
        .run();
    submitted.must_succeed();
    assert_eq!(submitted.stdout, "1\n");
}

/// Waits for the only job, as someone does who has submitted it.
fn wait(lab: &Lab) -> Ended {
    lab.cluster.client("job").args(["1", "--wait"]).run()
}

#[test]
fn a_coordinator_that_does_not_answer_is_told_with_what_to_look_at() {
    let lab = Lab::new(&small());
    let address = lab.cluster.address();
    for args in [
        &["jobs"][..],
        &["workers"],
        &["job", "1"],
        &["explain", "1"],
        &["drain", "pc1"],
    ] {
        let ended = lab.cluster.client(args[0]).args(&args[1..]).run();
        ended.must_end_with(1).must_say(&[
            &format!("no coordinator answers at {address}"),
            "is `trc2npy coordinator` running there, and does its firewall let port",
        ]);
    }
    // A worker waits: it may have been started first.
    let mut worker = lab.cluster.worker("pc1").start();
    worker.says(&format!("no coordinator answers at {address}"));
    worker.says("trying again");
    let coordinator = lab.cluster.start_coordinator();
    worker.says("connected to");
    drop((worker, coordinator));
}

#[test]
fn other_machines_are_spoken_with_openly_only_where_that_was_said() {
    let lab = Lab::new(&small());
    let mapping = lab.cluster.mapping();
    let far = Call::of("jobs").args(["--coordinator", "192.0.2.1:7070"]).run();
    far.must_end_with(2)
        .must_say(&["192.0.2.1:7070 is not on this machine", "add --insecure"]);
    let open = Call::of("coordinator")
        .args(["--listen", "0.0.0.0:0", "--root", &mapping, "--state"])
        .args([lab.cluster.state()])
        .run();
    open.must_end_with(2)
        .must_say(&["--listen 0.0.0.0:0", "add --insecure"]);
    assert!(!lab.cluster.state().exists(), "nothing was begun");
}

#[test]
fn programs_that_do_not_understand_each_other_say_so_on_both_sides() {
    let lab = Lab::new(&small());
    let mut coordinator = lab.cluster.start_coordinator();
    let sentence = "protocol mismatch: this coordinator (trc2npy ";
    let client = Call::of_test_build("jobs").args(["--coordinator", &lab.cluster.address()]);
    let client = client.env("TRC2NPY_TEST_PROTOCOL", "7-9").run();
    client
        .must_end_with(1)
        .must_say(&[sentence, "7-9: use the same version of trc2npy on both"]);
    let worker = lab
        .cluster
        .as_worker(Call::of_test_build("worker"), "pc1", &lab.cluster.mapping())
        .env("TRC2NPY_TEST_PROTOCOL", "7")
        .run();
    worker
        .must_end_with(1)
        .must_say(&[sentence, "7: use the same version of trc2npy on both"]);
    coordinator.says(sentence);
}

#[test]
fn a_root_that_the_coordinator_does_not_have_is_refused() {
    let lab = Lab::new(&small());
    let coordinator = lab.cluster.start_coordinator();
    let mapping = lab.cluster.mapping().replace("data=", "tape=");
    let worker = lab.cluster.worker_with("pc1", &mapping).run();
    worker
        .must_end_with(1)
        .must_say(&["none of its roots (tape) is known here; the coordinator has data"]);
    for (input, out, told) in [
        ("tape:run", "data:npy", "tape:run: neither the coordinator (data = "),
        ("data:run", "tape:npy", "the coordinator has no root tape (data = "),
        ("data:../run", "data:npy", "data:../run"),
        ("run", "data:npy", "run"),
        ("data:nowhere", "data:npy", "nowhere"),
    ] {
        let ended = lab.cluster.client("submit").args([input, "--out", out]).run();
        assert!(matches!(ended.status.code(), Some(1 | 2)), "{ended}");
        ended.must_say(&[told]);
        assert!(ended.stdout.is_empty(), "{ended}");
    }
    drop(coordinator);
}

#[test]
fn a_worker_that_sees_another_storage_makes_nothing_and_the_others_do_it() {
    let lab = Lab::new(&small());
    let reference = lab.reference("alone", &[], 0);
    let coordinator = lab.cluster.start_coordinator();
    // Another folder of the same names: the files are there, and are others.
    let elsewhere = lab.path("elsewhere");
    trc2npy_tests::write_run(&RunSpec { seed: 9, ..small() }, &elsewhere.join("run"));
    let mapping = format!("data={}", elsewhere.display());
    let mut lost = lab.cluster.worker_with("lost", &mapping).start();
    lost.says("connected to");
    submit(&lab, &[]);
    lost.says("map the root data to the storage that the coordinator has under this name (--root data=PATH)");
    poll("the reason in explain", || {
        explained(&lab).contains("lost gets nothing").then_some(())
    });
    let workers = lab.cluster.client("workers").run();
    workers.must_say(&["lost"]);
    let right = lab.cluster.start_worker("right");
    wait(&lab).must_succeed();
    must_equal(&lab.path("npy"), &reference);
    drop((lost, right, coordinator));
}

/// Root without the right to read and write everything.
fn as_others(lab: &Lab, name: &str) -> Option<Running> {
    let caps = "-dac_override,-dac_read_search";
    let arguments = ["--bounding-set", caps, "--inh-caps", caps];
    if !usable("setpriv", arguments.iter().chain(&["true"])) {
        return None;
    }
    let call = Call::launched_by("setpriv", &arguments, "worker");
    let mut worker = lab.cluster.as_worker(call, name, &lab.cluster.mapping()).start();
    worker.says("connected to");
    Some(worker)
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the mode is set");
}

#[test]
fn a_worker_that_may_not_read_the_inputs_makes_no_bad_rows() {
    let lab = Lab::new(&small());
    let reference = lab.reference("alone", &[], 0);
    let coordinator = lab.cluster.start_coordinator();
    // The files that are compared at the beginning can be read, others cannot.
    for index in (1..40).filter(|index| index % 5 != 0) {
        set_mode(&lab.path(&format!("run/C1--Trace--{index:05}.trc")), 0);
    }
    let Some(mut blind) = as_others(&lab, "blind") else {
        return;
    };
    submit(&lab, &["--range-size", "8kB"]);
    blind.says("may read");
    let right = lab.cluster.start_worker("right");
    wait(&lab).must_succeed();
    must_equal(&lab.path("npy"), &reference);
    drop((blind, right, coordinator));
}

#[test]
fn a_worker_that_may_not_write_gives_its_rows_to_others() {
    let lab = Lab::new(&small());
    let reference = lab.reference("alone", &[], 0);
    let coordinator = lab.cluster.start_coordinator();
    submit(&lab, &[]);
    let mut folders = vec![lab.path("npy/.trc2npy")];
    while let Some(folder) = folders.pop() {
        set_mode(&folder, 0o555);
        folders.extend(
            fs::read_dir(&folder)
                .unwrap()
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| path.is_dir()),
        );
    }
    let Some(mut readonly) = as_others(&lab, "readonly") else {
        return;
    };
    readonly.says("access denied");
    let right = lab.cluster.start_worker("right");
    wait(&lab).must_succeed();
    must_equal(&lab.path("npy"), &reference);
    drop((readonly, right, coordinator));
}

#[test]
fn an_input_that_changes_while_the_job_runs_ends_it() {
    let lab = Lab::new(&small());
    let coordinator = lab.cluster.start_coordinator();
    submit(&lab, &[]);
    // Nobody works yet. Not one of the first bytes that are compared.
    let path = lab.path("run/C1--Trace--00007.trc");
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend([0; 10]);
    fs::write(&path, bytes).unwrap();
    let worker = lab.cluster.start_worker("pc1");
    let ended = wait(&lab);
    ended
        .must_end_with(1)
        .must_say(&["C1--Trace--00007.trc", "since the conversion was planned"]);
    let job = job(&lab).unwrap();
    assert_eq!(job["state"], "failed");
    assert!(job["rows_done"].as_u64() < job["rows"].as_u64(), "{job}");
    assert!(!lab.path("npy/C1--Trace.npy").exists());
    drop((worker, coordinator));
}

#[test]
fn two_workers_of_one_name_are_one_too_many() {
    let lab = Lab::new(&small());
    let coordinator = lab.cluster.start_coordinator();
    let first = lab.cluster.start_worker("pc1");
    let second = lab.cluster.worker("pc1").run();
    second
        .must_end_with(1)
        .must_say(&["a worker of the name pc1 is connected already", "--name"]);
    // One that was killed and started again is no second one.
    first.kill();
    let again = lab.cluster.start_worker("pc1");
    drop((again, coordinator));
}

#[test]
fn a_port_in_use_changes_nothing() {
    let lab = Lab::new(&small());
    let coordinator = lab.cluster.start_coordinator();
    let other = lab.path("other-state");
    let (address, mapping) = (lab.cluster.address(), lab.cluster.mapping());
    let second = Call::of("coordinator")
        .args(["--listen", &address, "--root", &mapping, "--state"])
        .args([&other])
        .run();
    second
        .must_end_with(1)
        .must_say(&[&address, "is in use: another coordinator may be running"]);
    assert!(!other.exists());
    let same_state = Call::of("coordinator")
        .args(["--listen", "127.0.0.1:0", "--root", &mapping, "--state"])
        .args([lab.cluster.state()])
        .run();
    same_state
        .must_end_with(1)
        .must_say(&["another coordinator uses this state"]);
    drop(coordinator);
}

#[test]
fn a_second_coordinator_gets_no_output_that_the_first_one_makes() {
    let lab = Lab::new(&small());
    let coordinator = lab.cluster.start_coordinator();
    submit(&lab, &[]);
    let other = Cluster::new(&lab.path(""));
    let other_state = lab.path("state-of-the-other");
    let (address, mapping) = (other.address(), other.mapping());
    let mut second = Call::of("coordinator")
        .args(["--listen", &address, "--root", &mapping, "--state"])
        .args([&other_state])
        .start();
    second.says("listening on");
    let refused = other.client("submit").args(["data:run", "--out", "data:npy"]).run();
    refused
        .must_end_with(1)
        .must_say(&["npy/.trc2npy is in use by process"]);
    drop((second, coordinator));
}

/// A worker of the build that crashes on a file, started again whenever it has ended, until the job is over.
fn crash_on(lab: &Lab, how: &str) -> Ended {
    let mut waiting = lab.cluster.client("job").args(["1", "--wait"]).start();
    let start = || {
        let call = lab
            .cluster
            .as_worker(Call::of_test_build("worker"), "pc1", &lab.cluster.mapping());
        call.env("TRC2NPY_TEST_CRASH", how).start()
    };
    let mut worker = start();
    poll("the end of the job", || {
        if !worker.runs() {
            worker = start();
        }
        (!waiting.runs()).then_some(())
    });
    waiting.wait()
}

#[test]
fn an_input_that_crashes_the_decoder_is_quarantined_and_the_rest_is_done() {
    for how in ["panic", "abort"] {
        let lab = Lab::new(&small());
        let reference = lab.reference("alone", &[], 0);
        let coordinator = lab.cluster.start_coordinator();
        submit(&lab, &["--range-size", "8kB"]);
        let ended = crash_on(&lab, &format!("{how}:C1--Trace--00007.trc"));
        ended.must_end_with(3).must_say(&["BAD ROWS: 1 of 40"]);
        let array = fs::read(lab.path("npy/C1--Trace.npy")).unwrap();
        let whole = &reference["C1--Trace.npy"];
        let row = 4096 + 7 * 500 * 4..4096 + 8 * 500 * 4;
        assert_eq!(array[..row.start], whole[..row.start]);
        assert_eq!(array[row.end..], whole[row.end..]);
        assert!(
            array[row]
                .chunks(4)
                .all(|value| f32::from_le_bytes(value.try_into().unwrap()).is_nan())
        );
        drop(coordinator);
    }
}

#[test]
fn a_job_that_is_cancelled_leaves_no_shard_and_can_be_gone_on_with() {
    let lab = Lab::new(&small());
    let reference = lab.reference("alone", &[], 0);
    let coordinator = lab.cluster.start_coordinator();
    submit(&lab, &[]);
    lab.cluster.client("cancel").args(["1"]).run().must_succeed();
    let ended = wait(&lab);
    ended.must_end_with(1).must_say(&["job 1 was cancelled"]);
    let worker = lab.cluster.start_worker("pc1");
    lab.cluster.submit("run", "npy").run().must_succeed();
    must_equal(&lab.path("npy"), &reference);
    // Once more: nothing to do.
    let again = lab.cluster.submit("run", "npy").run();
    again.must_succeed().must_say(&["nothing to do"]);
    let unknown = lab.cluster.client("job").args(["99"]).run();
    unknown.must_end_with(1).must_say(&["there is no job 99"]);
    drop((worker, coordinator));
}

#[test]
fn a_drained_worker_ends_by_itself() {
    let lab = Lab::new(&small());
    let coordinator = lab.cluster.start_coordinator();
    let worker = lab.cluster.start_worker("pc1");
    lab.cluster.client("drain").args(["pc1"]).run().must_succeed();
    worker
        .wait()
        .must_succeed()
        .must_say(&["the coordinator has drained this worker"]);
    let unknown = lab.cluster.client("drain").args(["pc1"]).run();
    unknown
        .must_end_with(1)
        .must_say(&["no worker is called pc1", "no worker is connected"]);
    drop(coordinator);
}

#[test]
fn a_probe_says_what_would_be_reported_and_asks_nobody() {
    let lab = Lab::new(&small());
    let mapping = lab.cluster.mapping();
    let probe = || Call::of("worker").args(["probe", "--coordinator", "pc1:7071", "--insecure", "--root", &mapping]);
    let told = probe().args(["--name", "pc2"]).run();
    told.must_succeed()
        .must_say(&["pc2", "pc1:7071, not asked", "root data"]);
    let told = probe().args(["--memory", "2MiB", "--json"]).run();
    let told: Value = serde_json::from_str(&told.must_succeed().stdout).unwrap();
    assert_eq!(told["coordinator"], "pc1:7071");
    assert_eq!(told["memory_limit"], 2 << 20);
}

#[test]
fn a_worker_without_memory_for_the_plan_names_its_own_option() {
    let lab = Lab::new(&RunSpec::new(60_000, 2));
    let coordinator = lab.cluster.start_coordinator();
    submit(&lab, &[]);
    let mut small = lab.cluster.worker("small").args(["--memory", "2MiB"]).start();
    small.says("--memory of 2,097,152 bytes: at least");
    assert!(!small.stderr().contains("--memory-limit"), "{}", small.stderr());
    drop((small, coordinator));
}
