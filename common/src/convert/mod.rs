//! From a plan to arrays: one range of it ([`RangeConverter`]), or a whole run on this machine ([`convert`]).
//!
//! Mapped memory is touched in [`mapped`] alone. Outputs are written by positioned writes, never through a mapping.

mod budget;
mod error;
mod file;
mod input;
mod job;
mod journal;
pub mod mapped;
mod publish;
mod range;
mod report;
mod settings;
mod stream;
mod watch;
mod workspace;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use budget::{BlockSizes, Budget};
pub use error::ConvertError;
pub use job::range_size;
pub use range::{BadFile, RangeConverter, RangeDone, RangeOptions, Target};
pub use settings::{BadName, Io, NameTemplate, Settings};
pub use stream::Checksum;
pub use watch::{Phase, Progress, Stop, Watch};

use crate::channel::Channel;
use crate::plan::{self, Element, Findings, PlanProgress, PlanRequest, PlannedRun};
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
    pub out: String,
    /// The choices that do not.
    pub settings: Settings,
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

/// Plans, converts and publishes every run of the request; goes on where an earlier call was stopped.
///
/// Ends early, with what was reached, where `stop` is requested.
pub fn convert(run: &ConvertRun, watch: &Watch, stop: &Stop) -> Result<Vec<Outcome>, ConvertError> {
    watch.enter(Phase::Planning);
    let began = Instant::now();
    let planned = plan::plan(&run.request, &PlanProgress::default())?;
    let folders = plan::resolve_outputs(&run.out, &planned)?;
    // What no memory is enough for is refused before anything is written.
    let budget = |planned: &PlannedRun| {
        let settings = &run.settings;
        Budget::new(settings.memory_limit, planned.plan.memory_bytes(), settings.threads)
    };
    let budgets = planned.iter().map(budget).collect::<Result<Vec<_>, _>>()?;
    let call = Call {
        run,
        watch,
        stop,
        planning: began.elapsed(),
    };
    let mut outcomes = Vec::with_capacity(planned.len());
    for ((planned, out), budget) in planned.into_iter().zip(folders).zip(&budgets) {
        let outcome = call.convert_one(planned, &out, budget)?;
        let interrupted = outcome.state == State::Interrupted;
        outcomes.push(outcome);
        if interrupted {
            break;
        }
    }
    Ok(outcomes)
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
    fn convert_one(&self, planned: PlannedRun, out: &Path, budget: &Budget) -> Result<Outcome, ConvertError> {
        let Self {
            run,
            watch,
            stop,
            planning,
        } = *self;
        let began = Instant::now();
        let PlannedRun { plan, findings } = planned;
        let mut workspace = Workspace::open(out, plan, &run.request, &run.settings)?;
        let found = workspace.stage;
        let mut outcome = Outcome {
            out: out.to_owned(),
            state: State::Finished,
            channels: Vec::new(),
            findings,
            notes: std::mem::take(&mut workspace.notes),
            bad_files: Vec::new(),
        };
        let mut times = Times {
            planning,
            ..Times::default()
        };
        if found == Stage::Converting {
            let ran = job::run(&mut workspace, budget, &run.settings, watch, stop)?;
            if !ran.complete {
                outcome.state = State::Interrupted;
                return Ok(outcome);
            }
            times.busy = ran.busy;
            times.syncing = ran.syncing;
        }
        if found == Stage::Done {
            outcome.state = State::AlreadyDone;
            report::summarise(&workspace, &run.settings, &times, &mut outcome);
        } else {
            watch.enter(Phase::Publishing);
            publish::publish(&mut workspace, &run.settings)?;
            times.converting = began.elapsed();
            report::summarise(&workspace, &run.settings, &times, &mut outcome);
            report::write(&outcome, &workspace, run, &times, watch)?;
            publish::finish(&mut workspace, &run.settings, began.elapsed())?;
        }
        watch.enter(Phase::Done);
        Ok(outcome)
    }
}
