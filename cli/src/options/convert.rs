//! The options of `convert`. Each that has a long name and is not an action can also come from the environment
//! and from `trc2npy.toml` (see [`super::layers`]).

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};
use trc2npy_common::channel::Channel;
use trc2npy_common::convert::{Io, NameTemplate};
use trc2npy_common::options::{BaselineMethod, Dtype, Events, Mixed, OnBadFile, Ragged};
use trc2npy_common::plan::Probe;
use trc2npy_common::resources::{self, Awake};
use trc2npy_common::selection::{Picoseconds, RowSelection, SampleSelection, Selection, Span};
use trc2npy_common::trc::WaveArray;
use trc2npy_common::units::Bytes;

use super::parsers::{Choice, choice, duration, every, rows, sample_span, samples, share, threads, time_span, yes_no};
use crate::screen;

pub(super) const EVENTS: &[Choice<Events>] = &[
    (
        "union",
        "every event of any channel is a row in all; what a channel lacks is a bad row there",
        Events::Union,
    ),
    ("complete", "only events that all channels have", Events::Complete),
    (
        "separate",
        "each channel for itself; row numbers do not correspond",
        Events::Separate,
    ),
];
pub(super) const RAGGED: &[Choice<Ragged>] = &[
    ("error", "refuse, and list the lengths", Ragged::Error),
    ("bad", "files of the rarer lengths are bad files", Ragged::Bad),
    ("pad", "the longest rules; shorter rows end in NaN", Ragged::Pad),
    (
        "truncate",
        "the shortest rules; longer rows lose their end",
        Ragged::Truncate,
    ),
];
pub(super) const MIXED: &[Choice<Mixed>] = &[
    ("error", "refuse, and name the files where they change", Mixed::Error),
    (
        "warn",
        "say so and go on; the index holds each row's interval",
        Mixed::Warn,
    ),
];
pub(super) const PROBES: &[Choice<Probe>] = &[
    ("sample", "some headers of each folder and file size", Probe::Sample),
    ("all", "every header; slower to start", Probe::All),
];
const ARRAYS: &[Choice<WaveArray>] = &[
    ("1", "the samples", WaveArray::First),
    (
        "2",
        "of extrema the lower trace, of complex records the imaginary part",
        WaveArray::Second,
    ),
];
const DTYPES: &[Choice<Dtype>] = &[
    ("float32", "volts", Dtype::Float32),
    ("int16", "codes as stored", Dtype::Int16),
    (
        "int8",
        "codes as stored; 16-bit codes must have a zero low byte",
        Dtype::Int8,
    ),
    ("native", "codes in the width they are stored in", Dtype::Native),
];
const METHODS: &[Choice<BaselineMethod>] = &[
    ("mean", "sum divided by count, in f64", BaselineMethod::Mean),
    (
        "median",
        "the middle value; spikes do not move it",
        BaselineMethod::Median,
    ),
];
pub(super) const BAD_FILES: &[Choice<OnBadFile>] = &[
    (
        "nan",
        "its rows are NaN (integers: the smallest code), the index says why",
        OnBadFile::Nan,
    ),
    ("skip", "it gets no row; implies --probe all", OnBadFile::Skip),
    ("fail", "stop at once", OnBadFile::Fail),
];
pub(super) const IOS: &[Choice<Io>] = &[
    (
        "auto",
        "map files from 50 MB up on a local disk (not on Windows), read all others",
        Io::Auto,
    ),
    ("mmap", "map every file", Io::Mmap),
    ("read", "read every file", Io::Read),
];
pub(super) const PROGRESS: &[Choice<ProgressStyle>] = &[
    ("auto", "bar on a terminal, else plain", ProgressStyle::Auto),
    ("bar", "a bar on stderr, where that is a terminal", ProgressStyle::Bar),
    ("plain", "a line on stderr every 5 s", ProgressStyle::Plain),
    (
        "json",
        "one JSON object a line on stdout, nothing else there",
        ProgressStyle::Json,
    ),
    ("none", "nothing until the end", ProgressStyle::None),
];

/// The value's name that marks an option as a switch: `--join` alone means yes, and `--join=no` undoes a file's
/// `join = true` (see [`super::command`]).
pub(super) const SWITCH: &str = "YES|NO";

/// `--progress`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProgressStyle {
    Auto,
    Bar,
    Plain,
    Json,
    None,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ConvertOptions {
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
    pub(crate) resources: ResourceOptions,
    #[command(flatten)]
    pub(crate) comfort: ComfortOptions,
    #[command(flatten)]
    pub(crate) display: DisplayOptions,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Input")]
pub(crate) struct InputOptions {
    /// Folders, .trc files or patterns (quote them). X, X-2, X-3, ... are one run
    #[arg(value_name = "INPUT", id = "input")]
    pub(crate) inputs: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) reading: ReadingOptions,

    /// Descend into sub-folders
    #[arg(long, value_name = SWITCH, value_parser = yes_no, action = ArgAction::Set)]
    pub(crate) recursive: bool,

    /// All folders are one run: X, X-2, X-3, ... in this order, else as given
    #[arg(long, value_name = SWITCH, value_parser = yes_no, action = ArgAction::Set)]
    pub(crate) join: bool,
}

/// How the files of a run are read and brought together, whichever they are.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Input")]
pub(crate) struct ReadingOptions {
    /// Only these channels, as C1,C3 or 1,3 [default: all]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) channels: Vec<Channel>,

    /// Only files with this text between channel and index, as Trace in C1--Trace--00000.trc
    #[arg(long, value_name = "TEXT")]
    pub(crate) stem: Option<String>,

    /// How the channels' rows are brought together
    #[arg(long, value_name = "HOW", value_parser = choice(EVENTS), default_value = "union")]
    pub(crate) events: Events,

    /// How many headers are opened while planning
    #[arg(long, value_name = "WHICH", value_parser = choice(PROBES), default_value = "sample")]
    pub(crate) probe: Probe,

    /// A file of the planned size is the same although its time changed
    #[arg(long, value_name = SWITCH, value_parser = yes_no, action = ArgAction::Set)]
    pub(crate) trust_size: bool,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// Folder for the arrays; made if needed. {run} stands for the run's name
    #[arg(long, short, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,

    /// Name of each array; its other files follow it
    #[arg(long, value_name = "TEMPLATE", default_value_t = NameTemplate::default())]
    pub(crate) name: NameTemplate,

    /// Replace arrays that another conversion made; they stay until the new ones are whole
    #[arg(long, value_name = SWITCH, value_parser = yes_no, action = ArgAction::Set)]
    pub(crate) overwrite: bool,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Selection")]
pub(crate) struct SelectionOptions {
    /// Only rows A up to, not including, B, as 0:1000, 500: or :100; counted from 0 over the whole run
    #[arg(long, value_name = "A:B", value_parser = rows)]
    pub(crate) rows: Option<Span<u64>>,

    /// Of these every Nth, from the first on
    #[arg(long, value_name = "N", value_parser = every, default_value = "1")]
    pub(crate) every: NonZeroU64,

    /// Only these samples of each row, as 100:2600; counted from 0
    #[arg(long, value_name = "A:B", value_parser = sample_span, conflicts_with = "time")]
    pub(crate) samples: Option<Span<u32>>,

    /// Only the samples between these times from the trigger, as -1us:5us (s, ms, us, ns, ps)
    #[arg(long, value_name = "A:B", value_parser = time_span)]
    pub(crate) time: Option<Span<Picoseconds>>,

    /// Which of a file's two arrays; only extrema and complex records have a second
    #[arg(long, value_name = "1|2", value_parser = choice(ARRAYS), default_value = "1")]
    pub(crate) array: WaveArray,
}

impl SelectionOptions {
    /// As the plan has it.
    pub(crate) fn selection(&self) -> Selection {
        Selection {
            rows: RowSelection {
                start: self.rows.and_then(|rows| rows.start).unwrap_or(0),
                end: self.rows.and_then(|rows| rows.end),
                every: self.every,
            },
            samples: match (self.samples, self.time) {
                (Some(span), _) => SampleSelection::Indices(span),
                (None, Some(span)) => SampleSelection::Time(span),
                (None, None) => SampleSelection::All,
            },
            array: self.array,
        }
    }
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Values")]
pub(crate) struct ValueOptions {
    /// What the arrays hold
    #[arg(long, value_name = "TYPE", value_parser = choice(DTYPES), default_value = "float32")]
    pub(crate) dtype: Dtype,

    /// Take off each row the level of its first N samples; 0: nothing
    #[arg(long, value_name = "N", value_parser = samples, default_value = "0")]
    pub(crate) baseline: u32,

    /// How that level is found
    #[arg(long, value_name = "HOW", value_parser = choice(METHODS), default_value = "mean")]
    pub(crate) baseline_method: BaselineMethod,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Bad input")]
pub(crate) struct BadInputOptions {
    /// A file that is cut short, malformed or no waveform
    #[arg(long, value_name = "DO", value_parser = choice(BAD_FILES), default_value = "nan")]
    pub(crate) on_bad_file: OnBadFile,

    /// Files of one channel with other numbers of samples
    #[arg(long, value_name = "DO", value_parser = choice(RAGGED), default_value = "error")]
    pub(crate) ragged: Ragged,

    /// Files of one channel with other sample interval, units or record type
    #[arg(long, value_name = "DO", value_parser = choice(MIXED), default_value = "error")]
    pub(crate) mixed: Mixed,

    /// A short file younger than this may still be written: it is tried again at the end
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s")]
    pub(crate) settle: Duration,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Resources")]
pub(crate) struct ResourceOptions {
    /// Threads that read, decode and write [default: physical cores]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Memory for plan, buffers and mapped input, as 4GiB [default: a quarter of what is free, at most 4 GiB]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory_limit: Option<Bytes>,

    /// Share of the machine's memory in use above which the buffers shrink
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0.85")]
    pub(crate) memory_threshold: f64,

    /// How files are read
    #[arg(long, value_name = "HOW", value_parser = choice(IOS), default_value = "auto")]
    pub(crate) io: Io,

    /// Output of one unit of work, as 64MiB [default: chosen from the plan]
    #[arg(long, value_name = "SIZE")]
    pub(crate) range_size: Option<Bytes>,

    /// Output that a power cut may cost
    #[arg(long, value_name = "SIZE", default_value = "1GiB")]
    pub(crate) sync_every: Bytes,
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Comfort")]
pub(crate) struct ComfortOptions {
    /// Let other programs go first, at the processor and at the disk
    #[arg(long, value_name = SWITCH, value_parser = yes_no, action = ArgAction::Set)]
    pub(crate) nice: bool,

    /// Let the computer go to sleep while it works
    #[arg(long, value_name = SWITCH, value_parser = yes_no, action = ArgAction::Set)]
    pub(crate) allow_sleep: bool,

    /// Run this in the system's shell when the work has ended, however it ended
    #[arg(long, value_name = "COMMAND")]
    pub(crate) on_finish: Option<String>,
}

/// Gives way to other programs, where that is asked or usual on this system.
pub(crate) fn give_way(nice: bool) {
    if (nice || resources::GIVES_WAY_BY_DEFAULT)
        && let Err(error) = resources::give_way()
    {
        screen::remark(&format!(
            "warning: --nice: the system refuses it ({error}); going on without"
        ));
    }
}

impl ComfortOptions {
    /// Gives way to other programs, if asked; to be called before any thread is started.
    pub(crate) fn give_way(&self) {
        give_way(self.nice);
    }

    /// Keeps the computer awake as long as what comes back is kept, unless that is not wanted.
    pub(crate) fn stay_awake(&self, why: &str) -> Option<Awake> {
        (!self.allow_sleep).then(|| Awake::keep(why)).flatten()
    }
}

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Display")]
pub(crate) struct DisplayOptions {
    /// Options from this file [default: ./trc2npy.toml where there is one]
    #[arg(long, value_name = "FILE", env = "TRC2NPY_CONFIG", hide_env = true)]
    pub(crate) config: Option<PathBuf>,

    /// Show each option's value and where it came from, and do nothing
    #[arg(long)]
    pub(crate) print_config: bool,

    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// The dry run as JSON
    #[arg(long, requires = "dry_run")]
    pub(crate) json: bool,

    /// How progress is shown
    #[arg(long, value_name = "HOW", value_parser = choice(PROGRESS), default_value = "auto")]
    pub(crate) progress: ProgressStyle,
}
