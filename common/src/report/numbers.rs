//! What a channel's index says of its rows: verdicts, baselines, amplitudes, times, settings.
//!
//! The index is gone through twice, a few records at a time: first for the ends of what is counted, then to count it.
//! Memory does not depend on the number of rows.

use crc_fast::{CrcAlgorithm, Digest};
use zerocopy::IntoBytes as _;

use super::changes::Changes;
use super::clipping::Clipping;
use super::histogram::{Extent, Histogram};
use super::spread::{Drift, Evenly};
use super::triggers::{TimeSpan, Triggers};
use crate::fs::StorageError;
use crate::npy::index::IndexRecord;
use crate::outputs::{ChannelOutput, OutputError, Problem};
use crate::status::{Status, StatusCounts};
use crate::units::RowRange;

/// A row and its record.
pub(super) type Row = (u64, IndexRecord);

/// What the index says.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    pub(super) statuses: StatusCounts,
    /// Levels that were taken off; none without a baseline.
    pub(super) baselines: Option<Histogram>,
    /// From the smallest sample of a row to its largest.
    pub(super) amplitudes: Option<Histogram>,
    /// The baselines along the rows.
    pub(super) drift: Drift,
    pub(super) triggers: Option<Triggers>,
    pub(super) clipping: Option<Clipping>,
    /// Settings of which the index has each row's own.
    pub(super) changes: Vec<Changes>,
    /// Good rows, spread evenly over all good ones, the first and the last among them.
    pub(super) chosen: Vec<Row>,
}

/// The ends of what is counted.
struct Ends {
    statuses: StatusCounts,
    baseline: Extent,
    amplitude: Extent,
    times: TimeSpan,
    changes: Vec<Changes>,
    clipping: Option<Clipping>,
}

impl Numbers {
    /// Goes through the index; chooses so many good rows at most.
    ///
    /// Fails where the index is not what was written: a number of it would be invented.
    pub(super) fn of(output: &ChannelOutput, most: u64) -> Result<Self, OutputError> {
        let ends = ends(output)?;
        let rows = output.description.rows();
        let good = rows_with(&ends.statuses, Status::Good);
        let mut baselines = Histogram::over(&ends.baseline);
        let mut amplitudes = Histogram::over(&ends.amplitude);
        let mut drift = Drift::new(rows);
        let mut triggers = Triggers::over(&ends.times);
        let mut evenly = Evenly::new(good, most);
        let mut chosen = Vec::new();
        each_good(output, |row, record| {
            let baseline = record.baseline.get();
            if let Some(histogram) = &mut baselines {
                histogram.add(baseline);
            }
            drift.add(row, baseline);
            if let Some(histogram) = &mut amplitudes {
                histogram.add(amplitude(record));
            }
            if let (Some(triggers), Some(time)) = (&mut triggers, time(record)) {
                triggers.add(row, time);
            }
            if evenly.takes_next() {
                chosen.push((row, *record));
            }
        })?;
        let mut changes = ends.changes;
        changes.retain(|changes| changes.count > 0);
        Ok(Self {
            statuses: ends.statuses,
            baselines,
            amplitudes,
            drift,
            triggers,
            clipping: ends.clipping,
            changes,
            chosen,
        })
    }

    /// Good rows.
    pub(super) fn good(&self) -> u64 {
        rows_with(&self.statuses, Status::Good)
    }
}

fn rows_with(statuses: &StatusCounts, wanted: Status) -> u64 {
    let found = statuses.all().find(|(status, _)| *status == wanted);
    found.map_or(0, |(_, rows)| rows)
}

fn ends(output: &ChannelOutput) -> Result<Ends, OutputError> {
    let mut ends = Ends {
        statuses: StatusCounts::default(),
        baseline: Extent::default(),
        amplitude: Extent::default(),
        times: TimeSpan::default(),
        changes: Changes::all(),
        clipping: Clipping::of(&output.description.fields, output.description.element),
    };
    let mut before: Option<IndexRecord> = None;
    let mut sum = Digest::new(CrcAlgorithm::Crc32Iscsi);
    each(output, |row, record| {
        sum.update(record.as_bytes());
        // A number without a meaning is a row that nobody may use.
        let status = Status::from_code(record.status).unwrap_or(Status::Malformed);
        ends.statuses.add(status, 1);
        if !status.is_good() {
            return;
        }
        ends.baseline.add(record.baseline.get());
        ends.amplitude.add(amplitude(record));
        if let Some(time) = time(record) {
            ends.times.add(time);
        }
        if let Some(clipping) = &mut ends.clipping {
            clipping.add(row, record);
        }
        if let Some(before) = &before {
            Changes::look(&mut ends.changes, before, (row, record));
        }
        before = Some(*record);
    })?;
    let written = &output.description.index.crc32c;
    let found = format!("{:08x}", sum.finalize());
    if *written != found {
        return Err(OutputError::Damaged {
            path: output.paths.index.clone(),
            problem: Problem::Checksum {
                written: written.clone(),
                found,
            },
        });
    }
    Ok(ends)
}

fn each(output: &ChannelOutput, mut see: impl FnMut(u64, &IndexRecord)) -> Result<(), StorageError> {
    let all = RowRange::new(0, output.description.rows());
    output.each_record(all, |row, record| {
        see(row, record);
        Ok(())
    })
}

fn each_good(output: &ChannelOutput, mut see: impl FnMut(u64, &IndexRecord)) -> Result<(), StorageError> {
    each(output, |row, record| {
        if Status::from_code(record.status).is_some_and(Status::is_good) {
            see(row, record);
        }
    })
}

fn amplitude(record: &IndexRecord) -> f64 {
    f64::from(record.max.get()) - f64::from(record.min.get())
}

/// When a row was triggered, in ns; none where that is unknown.
fn time(record: &IndexRecord) -> Option<i64> {
    Some(record.time.get()).filter(|time| *time != i64::MIN)
}
