//! Runs of `.trc` files for the tests, and what a conversion has left in its output folder.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use trc2npy_synth::RunSpec;

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

/// The finished outputs of a folder by name, without the report, which tells of the day and the machine.
pub fn outputs_by_name(out: &Path) -> BTreeMap<String, Vec<u8>> {
    let Ok(listing) = std::fs::read_dir(out) else {
        return BTreeMap::new();
    };
    listing
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .filter_map(|path| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            let is_output = name != "report.json" && !name.starts_with('.');
            is_output.then(|| (name, std::fs::read(&path).expect("an output can be read")))
        })
        .collect()
}

/// Fails where the folder does not hold exactly `expected`.
///
/// # Panics
/// With the first name that differs.
pub fn must_equal(out: &Path, expected: &BTreeMap<String, Vec<u8>>) {
    let found = outputs_by_name(out);
    let names: Vec<_> = found.keys().collect();
    assert_eq!(names, expected.keys().collect::<Vec<_>>(), "{}", out.display());
    must_be_whole(out, expected);
}

/// Fails where a file is there under a final name and is not, byte for byte, the one of `expected`.
///
/// # Panics
/// With its name.
pub fn must_be_whole(out: &Path, expected: &BTreeMap<String, Vec<u8>>) {
    for (name, bytes) in outputs_by_name(out) {
        let wanted = expected
            .get(&name)
            .unwrap_or_else(|| panic!("{name} belongs to no output"));
        assert!(bytes == *wanted, "{name} differs from that of an undisturbed run");
    }
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

/// The last event `progress` of `--progress json`, and the event `end`.
///
/// # Panics
/// Where a line is no JSON, or the last one is no `end`.
pub fn events(stdout: &str) -> Vec<Value> {
    stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}
