//! The options of `verify`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use trc2npy_common::verify::SourcesAt;

use super::convert::{PROGRESS, ProgressStyle};
use super::parsers::{choice, percentage, threads};

/// The options of `verify`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Without --sources: checksums of arrays, indices, lists and JSONs, their headers
and lengths, and that they belong together. Nothing is ever changed or deleted.

Exit codes: 0 everything agrees, 1 failed, 2 wrong usage, 3 something differs.

Examples:
  trc2npy verify out
  trc2npy verify out --sources --sample 1%
  trc2npy verify out --sources --list-safe safe.txt --list-keep keep.txt
  trc2npy verify npy/r005 --sources=/data/lab")]
pub(crate) struct VerifyOptions {
    /// Folders of finished conversions, or single arrays in them
    #[arg(value_name = "OUT", required = true)]
    pub(crate) outputs: Vec<PathBuf>,

    /// Decode the sources again and compare every sample; from where they were, or from DIR, which holds the run's folders
    #[arg(
        long,
        value_name = "DIR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        value_parser = sources(),
        help_heading = "Sources"
    )]
    pub(crate) sources: Option<SourcesAt>,

    /// Compare only so many of the rows, chosen by chance, as 1%
    #[arg(long, value_name = "SHARE", value_parser = percentage, requires = "sources", help_heading = "Sources")]
    pub(crate) sample: Option<f64>,

    /// Choose the same rows as the run that showed this number
    #[arg(long, value_name = "N", requires = "sample", help_heading = "Sources")]
    pub(crate) seed: Option<u64>,

    /// Write the paths of the sources that are safe to delete into a new file, a line each
    #[arg(
        long,
        value_name = "FILE",
        requires = "sources",
        conflicts_with = "sample",
        help_heading = "Sources"
    )]
    pub(crate) list_safe: Option<PathBuf>,

    /// Write the paths of what is to be kept in their folders into a new file, a line each: path, tabulator, why
    #[arg(
        long,
        value_name = "FILE",
        requires = "sources",
        conflicts_with = "sample",
        help_heading = "Sources"
    )]
    pub(crate) list_keep: Option<PathBuf>,

    /// Show BLAKE3 of each file too, as b3sum does
    #[arg(long, help_heading = "Display")]
    pub(crate) digest: bool,

    /// The result as JSON
    #[arg(long, help_heading = "Display")]
    pub(crate) json: bool,

    /// How progress is shown
    #[arg(long, value_name = "HOW", value_parser = choice(PROGRESS), default_value = "auto", help_heading = "Display")]
    pub(crate) progress: ProgressStyle,

    /// Threads that read and decode [default: physical cores]
    #[arg(long, value_name = "N", value_parser = threads, help_heading = "Resources")]
    pub(crate) threads: Option<NonZeroUsize>,
}

/// Nothing behind `--sources` means where they were.
fn sources() -> impl TypedValueParser<Value = SourcesAt> {
    OsStringValueParser::new().map(|text| {
        if text.is_empty() {
            SourcesAt::Recorded
        } else {
            SourcesAt::Below(text.into())
        }
    })
}
