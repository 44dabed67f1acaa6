//! Planning: which file holds which rows of which channel, fixed before the first byte is written.
//!
//! Whatever can be refused is refused here. Nothing here decodes samples or writes outputs; inputs are opened
//! read-only, and only their headers are read. Which rows a file gives never depends on the order in which a file
//! system lists it, nor on the number of threads.
//!
//! From the command line to the plan: `inputs` (what was typed -> folders -> runs), `walk` (folders -> names, sizes,
//! times), `names` and `readings` (names -> channel, stem, index), `gather` (-> files of each channel), `probe` and
//! `layouts` (headers -> rows and samples), `events` (-> row numbers). `file` writes and reads the result, `ranges` cuts
//! it up, `compare` looks whether its files are still the same. `search` finds the runs below a folder, for many such plans; `traces` the
//! channels of a folder, by names alone. A `survey` is what was listed, to be planned on another machine.

mod compare;
mod error;
mod events;
mod file;
mod findings;
mod gather;
mod inputs;
mod layouts;
pub mod model;
mod names;
mod outputs;
mod place;
mod planner;
mod portable;
mod probe;
mod ranges;
mod readings;
mod request;
mod search;
mod survey;
#[cfg(test)]
pub(crate) mod testing;
mod traces;
mod walk;

pub use compare::{FileChange, InputChanges, Made, MadeRows, compare};
pub use error::{Ambiguity, LengthSeen, PlanError, ReadAs};
pub use file::PlanFileError;
pub use findings::{
    ChangedAt, Examples, FileNote, Finding, Findings, NoBaseline, SelectedRows, SelectedSamples, SettingsChange,
    Severity,
};
pub(crate) use inputs::{labels, natural, nearby, numbered};
pub use model::{
    BadPlanId, ChannelPlan, Element, FileEntry, FileTable, Folder, LayoutId, LeftOut, NamePattern, PatternId, Plan,
    PlanId, PlannedLayout, Probe, Reference, RequestSummary,
};
pub use names::Unmatched;
pub(crate) use names::{is_hidden, is_trace};
pub use outputs::{Out, resolve_outputs};
pub use planner::{plan, plan_survey};
pub(crate) use probe::read_head;
pub use ranges::Stretch;
pub use request::{LongBaseline, PlanProgress, PlanRequest};
pub(crate) use search::is_of_the_system;
pub use search::{FoundRun, FoundRuns, search};
pub use survey::{BadSurvey, Heads, OwnFiles, Survey, survey};
pub(crate) use traces::NamedTraces;

/// One run that the inputs hold.
#[derive(Clone, Debug)]
pub struct PlannedRun {
    /// Its plan.
    pub plan: Plan,
    /// What was noticed on the way.
    pub findings: Findings,
}
