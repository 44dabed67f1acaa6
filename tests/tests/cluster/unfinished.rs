//! Jobs that end before they are done: what is shown of them, and what becomes of the rest.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Convert, Running, must_equal, outputs, poll};

use crate::common::Lab;

fn job(lab: &Lab) -> Value {
    let told = lab.cluster.client("job").args(["1", "--json"]).run();
    serde_json::from_str(&told.must_succeed().stdout).unwrap()
}

#[test]
fn a_cancelled_job_shows_the_rows_that_it_has_also_after_a_restart() {
    let lab = Lab::new(&RunSpec::new(40, 500));
    // It seems to be still being written, and is waited for.
    let last = lab.path("run/C1--Trace--00039.trc");
    File::options().write(true).open(last).unwrap().set_len(600).unwrap();
    let mut coordinator = lab.cluster.start_coordinator();
    let worker = lab.cluster.start_worker("pc1");
    let submitted = lab.cluster.client("submit").args(["data:run", "--out", "data:npy"]);
    submitted.args(["--settle", "1h"]).run().must_succeed();
    poll("39 rows", || (job(&lab)["rows_done"] == 39).then_some(()));
    let cancelled = lab.cluster.client("cancel").args(["1"]).run();
    cancelled.must_succeed().must_say(&["job 1 is cancelled"]);
    for restarted in [false, true] {
        if restarted {
            coordinator.kill_now();
            coordinator = lab.cluster.start_coordinator();
        }
        let seen = job(&lab);
        assert_eq!(seen["state"], "cancelled", "{seen}");
        assert_eq!((&seen["rows"], &seen["rows_done"]), (&40.into(), &39.into()), "{seen}");
        assert_eq!(seen["channels"][0]["rows_done"], 39, "{seen}");
        let shown = lab.cluster.client("job").args(["1"]).run();
        shown.must_succeed().must_say(&["39 of 40 rows, 97 %"]);
        let table = lab.cluster.client("jobs").run();
        table.must_succeed().must_say(&["cancelled", " 97 % "]);
        assert!(!table.stdout.contains("100 %"), "{table}");
    }
    drop((worker, coordinator));
}

/// The folder for shards in the state of the only job.
fn shard_folder(state: &Path) -> PathBuf {
    let below = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let all = below(state).flat_map(|run| below(&run.path()));
    let mut shards = all.filter(|entry| entry.file_name().to_string_lossy().starts_with("job-"));
    shards.next().unwrap().path()
}

/// Shards of many rows are then on their way: none of them is waited for, and nobody is blamed who has made them.
#[test]
fn a_job_whose_state_is_removed_while_it_runs_fails_at_once_and_keeps_its_workers() {
    let lab = Lab::new(&RunSpec::new(3000, 5000));
    let reference = lab.reference("alone", &[], 0);
    let coordinator = lab.cluster.start_coordinator();
    let mut workers = ["first", "second"].map(|name| lab.cluster.start_worker(name));
    let args = [
        "data:run",
        "--out",
        "data:npy",
        "--range-size",
        "20KB",
        "--sync-every",
        "1MB",
    ];
    lab.cluster.client("submit").args(args).run().must_succeed();
    poll("rows", || {
        (lab.told("job", &["1"])?["rows_done"].as_u64()? > 100).then_some(())
    });
    let state = lab.path("npy/.trc2npy");
    let shards = shard_folder(&state);
    poll("the state to be gone", || {
        // Not in one go where workers are writing.
        let _ = std::fs::remove_dir_all(&state);
        (!state.join("lock").exists()).then_some(())
    });
    // As a worker leaves it that was writing at that moment.
    std::fs::create_dir_all(shards.join("C1")).unwrap();
    let failed = poll("the end of the job", || {
        let job = lab.told("job", &["1"])?;
        (job["state"] == "failed").then_some(job)
    });
    let why = failed["error"].to_string();
    assert!(why.contains("was removed while the job was running"), "{why}");
    assert!(workers.iter_mut().all(Running::runs), "they have done nothing wrong");
    lab.cluster.client("submit").args(args).run().must_succeed();
    poll("the end of the other job", || {
        (lab.told("job", &["2"])?["state"] == "done").then_some(())
    });
    must_equal(&lab.path("npy"), &reference);
    drop((workers, coordinator));
}

#[test]
fn a_folder_that_another_conversion_has_had_since_is_told_so() {
    let lab = Lab::new(&RunSpec::new(10, 500));
    let mut coordinator = lab.cluster.start_coordinator();
    let submit = lab.cluster.client("submit").args(["data:run", "--out", "data:npy"]);
    submit.run().must_succeed();
    coordinator.kill_now();
    let convert = Convert::new([lab.path("run")], lab.path("npy")).args(["--overwrite", "--baseline", "20"]);
    convert.run().must_succeed();
    let before = outputs(&lab.path("npy"));
    let _coordinator = lab.cluster.start_coordinator();
    let told = poll("the job to wait", || {
        let job = job(&lab);
        (job["state"] == "waiting").then(|| job["error"].as_str().unwrap().to_owned())
    });
    assert!(told.contains("another conversion has had this folder since"), "{told}");
    assert!(told.contains("cancel the job"), "{told}");
    lab.cluster.client("cancel").args(["1"]).run().must_succeed();
    must_equal(&lab.path("npy"), &before);
}
