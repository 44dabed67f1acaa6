//! What is shown of a job that ended before it was done.

use std::fs::File;

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::poll;

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
