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
