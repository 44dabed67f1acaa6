//! Workers with little memory, by a limit that the system enforces.

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, MemoryGroup, Running, must_equal, poll};

use crate::common::Lab;

fn worker(lab: &Lab, group: &MemoryGroup, name: &str) -> Running {
    let call: Call = group.call("worker");
    let mut running = lab.cluster.as_worker(call, name, &lab.cluster.mapping()).start();
    running.says("connected to");
    running
}

fn job(lab: &Lab) -> Option<Value> {
    lab.told("job", &["1"])
}

#[test]
fn a_worker_of_256_mib_finishes_files_of_100_mb() {
    let Some(group) = MemoryGroup::of(256 << 20) else {
        return;
    };
    // On a disk: what is written to a file system in memory counts as the worker's.
    let lab = Lab::on_disk(&RunSpec::new(2, 50_000_000));
    let reference = lab.reference("alone", &[], 0);
    let coordinator = lab.cluster.start_coordinator();
    let worker = worker(&lab, &group, "small");
    lab.cluster.submit("run", "npy").run().must_succeed();
    must_equal(&lab.path("npy"), &reference);
    drop((worker, coordinator));
}

#[test]
fn a_worker_that_is_killed_for_memory_costs_no_row() {
    let Some(group) = MemoryGroup::of(40 << 20) else { return };
    // In memory: the shards themselves fill the group's.
    let lab = Lab::new(&RunSpec::new(100, 200_000));
    let reference = lab.reference("alone", &[], 0);
    let coordinator = lab.cluster.start_coordinator();
    let mut doomed = worker(&lab, &group, "doomed");
    let args = ["data:run", "--out", "data:npy", "--range-size", "60MB"];
    lab.cluster.client("submit").args(args).run().must_succeed();
    poll("the end of a worker", || (!doomed.runs()).then_some(()));
    let ended = doomed.wait();
    assert_eq!(ended.status.code(), None, "it was killed: {ended}");
    let other = lab.cluster.start_worker("other");
    poll("the end of the job", || (job(&lab)?["state"] == "done").then_some(()));
    assert_eq!(job(&lab).unwrap()["bad_rows"], 0);
    must_equal(&lab.path("npy"), &reference);
    drop((other, coordinator));
}

#[test]
fn a_worker_waits_while_another_program_has_the_memory() {
    const LIMIT: u64 = 600 << 20;
    let Some(group) = MemoryGroup::of(LIMIT) else { return };
    let lab = Lab::on_disk(&RunSpec::new(60, 100_000));
    let reference = lab.reference("alone", &[], 0);
    let coordinator = lab.cluster.start_coordinator();
    let mut worker = worker(&lab, &group, "shared");
    let state = |what: &str| {
        poll(format_args!("the worker to be {what}"), || {
            (lab.told("workers", &[])?[0]["state"] == what).then_some(())
        });
    };
    state("idle");
    // Twice: what comes back once must come back again.
    for out in ["npy", "again"] {
        let held = group.hold(LIMIT / 10 * 9);
        state("waiting");
        let place = format!("data:{out}");
        lab.cluster
            .client("submit")
            .args(["data:run", "--out", &place])
            .run()
            .must_succeed();
        let number = if out == "npy" { "1" } else { "2" };
        let explained = lab.cluster.client("explain").args([number]).run();
        explained.must_say(&["shared gets nothing: its memory is full"]);
        drop(held);
        poll("the end of the job", || {
            (lab.told("job", &[number])?["state"] == "done").then_some(())
        });
        must_equal(&lab.path(out), &reference);
    }
    assert!(worker.runs(), "nothing died");
    drop((worker, coordinator));
}
