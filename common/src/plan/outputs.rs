//! Where the runs' outputs go.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::PlannedRun;
use super::error::PlanError;
use super::model::Plan;

/// Stands for a run's name.
const PLACE: &str = "{run}";

/// Where outputs go, as a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// As `--out` has it: `{run}` in it stands for the run's name.
    Template(String),
    /// One folder, whatever braces there are in its name.
    Folder(String),
}

impl Out {
    /// The text.
    pub fn text(&self) -> &str {
        let (Self::Template(text) | Self::Folder(text)) = self;
        text
    }

    fn of_run(&self, run: &str) -> PathBuf {
        match self {
            Self::Template(text) => text.replace(PLACE, run).into(),
            Self::Folder(text) => text.into(),
        }
    }
}

impl fmt::Display for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

/// The output folder of each run.
///
/// Fails where several runs would write into one folder.
pub fn resolve_outputs(out: &Out, runs: &[PlannedRun]) -> Result<Vec<PathBuf>, PlanError> {
    let plans = || runs.iter().map(|run| &run.plan);
    let has_place = matches!(out, Out::Template(text) if text.contains(PLACE));
    if runs.len() > 1 && !has_place {
        return Err(PlanError::SeveralRuns {
            runs: plans().map(|plan| plan.run.clone()).collect(),
            out: out.text().to_owned(),
        });
    }
    let mut known: BTreeMap<&str, &Plan> = BTreeMap::new();
    for plan in plans().filter(|_| runs.len() > 1) {
        if let Some(first) = known.insert(&plan.run, plan) {
            return Err(PlanError::SameRun {
                run: plan.run.clone(),
                first: first.folders[0].path.clone(),
                second: plan.folders[0].path.clone(),
            });
        }
    }
    Ok(plans().map(|plan| out.of_run(&plan.run)).collect())
}
