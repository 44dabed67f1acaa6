//! The options of the commands that work with other machines.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Subcommand};
use trc2npy_certs::JoinToken;
use trc2npy_common::convert::Io;
use trc2npy_common::units::Bytes;
use trc2npy_proto::link::Address;

use super::convert::{BadInputOptions, DisplayOptions, InputOptions, OutputOptions, SelectionOptions, ValueOptions};
use super::parsers::{choice, duration, job, share, threads, worker_memory, worker_name};
use super::service::ServiceAction;

/// The options of `coordinator`.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct CoordinatorOptions {
    /// Address on which workers and clients are awaited; 0.0.0.0:7070 is this machine's port 7070 from everywhere
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:7070")]
    pub(crate) listen: Address,

    /// Folder of this coordinator's certificate: workers and clients show theirs, and all is encrypted
    #[arg(long, value_name = "DIR", env = "TRC2NPY_CERTS", hide_env = true)]
    pub(crate) certs: Option<PathBuf>,

    /// Folder of the lab's CA, to give a certificate to whoever has a join token
    #[arg(long, value_name = "DIR", requires = "certs")]
    pub(crate) ca: Option<PathBuf>,

    /// Listen also where others than this machine can reach it, without encryption: whoever can, may submit jobs
    #[arg(long)]
    pub(crate) insecure: bool,

    /// A storage place that all machines share, and where it is on this one, as data=D:\lab; several are allowed
    #[arg(long = "root", value_name = "NAME=PATH", required = true, action = ArgAction::Append)]
    pub(crate) roots: Vec<String>,

    /// Folder for the coordinator's own records, on a disk of this machine; made if needed
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) state: Option<PathBuf>,

    /// Serve a page there that shows jobs and workers to browsers, and /metrics for Prometheus; it changes nothing
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) http: Option<Address>,

    /// File with a token that whoever wants to see the page must know; lets it be served to other machines
    #[arg(long, value_name = "FILE", requires = "http")]
    pub(crate) http_token_file: Option<PathBuf>,

    #[command(subcommand)]
    pub(crate) action: Option<CoordinatorAction>,
}

/// What can be asked of a coordinator without starting one.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum CoordinatorAction {
    /// Ask a running coordinator whether it answers; exit code 1 where not
    Health(CoordinatorAddress),
    /// Look at the records of a coordinator that is not running
    #[command(subcommand)]
    Journal(JournalAction),
}

#[derive(Subcommand, Clone, Debug)]
pub(crate) enum JournalAction {
    /// Whether they are sound; exit code 1 where not
    Check(StateOptions),
    /// Print them as JSON
    Dump(StateOptions),
}

#[derive(Args, Clone, Debug)]
pub(crate) struct StateOptions {
    /// The coordinator's --state
    #[arg(long, value_name = "DIR")]
    pub(crate) state: PathBuf,
}

/// Where the coordinator is.
#[derive(Args, Clone, Debug)]
pub(crate) struct CoordinatorAddress {
    /// Where the coordinator listens
    #[arg(
        long,
        value_name = "HOST:PORT",
        default_value = "127.0.0.1:7070",
        env = "TRC2NPY_COORDINATOR",
        hide_env = true,
        help_heading = "Coordinator"
    )]
    pub(crate) coordinator: Address,

    #[command(flatten)]
    pub(crate) trust: TrustOptions,
}

/// How the coordinator is trusted.
#[derive(Args, Clone, Debug)]
pub(crate) struct TrustOptions {
    /// Folder of this machine's certificate, for a coordinator that asks for one
    #[arg(
        long,
        value_name = "DIR",
        env = "TRC2NPY_CERTS",
        hide_env = true,
        help_heading = "Coordinator"
    )]
    pub(crate) certs: Option<PathBuf>,

    /// Speak with a coordinator on another machine without encryption
    #[arg(long, help_heading = "Coordinator")]
    pub(crate) insecure: bool,
}

/// The options of `worker`.
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct WorkerOptions {
    #[command(flatten)]
    pub(crate) address: CoordinatorAddress,

    #[command(flatten)]
    pub(crate) join: JoinOptions,

    #[command(flatten)]
    pub(crate) machine: MachineOptions,

    /// After this time finish what is in hand and end, as 55m: before a batch system's time limit
    #[arg(long, value_name = "TIME", value_parser = duration, overrides_with = "drain_after")]
    pub(crate) drain_after: Option<Duration>,

    #[command(subcommand)]
    pub(crate) action: Option<WorkerAction>,
}

/// How a worker gets its certificate.
#[derive(Args, Clone, Debug)]
pub(crate) struct JoinOptions {
    /// Fetch the certificate into --certs first, with a token of trc2npy certs join-token; not used where there is one
    #[arg(
        long = "join",
        value_name = "TOKEN",
        requires = "certs",
        help_heading = "Coordinator"
    )]
    pub(crate) token: Option<JoinToken>,
}

/// What a worker may use of its machine.
#[derive(Args, Clone, Debug)]
pub(crate) struct MachineOptions {
    /// A storage place that all machines share, and where it is on this one, as data=\\pc1\lab; several are allowed
    #[arg(long = "root", value_name = "NAME=PATH", required = true, action = ArgAction::Append)]
    pub(crate) roots: Vec<String>,

    /// Name under which it is shown; another one for each worker [default: this machine's name]
    #[arg(long, value_name = "NAME", value_parser = worker_name)]
    pub(crate) name: Option<String>,

    /// Processors to use [default: physical cores]
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub(crate) cpus: Option<NonZeroUsize>,

    /// Memory for plans, buffers and mapped input, as 4GiB [default: a quarter of what is free, at most 4 GiB]
    #[arg(long, value_name = "SIZE", value_parser = worker_memory)]
    pub(crate) memory: Option<Bytes>,

    /// Share of the machine's memory in use above which nothing more is begun
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0.85")]
    pub(crate) memory_threshold: f64,

    /// How files are read
    #[arg(long, value_name = "HOW", value_parser = choice(super::convert::IOS), default_value = "auto")]
    pub(crate) io: Io,

    /// Let other programs go first, at the processor and at the disk
    #[arg(long)]
    pub(crate) nice: bool,
}

#[derive(Subcommand, Clone, Debug)]
pub(crate) enum WorkerAction {
    /// Show what a worker with these options would report to its coordinator, without asking that
    Probe(ProbeOptions),
    /// Have Windows start this worker with the machine
    #[command(subcommand, hide = cfg!(not(windows)))]
    Service(ServiceAction),
    /// Work on the one lease that stands on the input; a worker starts this by itself
    #[command(hide = true)]
    Apart,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ProbeOptions {
    #[command(flatten)]
    pub(crate) address: CoordinatorAddress,

    #[command(flatten)]
    pub(crate) machine: MachineOptions,

    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The options of `submit`.
#[derive(Args, Clone, Debug)]
pub(crate) struct SubmitOptions {
    #[command(flatten)]
    pub(crate) input: InputOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
    #[command(flatten)]
    pub(crate) selection: SelectionOptions,
    #[command(flatten)]
    pub(crate) values: ValueOptions,
    #[command(flatten)]
    pub(crate) bad: BadInputOptions,
    #[command(flatten)]
    pub(crate) work: WorkOptions,
    #[command(flatten)]
    pub(crate) address: CoordinatorAddress,
    #[command(flatten)]
    pub(crate) patience: Patience,
    #[command(flatten)]
    pub(crate) display: DisplayOptions,
}

/// How the work is cut.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Resources")]
pub(crate) struct WorkOptions {
    /// Output of one lease, as 64MiB [default: by each worker's speed]
    #[arg(long, value_name = "SIZE")]
    pub(crate) range_size: Option<Bytes>,

    /// Output that a power cut at the coordinator may cost
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub(crate) sync_every: Bytes,
}

/// Whether to stay until a job has ended.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Display")]
pub(crate) struct Patience {
    /// Show the progress until the end; the exit code is then that of the work
    #[arg(long, conflicts_with_all = ["wait", "detach"])]
    pub(crate) watch: bool,

    /// Say nothing until the end; the exit code is then that of the work
    #[arg(long, conflicts_with = "detach")]
    pub(crate) wait: bool,

    /// Return at once; this is what happens by default
    #[arg(long)]
    pub(crate) detach: bool,
}

/// The options of `jobs` and `workers`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ListOptions {
    #[command(flatten)]
    pub(crate) address: CoordinatorAddress,

    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The options of `job`.
#[derive(Args, Clone, Debug)]
pub(crate) struct JobOptions {
    /// Its number, as `jobs` shows it
    #[arg(value_name = "ID", value_parser = job)]
    pub(crate) id: u64,

    #[command(flatten)]
    pub(crate) address: CoordinatorAddress,
    #[command(flatten)]
    pub(crate) patience: Patience,

    /// As JSON
    #[arg(long, conflicts_with = "watch")]
    pub(crate) json: bool,
}

/// The options of `cancel` and `explain`.
#[derive(Args, Clone, Debug)]
pub(crate) struct OneJobOptions {
    /// Its number, as `jobs` shows it
    #[arg(value_name = "ID", value_parser = job)]
    pub(crate) id: u64,

    #[command(flatten)]
    pub(crate) address: CoordinatorAddress,

    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// The options of `drain`.
#[derive(Args, Clone, Debug)]
pub(crate) struct DrainOptions {
    /// Its name, as `workers` shows it
    #[arg(value_name = "WORKER")]
    pub(crate) worker: String,

    #[command(flatten)]
    pub(crate) address: CoordinatorAddress,
}
