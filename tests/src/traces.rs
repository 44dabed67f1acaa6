//! Runs of `.trc` files for the tests, and how far a conversion of them has come.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use trc2npy_synth::{Bits, ByteOrder, RunSpec};

use crate::tools::write_run;

/// A folder of its own with a run in it; removed when dropped.
#[derive(Debug)]
pub struct Bench {
    folder: TempDir,
    /// The run's folder.
    pub run: PathBuf,
}

impl Bench {
    /// Writes the run `r005`.
    pub fn new(spec: &RunSpec) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = folder.path().join("r005");
        let bench = Self { folder, run };
        bench.write(spec);
        bench
    }

    /// Writes further files into the run's folder.
    pub fn write(&self, spec: &RunSpec) {
        spec.write(&self.run, &|_| ControlFlow::Continue(()))
            .expect("the run is written");
    }

    /// A path beside the run.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of the run.
    pub fn file(&self, channel: u8, index: u64) -> PathBuf {
        self.run.join(format!("C{channel}--Trace--{index:05}.trc"))
    }
}

/// Two folders of a run below `root`, of so many files each: two channels, three rows a file; the first of 16 bits and with
/// `bad` files (`truncated:2`), the second of other samples, 8 bits and big-endian, and with as many bad ones.
///
/// # Panics
/// Where they cannot be written.
pub fn two_folders(root: &Path, files: u64, bad: &[&str]) -> [PathBuf; 2] {
    let folders = ["r005", "r005-2"].map(|name| root.join(name));
    let mut spec = RunSpec::new(files, 701);
    spec.channels = vec![1, 2];
    spec.segments = 3;
    spec.bad = bad
        .iter()
        .map(|bad| bad.parse().expect("a kind of broken file"))
        .collect();
    write_run(&spec, &folders[0]);
    spec.seed = 2;
    spec.bits = Bits::Eight;
    spec.order = ByteOrder::Big;
    write_run(&spec, &folders[1]);
    folders
}

/// The unfinished conversions in an output folder.
pub fn states(out: &Path) -> Vec<PathBuf> {
    let Ok(listing) = std::fs::read_dir(out.join(".trc2npy")) else {
        return Vec::new();
    };
    listing
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect()
}

/// The folder of the only conversion in an output folder.
///
/// # Panics
/// Where there is not exactly one.
pub fn state(out: &Path) -> PathBuf {
    let found = states(out);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().expect("just counted")
}

/// The records of the journals in an output folder, as far as they are whole.
pub fn records(out: &Path) -> Vec<Value> {
    let texts = states(out)
        .into_iter()
        .filter_map(|state| std::fs::read_to_string(state.join("journal")).ok());
    texts
        .flat_map(|text| {
            let lines = text
                .lines()
                .map(|line| line.rsplit_once(' ').map_or("", |(json, _)| json));
            lines
                .map_while(|json| serde_json::from_str(json).ok())
                .collect::<Vec<Value>>()
        })
        .collect()
}

/// How many rows the journals call committed.
pub fn committed_rows(out: &Path) -> u64 {
    records(out)
        .iter()
        .filter(|record| record["record"] == "committed")
        .map(|record| {
            let bound = |name: &str| record["rows"][name].as_u64().expect("a row number");
            bound("end") - bound("start")
        })
        .sum()
}

/// The events of `--progress json`.
///
/// # Panics
/// Where a line is no JSON.
pub fn events(stdout: &str) -> Vec<Value> {
    stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}
