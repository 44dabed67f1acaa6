//! The power of the disk is cut while shards and arrays are being written: what had not reached the disk is lost, and is
//! made again.

#![expect(clippy::print_stderr, reason = "the seed is told, and what is left out")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Disk, Running, must_equal, poll};

use crate::common::Lab;

const ROWS: u64 = 800;
const CUTS: u64 = 3;

/// The shards that are whole by their names: those with a record, which comes last.
fn records(out: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![out.join(".trc2npy")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().contains(".e") && path.extension().is_some_and(|ending| ending == "json") {
                found.insert(path);
            }
        }
    }
    found
}

fn survives_cuts(maker: &[&str]) {
    let Some(disk) = Disk::mount(maker, 1 << 30) else {
        return;
    };
    let seed = fastrand::u64(..u64::from(u32::MAX));
    eprintln!("power: {} with seed {seed}", maker[0]);
    let mut random = fastrand::Rng::with_seed(seed);
    let lab = Lab::below(tempfile::tempdir_in(disk.path()).unwrap(), &RunSpec::new(ROWS, 10_000));
    let reference = lab.reference("alone", &[], 0);
    disk.settle();
    let job = || -> Option<Value> {
        let told = lab.cluster.client("job").args(["1", "--json"]).run();
        serde_json::from_str(&told.stdout).ok()
    };
    let rows = || job()?["rows_done"].as_u64();
    let machines = || {
        let coordinator = lab.cluster.start_coordinator();
        (coordinator, ["pc1", "pc2"].map(|name| lab.cluster.start_worker(name)))
    };
    let (mut coordinator, mut workers) = machines();
    let submitted = lab.cluster.client("submit").args(["data:run", "--out", "data:npy"]);
    // A lease a file, and an array that is synced now and then: of each there is something in memory alone.
    let submitted = submitted.args(["--range-size", "1B", "--sync-every", "4MB"]).run();
    submitted.must_succeed();
    let mut lost = 0;
    for cut in 1..=CUTS {
        let enough = ROWS * cut / (CUTS + 1) + random.u64(..50);
        poll(format_args!("{enough} rows"), || (rows()? >= enough).then_some(()));
        let shards = records(&lab.path("npy"));
        disk.cut();
        coordinator.kill_now();
        workers.iter_mut().for_each(Running::kill_now);
        disk.come_back();
        let gone = shards.difference(&records(&lab.path("npy"))).count();
        eprintln!("power: after {enough} rows; {gone} of {} shards are gone", shards.len());
        lost += gone;
        (coordinator, workers) = machines();
    }
    poll("the end of the job", || (job()?["state"] == "done").then_some(()));
    must_equal(&lab.path("npy"), &reference);
    assert!(lost > 0, "nothing was ever lost: the cut cuts nothing");
    drop((workers, coordinator));
    lab.nothing_is_left("npy");
}

#[test]
fn a_power_cut_on_ext4_costs_work_and_no_row() {
    survives_cuts(&["mkfs.ext4", "-q", "-F"]);
}

#[test]
fn a_power_cut_on_xfs_costs_work_and_no_row() {
    survives_cuts(&["mkfs.xfs", "-q", "-m", "reflink=1"]);
}

/// The storage for the outputs goes and comes back, while coordinator and workers run on.
#[test]
fn an_outage_of_the_storage_is_waited_for() {
    let Some(disk) = Disk::mount(&["mkfs.ext4", "-q", "-F"], 1 << 30) else {
        return;
    };
    let lab = Lab::on_disk(&RunSpec::new(ROWS, 10_000));
    let reference = lab.reference("alone", &[], 0);
    let out = format!("out={}", disk.path().display());
    let mapped = |call: Call, says: &str| {
        let mut running = call.args(["--root", &out]).start();
        running.says(says);
        running
    };
    let mut coordinator = mapped(lab.cluster.coordinator(), "listening on");
    let mut workers = ["pc1", "pc2"].map(|name| mapped(lab.cluster.worker(name), "connected to"));
    let job = || -> Option<Value> {
        let told = lab.cluster.client("job").args(["1", "--json"]).run();
        serde_json::from_str(&told.stdout).ok()
    };
    let submitted = lab.cluster.client("submit").args(["data:run", "--out", "out:npy"]);
    submitted
        .args(["--range-size", "1B", "--sync-every", "4MB"])
        .run()
        .must_succeed();
    poll("a third of the rows", || {
        (job()?["rows_done"].as_u64()? >= ROWS / 3).then_some(())
    });
    disk.cut();
    let why = poll("the job to wait", || {
        let job = job()?;
        assert_ne!(job["state"], "failed", "{job}");
        (job["state"] == "waiting").then(|| job["error"].to_string())
    });
    assert!(why.contains("nput/output error"), "{why}");
    let explained = lab.cluster.client("explain").args(["1"]).run();
    explained.must_say(&["it waits, and is tried again every 10 s: "]);
    disk.come_back();
    poll("the end of the job", || (job()?["state"] == "done").then_some(()));
    must_equal(&disk.path().join("npy"), &reference);
    assert!(
        coordinator.runs() && workers.iter_mut().all(Running::runs),
        "nothing had to be started again"
    );
    drop((workers, coordinator));
}
