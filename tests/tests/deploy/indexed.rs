//! The pods of deploy/kubernetes/indexed-job.yaml, as they are written: all begin at once, one is evicted and begun again.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Convert, Running, must_equal, outputs, poll, scratch, write_run, yaml};

use crate::common::{at, read};

/// One pod of a job: what its container does once its first one has succeeded.
struct Pod<'a> {
    folder: &'a TempDir,
    spec: Value,
    /// Where it is one of many.
    index: Option<u64>,
}

impl Pod<'_> {
    fn start(&self, container: &Value) -> Running {
        assert!(container["command"].is_null(), "the image has no shell");
        let lab = format!("{}/", self.folder.path().display());
        let words = container["args"].as_array().unwrap().iter();
        let mut words = words.map(|word| word.as_str().unwrap().replace("/lab/", &lab));
        let mut call = Call::of(&words.next().unwrap());
        if let Some(index) = self.index {
            call = call.env("JOB_COMPLETION_INDEX", &index.to_string());
        }
        call.args(words).start()
    }

    /// Runs a container as often as the job's limit allows, until it succeeds.
    fn until_it_succeeds(&self, container: &Value, limit: u64) {
        for tried in 0..=limit {
            let ended = self.start(container).wait();
            eprintln!("{:?} {}: try {tried}, {}", self.index, container["name"], ended.status);
            if ended.status.success() {
                return;
            }
        }
        panic!("{} fails for good", container["name"]);
    }

    /// As the kubelet does: what comes first, then the container.
    fn goes_its_way(&self, job: &Value) {
        let limit = job["spec"]["backoffLimit"].as_u64().unwrap();
        self.until_it_succeeds(&self.spec["initContainers"][0], limit);
        self.until_it_succeeds(&self.spec["containers"][0], limit);
    }
}

/// Whether there is a finished piece below a folder.
fn some_is_made(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths.any(|path| path.extension().is_some_and(|ending| ending == "made") || path.is_dir() && some_is_made(&path))
}

#[test]
fn the_pods_of_the_indexed_job_make_what_convert_makes() {
    let Some(jobs) = yaml(&read(&at("kubernetes/indexed-job.yaml"))) else {
        return;
    };
    let [shares, stitch] = &jobs[..] else {
        panic!("two jobs")
    };
    let folder = scratch();
    let run = folder.path().join("run/r005");
    write_run(&RunSpec::new(4_000, 10_000), &run);
    let alone = folder.path().join("alone");
    Convert::new([&run], &alone).run().must_succeed();
    let pod = |job: &'_ Value, index| Pod {
        folder: &folder,
        spec: job["spec"]["template"]["spec"].clone(),
        index,
    };
    let count = shares["spec"]["completions"].as_u64().unwrap();
    assert!(count > 1 && shares["spec"]["completionMode"] == "Indexed");
    // The first one is evicted with rows in hand, and comes again, on another node, when all others begin.
    let first = pod(shares, Some(0));
    first.until_it_succeeds(&first.spec["initContainers"][0], 0);
    let evicted = first.start(&first.spec["containers"][0]);
    poll("a piece of its share", || some_is_made(folder.path()).then_some(()));
    eprintln!("evicted: {}", evicted.kill().status);
    std::thread::scope(|scope| {
        scope.spawn(|| first.goes_its_way(shares));
        for index in 1..count {
            let pod = pod(shares, Some(index));
            scope.spawn(move || pod.goes_its_way(shares));
        }
        scope.spawn(|| pod(stitch, None).goes_its_way(stitch));
    });
    must_equal(&folder.path().join("npy/r005"), &outputs(&alone));
    // The plan stays, and nothing else does.
    let left = fs::read_dir(folder.path().join("npy")).unwrap().count();
    assert_eq!(left, 2, "the arrays' folder and the plan");
}
