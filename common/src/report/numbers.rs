//! What a channel's index says of its rows: verdicts, baselines, amplitudes, times, settings.
//!
//! The index is gone through twice, a few records at a time: first for the ends of what is counted, then to count it.
//! Memory does not depend on the number of rows.

use crc_fast::{CrcAlgorithm, Digest};
use zerocopy::IntoBytes as _;
use zerocopy::little_endian::F32;

use super::clipping::Clipping;
use super::histogram::{Extent, Histogram};
use super::spread::{Drift, Evenly};
use super::triggers::{TimeSpan, Triggers};
use crate::fs::StorageError;
use crate::npy::index::IndexRecord;
use crate::outputs::{ChannelOutput, OutputError, Problem};
use crate::status::{Status, StatusCounts};
use crate::units::RowRange;

/// Changes of a setting that are listed.
const LISTED: usize = 10;

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

/// How a setting changes from one good row to the next.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    /// As the header names it.
    pub(super) setting: &'static str,
    pub(super) count: u64,
    /// The first ones.
    pub(super) listed: Vec<Change>,
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// The first row with the new value.
    pub(super) row: u64,
    /// Its file, as a line of the list.
    pub(super) file: u32,
    pub(super) before: f32,
    pub(super) after: f32,
}

impl Changes {
    fn all() -> Vec<Self> {
        let one = |setting| Self {
            setting,
            count: 0,
            listed: Vec::new(),
        };
        ["VERTICAL_GAIN", "VERTICAL_OFFSET", "HORIZ_INTERVAL"].map(one).into()
    }

    fn values(record: &IndexRecord) -> [f32; 3] {
        [record.gain, record.offset, record.horiz_interval].map(F32::get)
    }

    fn look(all: &mut [Self], before: &IndexRecord, (row, record): (u64, &IndexRecord)) {
        let values = Self::values(before).into_iter().zip(Self::values(record));
        for (changes, (before, after)) in all.iter_mut().zip(values) {
            if before.to_bits() != after.to_bits() {
                changes.count += 1;
                if changes.listed.len() < LISTED {
                    changes.listed.push(Change {
                        row,
                        file: record.file.get(),
                        before,
                        after,
                    });
                }
            }
        }
    }
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
        clipping: Clipping::of(&output.description),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_with_the_row_from_which_on_it_holds() {
        let mut all = Changes::all();
        let record = |gain: f32| IndexRecord {
            gain: F32::new(gain),
            ..IndexRecord::bad(3, 0, Status::Good)
        };
        let rows = [0.5, 0.5, 0.25, 0.25, 0.5].map(record);
        for (row, two) in (1..).zip(rows.windows(2)) {
            Changes::look(&mut all, &two[0], (row, &two[1]));
        }
        let (first, second) = (&all[0], &all[1]);
        assert_eq!((first.setting, first.count), ("VERTICAL_GAIN", 2));
        assert_eq!(
            first.listed[0],
            Change {
                row: 2,
                file: 3,
                before: 0.5,
                after: 0.25
            }
        );
        // NaN stays NaN.
        assert_eq!(second.count, 0);
    }
}
