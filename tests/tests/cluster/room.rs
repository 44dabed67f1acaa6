//! A root without room: refused before the first byte, or, where others fill it meanwhile, waited for.

use std::path::Path;

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, SmallDisk, must_equal, poll};

use crate::common::Lab;

/// 40 rows of 80 kB.
fn forty_rows() -> Lab {
    Lab::new(&RunSpec::new(40, 20_000))
}

/// The roots of the lab: `data` with the run, `out` on the small disk.
fn roots(lab: &Lab, disk: &SmallDisk) -> [String; 2] {
    [lab.cluster.mapping(), format!("out={}", disk.path().display())]
}

fn with_roots(call: Call, roots: &[String]) -> Call {
    roots.iter().fold(call, |call, root| call.args(["--root", root]))
}

fn coordinator(lab: &Lab, disk: &SmallDisk) -> trc2npy_tests::Running {
    let address = lab.cluster.address();
    let call = Call::of("coordinator")
        .args(["--listen", &address, "--state"])
        .args([lab.cluster.state()]);
    let mut running = with_roots(call, &roots(lab, disk)).start();
    running.says("listening on");
    running
}

fn worker(lab: &Lab, disk: &SmallDisk, name: &str) -> trc2npy_tests::Running {
    let [data, out] = roots(lab, disk);
    let mut running = lab.cluster.worker_with(name, &data).args(["--root", &out]).start();
    running.says("connected to");
    running
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

#[test]
fn what_cannot_fit_is_refused_before_the_first_byte() {
    let Some(disk) = SmallDisk::mount(2 << 20) else { return };
    let lab = forty_rows();
    let coordinator = coordinator(&lab, &disk);
    let refused = lab
        .cluster
        .client("submit")
        .args(["data:run", "--out", "out:npy"])
        .run();
    refused
        .must_end_with(1)
        .must_say(&[" are needed, ", " are free; make room"]);
    let state = disk.path().join("npy/.trc2npy");
    for entry in std::fs::read_dir(&state).unwrap().flatten() {
        assert!(
            !entry.path().is_dir() || is_empty(&entry.path()),
            "{} is there",
            entry.path().display()
        );
    }
    drop(coordinator);
}

#[test]
fn rows_wait_while_others_have_filled_the_root_and_are_made_once_there_is_room() {
    let Some(disk) = SmallDisk::mount(16 << 20) else { return };
    let lab = forty_rows();
    let reference = lab.reference("alone", &[], 0);
    let coordinator = coordinator(&lab, &disk);
    let submitted = lab
        .cluster
        .client("submit")
        .args(["data:run", "--out", "out:npy", "--range-size", "80kB"])
        .run();
    submitted.must_succeed();
    disk.fill(0);
    let workers = ["pc1", "pc2"].map(|name| worker(&lab, &disk, name));
    let explained = poll("the reason why nothing is done", || {
        let told = lab.cluster.client("explain").args(["1"]).run().stdout;
        told.contains("too little is free where it writes shards")
            .then_some(told)
    });
    let job = || -> Option<Value> {
        let told = lab.cluster.client("job").args(["1", "--json"]).run();
        serde_json::from_str(&told.stdout).ok()
    };
    assert_eq!(job().unwrap()["state"], "running", "{explained}");
    disk.make_room();
    poll("the end of the job", || (job()?["state"] == "done").then_some(()));
    must_equal(&disk.path().join("npy"), &reference);
    drop((workers, coordinator));
}

#[test]
fn a_restart_on_a_full_disk_loses_nothing() {
    let Some(disk) = SmallDisk::mount(16 << 20) else { return };
    let lab = forty_rows();
    let reference = lab.reference("alone", &[], 0);
    let mut first = coordinator(&lab, &disk);
    let submitted = lab
        .cluster
        .client("submit")
        .args(["data:run", "--out", "out:npy", "--range-size", "80kB"])
        .run();
    submitted.must_succeed();
    // Only some of it, and nothing of that is committed: all there is lies in shards.
    let working = worker(&lab, &disk, "pc1");
    let job = || -> Option<Value> {
        let told = lab.cluster.client("job").args(["1", "--json"]).run();
        serde_json::from_str(&told.stdout).ok()
    };
    poll("some rows", || (job()?["rows_done"].as_u64()? > 3).then_some(()));
    first.kill_now();
    drop(working);
    // Room for notes, and for no row.
    disk.fill(60_000);
    let again = coordinator(&lab, &disk);
    // No worker is there: these rows come out of the shards.
    poll("the rows that were there", || {
        (job()?["rows_done"].as_u64()? > 0).then_some(())
    });
    assert!(!again.stderr().contains("waits"), "{}", again.stderr());
    disk.make_room();
    let working = worker(&lab, &disk, "pc1");
    poll("the end of the job", || (job()?["state"] == "done").then_some(()));
    must_equal(&disk.path().join("npy"), &reference);
    drop((working, again, first));
}
