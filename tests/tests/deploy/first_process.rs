//! In a container the program is process number 1, for which a signal without a handler does nothing. What ends a pod: one
//! SIGTERM, a period of grace, SIGKILL.

use rustix::process::Signal;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Ended, Running, must_equal};

use crate::common::{Lab, alone, first_of, namespaces, signal};

/// A worker that is number 1 and stands still, with rows in hand.
struct Pod {
    worker: Running,
    process: rustix::process::Pid,
    lab: Lab,
    _coordinator: Running,
}

impl Pod {
    /// None where this machine makes no namespaces, which is told.
    fn with_rows() -> Option<Self> {
        if !namespaces() {
            return None;
        }
        let lab = Lab::new(&RunSpec::new(60, 500));
        let coordinator = lab.cluster.start_coordinator();
        let call = lab.cluster.as_worker(alone("worker"), "pod1", &lab.cluster.mapping());
        let mut worker = call.start();
        worker.says("connected to");
        let process = first_of(&worker);
        signal(process, Signal::STOP);
        let submit = lab.cluster.client("submit").args(["data:run", "--out", "data:npy"]);
        submit.run().must_succeed();
        lab.lease_is_given(&[]);
        Some(Self {
            worker,
            process,
            lab,
            _coordinator: coordinator,
        })
    }

    /// It is sent these, and ends; what is left of the job ends right.
    fn ends_by(self, signals: &[Signal]) -> Ended {
        for one in signals {
            signal(self.process, *one);
        }
        let ended = self.worker.wait();
        ends_right(&self.lab);
        ended
    }
}

/// The job is made by another worker, and is what `convert` makes.
fn ends_right(lab: &Lab) {
    let other = lab.cluster.start_worker("pod2");
    lab.cluster.client("job").args(["1", "--wait"]).run().must_succeed();
    must_equal(&lab.cluster.root().join("npy"), &lab.reference());
    lab.nothing_is_left("npy");
    drop(other);
}

#[test]
fn the_signal_that_ends_a_pod_lets_a_worker_finish() {
    let Some(pod) = Pod::with_rows() else { return };
    let ended = pod.ends_by(&[Signal::TERM, Signal::CONT]);
    ended.must_succeed().must_say(&[
        "finishing what is in hand, taking nothing more",
        "ended: what was in hand is done",
    ]);
}

#[test]
fn a_second_signal_gives_back_at_once() {
    let Some(pod) = Pod::with_rows() else { return };
    // Two of the same kind would be one to a process that stands still.
    let ended = pod.ends_by(&[Signal::TERM, Signal::INT, Signal::CONT]);
    ended
        .must_end_with(130)
        .must_say(&["giving back what is in hand", "ended: what was in hand is given back"]);
}

#[test]
fn the_end_of_the_grace_period_costs_no_row() {
    let Some(pod) = Pod::with_rows() else { return };
    pod.ends_by(&[Signal::TERM, Signal::KILL]);
}

#[test]
fn a_coordinator_is_ended_by_the_signal_and_goes_on_elsewhere() {
    if !namespaces() {
        return;
    }
    let lab = Lab::new(&RunSpec::new(60, 500));
    let (address, mapping) = (lab.cluster.address(), lab.cluster.mapping());
    let call = alone("coordinator").args(["--listen", &address, "--root", &mapping, "--state"]);
    let mut coordinator = call.args([lab.cluster.state()]).start();
    coordinator.says("listening on");
    let submit = lab.cluster.client("submit").args(["data:run", "--out", "data:npy"]);
    submit.run().must_succeed();
    signal(first_of(&coordinator), Signal::TERM);
    coordinator
        .wait()
        .must_succeed()
        .must_say(&["ended; the same command goes on"]);
    let coordinator = lab.cluster.start_coordinator();
    ends_right(&lab);
    drop(coordinator);
}
