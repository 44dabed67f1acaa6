//! Where the runs' outputs go.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::PlannedRun;
use super::error::PlanError;
use super::model::Plan;

/// The output folder of each run: `out`, with `{run}` in it replaced by the run's name.
///
/// Fails where several runs would write into one folder.
pub fn resolve_outputs(out: &str, runs: &[PlannedRun]) -> Result<Vec<PathBuf>, PlanError> {
    const PLACE: &str = "{run}";
    let plans = || runs.iter().map(|run| &run.plan);
    if runs.len() > 1 && !out.contains(PLACE) {
        return Err(PlanError::SeveralRuns {
            runs: plans().map(|plan| plan.run.clone()).collect(),
            out: out.to_owned(),
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
    Ok(plans()
        .map(|plan| PathBuf::from(out.replace(PLACE, &plan.run)))
        .collect())
}
