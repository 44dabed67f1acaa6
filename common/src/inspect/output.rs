//! A finished array: shape, first rows, statistics of its index, bad rows by status.

use std::path::PathBuf;

use serde::Serialize;

use super::run::Recorded;
use super::trace::second;
use crate::fs::StorageError;
use crate::npy::index::IndexRecord;
use crate::outputs::{ChannelOutput, Description};
use crate::status::{Status, StatusCounts};
use crate::trc::Field;
use crate::units::{Bytes, RowRange};

/// Samples that are shown of each of the first rows.
const SAMPLES: u32 = 6;

/// What an array holds.
#[derive(Clone, Debug, Serialize)]
pub struct OutputReport {
    /// The array.
    pub path: PathBuf,
    /// Bytes of its file.
    pub bytes: Bytes,
    /// The unit of the instrument's vertical axis, mostly V.
    pub unit: String,
    /// Its JSON.
    pub description: Description,
    /// The first and the last source file.
    pub sources: Option<(String, String)>,
    /// How many source files.
    pub source_files: u64,
    /// Rows by their verdicts, good ones among them.
    pub rows: Vec<StatusRows>,
    /// Times of the earliest and the latest row.
    pub recorded: Recorded,
    /// Columns of the index, over the good rows.
    pub columns: Vec<Column>,
    /// The first rows.
    pub first_rows: Vec<FirstRow>,
}

/// How many rows have a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct StatusRows {
    /// The verdict.
    pub status: Status,
    /// Its rows.
    pub rows: u64,
}

/// A column of the index over the good rows. NaN where no row has a number.
#[derive(Clone, Debug, Serialize)]
pub struct Column {
    /// Its name.
    pub column: &'static str,
    /// Its unit.
    pub unit: String,
    /// The smallest value.
    pub min: f64,
    /// The mean.
    pub mean: f64,
    /// The largest value.
    pub max: f64,
}

/// One of the first rows.
#[derive(Clone, Debug, Serialize)]
pub struct FirstRow {
    /// Its number.
    pub row: u64,
    /// Its verdict; none where the number in the index has no meaning.
    pub status: Option<Status>,
    /// When it was triggered, in ns since 1970; none where unknown.
    pub time_ns: Option<i64>,
    /// In the unit of the vertical axis; none where there is none.
    pub baseline: Option<f64>,
    /// Its smallest sample, in the unit of the vertical axis, before the baseline is taken off.
    pub min: Option<f32>,
    /// Its largest sample, in the unit of the vertical axis, before the baseline is taken off.
    pub max: Option<f32>,
    /// Its first samples in that unit, the baseline taken off. None is NaN.
    pub samples: Vec<Option<f32>>,
}

/// Values of a column, added up.
#[derive(Clone, Copy)]
struct Sum {
    count: u64,
    total: f64,
    min: f64,
    max: f64,
}

impl Sum {
    const NONE: Self = Self {
        count: 0,
        total: 0.0,
        min: f64::NAN,
        max: f64::NAN,
    };

    fn add(&mut self, value: f64) {
        if value.is_finite() {
            self.count += 1;
            self.total += value;
            self.min = self.min.min(value);
            self.max = self.max.max(value);
        }
    }
}

/// Along which axis of the instrument a column is measured.
#[derive(Clone, Copy)]
enum Axis {
    Vertical,
    Horizontal,
}

/// Name, axis and value of the columns that are summed up.
type ColumnOf = (&'static str, Axis, fn(&IndexRecord) -> f64);

const COLUMNS: [ColumnOf; 8] = [
    ("min", Axis::Vertical, |record| record.min.get().into()),
    ("max", Axis::Vertical, |record| record.max.get().into()),
    ("baseline", Axis::Vertical, |record| record.baseline.get()),
    ("baseline_std", Axis::Vertical, |record| {
        record.baseline_std.get().into()
    }),
    ("gain", Axis::Vertical, |record| record.gain.get().into()),
    ("offset", Axis::Vertical, |record| record.offset.get().into()),
    ("horiz_offset", Axis::Horizontal, |record| record.horiz_offset.get()),
    ("horiz_interval", Axis::Horizontal, |record| {
        record.horiz_interval.get().into()
    }),
];

impl OutputReport {
    /// Goes through the index, and reads the first `first` rows.
    pub fn read(output: &ChannelOutput, first: u64) -> Result<Self, StorageError> {
        let what = &output.description;
        let mut statuses = StatusCounts::default();
        let mut sums = [Sum::NONE; COLUMNS.len()];
        let mut recorded = Recorded::default();
        let mut first_rows = Vec::new();
        let mut samples = Vec::new();
        output.each_record::<StorageError>(RowRange::new(0, what.rows()), |row, record| {
            let status = Status::from_code(record.status);
            // A number without a meaning is for `verify` to tell.
            statuses.add(status.unwrap_or(Status::Malformed), 1);
            let time_ns = Some(record.time.get()).filter(|time| *time != i64::MIN);
            recorded.first_ns = recorded.first_ns.into_iter().chain(time_ns).min();
            recorded.last_ns = recorded.last_ns.into_iter().chain(time_ns).max();
            if status.is_some_and(Status::is_good) {
                for (sum, (_, _, value)) in sums.iter_mut().zip(COLUMNS) {
                    sum.add(value(record));
                }
            }
            if row < first {
                output.volts(row, record, 0..SAMPLES.min(what.samples()), &mut samples)?;
                let number = |value: f32| Some(value).filter(|value| !value.is_nan());
                first_rows.push(FirstRow {
                    row,
                    status,
                    time_ns,
                    baseline: Some(record.baseline.get()).filter(|value| !value.is_nan()),
                    min: number(record.min.get()),
                    max: number(record.max.get()),
                    samples: samples.iter().map(|value| number(*value)).collect(),
                });
            }
            Ok(())
        })?;
        let mut lines = output.list.lines_of();
        let first_source = lines.get(0)?.map(ToOwned::to_owned);
        let last_source = lines.get(output.list.lines().saturating_sub(1))?.map(ToOwned::to_owned);
        // The unit of an array of codes is `code`; its index is in the instrument's.
        let vertical = what.fields.get(Field::VertUnit.name());
        let vertical = vertical.and_then(|unit| unit.as_str()).unwrap_or_default().to_owned();
        let horizontal = second(&what.sample_interval_unit).to_owned();
        Ok(Self {
            unit: vertical.clone(),
            path: output.paths.array.clone(),
            bytes: what.array_bytes(),
            sources: first_source.zip(last_source),
            source_files: output.list.lines(),
            rows: statuses
                .all()
                .map(|(status, rows)| StatusRows { status, rows })
                .collect(),
            recorded,
            columns: COLUMNS
                .iter()
                .zip(sums)
                .filter(|(_, sum)| sum.count > 0)
                .map(|((column, axis, _), sum)| Column {
                    column,
                    unit: match axis {
                        Axis::Vertical => vertical.clone(),
                        Axis::Horizontal => horizontal.clone(),
                    },
                    min: sum.min,
                    mean: sum.total / sum.count as f64,
                    max: sum.max,
                })
                .collect(),
            first_rows,
            description: what.clone(),
        })
    }
}
