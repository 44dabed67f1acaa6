//! The scripts of `deploy/slurm` in a real Slurm, whose nodes all run on this machine.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and their helpers have none"
)]

mod array;
mod cluster;
mod elastic;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Convert, Outputs, outputs, scratch, workspace, write_run};

/// A run, and what `convert` makes of it.
struct Lab {
    dir: TempDir,
    reference: Outputs,
}

impl Lab {
    /// 4,000 files, which take so long that tasks can be met at work.
    fn new() -> Self {
        let dir = scratch();
        write_run(&RunSpec::new(4_000, 10_000), &dir.path().join("root/run"));
        let out = dir.path().join("reference");
        Convert::new([dir.path().join("root/run")], &out)
            .args(["--baseline", "500"])
            .run()
            .must_succeed();
        let reference = outputs(&out);
        Self { dir, reference }
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }
}

fn script(name: &str) -> PathBuf {
    workspace().join("deploy/slurm").join(name)
}

/// What all logs of jobs say whose names begin so.
fn logs(folder: &Path, begin: &str) -> String {
    let mut all = String::new();
    for log in files(folder, ".log") {
        let name = log.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with(begin) {
            all.extend([name, fs::read_to_string(&log).unwrap()]);
        }
    }
    all
}

/// Files below a folder, however deep, whose names end so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                files(&path, ending)
            } else {
                vec![path]
            }
        })
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect()
}
