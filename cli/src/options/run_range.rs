//! The options of `run-range`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use trc2npy_common::convert::Io;
use trc2npy_common::units::Bytes;

use super::convert::{IOS, PROGRESS, ProgressStyle};
use super::parsers::{choice, share, threads};

/// The options of `run-range`.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunRangeOptions {
    /// The file that `trc2npy plan` has written
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,

    /// Which share, counted from 0 [default: the task's number in a Slurm array or a Kubernetes indexed job]
    #[arg(long, value_name = "I", help_heading = "Share")]
    pub(crate) index: Option<u64>,

    /// Of how many equal shares [default: the number of tasks in a Slurm array]
    #[arg(long, value_name = "N", help_heading = "Share")]
    pub(crate) count: Option<u64>,

    /// Threads that read, decode and write [default: physical cores]
    #[arg(long, value_name = "N", value_parser = threads, help_heading = "Resources")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Memory for plan, buffers and mapped input, as 4GiB [default: a quarter of what is free, at most 4 GiB]
    #[arg(long, value_name = "SIZE", help_heading = "Resources")]
    pub(crate) memory_limit: Option<Bytes>,

    /// Share of the machine's memory in use above which the buffers shrink
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0.85", help_heading = "Resources")]
    pub(crate) memory_threshold: f64,

    /// How files are read
    #[arg(long, value_name = "HOW", value_parser = choice(IOS), default_value = "auto", help_heading = "Resources")]
    pub(crate) io: Io,

    /// How progress is shown
    #[arg(long, value_name = "HOW", value_parser = choice(PROGRESS), default_value = "auto", help_heading = "Display")]
    pub(crate) progress: ProgressStyle,
}
