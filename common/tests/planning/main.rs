//! Planning real folders of real files, through the public interface alone.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its folder has failed")]

mod elsewhere;
mod events;
mod names;
mod probing;
mod resume;
mod runs;

use std::path::{Path, PathBuf};

use trc2npy_common::plan::{self, ChannelPlan, Finding, Plan, PlanError, PlanProgress, PlanRequest, PlannedRun};
use trc2npy_synth::TraceFile;

/// A folder for runs, gone when dropped.
struct Lab(tempfile::TempDir);

impl Lab {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// Writes a file, with its folders.
    fn put(&self, path: &str, trace: &TraceFile) -> &Self {
        self.put_bytes(path, &trace.to_bytes())
    }

    fn put_bytes(&self, path: &str, bytes: &[u8]) -> &Self {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    /// Writes ordinary sweeps of 10 samples.
    fn sweeps<const N: usize>(&self, folder: &str, names: [&str; N]) -> &Self {
        for name in names {
            self.put(&format!("{folder}/{name}"), &sweep(10));
        }
        self
    }

    fn request(&self, inputs: &[&str]) -> PlanRequest {
        PlanRequest::new(inputs.iter().map(|input| self.at(input)).collect(), 2)
    }

    fn plan(&self, inputs: &[&str]) -> PlannedRun {
        one(&self.request(inputs))
    }
}

/// A sweep of so many samples, all of one trigger time.
fn sweep(samples: usize) -> TraceFile {
    TraceFile::single((0..).take(samples).collect())
}

fn runs(request: &PlanRequest) -> Result<Vec<PlannedRun>, PlanError> {
    plan::plan(request, &PlanProgress::default())
}

fn one(request: &PlanRequest) -> PlannedRun {
    let mut runs = runs(request).unwrap();
    assert_eq!(runs.len(), 1);
    runs.remove(0)
}

fn refused(request: &PlanRequest) -> PlanError {
    match runs(request) {
        Err(error) => error,
        Ok(_) => panic!("a plan was made"),
    }
}

fn channel<'a>(plan: &'a Plan, name: &str) -> &'a ChannelPlan {
    let channel = name.parse().unwrap();
    plan.channels.iter().find(|plan| plan.channel == channel).unwrap()
}

/// The channel's rows: row number and label of each file.
fn rows(plan: &Plan, name: &str) -> Vec<(u64, String)> {
    let channel = channel(plan, name);
    (0..channel.files.len())
        .map(|i| {
            let mut label = String::new();
            plan.file_label(channel, i, &mut label);
            let mut path = PathBuf::new();
            plan.file_path(channel, i, &mut path);
            assert!(path.is_file(), "{}", path.display());
            (channel.files.get(i).first_row, label)
        })
        .collect()
}

fn labels(plan: &Plan, name: &str) -> Vec<String> {
    rows(plan, name).into_iter().map(|(_, label)| label).collect()
}

fn finding<T>(run: &PlannedRun, pick: impl Fn(&Finding) -> Option<T>) -> T {
    let found = run.findings.all.iter().find_map(pick);
    found.unwrap_or_else(|| panic!("no such finding: {:#?}", run.findings))
}

fn exists(path: &Path) -> bool {
    path.try_exists().unwrap()
}
