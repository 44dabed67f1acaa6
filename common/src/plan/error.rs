//! What stops planning: each with the file or folder, what was expected, what was found, and what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::channel::Channel;
use crate::selection::NoWindow;
use crate::units::{self, Bytes};

use super::findings::{Examples, SettingsChange};

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No input at all.
    #[error("no input given: name files, folders or patterns (trc2npy convert run/r005)")]
    NoInput,
    /// Single files of a folder, with other inputs in between.
    #[error("files of {} are named in several places; name all files of a folder one after the other", folder.display())]
    NamedApart {
        /// The folder.
        folder: PathBuf,
    },
    /// An input that does not exist, or a pattern that nothing matches.
    #[error("{}: {what}; {there}", input.display())]
    NotFound {
        /// As typed.
        input: PathBuf,
        /// What is wrong with it.
        what: &'static str,
        /// What is there instead.
        there: String,
    },
    /// A pattern that is none.
    #[error("{}: not a pattern: {message} (*, ? and [abc] are understood, ** matches folders)", input.display())]
    BadPattern {
        /// As typed.
        input: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// Inputs that exist and hold no trace.
    #[error("no traces found (C1--Trace--00000.trc, C1Trace00000.trc or trace1.000 expected); {there}")]
    NoTraces {
        /// What is there instead, folder by folder.
        there: String,
    },
    /// A path that cannot stand in the plan.
    #[error("{}: the path is not Unicode and cannot be written into the plan; rename the folder", path.display())]
    NotUnicode {
        /// The folder.
        path: PathBuf,
    },
    /// The storage failed.
    #[error("{}: cannot be {doing}: {source}; check its permissions, and that the drive is there", path.display())]
    Storage {
        /// The file or folder.
        path: PathBuf,
        /// `listed`, `opened`, ...
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// `--channels` names some that are not there.
    #[error(
        "no files of channel {} (there are {}); correct --channels",
        list(wanted),
        counted(there)
    )]
    NoSuchChannel {
        /// Those without files.
        wanted: Vec<Channel>,
        /// Channels found, with their files.
        there: Vec<(Channel, u64)>,
    },
    /// More than one stem in a folder.
    #[error("{}: files of {} stems: {}; choose one with --stem", folder.display(), stems.len(), counted_stems(stems))]
    Stems {
        /// The folder.
        folder: PathBuf,
        /// Each stem with its files.
        stems: Vec<(String, u64)>,
    },
    /// `--stem` names one that is not there.
    #[error("no files of stem {stem:?} (there are {}); correct --stem", counted_stems(there))]
    NoSuchStem {
        /// As typed.
        stem: String,
        /// Stems found, with their files.
        there: Vec<(String, u64)>,
    },
    /// A name that can be read two ways.
    #[error("{}: {ambiguity}", folder.display())]
    Ambiguous {
        /// The folder.
        folder: PathBuf,
        /// The name and its readings.
        ambiguity: Box<Ambiguity>,
    },
    /// Two files for one place.
    #[error("{}: {first} and {second} are both {channel}, index {index}; move one of them out of the folder", folder.display())]
    Duplicate {
        /// The folder.
        folder: PathBuf,
        /// The channel of both.
        channel: Channel,
        /// The index of both.
        index: u64,
        /// One name.
        first: String,
        /// The other name.
        second: String,
    },
    /// A channel of which nothing is known.
    #[error("channel {channel}: no file can be used ({}, {tried} opened); {}: {reason}; without one good file nothing is known of the channel (--channels leaves it out)", units::counted(*files, "file"), first.display())]
    NoReadableHeader {
        /// The channel.
        channel: Channel,
        /// Its files.
        files: u64,
        /// How many of them were opened.
        tried: u64,
        /// The first of them.
        first: PathBuf,
        /// What is wrong with the first.
        reason: String,
    },
    /// `--on-bad-file fail`
    #[error("{}: {reason} (--on-bad-file nan makes its rows NaN, skip leaves them out)", file.display())]
    BadFile {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Storage that fails again and again.
    #[error("{failed} files could not be opened while planning, the last of them {}: {source}; check their permissions and the drive, then run again", last.display())]
    TooManyUnopened {
        /// How many.
        failed: u64,
        /// The last of them.
        last: PathBuf,
        /// What the system said of it.
        source: io::Error,
    },
    /// Rows of different lengths in one channel.
    #[error(
        "channel {channel}: rows of {} lengths: {}; choose --ragged bad (the rarer are bad files), pad or truncate",
        lengths.len(), counted_lengths(lengths)
    )]
    Ragged {
        /// The channel.
        channel: Channel,
        /// Commonest first.
        lengths: Vec<LengthSeen>,
    },
    /// Sample interval, units or record type change inside a channel.
    #[error(
        "channel {channel}: {}; convert such files apart, or use --mixed warn to go on",
        changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Mixed {
        /// The channel.
        channel: Channel,
        /// One for each setting.
        changes: Vec<SettingsChange>,
    },
    /// A baseline that leaves nothing.
    #[error(
        "--baseline {points}: channel {channel} has {samples} samples a row, and the baseline must be shorter; choose a smaller --baseline"
    )]
    BaselineTooLong {
        /// The channel.
        channel: Channel,
        /// As asked.
        points: u32,
        /// As found.
        samples: u32,
    },
    /// `--samples` or `--time` that leaves nothing.
    #[error("channel {channel}: {why}")]
    NoSamples {
        /// The channel.
        channel: Channel,
        /// What was asked for and what is there.
        why: NoWindow,
    },
    /// Several runs for one output folder.
    #[error(
        "{} runs ({}) and one output folder, {out}: write --out {out}/{{run}} for a folder each, or --join to make them one run",
        runs.len(), runs.join(", ")
    )]
    SeveralRuns {
        /// Their names.
        runs: Vec<String>,
        /// As typed.
        out: String,
    },
    /// Two runs that would write into one folder.
    #[error("two runs are called {run}, that of {} and that of {}; convert them one by one, or use --join", first.display(), second.display())]
    SameRun {
        /// The name of both.
        run: String,
        /// The first folder of one.
        first: PathBuf,
        /// The first folder of the other.
        second: PathBuf,
    },
    /// Nothing is left to convert.
    #[error("run {run}: no rows are left: {why}")]
    NoRows {
        /// The run.
        run: String,
        /// Which option leaves nothing, and what to do.
        why: String,
    },
    /// `--rows` or `--every` that takes nothing.
    #[error("{selection} takes no row of channel {channel}, which has {}; choose other rows", units::counted(*rows, "row"))]
    NoSuchRows {
        /// The channel.
        channel: Channel,
        /// As asked.
        selection: String,
        /// Rows that there are.
        rows: u64,
    },
    /// An array that no file system holds.
    #[error("channel {channel}: {rows} rows of {samples} samples are more than a file can hold; check {}", example.display())]
    TooLarge {
        /// The channel.
        channel: Channel,
        /// Rows planned.
        rows: u64,
        /// Samples a row.
        samples: u32,
        /// The file with the most rows.
        example: PathBuf,
    },
    /// No threads to work with.
    #[error("the threads for planning could not be started: {message}")]
    Threads {
        /// What the system said.
        message: String,
    },
}

impl PlanError {
    /// Whether the command line is wrong (exit code 2), not the data (1).
    pub const fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::NoInput
                | Self::NamedApart { .. }
                | Self::NotFound { .. }
                | Self::BadPattern { .. }
                | Self::NoTraces { .. }
                | Self::NoSuchChannel { .. }
                | Self::Stems { .. }
                | Self::NoSuchStem { .. }
                | Self::Ambiguous { .. }
                | Self::BaselineTooLong { .. }
                | Self::NoSamples { .. }
                | Self::NoSuchRows { .. }
                | Self::SeveralRuns { .. }
                | Self::SameRun { .. }
        )
    }
}

/// How often one length occurs.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LengthSeen {
    /// Samples a row.
    pub samples: u32,
    /// Files of that length.
    pub files: u64,
    /// Sizes of these files, smallest and largest.
    pub sizes: (Bytes, Bytes),
    /// The first such file.
    pub example: String,
}

/// A name that can be read two ways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambiguity {
    /// The name.
    pub name: String,
    /// Another name of the folder, whose digits disagree with it.
    pub beside: String,
    /// The last five digits as index, and all of them.
    pub readings: [ReadAs; 2],
    /// Whether `--stem` can tell them apart.
    pub stem_chooses: bool,
}

/// One reading of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadAs {
    /// What the operator typed.
    pub stem: String,
    /// The number the instrument wrote.
    pub index: u64,
}

impl fmt::Display for Ambiguity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [five, all] = &self.readings;
        write!(
            f,
            "{} beside {} can be read two ways: stem {:?}, index {}, or stem {:?}, index {}; ",
            self.name, self.beside, five.stem, five.index, all.stem, all.index
        )?;
        if self.stem_chooses {
            write!(f, "choose with --stem {:?} or --stem {:?}", five.stem, all.stem)
        } else {
            f.write_str("rename the files (C1--Trace--00000.trc cannot be misread)")
        }
    }
}

fn list(channels: &[Channel]) -> String {
    channels.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn counted(channels: &[(Channel, u64)]) -> String {
    channels
        .iter()
        .map(|(channel, files)| format!("{channel}: {}", units::counted(*files, "file")))
        .collect::<Vec<_>>()
        .join(", ")
}

fn counted_stems(stems: &[(String, u64)]) -> String {
    first_of(stems, |(stem, files)| {
        format!("{stem:?}: {}", units::counted(*files, "file"))
    })
}

/// The first few, and how many there are beyond.
fn first_of<T>(all: &[T], show: impl Fn(&T) -> String) -> String {
    let most = Examples::<()>::MOST;
    let mut shown: Vec<String> = all.iter().take(most).map(show).collect();
    if all.len() > most {
        shown.push(format!("and {} more", all.len() - most));
    }
    shown.join(", ")
}

fn counted_lengths(lengths: &[LengthSeen]) -> String {
    first_of(lengths, |seen| {
        let (small, large) = seen.sizes;
        let sizes = if small == large {
            small.to_string()
        } else {
            format!("{small} to {large}")
        };
        format!(
            "{} samples in {} of {sizes} ({})",
            seen.samples,
            units::counted(seen.files, "file"),
            seen.example
        )
    })
}
