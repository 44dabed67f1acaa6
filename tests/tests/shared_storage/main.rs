//! A cluster, and the commands of batch systems, on a real network file system that each machine has mounted for itself, with
//! its own caches: every byte is as on a local disk, seen from every machine, and nothing is left over.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and their helpers have none"
)]

mod chaos;
mod cut;
mod shares;

use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{
    Convert, FileSystem, NetworkDisk, Outputs, Running, must_equal, outputs, poll, scratch, write_run,
};

/// Machine 0 has the disk and coordinates, the others work.
const MACHINES: usize = 4;
const PORT: &str = "7070";

struct Site {
    disk: NetworkDisk,
    /// The coordinator's state and what `convert` makes, on a disk of this machine.
    folder: TempDir,
}

impl Site {
    /// With the run `run` on the shared storage, written there by one of the machines that work.
    fn new(file_system: &'static dyn FileSystem, spec: &RunSpec) -> Option<Self> {
        let disk = NetworkDisk::new(file_system, MACHINES)?;
        write_run(spec, &disk.mount(1).join("run"));
        let folder = scratch();
        Some(Self { disk, folder })
    }

    fn reference(&self, code: i32) -> Outputs {
        let out = self.folder.path().join("alone");
        let convert = Convert::new([self.disk.mount(0).join("run")], &out);
        convert.args(["--settle", "0s"]).run().must_end_with(code);
        outputs(&out)
    }

    fn mapping(&self, machine: usize) -> String {
        format!("data={}", self.disk.mount(machine).display())
    }

    fn start_coordinator(&self) -> Running {
        let listen = format!("0.0.0.0:{PORT}");
        let call = self
            .disk
            .lan()
            .call(0, "coordinator")
            .args(["--listen", &listen, "--insecure"]);
        let call = call.args(["--root", &self.mapping(0), "--state"]);
        call.args([self.folder.path().join("state")]).start()
    }

    fn coordinator(&self) -> Running {
        let mut running = self.start_coordinator();
        running.says("listening on");
        running
    }

    fn worker(&self, machine: usize) -> Running {
        let address = format!("{}:{PORT}", self.disk.lan().address(0));
        let name = format!("pc{machine}");
        let call = self.disk.lan().call(machine, "worker");
        let call = call.args([
            "--coordinator",
            &address,
            "--insecure",
            "--root",
            &self.mapping(machine),
        ]);
        call.args(["--name", &name, "--cpus", "1"]).start()
    }

    /// A client's call on the coordinator's machine; nothing where it fails.
    fn asked(&self, subcommand: &str, args: &[&str]) -> Option<String> {
        let address = format!("127.0.0.1:{PORT}");
        let call = self.disk.lan().call(0, subcommand).args(args);
        let ended = call.args(["--coordinator", &address]).run();
        ended.status.success().then_some(ended.stdout)
    }

    fn submit(&self, out: &str) {
        let out = format!("data:{out}");
        let options = ["--settle", "0s", "--range-size", "1B", "--sync-every", "2MB"];
        self.asked("submit", &[&["data:run", "--out", &out], &options[..]].concat())
            .unwrap();
    }

    fn job(&self, number: usize) -> Option<Value> {
        let told = self.asked("job", &[&number.to_string(), "--json"])?;
        serde_json::from_str(&told).ok()
    }

    fn is_done(&self, number: usize) -> bool {
        let Some(job) = self.job(number) else { return false };
        let state = job["state"].as_str().unwrap();
        assert!(!matches!(state, "failed" | "cancelled"), "{job}");
        state == "done"
    }

    /// All machines see exactly what `convert` makes, and nothing beside it.
    fn is_right(&self, out: &str, expected: &Outputs) {
        for machine in 0..MACHINES {
            let out = self.disk.mount(machine).join(out);
            // Another machine's rename may be seen a moment later.
            poll("the outputs to be seen", || {
                (outputs(&out).len() == expected.len()).then_some(())
            });
            must_equal(&out, expected);
            let left = left_over(&out);
            assert!(left.is_empty(), "left behind, as machine {machine} sees it: {left:?}");
        }
    }
}

fn left_over(folder: &Path) -> Vec<String> {
    let mut left = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let ending = path.extension().and_then(|ending| ending.to_str());
        if name.starts_with("job-") || matches!(ending, Some("part" | "tmp" | "made")) {
            left.push(path.display().to_string());
        }
        if path.is_dir() {
            left.extend(left_over(&path));
        }
    }
    left
}

fn spec() -> RunSpec {
    RunSpec {
        channels: vec![1, 2],
        bad: vec!["truncated:2".parse().unwrap()],
        ..RunSpec::new(1_500, 1_500)
    }
}
