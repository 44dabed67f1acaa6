//! From a plan to arrays: one range of it ([`RangeConverter`]), or a whole run on this machine ([`convert`]).
//!
//! Mapped memory is touched in [`mapped`] alone. Outputs are written by positioned writes, never through a mapping.

mod assembly;
mod budget;
mod error;
#[cfg(debug_assertions)]
mod faults;
mod file;
mod form;
mod freshness;
mod input;
mod job;
mod journal;
pub mod mapped;
mod pace;
mod publish;
mod range;
mod report;
mod settings;
mod stages;
mod stream;
mod synced;
mod target;
mod watch;
mod workspace;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use assembly::{Assembly, AssemblyJob, Landed, Opened};
pub use budget::{BlockSizes, Budget, LEAST_MEMORY, MemoryShort};
pub use error::ConvertError;
pub use form::Form;
pub(crate) use form::RowHead;
pub(crate) use job::wait;
pub use job::{range_size, unreadable_allowed};
pub use pace::PacePoint;
pub use range::{BadFile, RangeConverter, RangeDone, RangeOptions, Reading};
pub use settings::{BadName, Io, NameTemplate, Overwrite, Settings};
pub use stages::{RangeListener, RangeStory, Stages};
pub use stream::Checksum;
pub(crate) use stream::{Stream, Turn};
pub use synced::{Grown, SyncedRange};
pub use target::Target;
pub(crate) use target::prepare;
pub use watch::{Phase, Progress, Pulse, Stop, Watch};
pub use workspace::{Seen, seen, state_folder};

use crate::channel::Channel;
use crate::plan::{self, Element, Findings, Out, PlanProgress, PlanRequest, PlannedRun};
use crate::status::Status;
use crate::units::Bytes;
use report::Times;
use workspace::{Stage, Workspace};

/// What to convert, whereto, and how.
#[derive(Clone, Debug)]
pub struct ConvertRun {
    /// The inputs and the choices that decide about bytes.
    pub request: PlanRequest,
    /// The output folder, perhaps with `{run}` in it.
    pub out: Out,
    /// The choices that do not.
    pub settings: Settings,
}

impl ConvertRun {
    /// The command that does this, in words; without options that do not decide about bytes.
    pub fn command(&self) -> Vec<String> {
        workspace::words(self)
    }

    /// Names the command by all of it that decides about bytes.
    pub fn key(&self) -> String {
        workspace::key(&self.request, &self.settings)
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// All files are there.
    Finished,
    /// They were there already, from the same inputs and options.
    AlreadyDone,
    /// It was asked to stop; the same command goes on.
    Interrupted,
}

/// One run, as far as it came.
#[derive(Debug)]
pub struct Outcome {
    /// Its output folder.
    pub out: PathBuf,
    /// How it ended.
    pub state: State,
    /// Its channels; none where it was interrupted.
    pub channels: Vec<ChannelOutcome>,
    /// What planning found.
    pub findings: Findings,
    /// Sentences for people about what came up later.
    pub notes: Vec<String>,
    /// Some of the bad files with their reasons, in row order.
    pub bad_files: Vec<BadFile>,
}

impl Outcome {
    /// Warnings of planning that no verdict on a row tells better.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let told_by_status = self.state != State::Interrupted;
        self.findings
            .warnings()
            .filter(move |finding| !(told_by_status && finding.is_preliminary()))
            .map(ToString::to_string)
    }
}

/// One channel of a finished run.
#[derive(Debug)]
pub struct ChannelOutcome {
    /// Which.
    pub channel: Channel,
    /// Its array.
    pub path: PathBuf,
    /// Rows of the array.
    pub rows: u64,
    /// Samples of each row.
    pub samples: u32,
    /// What the array holds.
    pub element: Element,
    /// Bytes of the array's file.
    pub bytes: Bytes,
    /// Its share of the seconds that the run took; 0 where it was finished before.
    pub seconds: f64,
    /// Bad rows by verdict; empty where all are good.
    pub bad: Vec<(Status, u64)>,
}

/// All runs of one call.
#[derive(Debug, Default)]
pub struct Converted {
    /// The runs that came to an end, or were interrupted.
    pub outcomes: Vec<Outcome>,
    /// The runs that did not.
    pub failures: Vec<RunFailure>,
    /// Names of the runs that were not begun for that.
    pub not_begun: Vec<String>,
}

/// A run that could not be finished, while others of the same call may be.
#[derive(Debug)]
pub struct RunFailure {
    /// Its name.
    pub run: String,
    /// Why.
    pub error: ConvertError,
}

/// Plans, converts and publishes every run of the request; goes on where an earlier call was stopped.
///
/// Fails where something can be refused before the first byte. What fails later is in [`Converted::failures`]: other
/// runs are converted all the same, unless it is the output that failed. Ends early, with what was reached, where `stop`
/// is requested.
pub fn convert(run: &ConvertRun, watch: &Watch, stop: &Stop) -> Result<Converted, ConvertError> {
    watch.enter(Phase::Planning);
    let began = Instant::now();
    let planned = plan::plan(&run.request, &PlanProgress::default())?;
    let folders = plan::resolve_outputs(&run.out, &planned)?;
    let mut ready = Vec::with_capacity(planned.len());
    for (planned, out) in planned.into_iter().zip(folders) {
        ready.push(Ready::new(planned, &out, run)?);
    }
    workspace::check_space(ready.iter().map(|one| &one.workspace))?;
    let call = Call {
        run,
        watch,
        stop,
        planning: began.elapsed(),
    };
    let mut converted = Converted::default();
    let mut runs = ready.into_iter();
    for mut one in runs.by_ref() {
        match call.convert_one(&mut one) {
            Ok(()) => {
                let interrupted = one.outcome.state == State::Interrupted;
                converted.outcomes.push(one.outcome);
                if interrupted {
                    break;
                }
            }
            Err(error) => {
                if error.is_hopeless() {
                    one.workspace.give_up();
                }
                let others = error.is_of_one_run();
                converted.failures.push(RunFailure {
                    run: one.workspace.plan.run.clone(),
                    error,
                });
                if !others {
                    break;
                }
            }
        }
    }
    converted.not_begun = runs.map(|one| one.workspace.plan.run.clone()).collect();
    Ok(converted)
}

/// A run that is locked and may be worked on.
struct Ready {
    workspace: Workspace,
    budget: Budget,
    outcome: Outcome,
}

impl Ready {
    fn new(planned: PlannedRun, out: &Path, run: &ConvertRun) -> Result<Self, ConvertError> {
        let PlannedRun { plan, findings } = planned;
        let settings = &run.settings;
        // What no memory is enough for is refused before anything is written.
        let budget = Budget::new(settings.memory_limit, plan.memory_bytes(), settings.threads)?;
        let mut workspace = Workspace::open(out, plan, run)?;
        if workspace.stage != Stage::Done {
            let left = workspace.remove_job_folders(None);
            workspace.notes.extend(left);
        }
        let outcome = Outcome {
            out: out.to_owned(),
            state: State::Finished,
            channels: Vec::new(),
            findings,
            notes: std::mem::take(&mut workspace.notes),
            bad_files: Vec::new(),
        };
        Ok(Self {
            workspace,
            budget,
            outcome,
        })
    }
}

/// What all runs of one call share.
struct Call<'c> {
    run: &'c ConvertRun,
    watch: &'c Watch,
    stop: &'c Stop,
    /// How long planning all of them took.
    planning: Duration,
}

impl Call<'_> {
    fn convert_one(&self, ready: &mut Ready) -> Result<(), ConvertError> {
        let Self {
            run,
            watch,
            stop,
            planning,
        } = *self;
        let began = Instant::now();
        let Ready {
            workspace,
            budget,
            outcome,
        } = ready;
        let found = workspace.stage;
        let mut times = Times {
            planning,
            ..Times::default()
        };
        if found == Stage::Converting {
            let ran = job::run(workspace, budget, &run.settings, watch, stop)?;
            if !ran.complete {
                outcome.state = State::Interrupted;
                return Ok(());
            }
            times.busy = ran.busy;
            times.syncing = ran.syncing;
        }
        report::note_changed_settings(workspace, outcome);
        if found == Stage::Done {
            outcome.state = State::AlreadyDone;
            report::summarise(workspace, &run.settings, &times, outcome);
        } else {
            watch.enter(Phase::Publishing);
            publish::publish(workspace, &run.settings)?;
            times.converting = began.elapsed();
            report::summarise(workspace, &run.settings, &times, outcome);
            report::write(outcome, workspace, run, &times, watch, &[])?;
            publish::finish(workspace, &run.settings, began.elapsed())?;
            report::write_page(outcome);
        }
        watch.enter(Phase::Done);
        Ok(())
    }
}
