//! A cluster of both systems: the coordinator and one worker here, the other worker a Windows program.

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{
    Call, Cluster, Convert, must_equal, outputs, poll, scratch, windows_binary, windows_path, write_run,
};

fn workers(cluster: &Cluster) -> Vec<Value> {
    let told = cluster.client("workers").args(["--json"]).run();
    serde_json::from_str(&told.stdout).unwrap()
}

#[test]
fn both_make_a_part_of_the_same_bytes() {
    let Some(program) = windows_binary() else { return };
    let folder = scratch();
    let root = folder.path().join("root");
    let run = root.join("run");
    write_run(
        &RunSpec {
            channels: vec![1, 2],
            ..RunSpec::new(600, 10_000)
        },
        &run,
    );
    let alone = folder.path().join("alone");
    Convert::new([&run], &alone)
        .args(["--baseline", "500"])
        .run()
        .must_succeed();

    let cluster = Cluster::new(&root);
    let coordinator = cluster.start_coordinator();
    let here = cluster.start_worker("here");
    let mapping = format!("data={}", windows_path(&root));
    let mut there = cluster
        .as_worker(Call::of_program(&program, "worker"), "there", &mapping)
        .start();
    there.says("connected to");
    let args = ["--baseline", "500", "--range-size", "1MB"];
    cluster.submit("run", "npy").args(args).run().must_succeed();
    must_equal(&root.join("npy"), &outputs(&alone));
    // The last word of a worker may come after the job's end.
    poll("the share of both workers", || {
        let told = workers(&cluster);
        let did = |name: &str, system: &str| {
            let is_it =
                |worker: &&Value| worker["worker"] == name && worker["system"].as_str().unwrap().contains(system);
            told.iter()
                .find(is_it)
                .is_some_and(|worker| worker["bytes_done"].as_u64() > Some(0))
        };
        (did("here", "linux") && did("there", "windows")).then_some(())
    });
    drop((here, there, coordinator));
}
