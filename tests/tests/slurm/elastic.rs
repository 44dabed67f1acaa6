//! `worker.sbatch`: workers come and go while a job runs.

use trc2npy_tests::{Cluster, Slurm, must_equal, poll};

use crate::{Lab, files, logs, script};

#[test]
fn an_allocation_that_ends_early_costs_nothing_and_another_one_helps() {
    let Some(slurm) = Slurm::start() else { return };
    let lab = Lab::new();
    let cluster = Cluster::new(&lab.root());
    let mut coordinator = cluster.start_coordinator();
    let output = format!("--output={}/worker.%j.log", lab.root().display());
    let worker = |more: &[&str]| {
        let (address, mapping) = (cluster.address(), cluster.mapping());
        let args: Vec<&str> = [&address, &mapping]
            .map(String::as_str)
            .iter()
            .chain(more)
            .copied()
            .collect();
        slurm.submit(&script("worker.sbatch"), &[&output], &args)
    };
    // Small leases: all three workers get many.
    let leases = ["--baseline", "500", "--range-size", "1MiB"];
    let first = worker(&[]);
    let name = |job: &str| format!("{}-{job}", slurm.of_job(job, "NodeList"));
    poll("the first worker", || {
        (slurm.of_job(&first, "JobState") == "RUNNING").then_some(())
    });
    let first_name = name(&first);
    coordinator.says(&format!("worker {first_name} has come"));
    let submit = cluster.submit("run", "npy").args(leases).start();
    poll("shards", || {
        (!files(&lab.path("npy"), ".json").is_empty()).then_some(())
    });
    slurm.call("scancel", &[&first]);
    coordinator.says(&format!("worker {first_name} has gone"));
    assert!(
        submit.stderr().is_empty() || !submit.stderr().contains("error"),
        "{}",
        submit.stderr()
    );

    // One with little time left, and one that stays.
    let short = worker(&["--drain-after", "1s"]);
    poll("the end of the short one", || {
        (slurm.of_job(&short, "JobState") == "COMPLETED").then_some(())
    });
    let last = worker(&[]);
    submit.wait().must_succeed();
    let said = coordinator.stderr() + &logs(&lab.root(), "worker.");
    must_equal(&lab.path("npy"), &lab.reference);
    assert!(!said.contains("is lost"), "{said}");
    assert!(said.contains("--drain-after: finishing what is in hand"), "{said}");
    assert_eq!(said.matches("ended: what was in hand is done").count(), 2, "{said}");
    slurm.call("scancel", &[&last]);
    slurm.drained();
}
