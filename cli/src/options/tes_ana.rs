//! The options of `tes-ana`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use trc2npy_common::channel::Channel;
use trc2npy_common::options::{Events, Mixed, OnBadFile, Ragged};

use super::convert::{BAD_FILES, EVENTS, MIXED, PROGRESS, ProgressStyle, RAGGED, ResourceOptions};
use super::parsers::{choice, duration, whole_number};

/// The options of `tes-ana`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Reads   DIR/generated_data/raw_trc/pP/rR, rR-2, rR-3, ...
writes  DIR/generated_data/raw/pP/rR/C1/C1--Trace.npy, ...
and     DIR/teststand_metadata/hardware/scope/pP/rR/lecroy_metadata_pP_rR.json

The same command again has nothing to do as long as its files are the same.
Arrays that were made otherwise, or of other files, are replaced; they stay
until the new ones are whole.

Example:
  trc2npy tes-ana --base /data/tes --period 06 --run 009 --channels 1,2")]
pub(crate) struct TesAnaOptions {
    /// Folder of the test stand, with generated_data in it; may be a link
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub(crate) base: PathBuf,

    /// Period, as in p06
    #[arg(long, value_name = "P", help_heading = "Run")]
    pub(crate) period: String,

    /// Run, as in r009; r009-2, r009-3, ... belong to it
    #[arg(long, value_name = "R", help_heading = "Run")]
    pub(crate) run: String,

    /// Arrays of these channels only, as 1,2 or C1,C2 [default: all]. The metadata are of all
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = "Run")]
    pub(crate) channels: Vec<Channel>,

    #[command(flatten)]
    pub(crate) what: WhatOptions,

    #[command(flatten)]
    pub(crate) again: AgainOptions,

    /// Take off each row the mean of its first N samples; nothing, with a warning, where N is below 1 or a row has no
    /// more than N samples
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        value_parser = whole_number,
        default_value_t = 2000,
        help_heading = "Values"
    )]
    pub(crate) dpbl: i64,

    /// Arrays are float32 here
    #[arg(long, hide = true, value_name = "TYPE", num_args = 0..=1, default_missing_value = "")]
    pub(crate) dtype: Option<String>,

    /// How the channels' rows are brought together
    #[arg(long, value_name = "HOW", value_parser = choice(EVENTS), default_value = "complete", help_heading = "Values")]
    pub(crate) events: Events,

    /// A file that is cut short, malformed or no waveform
    #[arg(long, value_name = "DO", value_parser = choice(BAD_FILES), default_value = "skip", help_heading = "Bad input")]
    pub(crate) on_bad_file: OnBadFile,

    /// Files of one channel with other numbers of samples
    #[arg(long, value_name = "DO", value_parser = choice(RAGGED), default_value = "error", help_heading = "Bad input")]
    pub(crate) ragged: Ragged,

    /// Files of one channel with other sample interval, units or record type
    #[arg(long, value_name = "DO", value_parser = choice(MIXED), default_value = "error", help_heading = "Bad input")]
    pub(crate) mixed: Mixed,

    /// A short file younger than this may still be written: it is tried again at the end
    #[arg(long, value_name = "TIME", value_parser = duration, allow_negative_numbers = true, default_value = "10s", help_heading = "Bad input")]
    pub(crate) settle: Duration,

    #[command(flatten)]
    pub(crate) resources: ResourceOptions,

    /// Show what would be done, and do nothing
    #[arg(long, help_heading = "Display")]
    pub(crate) dry_run: bool,

    /// The dry run as JSON
    #[arg(long, requires = "dry_run", help_heading = "Display")]
    pub(crate) json: bool,

    /// How progress is shown
    #[arg(long, value_name = "HOW", value_parser = choice(PROGRESS), default_value = "auto", help_heading = "Display")]
    pub(crate) progress: ProgressStyle,
}

/// Which of the two.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Run")]
pub(crate) struct WhatOptions {
    /// Only the arrays, not the metadata
    #[arg(long)]
    pub(crate) waveform_only: bool,

    /// Only the metadata, not the arrays
    #[arg(long, conflicts_with = "waveform_only")]
    pub(crate) metadata_only: bool,
}

/// What is finished already.
#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Run")]
pub(crate) struct AgainOptions {
    /// Convert again also what is finished, from the beginning
    #[arg(long)]
    pub(crate) overwrite: bool,

    /// A file of the planned size is the same although its time changed
    #[arg(long)]
    pub(crate) trust_size: bool,
}
