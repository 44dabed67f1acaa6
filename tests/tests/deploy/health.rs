//! `coordinator health`: what Kubernetes and compose ask every few seconds.

use rustix::process::Signal;
use trc2npy_synth::RunSpec;
use trc2npy_tests::Call;

use crate::common::Lab;

fn health(lab: &Lab) -> Call {
    let address = lab.cluster.address();
    Call::of("coordinator").args(["health", "--coordinator", &address])
}

#[test]
fn a_coordinator_is_well_is_not_there_and_hangs() {
    let lab = Lab::new(&RunSpec::new(1, 500));
    health(&lab)
        .run()
        .must_end_with(1)
        .must_say(&["no coordinator answers at"]);
    let mut coordinator = lab.cluster.start_coordinator();
    let well = health(&lab).run();
    well.must_succeed().must_say(&["answers"]);
    // The address may come from the environment, as everywhere.
    let asked = Call::of("coordinator").args(["health"]);
    asked
        .env("TRC2NPY_COORDINATOR", &lab.cluster.address())
        .run()
        .must_succeed();
    // The system still takes connections for one that does nothing any more.
    assert!(coordinator.stop());
    let hangs = health(&lab).run();
    hangs.must_end_with(1).must_say(&["has not answered within"]);
    coordinator.signal(Signal::CONT);
    health(&lab).run().must_succeed();
    drop(coordinator);
}

#[test]
fn one_with_certificates_is_asked_with_its_own() {
    let lab = Lab::new(&RunSpec::new(1, 500));
    let own = lab.certs("coordinator");
    let mut coordinator = lab.cluster.coordinator().args(["--certs"]).args([&own]).start();
    coordinator.says("listening on");
    health(&lab).args(["--certs"]).args([&own]).run().must_succeed();
    // One variable for the coordinator and its probe.
    let by_variable = health(&lab).env("TRC2NPY_CERTS", own.to_str().unwrap()).run();
    by_variable.must_succeed();
    let openly = health(&lab).run();
    openly.must_end_with(1).must_say(&["--certs"]);
    let nowhere = health(&lab).args(["--certs"]).args([lab.path("nowhere")]).run();
    nowhere.must_end_with(1).must_say(&["nowhere"]);
    drop(coordinator);
}
