//! What is kept of a run whose files have their names.

use std::path::Path;

use trc2npy_common::convert::{BadFile, ChannelOutcome, Outcome};

use super::{ChannelSummary, JobRecord};

/// See the module.
#[derive(Debug)]
pub(crate) struct Finished {
    channels: Vec<ChannelSummary>,
    bad_files: Vec<BadFile>,
    /// What planning found of bad files, of which the verdicts on all files tell better.
    preliminary: Vec<String>,
}

/// Bad files of a job that are told; all are in its report.
const TOLD: usize = 10;

impl Finished {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let told: Vec<String> = outcome.warnings().collect();
        let found = outcome.findings.warnings().map(ToString::to_string);
        Self {
            channels: outcome
                .channels
                .iter()
                .map(|channel| summary(channel, &outcome.out))
                .collect(),
            bad_files: outcome.bad_files.iter().take(TOLD).cloned().collect(),
            preliminary: found.filter(|text| !told.contains(text)).collect(),
        }
    }
}

impl JobRecord {
    /// Notes what became of it.
    pub(crate) fn finish(&mut self, finished: Finished) {
        let Finished {
            channels,
            bad_files,
            preliminary,
        } = finished;
        self.channels = channels;
        self.bad_files = bad_files;
        self.warnings.retain(|text| !preliminary.contains(text));
    }
}

fn summary(channel: &ChannelOutcome, out: &Path) -> ChannelSummary {
    ChannelSummary {
        name: channel.channel.to_string(),
        rows: channel.rows,
        samples: channel.samples,
        dtype: channel.element.name().to_owned(),
        array: channel
            .path
            .strip_prefix(out)
            .unwrap_or(&channel.path)
            .to_string_lossy()
            .into_owned(),
        bytes: channel.bytes.0,
        bad: channel
            .bad
            .iter()
            .map(|(status, rows)| (status.code(), *rows))
            .collect(),
        unfinished: None,
    }
}
