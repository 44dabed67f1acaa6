//! The options of `stitch`.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::convert::{PROGRESS, ProgressStyle};
use super::parsers::{choice, duration, threads};

/// The options of `stitch`.
#[derive(Args, Clone, Debug)]
pub(crate) struct StitchOptions {
    /// The file that `trc2npy plan` has written
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,

    /// Wait for what is missing, and bring it into the arrays as it comes
    #[arg(long, help_heading = "Patience")]
    pub(crate) wait: bool,

    /// Wait no longer than this, as 12h; without it as long as it takes
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "wait", help_heading = "Patience")]
    pub(crate) timeout: Option<Duration>,

    /// Shards that are copied side by side [default: physical cores]
    #[arg(long, value_name = "N", value_parser = threads, help_heading = "Resources")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// How progress is shown
    #[arg(long, value_name = "HOW", value_parser = choice(PROGRESS), default_value = "auto", help_heading = "Display")]
    pub(crate) progress: ProgressStyle,
}
