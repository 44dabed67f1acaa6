//! What a user can ask for: the command line, and below it the environment and `trc2npy.toml`.

mod batch;
pub(crate) mod built;
mod certs;
mod chosen;
mod cluster;
mod convert;
mod doctor;
mod inspect;
mod layers;
mod log;
mod mistakes;
mod parsers;
mod plan;
mod preview;
mod report;
mod run_range;
mod service;
mod shell;
mod stitch;
mod synth;
mod talk;
mod telemetry;
mod tes_ana;
mod verify;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::Str;
use clap::{Arg, Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use batch::BatchOptions;
pub(crate) use certs::{CertsAction, CertsOptions, InitOptions, IssueOptions, JoinTokenOptions, ShowOptions};
pub(crate) use chosen::{print, settings, threads};
pub(crate) use cluster::{
    CoordinatorAction, CoordinatorAddress, CoordinatorOptions, DrainOptions, JobOptions, JournalAction, ListOptions,
    MachineOptions, OneJobOptions, Patience, SubmitOptions, TrustOptions, WorkerAction, WorkerOptions,
};
pub(crate) use convert::{
    BadInputOptions, ComfortOptions, ConvertOptions, ProgressStyle, ReadingOptions, SelectionOptions, ValueOptions,
    give_way,
};
pub(crate) use doctor::DoctorOptions;
pub(crate) use inspect::InspectOptions;
pub(crate) use layers::{FINISH, Origin, Settled};
pub(crate) use log::LogOptions;
pub(crate) use plan::PlanOptions;
pub(crate) use preview::{PictureFormat, PreviewOptions};
pub(crate) use report::ReportOptions;
pub(crate) use run_range::RunRangeOptions;
pub(crate) use service::ServiceAction;
#[cfg(windows)]
pub(crate) use service::{InstallOptions, SERVICE_PASSWORD};
pub(crate) use shell::{CompletionsOptions, ManOptions};
pub(crate) use stitch::StitchOptions;
pub(crate) use synth::SynthOptions;
pub(crate) use telemetry::TelemetryOptions;
pub(crate) use tes_ana::TesAnaOptions;
pub(crate) use verify::VerifyOptions;

use crate::failure::Failure;
use crate::screen;

/// The command line.
#[derive(Parser, Debug)]
#[command(name = "trc2npy", version, long_version = built::long(), about, long_about = None, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 good, 1 failed, 2 wrong usage, 3 finished with bad rows\nor with differences, 130 interrupted"
)]
struct Cli {
    #[command(subcommand)]
    command: Asked,
    #[command(flatten)]
    talk: talk::TalkOptions,
    #[command(flatten)]
    telemetry: TelemetryOptions,
    #[command(flatten)]
    log: LogOptions,
}

impl Cli {
    /// It is registered with these arguments, and the log's file is its own from now on: a file of today that belongs to an
    /// administrator would not let it write.
    fn becomes_a_service(&mut self, arguments: Vec<OsString>) {
        self.log.file = None;
        if let Asked::Worker(worker) = &mut self.command
            && let Some(WorkerAction::Service(ServiceAction::Install(install))) = &mut worker.action
        {
            install.arguments = arguments;
        }
    }
}

#[derive(Subcommand, Debug)]
enum Asked {
    /// Convert .trc files into one memory-mapped .npy array a channel
    #[command(after_help = CONVERT_AFTER)]
    Convert(Box<ConvertOptions>),
    /// Show what a .trc file, a run or a finished array holds
    Inspect(Box<InspectOptions>),
    /// Draw traces: in the terminal, or as SVG or PNG
    Preview(Box<PreviewOptions>),
    /// Write a finished run's page for the browser again: report.html
    Report(ReportOptions),
    /// Check finished arrays against what was written, and against their .trc files
    Verify(Box<VerifyOptions>),
    /// Convert every run below a folder; safe to repeat, only what is new or unfinished is done
    #[command(after_help = BATCH_AFTER)]
    Batch(Box<BatchOptions>),
    /// Convert a run of the detector test stand, as its analysis scripts expect it
    TesAna(Box<TesAnaOptions>),
    /// Plan a conversion for a batch system (Slurm, Kubernetes): one file that its tasks work by
    #[command(after_help = PLAN_AFTER)]
    Plan(Box<PlanOptions>),
    /// Make one share of a plan's rows: a task of a batch system; safe to repeat
    #[command(after_help = RUN_RANGE_AFTER)]
    RunRange(Box<RunRangeOptions>),
    /// Put a plan's shares together: the arrays, byte for byte those of convert
    Stitch(Box<StitchOptions>),
    /// Lead a lab's machines: take jobs, give their rows to workers, put the arrays together
    Coordinator(Box<CoordinatorOptions>),
    /// Work for a coordinator: convert what it leases
    Worker(Box<WorkerOptions>),
    /// Give a coordinator a run to convert
    #[command(after_help = SUBMIT_AFTER)]
    Submit(Box<SubmitOptions>),
    /// List a coordinator's jobs
    Jobs(ListOptions),
    /// Show a job
    Job(JobOptions),
    /// End a job; what is done is kept, and submitting it again goes on
    Cancel(OneJobOptions),
    /// Say why a job's rows wait
    Explain(OneJobOptions),
    /// List a coordinator's workers
    Workers(ListOptions),
    /// Let a worker finish what it has and give it no more
    Drain(DrainOptions),
    /// Make the lab's certificates, with which coordinator, workers and clients know each other
    Certs(Box<CertsOptions>),
    /// Say whether a long run will go well on this machine
    Doctor(Box<DoctorOptions>),
    /// Write .trc files to try things with
    Synth(Box<SynthOptions>),
    /// Make a small run, convert it, check it, and show how to load it
    Demo(DemoOptions),
    /// Print what lets a shell complete this program's commands and options
    Completions(CompletionsOptions),
    /// Write the manual pages
    Man(ManOptions),
}

const CONVERT_AFTER: &str = "\
Every option from --channels to --on-finish, and --progress, can also be set
by an environment variable (TRC2NPY_BASELINE=2000) or in the file trc2npy.toml
(baseline = 2000). The command line wins over the environment, and that over
the file; --print-config shows what came from where.

The same command goes on where an interrupted one stopped.

Examples:
  trc2npy convert run/r005 run/r005-2 --out out --baseline 2000
  trc2npy convert 'lab/r*' --out 'npy/{run}' --channels C1,C3 --dry-run";

const SUBMIT_AFTER: &str = "\
Inputs and output are named by a root and a path below it: data:run/r005. Where
a root is, each machine knows by its --root.

Options can be set by the environment and trc2npy.toml as for convert. The
arrays are byte for byte those of convert.

Examples:
  trc2npy submit data:run/r005 --out data:npy/r005 --baseline 2000 --watch
  trc2npy submit 'data:run/r*' --out 'data:npy/{run}' --coordinator pc1:7070 --insecure";

const PLAN_AFTER: &str = "\
Options can be set by the environment and trc2npy.toml as for convert. Given
again, it keeps what was made for the same plan.

Example:
  trc2npy plan run/r005 --out npy/r005 --baseline 2000 -o r005.plan
  trc2npy run-range r005.plan --index 0 --count 2
  trc2npy run-range r005.plan --index 1 --count 2
  trc2npy stitch r005.plan";

const RUN_RANGE_AFTER: &str = "\
Without --index and --count the task's own number and the number of tasks count:
SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT of a Slurm array,
JOB_COMPLETION_INDEX of a Kubernetes indexed job (with --count).

Exit codes: 0 the share is made, bad rows or not (stitch says 3 for them),
1 failed, 2 wrong usage, 130 interrupted.";

const BATCH_AFTER: &str = "\
Without --out the arrays of FOLDER/p06/r009 go to FOLDER-npy/p06/r009. With it,
{run} stands for p06/r009; where it is missing, that comes behind.

Options can be set by the environment and trc2npy.toml as for convert.

Examples:
  trc2npy batch lab --baseline 2000
  trc2npy batch D:/lab --out 'E:/npy/{run}' --nice";

/// The subcommands whose options can also come from the environment and from the file.
const LAYERED: [&str; 4] = ["convert", "batch", "submit", "plan"];

/// The options of `demo`.
#[derive(Args, Clone, Debug)]
pub(crate) struct DemoOptions {
    /// Folder for the run and its arrays; an earlier demo in it is replaced
    #[arg(value_name = "DIR", default_value = "trc2npy-demo")]
    pub(crate) dir: PathBuf,
}

/// A subcommand with its options.
#[derive(Debug)]
pub(crate) enum Request {
    Convert(Box<ConvertOptions>, Settled),
    Inspect(Box<InspectOptions>),
    Preview(Box<PreviewOptions>),
    Report(ReportOptions),
    Verify(Box<VerifyOptions>),
    Batch(Box<BatchOptions>, Settled),
    TesAna(Box<TesAnaOptions>),
    Coordinator(Box<CoordinatorOptions>),
    Worker(Box<WorkerOptions>),
    Submit(Box<SubmitOptions>, Settled),
    Plan(Box<PlanOptions>, Settled),
    RunRange(Box<RunRangeOptions>),
    Stitch(Box<StitchOptions>),
    Jobs(ListOptions),
    Job(JobOptions),
    Cancel(OneJobOptions),
    Explain(OneJobOptions),
    Workers(ListOptions),
    Drain(DrainOptions),
    Certs(Box<CertsOptions>),
    Doctor(Box<DoctorOptions>),
    Synth(Box<SynthOptions>),
    Demo(DemoOptions),
    Completions(CompletionsOptions),
    Man(ManOptions),
}

/// Reads the command line, the environment and the option file.
pub(crate) fn read(argv: &[OsString]) -> Result<(Request, TelemetryOptions), Failure> {
    talk::settle_colors(argv);
    let read = layers::read(argv).and_then(|(matches, settled)| {
        let mut asked = Cli::from_arg_matches(&matches).map_err(Failure::Usage)?;
        if let Some(install) = service::installs(&matches) {
            asked.becomes_a_service(service::arguments(&command(), install));
        }
        Ok((asked, settled))
    });
    if read.is_err() && log::asks_for_json(argv) {
        // What is wrong with the command line is an object, too.
        screen::log::begin(screen::log::Format::Json, screen::log::Level::Info, None)?;
    }
    let (asked, settled) = read?;
    screen::set_talk(asked.talk.talk());
    begin_log(&asked.log)?;
    let request = match asked.command {
        Asked::Convert(options) => Request::Convert(options, settled),
        Asked::Inspect(options) => Request::Inspect(options),
        Asked::Preview(options) => Request::Preview(options),
        Asked::Report(options) => Request::Report(options),
        Asked::Verify(options) => Request::Verify(options),
        Asked::Batch(options) => Request::Batch(options, settled),
        Asked::TesAna(options) => Request::TesAna(options),
        Asked::Coordinator(options) => Request::Coordinator(options),
        Asked::Worker(options) => Request::Worker(options),
        Asked::Submit(options) => Request::Submit(options, settled),
        Asked::Plan(options) => Request::Plan(options, settled),
        Asked::RunRange(options) => Request::RunRange(options),
        Asked::Stitch(options) => Request::Stitch(options),
        Asked::Jobs(options) => Request::Jobs(options),
        Asked::Job(options) => Request::Job(options),
        Asked::Cancel(options) => Request::Cancel(options),
        Asked::Explain(options) => Request::Explain(options),
        Asked::Workers(options) => Request::Workers(options),
        Asked::Drain(options) => Request::Drain(options),
        Asked::Certs(options) => Request::Certs(options),
        Asked::Doctor(options) => Request::Doctor(options),
        Asked::Synth(options) => Request::Synth(options),
        Asked::Demo(options) => Request::Demo(options),
        Asked::Completions(options) => Request::Completions(options),
        Asked::Man(options) => Request::Man(options),
    };
    Ok((request, asked.telemetry))
}

fn begin_log(options: &LogOptions) -> Result<(), Failure> {
    let file = options.file.as_deref();
    screen::log::begin(options.format, options.level, file).map_err(|error| {
        let file = file.map_or_else(String::new, |file| file.display().to_string());
        Failure::Options(format!("--log-file {file}: {error}"))
    })
}

/// The options of `convert` when nothing is asked for: what `tes-ana` begins with.
pub(crate) fn convert_defaults() -> Result<ConvertOptions, Failure> {
    match alone("convert", &[])? {
        Asked::Convert(options) => Ok(*options),
        _ => unreachable!("the subcommand was given"),
    }
}

/// The options of `submit` with these arguments: what `demo` submits.
pub(crate) fn submit_defaults(arguments: &[OsString]) -> Result<SubmitOptions, Failure> {
    match alone("submit", arguments)? {
        Asked::Submit(options) => Ok(*options),
        _ => unreachable!("the subcommand was given"),
    }
}

/// A subcommand with these arguments, and nothing from the environment or the file.
fn alone(subcommand: &'static str, arguments: &[OsString]) -> Result<Asked, Failure> {
    let words = ["trc2npy", subcommand].map(OsString::from);
    let argv = words.into_iter().chain(arguments.iter().cloned());
    let matches = Cli::command()
        .mut_subcommand(subcommand, switches)
        .try_get_matches_from(argv)
        .map_err(Failure::Usage)?;
    Ok(Cli::from_arg_matches(&matches).map_err(Failure::Usage)?.command)
}

/// The command line with the parts that derive cannot say once for all options.
pub(crate) fn command() -> Command {
    let of_place = "Folder for the arrays [default: FOLDER-npy/{run}]. {run} stands for the run's place below FOLDER";
    let layered = LAYERED.iter().fold(Cli::command(), |command, name| {
        command.mut_subcommand(name, |subcommand| {
            switches(subcommand).mut_args(|arg| match layers::variable(&arg) {
                // The help's end says it once; on each option it would be noise.
                Some(name) => arg.env(name).hide_env(true),
                None => arg,
            })
        })
    });
    layered
        // There -o is the plan.
        .mut_subcommand("plan", |plan| plan.mut_arg("out", |out| out.short(None)))
        .mut_subcommand("batch", |batch| batch.mut_arg("out", |out| out.help(of_place)))
        .mut_subcommands(|subcommand| subcommand.mut_args(numbers))
}

/// The values' names that stand for numbers: one below zero is a wrong value, not an option that nobody knows.
const NUMBERS: [&str; 10] = [
    "A:B", "BYTES", "I", "ID", "LIST", "N", "SECONDS", "SHARE", "SIZE", "TIME",
];

fn numbers(arg: Arg) -> Arg {
    let is_number = |names: &[Str]| names.iter().any(|name| NUMBERS.contains(&name.as_str()));
    if arg.get_value_names().is_some_and(is_number) {
        arg.allow_hyphen_values(true)
    } else {
        arg
    }
}

fn switches(convert: Command) -> Command {
    convert.mut_args(|arg| {
        if is_switch(&arg) {
            arg.num_args(0..=1)
                .require_equals(true)
                .required(false)
                .default_value("no")
                .default_missing_value("yes")
                .hide_default_value(true)
        } else {
            arg
        }
    })
}

fn is_switch(arg: &Arg) -> bool {
    arg.get_value_names()
        .is_some_and(|names| names.iter().any(|name| name == convert::SWITCH))
}
