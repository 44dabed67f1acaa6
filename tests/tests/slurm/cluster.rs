//! `cluster.sbatch`: coordinator and workers inside of one allocation.

use std::fs;

use trc2npy_tests::{Slurm, must_equal};

use crate::{Lab, logs, script};

#[test]
fn a_cluster_inside_of_one_job_makes_what_convert_makes() {
    let Some(slurm) = Slurm::start() else { return };
    let lab = Lab::new();
    let root = lab.root().display().to_string();
    let output = format!("--output={root}/job.%j.log");
    let job = slurm.submit(
        &script("cluster.sbatch"),
        &[&output],
        &[&root, "run", "npy", "--baseline", "500"],
    );
    slurm.drained();
    let said = logs(&lab.root(), "job.");
    assert_eq!(slurm.of_job(&job, "JobState"), "COMPLETED", "{said}");
    for node in ["node1", "node2"] {
        assert!(said.contains(&format!("worker {node} has come")), "{said}");
    }
    must_equal(&lab.path("npy"), &lab.reference);
    // No key is left behind.
    let left: Vec<_> = fs::read_dir(lab.root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with(".trc2npy-job"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
