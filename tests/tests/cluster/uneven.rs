//! Workers of very different speed: one that mostly stands still, one that comes late, one that leaves.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{must_equal, poll};

use crate::common::Lab;

/// Of each tenth of a second, the slow worker has so many ms.
const AWAKE: u64 = 10;

/// A test that fails must end, too.
struct Ends<'o>(&'o AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_slow_worker_gets_the_less_and_holds_nobody_up() {
    let lab = Lab::new(&RunSpec {
        channels: vec![1, 2],
        ..RunSpec::new(400, 200_000)
    });
    let reference = lab.reference("alone", &["--baseline", "500"], 0);
    let coordinator = lab.cluster.start_coordinator();
    let slow = lab.cluster.start_worker("slow");
    let leaving = lab.cluster.start_worker("leaving");
    let steady = lab.cluster.start_worker("steady");
    let rows = |many: u64| {
        poll(format_args!("{many} rows"), || {
            (lab.told("job", &["1"])?["rows_done"].as_u64()? >= many).then_some(())
        });
    };
    let over = AtomicBool::new(false);
    let workers = thread::scope(|scope| {
        let _ends = Ends(&over);
        // Sleep that makes the worker slow; nothing waits for it to pass.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                slow.signal(Signal::STOP);
                thread::sleep(Duration::from_millis(100 - AWAKE));
                slow.signal(Signal::CONT);
                thread::sleep(Duration::from_millis(AWAKE));
            }
        });
        let submitted = lab
            .cluster
            .client("submit")
            .args(["data:run", "--out", "data:npy", "--baseline", "500"]);
        submitted.run().must_succeed();
        rows(50);
        let late = lab.cluster.start_worker("late");
        rows(150);
        lab.cluster.client("drain").args(["leaving"]).run().must_succeed();
        poll("the end of the job", || {
            (lab.told("job", &["1"])?["state"] == "done").then_some(())
        });
        let workers = lab.told("workers", &[]).unwrap();
        drop(late);
        workers
    });
    must_equal(&lab.path("npy"), &reference);
    assert_eq!(lab.told("job", &["1"]).unwrap()["bad_rows"], 0);
    let done = |name: &str| {
        let all = workers.as_array().unwrap();
        let worker = all.iter().find(|worker| worker["worker"] == name);
        worker.map_or(0, |worker| worker["bytes_done"].as_u64().unwrap())
    };
    let (slows, steadys) = (done("slow"), done("steady"));
    assert!(
        slows * 3 < steadys,
        "{slows} bytes by the slow one, {steadys} by the steady one: {workers}"
    );
    drop((slow, leaving, steady, coordinator));
}
