//! Nothing goes wrong.

use trc2npy_synth::RunSpec;
use trc2npy_tests::must_equal;

use crate::common::Lab;

#[test]
fn a_coordinator_and_two_workers_make_what_convert_makes() {
    let lab = Lab::new(&RunSpec {
        channels: vec![1, 2],
        ..RunSpec::new(300, 2_000)
    });
    let reference = lab.reference("alone", &["--baseline", "500"], 0);
    let coordinator = lab.cluster.start_coordinator();
    let workers = ["pc1", "pc2"].map(|name| lab.cluster.start_worker(name));
    let ended = lab.cluster.submit("run", "npy").args(["--baseline", "500"]).run();
    ended.must_succeed();
    must_equal(&lab.path("npy"), &reference);
    drop(workers);
    drop(coordinator);
}

#[test]
fn a_worker_with_little_time_ends_by_itself() {
    let lab = Lab::new(&RunSpec::new(10, 1_000));
    let _coordinator = lab.cluster.start_coordinator();
    let worker = lab
        .cluster
        .worker("pc1")
        .args(["--drain-after", "200ms"])
        .start()
        .wait();
    worker.must_succeed().must_say(&[
        "--drain-after: finishing what is in hand",
        "ended: what was in hand is done",
    ]);
    lab.cluster
        .worker("pc2")
        .args(["--drain-after", "soon"])
        .run()
        .must_end_with(2)
        .must_say(&["not a duration"]);
}
