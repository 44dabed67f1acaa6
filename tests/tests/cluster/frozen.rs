//! A worker that stands still while it brings a shard to the disk: a disk that is busy, no fault of the rows.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Running, must_equal, poll, usable};

use crate::common::Lab;

/// A worker whose every sync hangs, until it is thawed.
struct Frozen {
    worker: Running,
    tracer: Pid,
}

impl Frozen {
    /// Lets its syncs go on.
    fn thaw(&self) {
        // What strace holds back goes on without it; it is gone already where it was thawed before.
        let _ = kill_process(self.tracer, Signal::KILL);
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // A process in strace's hands does not end.
        self.thaw();
    }
}

/// File systems tell it nothing of their kind, so that it syncs its shards as over a network.
fn frozen(lab: &Lab) -> Frozen {
    let words = [
        // The worker is the child, not strace.
        "-D",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "inject=statfs,fstatfs:error=ENOSYS",
        "-e",
        "inject=fsync,fdatasync:delay_enter=3600s",
    ];
    let call = Call::launched_by("strace", &words, "worker");
    let mut worker = lab.cluster.as_worker(call, "frozen", &lab.cluster.mapping()).start();
    worker.says("connected to");
    let status = std::fs::read_to_string(format!("/proc/{}/status", worker.pid())).unwrap();
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).unwrap();
    let tracer = Pid::from_raw(tracer.trim().parse().unwrap()).unwrap();
    Frozen { worker, tracer }
}

#[test]
fn a_worker_that_freezes_in_a_sync_is_waited_for_and_blamed_for_nothing() {
    if !usable("strace", ["-D", "-f", "-qq", "-o", "/dev/null", "true"]) {
        println!("not run: nothing here can make a sync hang (apt install strace; it needs the right to trace)");
        return;
    }
    let lab = Lab::new(&RunSpec::new(60, 20_000));
    let reference = lab.reference("alone", &[], 0);
    let coordinator = lab.cluster.start_coordinator();
    let mut frozen = frozen(&lab);
    let args = ["data:run", "--out", "data:npy", "--range-size", "400KB"];
    lab.cluster.client("submit").args(args).run().must_succeed();
    let hangs = || lab.told("workers", &[])?[0]["why"].as_str().map(str::to_owned);
    let why = poll("a sync that hangs", hangs);
    assert!(
        why.starts_with("has been waiting for") && why.ends_with("until a shard is on the disk"),
        "{why}"
    );
    assert_eq!(lab.told("job", &["1"]).unwrap()["rows_done"], 0);
    let other = lab.cluster.start_worker("other");
    poll("the end of the job", || {
        (lab.told("job", &["1"])?["state"] == "done").then_some(())
    });
    must_equal(&lab.path("npy"), &reference);
    let job = lab.told("job", &["1"]).unwrap();
    assert_eq!(
        (&job["bad_rows"], &job["warnings"]),
        (&Value::from(0), &Value::Array(Vec::new()))
    );
    // What it brings too late changes nothing, and it is as good as before.
    assert!(frozen.worker.runs(), "it was waited for");
    frozen.thaw();
    poll("the thawed worker", || {
        (lab.told("workers", &[])?[0]["state"] == "idle").then_some(())
    });
    assert_eq!(lab.told("workers", &[]).unwrap()[0]["worker"], "frozen");
    must_equal(&lab.path("npy"), &reference);
    drop((frozen, other, coordinator));
    lab.nothing_is_left("npy");
}
