//! What must not end a job, what must, and what is left of it: restarts, storage that comes and goes, machines that are
//! switched off.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Convert, Running, must_equal, outputs, poll, write_run};

use crate::common::Lab;

fn small() -> RunSpec {
    RunSpec::new(40, 500)
}

fn submit(lab: &Lab, args: &[&str]) {
    lab.cluster.client("submit").args(args).run().must_succeed();
}

fn job(lab: &Lab, id: u32) -> Option<Value> {
    lab.told("job", &[&id.to_string()])
}

fn has_state(lab: &Lab, id: u32, state: &str) {
    poll(format!("job {id} is {state}"), || {
        (job(lab, id)?["state"] == state).then_some(())
    });
}

/// What the coordinator's journal says, while it does not run.
fn dump(lab: &Lab) -> Value {
    let told = Call::of("coordinator")
        .args(["journal", "dump", "--state"])
        .args([lab.cluster.state()])
        .run();
    told.must_succeed();
    serde_json::from_str(&told.stdout).unwrap()
}

/// A coordinator with these roots instead of the lab's.
fn with_roots(lab: &Lab, roots: &[String]) -> Running {
    let address = lab.cluster.address();
    let mut call = Call::of("coordinator")
        .args(["--listen", &address, "--state"])
        .args([lab.cluster.state()]);
    for root in roots {
        call = call.args(["--root", root]);
    }
    let mut running = call.start();
    running.says("listening on");
    running
}

fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-r").args([from, to]).status().unwrap();
    assert!(done.success());
}

#[test]
fn a_job_waits_for_a_root_that_was_forgotten_and_for_an_output_that_is_in_use() {
    let lab = Lab::new(&small());
    let reference = lab.reference("alone", &[], 0);
    fs::create_dir(lab.path("other")).unwrap();
    let coordinator = lab.cluster.start_coordinator();
    submit(&lab, &["data:run", "--out", "data:npy"]);
    drop(coordinator);
    // Started by someone who does not know of the root.
    let mut careless = with_roots(&lab, &[format!("tape={}", lab.path("other").display())]);
    careless.says("job 1 waits: data:run: the coordinator has no root data");
    assert_eq!(job(&lab, 1).unwrap()["state"], "waiting");
    let told = lab.cluster.client("explain").args(["1"]).run();
    assert!(
        told.stdout.contains("it waits, and is tried again every 10 s"),
        "{told}"
    );
    drop(careless);
    // Nor does storage that is away: what was begun is nowhere, and must not be begun anew on another disk.
    let away = lab.path("").with_file_name("away");
    fs::rename(lab.path(""), &away).unwrap();
    fs::create_dir(lab.path("")).unwrap();
    let mut unmounted = lab.cluster.start_coordinator();
    unmounted.says("job 1 waits: ");
    assert!(
        unmounted.stderr().contains("see whether the share is connected"),
        "{}",
        unmounted.stderr()
    );
    assert!(!lab.path("npy").exists(), "something was begun elsewhere");
    // It comes back while the coordinator runs.
    fs::remove_dir(lab.path("")).unwrap();
    fs::rename(&away, lab.path("")).unwrap();
    unmounted.says("job 1 goes on");
    let worker = lab.cluster.start_worker("pc1");
    has_state(&lab, 1, "done");
    must_equal(&lab.path("npy"), &reference);
    let state = fs::read_dir(lab.cluster.state().join("plans")).unwrap();
    assert_eq!(state.count(), 0, "plans that nobody needs");
    drop((worker, unmounted));
}

#[test]
fn a_job_that_waits_can_be_cancelled() {
    let lab = Lab::new(&small());
    fs::create_dir(lab.path("other")).unwrap();
    let coordinator = lab.cluster.start_coordinator();
    submit(&lab, &["data:run", "--out", "data:npy"]);
    drop(coordinator);
    let mut careless = with_roots(&lab, &[format!("tape={}", lab.path("other").display())]);
    careless.says("job 1 waits: ");
    lab.cluster.client("cancel").args(["1"]).run().must_succeed();
    assert_eq!(job(&lab, 1).unwrap()["state"], "cancelled");
    drop(careless);
    let mut right = lab.cluster.start_coordinator();
    right.says("0 jobs going on");
    assert_eq!(job(&lab, 1).unwrap()["state"], "cancelled");
    drop(right);
}

#[test]
fn a_finished_job_never_comes_back() {
    let lab = Lab::new(&small());
    let coordinator = lab.cluster.start_coordinator();
    submit(&lab, &["data:run", "--out", "data:npy", "--baseline", "5"]);
    coordinator.kill();
    // What a coordinator has on its disk that is ended between the last name of the files and its own note of it.
    let before = lab.path("").with_file_name("before");
    copy(lab.cluster.state(), &before);
    let coordinator = lab.cluster.start_coordinator();
    let worker = lab.cluster.start_worker("pc1");
    has_state(&lab, 1, "done");
    drop((worker, coordinator));
    fs::remove_dir_all(lab.cluster.state()).unwrap();
    fs::rename(&before, lab.cluster.state()).unwrap();
    let coordinator = lab.cluster.start_coordinator();
    assert_eq!(job(&lab, 1).unwrap()["state"], "done");
    drop(coordinator);
    assert_eq!(dump(&lab)["jobs"][0]["record"]["end"]["ended"], "done");
}

#[test]
fn machines_that_are_switched_off_make_no_bad_rows() {
    // One lease, long enough to be seen and ended.
    let mut spec = RunSpec::new(2, 500_000);
    spec.segments = 100;
    let lab = Lab::new(&spec);
    let reference = lab.reference("alone", &[], 0);
    let coordinator = lab.cluster.start_coordinator();
    submit(&lab, &["data:run", "--out", "data:npy", "--range-size", "1GiB"]);
    for _ in 0..4 {
        let mut worker = lab.cluster.worker("pc1").start();
        worker.says("connected to");
        poll("a lease in hand", || {
            (job(&lab, 1)?["leases"].as_u64()? > 0).then_some(())
        });
        worker.kill();
        poll("nothing in hand", || (job(&lab, 1)?["leases"] == 0).then_some(()));
    }
    let worker = lab.cluster.start_worker("pc1");
    has_state(&lab, 1, "done");
    assert_eq!(job(&lab, 1).unwrap()["bad_rows"], 0);
    must_equal(&lab.path("npy"), &reference);
    drop((worker, coordinator));
}

#[test]
fn links_that_lead_out_of_a_root_are_refused_on_both_ways() {
    let lab = Lab::new(&small());
    let outside = lab.path("").with_file_name("outside");
    write_run(&small(), &outside.join("run"));
    std::os::unix::fs::symlink(&outside, lab.path("link")).unwrap();
    let coordinator = lab.cluster.start_coordinator();
    for (input, out) in [
        ("data:run", "data:link/npy"),
        ("data:link/run", "data:npy"),
        ("data:li*/run", "data:npy"),
    ] {
        let refused = lab.cluster.client("submit").args([input, "--out", out]).run();
        assert!(matches!(refused.status.code(), Some(1 | 2)), "{refused}");
        refused.must_say(&["leads out of its root"]);
    }
    assert!(!outside.join("npy").exists() && !lab.path("npy/.trc2npy").exists());
    drop(coordinator);
}

#[test]
fn a_worker_with_a_copy_of_the_inputs_makes_nothing_and_the_others_do_it() {
    let lab = Lab::new(&small());
    let reference = lab.reference("alone", &[], 0);
    fs::create_dir(lab.path("out")).unwrap();
    let mappings = |input: &Path| {
        let out = format!("out={}", lab.path("out").display());
        [format!("in={}", input.display()), out]
    };
    let coordinator = with_roots(&lab, &mappings(&lab.path("")));
    let copied = lab.path("").with_file_name("copy");
    fs::create_dir(&copied).unwrap();
    copy(&lab.path("run"), &copied.join("run"));
    let long_ago = UNIX_EPOCH + Duration::from_hours(400_000);
    for file in fs::read_dir(copied.join("run")).unwrap() {
        File::open(file.unwrap().path())
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
    }
    let worker = |name: &str, input: &Path| {
        let [input, out] = mappings(input);
        lab.cluster.worker_with(name, &input).args(["--root", &out])
    };
    let mut lost = worker("lost", &copied).start();
    lost.says("connected to");
    submit(&lab, &["in:run", "--out", "out:npy"]);
    lost.says("this looks like a copy");
    let told = lab.cluster.client("explain").args(["1"]).run();
    assert!(told.stdout.contains("lost gets nothing"), "{told}");
    let right = worker("right", &lab.path("")).start();
    has_state(&lab, 1, "done");
    must_equal(&lab.path("out/npy"), &reference);
    drop((right, lost, coordinator));
}

#[test]
fn an_input_that_changes_ends_the_job_and_is_named() {
    let lab = Lab::new(&small());
    let coordinator = lab.cluster.start_coordinator();
    submit(&lab, &["data:run", "--out", "data:npy"]);
    let changed = lab.path("run/C1--Trace--00000.trc");
    let bytes = fs::read(&changed).unwrap();
    fs::write(&changed, &bytes[..bytes.len() - 100]).unwrap();
    let workers = ["pc1", "pc2"].map(|name| lab.cluster.start_worker(name));
    has_state(&lab, 1, "failed");
    let told = job(&lab, 1).unwrap()["error"].to_string();
    assert!(
        told.contains("C1--Trace--00000.trc") && told.contains("written again"),
        "{told}"
    );
    drop((workers, coordinator));
}

#[test]
fn where_sizes_are_trusted_another_time_is_no_change() {
    let lab = Lab::new(&small());
    let reference = lab.reference("alone", &["--trust-size"], 0);
    let coordinator = lab.cluster.start_coordinator();
    submit(&lab, &["data:run", "--out", "data:npy", "--trust-size"]);
    let long_ago = UNIX_EPOCH + Duration::from_hours(400_000);
    let touched = File::open(lab.path("run/C1--Trace--00000.trc")).unwrap();
    touched.set_modified(long_ago).unwrap();
    let worker = lab.cluster.start_worker("pc1");
    has_state(&lab, 1, "done");
    must_equal(&lab.path("npy"), &reference);
    drop((worker, coordinator));
}

#[test]
fn what_is_cancelled_is_free_at_once() {
    let lab = Lab::new(&RunSpec::new(3000, 50));
    let reference = lab.reference("alone", &[], 0);
    let coordinator = lab.cluster.start_coordinator();
    let worker = lab.cluster.start_worker("pc1");
    submit(&lab, &["data:run", "--out", "data:npy", "--range-size", "2kB"]);
    poll("some rows", || (job(&lab, 1)?["rows_done"].as_u64()? > 0).then_some(()));
    lab.cluster.client("cancel").args(["1"]).run().must_succeed();
    Convert::new([lab.path("run")], lab.path("npy")).run().must_succeed();
    must_equal(&lab.path("npy"), &reference);
    drop((worker, coordinator));
}

#[test]
fn an_output_that_is_being_made_is_told_by_its_job() {
    let lab = Lab::new(&small());
    let coordinator = lab.cluster.start_coordinator();
    submit(&lab, &["data:run", "--out", "data:npy"]);
    let second = lab
        .cluster
        .client("submit")
        .args(["data:run", "--out", "data:npy", "--baseline", "9"])
        .run();
    second
        .must_end_with(1)
        .must_say(&["job 1 writes to data:npy", "trc2npy cancel 1"]);
    drop(coordinator);
}

#[test]
fn a_submit_that_is_refused_leaves_nothing() {
    let lab = Lab::new(&small());
    for run in ["runs/a", "runs/b"] {
        write_run(&small(), &lab.path(run));
    }
    // The second output cannot be begun.
    fs::create_dir_all(lab.path("npy")).unwrap();
    fs::write(lab.path("npy/b"), "not a folder").unwrap();
    let coordinator = lab.cluster.start_coordinator();
    let refused = lab
        .cluster
        .client("submit")
        .args(["data:runs/*", "--out", "data:npy/{run}"])
        .run();
    assert!(matches!(refused.status.code(), Some(1 | 2)), "{refused}");
    assert!(lab.cluster.client("jobs").run().stdout.lines().count() <= 1);
    let left = fs::read_dir(lab.path("npy/a/.trc2npy")).into_iter().flatten().flatten();
    let left: Vec<_> = left
        .map(|entry| entry.file_name())
        .filter(|name| name != "lock" && name != "owner.json")
        .collect();
    assert!(left.is_empty(), "{left:?}");
    drop(coordinator);
}

#[test]
fn a_job_whose_output_folder_is_removed_fails() {
    let lab = Lab::new(&small());
    let coordinator = lab.cluster.start_coordinator();
    submit(&lab, &["data:run", "--out", "data:npy"]);
    fs::remove_dir_all(lab.path("npy")).unwrap();
    let worker = lab.cluster.start_worker("pc1");
    has_state(&lab, 1, "failed");
    let told = job(&lab, 1).unwrap()["error"].to_string();
    assert!(told.contains("was removed while the job was running"), "{told}");
    submit(&lab, &["data:run", "--out", "data:npy"]);
    has_state(&lab, 2, "done");
    drop((worker, coordinator));
}

#[test]
fn what_cannot_be_done_makes_way_for_what_can() {
    let lab = Lab::new(&small());
    let coordinator = lab.cluster.start_coordinator();
    let worker = lab.cluster.start_worker("pc1");
    submit(&lab, &["data:run", "--out", "data:npy", "--dtype", "int8"]);
    has_state(&lab, 1, "failed");
    submit(&lab, &["data:run", "--out", "data:npy", "--dtype", "int16"]);
    has_state(&lab, 2, "done");
    let reference = lab.reference("alone", &["--dtype", "int16"], 0);
    must_equal(&lab.path("npy"), &reference);
    drop((worker, coordinator));
}

#[test]
fn a_worker_outlives_a_coordinator_that_was_started_with_a_mistake() {
    let lab = Lab::new(&small());
    fs::create_dir(lab.path("other")).unwrap();
    let coordinator = lab.cluster.start_coordinator();
    let mut worker = lab.cluster.start_worker("pc1");
    drop(coordinator);
    let careless = with_roots(&lab, &[format!("tape={}", lab.path("other").display())]);
    worker.says("the coordinator does not take this worker now: none of its roots (data) is known here");
    drop(careless);
    let coordinator = lab.cluster.start_coordinator();
    lab.cluster.submit("run", "npy").run().must_succeed();
    drop((worker, coordinator));
}

#[test]
fn a_place_keeps_the_root_that_was_named() {
    let lab = Lab::new(&small());
    let reference = lab.reference("alone", &[], 0);
    let inner = format!("inner={}", lab.path("run").display());
    let coordinator = with_roots(&lab, &[lab.cluster.mapping(), inner]);
    // This one has not mapped the root inside of the other.
    let worker = lab.cluster.start_worker("pc1");
    lab.cluster.submit("run", "npy").run().must_succeed();
    must_equal(&lab.path("npy"), &reference);
    drop((worker, coordinator));
}

#[test]
fn many_jobs_can_wait_their_turn() {
    let mut spec = RunSpec::new(1, 50);
    spec.channels = vec![1, 2, 3, 4];
    let lab = Lab::new(&spec);
    for number in 0..60 {
        write_run(&spec, &lab.path(&format!("runs/r{number:02}")));
    }
    let (address, mapping) = (lab.cluster.address(), lab.cluster.mapping());
    let limited = Call::launched_by("sh", &["-c", "ulimit -Sn 128 && exec \"$@\"", "sh"], "coordinator");
    let mut coordinator = limited
        .args(["--listen", &address, "--root", &mapping, "--state"])
        .args([lab.cluster.state()])
        .start();
    coordinator.says("listening on");
    submit(&lab, &["data:runs/r*", "--out", "data:npy/{run}"]);
    let worker = lab.cluster.start_worker("pc1");
    has_state(&lab, 60, "done");
    let reference = lab.reference("alone", &[], 0);
    assert_eq!(outputs(&lab.path("npy/r33")).len(), reference.len());
    drop((worker, coordinator));
}

#[test]
fn the_state_of_a_newer_version_is_left_alone() {
    let lab = Lab::new(&small());
    lab.cluster.start_coordinator().kill();
    let path = lab.cluster.state().join("journal.redb");
    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    transaction.open_table(meta).unwrap().insert("version", 99).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let refused = lab.cluster.coordinator().run();
    refused
        .must_end_with(1)
        .must_say(&["the state has version 99", "start the newer trc2npy again"]);
    let meta = &dump(&lab)["meta"];
    assert_eq!((&meta["version"], &meta["epoch"]), (&Value::from(99), &Value::from(1)));
}

#[test]
fn a_worker_whose_machine_is_short_of_memory_gets_nothing_and_the_others_do_it() {
    let lab = Lab::new(&small());
    let reference = lab.reference("alone", &[], 0);
    let coordinator = lab.cluster.start_coordinator();
    // More of any machine's memory than this is in use.
    let mut full = lab.cluster.worker("full").args(["--memory-threshold", "0.001"]).start();
    full.says("connected to");
    submit(&lab, &["data:run", "--out", "data:npy"]);
    poll("the reason why nothing is done", || {
        let told = lab.cluster.client("explain").args(["1"]).run().stdout;
        told.contains("full gets nothing: its memory is full").then_some(())
    });
    let other = lab.cluster.start_worker("other");
    has_state(&lab, 1, "done");
    must_equal(&lab.path("npy"), &reference);
    drop((full, other, coordinator));
}

/// Whether somebody is connected to the port.
fn is_connected(address: &str) -> bool {
    let port: u16 = address.rsplit(':').next().unwrap().parse().unwrap();
    let connections = fs::read_to_string("/proc/net/tcp").unwrap();
    // local address, remote address, state 1: established
    let to = format!(":{port:04X} 01 ");
    connections.lines().any(|line| line.contains(&to))
}

#[test]
fn a_submit_outlives_the_coordinator_and_is_taken_once() {
    if !Path::new("/proc/net/tcp").exists() {
        eprintln!("left out: this machine does not tell its connections");
        return;
    }
    let lab = Lab::new(&small());
    let mut coordinator = lab.cluster.start_coordinator();
    assert!(coordinator.stop(), "it was told to stand still");
    let mut submitting = lab
        .cluster
        .client("submit")
        .args(["data:run", "--out", "data:npy"])
        .start();
    poll("a connection", || is_connected(&lab.cluster.address()).then_some(()));
    coordinator.kill();
    submitting.says("is away; trying again until it is back");
    let coordinator = lab.cluster.start_coordinator();
    submitting.says("the coordinator is back");
    let ended = submitting.wait();
    ended.must_succeed();
    assert_eq!(ended.stdout, "1\n");
    let worker = lab.cluster.start_worker("pc1");
    has_state(&lab, 1, "done");
    drop((worker, coordinator));
}

#[test]
fn a_worker_forgets_what_it_had_of_other_records() {
    let lab = Lab::new(&small());
    write_run(&RunSpec { seed: 5, ..small() }, &lab.path("other"));
    let coordinator = lab.cluster.start_coordinator();
    let mut worker = lab.cluster.start_worker("pc1");
    lab.cluster.submit("other", "first").run().must_succeed();
    drop(coordinator);
    fs::remove_dir_all(lab.cluster.state()).unwrap();
    let coordinator = lab.cluster.start_coordinator();
    worker.says("the coordinator has begun with other records");
    // The first job of these records; the worker has known another first one.
    lab.cluster.submit("run", "npy").run().must_succeed();
    must_equal(&lab.path("npy"), &lab.reference("alone", &[], 0));
    drop((worker, coordinator));
}
