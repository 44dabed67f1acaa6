//! What planning is asked for, and how it is watched.

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use crate::channel::Channel;
use crate::options::{ByteOptions, OnBadFile};

use super::model::{Probe, RequestSummary};

/// What becomes of a channel whose rows are not longer than the baseline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LongBaseline {
    /// It is refused.
    #[default]
    Refuse,
    /// It gets none, and a warning.
    Leave,
}

/// What is to be planned.
#[derive(Clone, Debug)]
pub struct PlanRequest {
    /// Files, folders and patterns, as typed.
    pub inputs: Vec<PathBuf>,
    /// Whether sub-folders are searched too.
    pub recursive: bool,
    /// Whether all folders are one run.
    pub join: bool,
    /// The channels wanted; all where there are none.
    pub channels: Option<Vec<Channel>>,
    /// Which stem is wanted, where a folder has several.
    pub stem: Option<String>,
    /// Which headers are opened.
    pub probe: Probe,
    /// Files changed within this time may still be written.
    pub settle: Duration,
    /// Threads to list and probe with.
    pub threads: usize,
    /// Channels whose rows are too short for the baseline.
    pub long_baseline: LongBaseline,
    /// What the outputs will hold.
    pub options: ByteOptions,
}

impl PlanRequest {
    /// All channels of the given inputs, everything else by default, on `threads` threads.
    pub fn new(inputs: Vec<PathBuf>, threads: usize) -> Self {
        Self {
            inputs,
            recursive: false,
            join: false,
            channels: None,
            stem: None,
            probe: Probe::Sample,
            settle: Duration::from_secs(10),
            threads,
            long_baseline: LongBaseline::Refuse,
            options: ByteOptions::default(),
        }
    }

    /// Whether every header is opened: asked for, or needed to know the bad files.
    pub fn probes_all(&self) -> bool {
        self.probe == Probe::All || self.options.on_bad_file == OnBadFile::Skip
    }

    pub(super) fn summary(&self) -> RequestSummary {
        RequestSummary {
            inputs: self
                .inputs
                .iter()
                .map(|input| input.to_string_lossy().into_owned())
                .collect(),
            working_folder: std::env::current_dir()
                .ok()
                .filter(|folder| folder.to_str().is_some())
                .unwrap_or_default(),
            recursive: self.recursive,
            join: self.join,
            channels: self.channels.clone(),
            stem: self.stem.clone(),
            probe: self.probe,
        }
    }
}

/// How far planning is; read it from another thread.
#[derive(Debug, Default)]
pub struct PlanProgress {
    /// Files with an index in their names found so far.
    pub files: AtomicU64,
    /// Headers opened so far.
    pub headers: AtomicU64,
}
