//! Files on the disks of the scopes' own PCs: the coordinator sees none of them, each worker its own, and all of them the
//! storage for the outputs.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Cluster, Convert, Ended, Outputs, Running, must_equal, outputs, poll, scratch, write_run};

struct Site {
    folder: TempDir,
    /// Its root is the storage for outputs.
    cluster: Cluster,
}

impl Site {
    /// Two PCs with a part of one run each: C1 and C2 in `s1/r005`, and in `s2/r005-2`.
    fn new(first: &RunSpec, second: &RunSpec) -> Self {
        let folder = scratch();
        let cluster = Cluster::new(&folder.path().join("nas"));
        fs::create_dir(cluster.root()).unwrap();
        write_run(first, &folder.path().join("s1/r005"));
        write_run(second, &folder.path().join("s2/r005-2"));
        Self { folder, cluster }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn outputs(&self) -> String {
        format!("out={}", self.cluster.root().display())
    }

    fn coordinator(&self) -> Running {
        let address = self.cluster.address();
        let call = Call::of("coordinator").args(["--listen", &address, "--root", &self.outputs(), "--state"]);
        let mut running = call.args([self.cluster.state()]).start();
        running.says("listening on");
        running
    }

    /// A worker with a root of its own beside that for outputs.
    fn worker(&self, name: &str, root: &str, path: &Path) -> Running {
        let own = format!("{root}={}", path.display());
        let mut running = self
            .cluster
            .worker_with(name, &self.outputs())
            .args(["--root", &own])
            .start();
        running.says("connected to");
        running
    }

    fn both(&self) -> [Running; 2] {
        ["s1", "s2"].map(|root| self.worker(&format!("pc-{root}"), root, &self.path(root)))
    }

    fn submit(&self, args: &[&str]) -> Ended {
        let call = self
            .cluster
            .client("submit")
            .args(["s1:r005", "s2:r005-2", "--join", "--out", "out:npy"]);
        call.args(args).run()
    }

    fn job(&self) -> Option<Value> {
        let told = self.cluster.client("job").args(["1", "--json"]).run();
        serde_json::from_str(&told.stdout).ok()
    }

    fn explained(&self) -> String {
        let told = self.cluster.client("explain").args(["1"]).run();
        told.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// What `convert` makes where it sees both disks.
    fn reference(&self, args: &[&str], code: i32) -> Outputs {
        let out = self.path("alone");
        let runs = [self.path("s1/r005"), self.path("s2/r005-2")];
        Convert::new(runs, &out)
            .args(["--join"])
            .args(args)
            .run()
            .must_end_with(code);
        outputs(&out)
    }
}

fn run(files: u64) -> RunSpec {
    RunSpec {
        channels: vec![1, 2],
        ..RunSpec::new(files, 400)
    }
}

fn with_bad(files: u64) -> RunSpec {
    RunSpec {
        bad: ["truncated:2", "garbage:1", "missing:2"]
            .map(|bad| bad.parse().unwrap())
            .to_vec(),
        ..run(files)
    }
}

#[test]
fn two_scopes_with_a_part_of_a_run_each_make_one_job() {
    for (args, code) in [
        (&["--settle", "0s", "--baseline", "50"][..], 3),
        (&["--settle", "0s", "--on-bad-file", "skip", "--range-size", "1B"], 3),
    ] {
        let site = Site::new(&with_bad(60), &with_bad(50));
        let reference = site.reference(args, code);
        let coordinator = site.coordinator();
        let workers = site.both();
        let submitted = site.submit(&[args, &["--wait"]].concat());
        submitted.must_end_with(code);
        must_equal(&site.path("nas/npy"), &reference);
        drop((workers, coordinator));
    }
}

/// One row of the second PC's is not there yet, so that the job cannot end; meanwhile PCs come and go.
#[test]
fn rows_wait_for_a_pc_that_sees_the_same_files() {
    let site = Site::new(&run(20), &run(20));
    let reference = site.reference(&[], 0);
    // As copied by somebody to another PC, or of another run: the same names and sizes.
    write_run(&RunSpec { seed: 7, ..run(20) }, &site.path("copy/r005-2"));
    let late = site.path("s2/r005-2/C2--Trace--00019.trc");
    let whole = fs::read(&late).unwrap();
    File::options().write(true).open(&late).unwrap().set_len(600).unwrap();
    let mut coordinator = site.coordinator();
    let [_first, mut second] = site.both();
    site.submit(&["--settle", "2s"]).must_succeed();
    poll("79 rows", || (site.job()?["rows_done"] == 79).then_some(()));
    second.kill_now();
    let waits = "1 row waits: their files are in s2, which no connected worker has mapped";
    let explained = poll("the reason", || {
        Some(site.explained()).filter(|told| told.contains(waits))
    });
    assert!(
        explained.contains("pc-s1 gets nothing: it has not mapped s2"),
        "{explained}"
    );
    coordinator.kill_now();
    coordinator = site.coordinator();
    poll("the reason after a restart", || {
        site.explained().contains(waits).then_some(())
    });
    let mut impostor = site.worker("pc-copy", "s2", &site.path("copy"));
    impostor.says("is not the file that was planned");
    poll("why the impostor gets nothing", || {
        site.explained()
            .contains("pc-copy gets nothing: it cannot work on this job")
            .then_some(())
    });
    fs::write(&late, whole).unwrap();
    let _second = site.worker("pc-s2", "s2", &site.path("s2"));
    poll("the end of the job", || (site.job()?["state"] == "done").then_some(()));
    must_equal(&site.path("nas/npy"), &reference);
    drop((impostor, coordinator));
}

#[test]
fn what_is_done_is_known_again_and_what_has_changed_is_told() {
    let site = Site::new(&run(10), &run(10));
    let coordinator = site.coordinator();
    let mut workers = site.both();
    site.submit(&["--wait"]).must_succeed();
    let before = outputs(&site.path("nas/npy"));
    site.submit(&["--wait"])
        .must_succeed()
        .must_say(&["nothing to do: these arrays are finished"]);
    must_equal(&site.path("nas/npy"), &before);
    let changed = site.path("s1/r005/C1--Trace--00003.trc");
    let mut bytes = fs::read(&changed).unwrap();
    bytes.push(0);
    fs::write(&changed, bytes).unwrap();
    site.submit(&[])
        .must_end_with(1)
        .must_say(&["changed since they were planned: 1 file", "C1--Trace--00003.trc"]);
    // Who alone could tell is gone.
    workers[0].kill_now();
    let gone = poll("the worker's end", || {
        let told = site.submit(&[]);
        (!told.stderr.contains("changed since")).then_some(told)
    });
    gone.must_end_with(2).must_say(&[
        "neither the coordinator (out = ",
        "nor a connected worker has a root s1",
    ]);
    drop((workers, coordinator));
}

#[test]
fn what_nobody_can_find_is_refused() {
    let site = Site::new(&run(2), &run(2));
    let coordinator = site.coordinator();
    let workers = site.both();
    std::os::unix::fs::symlink(site.path("s2/r005-2"), site.path("s1/link")).unwrap();
    for (input, out, sentences) in [
        (
            "s3:r005",
            "out:npy",
            &["s3:r005: neither the coordinator (out = ", "has a root s3"][..],
        ),
        (
            "s1:r006",
            "out:npy",
            &["pc-s1: ", "no such file or folder", " holds link, r005"],
        ),
        ("s1:link", "out:npy", &["pc-s1: s1:link leads out of its root"]),
        ("out:r005", "out:npy", &["no such file or folder"]),
        ("s1:r005", "s1:npy", &["s1:npy: the coordinator has no root s1"]),
    ] {
        let told = site.cluster.client("submit").args([input, "--out", out]).run();
        told.must_end_with(2).must_say(sentences);
    }
    assert!(!site.path("nas/npy").exists(), "nothing was begun");
    drop((workers, coordinator));
}

/// Whoever gives two disks one name would get a half of what is meant.
#[test]
fn two_disks_of_one_name_are_refused_and_a_disk_without_the_run_is_passed_over() {
    let site = Site::new(&run(4), &run(4));
    write_run(&RunSpec { seed: 7, ..run(4) }, &site.path("s2/r006"));
    write_run(&run(5), &site.path("s1/r006"));
    let coordinator = site.coordinator();
    // The first to come is asked as well as the last.
    let workers = [("pc-a", "s2"), ("pc-b", "s1"), ("pc-c", "s2")]
        .map(|(name, disk)| site.worker(name, "scope", &site.path(disk)));
    let submit = |input: &str, out: &str| {
        let out = format!("out:{out}");
        let call = site.cluster.client("submit").args([input, "--out", &out]);
        call.args(["--settle", "0s", "--wait"]).run()
    };
    submit("scope:r006", "npy").must_end_with(1).must_say(&[
        "see different storage under the name scope: scope:r006/C",
        "is there for pc-",
        "Give each disk a root name of its own",
    ]);
    submit("scope:r*", "npy")
        .must_end_with(1)
        .must_say(&["see different storage"]);
    assert!(!site.path("nas/npy").exists(), "nothing was begun");
    for (disk, run) in [("s1", "r005"), ("s2", "r005-2")] {
        submit(&format!("scope:{run}"), run).must_succeed();
        let alone = site.path(&format!("alone-{run}"));
        Convert::new([site.path(&format!("{disk}/{run}"))], &alone)
            .run()
            .must_succeed();
        must_equal(&site.path("nas").join(run), &outputs(&alone));
    }
    drop((workers, coordinator));
}
