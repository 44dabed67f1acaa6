//! A root with a run in it, certificates, and processes that are the first of their namespace, as in a container.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{
    Call, Cluster, Convert, Outputs, Running, binary, outputs, poll, scratch, usable, workspace, write_run,
};

/// Below deploy.
pub(crate) fn at(path: &str) -> PathBuf {
    workspace().join("deploy").join(path)
}

pub(crate) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A cluster on a folder that is removed at the end, with the run `run` in its root.
pub(crate) struct Lab {
    pub(crate) cluster: Cluster,
    folder: TempDir,
}

impl Lab {
    pub(crate) fn new(spec: &RunSpec) -> Self {
        let folder = scratch();
        let root = folder.path().join("root");
        write_run(spec, &root.join("run"));
        Self {
            cluster: Cluster::new(&root),
            folder,
        }
    }

    /// Beside the root.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What `convert` makes of the run.
    pub(crate) fn reference(&self) -> Outputs {
        let out = self.path("alone");
        Convert::new([self.cluster.root().join("run")], &out)
            .run()
            .must_succeed();
        outputs(&out)
    }

    /// Issues a certificate with this role, for this machine, from a CA that is made for the first one.
    pub(crate) fn certs(&self, role: &str) -> PathBuf {
        let ca = self.path("ca");
        let certs = |args: &[&str]| {
            let call = Call::of("certs").args(args).args(["--ca"]).args([&ca]);
            call.run().must_succeed();
        };
        if !ca.exists() {
            certs(&["init"]);
        }
        certs(&["issue", role, "--role", role]);
        ca.join("machines").join(role)
    }

    /// What a client's command tells programs; nothing where it cannot.
    pub(crate) fn told(&self, subcommand: &str, args: &[&str]) -> Option<Value> {
        let told = self.cluster.client(subcommand).args(args).args(["--json"]).run();
        serde_json::from_str(&told.stdout).ok()
    }

    /// Waits until the coordinator has given a lease to its one worker.
    pub(crate) fn lease_is_given(&self, args: &[&str]) {
        poll("a lease", || {
            (self.told("workers", args)?[0]["leases"].as_u64()? > 0).then_some(())
        });
    }

    /// Neither shards nor temporaries are left in the folder `out` below the root.
    pub(crate) fn nothing_is_left(&self, out: &str) {
        let state = self.cluster.root().join(out).join(".trc2npy");
        let mut left = Vec::new();
        let mut folders = vec![state];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap().flatten() {
                let path = entry.path();
                let ending = path.extension().and_then(|ending| ending.to_str());
                if path.is_dir() {
                    folders.push(path);
                } else if matches!(ending, Some("npy" | "part" | "tmp")) {
                    left.push(path);
                }
            }
        }
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

/// What makes a program the first process of a namespace of its own, as in a container.
const ALONE: [&str; 4] = ["--pid", "--fork", "--kill-child", "--"];

/// Whether this machine lets tests make such namespaces.
pub(crate) fn namespaces() -> bool {
    let can = usable("unshare", ALONE.iter().chain(&["true"]));
    if !can {
        eprintln!("LEFT OUT: no process namespaces: nothing is the first process of a container (they need root)");
    }
    can
}

/// The call of a subcommand whose process is number 1.
pub(crate) fn alone(subcommand: &str) -> Call {
    Call::launched_by("unshare", &ALONE, subcommand)
}

/// The process that [`alone`] has started, by the number that it has out here.
pub(crate) fn first_of(running: &Running) -> Pid {
    let outer = running.pid();
    let program = fs::canonicalize(binary()).unwrap();
    poll("the program behind unshare", || {
        let children = fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).ok()?;
        let inner: i32 = children.split_whitespace().next()?.parse().ok()?;
        // Forked, and no longer unshare.
        let is_there = fs::read_link(format!("/proc/{inner}/exe")).ok()? == program;
        let status = fs::read_to_string(format!("/proc/{inner}/status")).ok()?;
        let numbers = status.lines().find(|line| line.starts_with("NSpid:"))?.to_owned();
        is_there.then(|| assert!(numbers.ends_with("\t1"), "{numbers}: not the first process"));
        is_there.then(|| Pid::from_raw(inner).unwrap())
    })
}

/// Sends it a signal, as the one who runs containers does.
pub(crate) fn signal(process: Pid, signal: Signal) {
    kill_process(process, signal).unwrap();
}
