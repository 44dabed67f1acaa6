//! `tes-ana`: from the folders of a test stand to what its analysis scripts read. Numpy judges the arrays, Python's own
//! `struct`, `json` and `datetime` the metadata.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]

mod again;
mod metadata;
mod runs;

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;
use trc2npy_synth::{NameTemplate, RunSpec};
use trc2npy_tests::{Ended, Oracle, binary, scratch, write_run};

/// A test stand's folder with the run r009 of period p06.
struct Stand {
    _root: TempDir,
    base: PathBuf,
}

impl Stand {
    fn new() -> Self {
        let root = scratch();
        let base = root.path().join("tes");
        fs::create_dir(&base).unwrap();
        Self { _root: root, base }
    }

    /// `raw_trc/p06/NAME`
    fn folder(&self, name: &str) -> PathBuf {
        self.base.join("generated_data/raw_trc/p06").join(name)
    }

    /// Writes a run of files into one of its folders.
    fn write(&self, folder: &str, spec: &RunSpec) {
        write_run(spec, &self.folder(folder));
    }

    /// `raw/p06/r009`
    fn arrays(&self) -> PathBuf {
        self.base.join("generated_data/raw/p06/r009")
    }

    fn metadata(&self) -> PathBuf {
        self.base
            .join("teststand_metadata/hardware/scope/p06/r009/lecroy_metadata_p06_r009.json")
    }

    /// `trc2npy tes-ana --base DIR --period 06 --run 009 ARGS`
    fn run(&self, args: &[&str]) -> Ended {
        tes_ana(&self.base, args)
    }

    /// Fails where the arrays are not those of these folders, with this baseline.
    fn must_be_of(&self, folders: &[&str], dpbl: u32, more: &[&str]) {
        Oracle::new(&self.arrays(), folders.iter().map(|name| self.folder(name)))
            .args(["--baseline", &dpbl.to_string(), "--events", "complete"])
            .args(["--on-bad-file", "skip", "--name", "{channel}/{channel}--Trace.npy"])
            .args(more)
            .must_agree();
    }

    /// Every file below its folder that is no source: path, bytes, and when it was written.
    fn everything(&self) -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
        let mut found = Vec::new();
        let mut waiting = vec![self.base.clone()];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.ends_with("raw_trc") {
                    waiting.push(path);
                } else if path.is_file() {
                    let written = fs::metadata(&path).unwrap().modified().unwrap();
                    found.push((path.clone(), fs::read(&path).unwrap(), written));
                }
            }
        }
        found.sort();
        found
    }
}

/// A call for the run r009 of p06 below `base`, to its end.
fn tes_ana(base: &Path, args: &[&str]) -> Ended {
    let base = [OsStr::new("--base"), base.as_os_str()];
    let mut command = Command::new(binary());
    command
        .arg("tes-ana")
        .args(base)
        .args(["--period", "06", "--run", "009"]);
    command.args(["--progress", "none"]).args(args).stdin(Stdio::null());
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRC2NPY_")) {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ended = Ended {
        status: output.status,
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    };
    assert!(!ended.stderr.contains("a state that must not occur"), "{ended}");
    ended
}

/// Two channels, long enough for the usual baseline.
fn two_channels(files: u64, seed: u64) -> RunSpec {
    RunSpec {
        channels: vec![1, 2],
        seed,
        ..RunSpec::new(files, 2_502)
    }
}

fn named(spec: RunSpec, template: &str) -> RunSpec {
    RunSpec {
        name: template.parse::<NameTemplate>().unwrap(),
        ..spec
    }
}
