//! The rows of a channel that its pictures show: some of them, read block by block, and of each only what can be seen.

use super::numbers::Row;
use super::spread::{Band, Means};
use crate::fs::StorageError;
use crate::outputs::ChannelOutput;
use crate::preview::{BLOCK, Decimator, Trace};
use crate::units::Bytes;

/// Rows that are read of a channel at most.
pub(super) const MOST_ROWS: u64 = 500;
/// Rows that are drawn one over another at most.
const OVERLAID: u64 = 100;
/// Of a row that is one of many, more than this cannot be seen.
const PARTS: u32 = 160;
/// Bytes that are read of a channel: of long rows fewer are read, yet at least [`LEAST_ROWS`].
const READ: Bytes = Bytes::mib(256);
const LEAST_ROWS: u64 = 3;

/// Of all rows read, what lies in one column of the picture.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Where it lies on the horizontal axis.
    pub(super) at: f64,
    pub(super) band: Band,
}

/// What the pictures show.
#[derive(Clone, Debug, Default)]
pub(super) struct Traces {
    /// Rows read.
    pub(super) rows: u64,
    /// Some of them, the first and the last good row among them.
    pub(super) overlaid: Vec<Trace>,
    /// All of them together.
    pub(super) columns: Vec<Column>,
}

/// How many rows of so many bytes may be read.
pub(super) fn most_rows(row_bytes: u64) -> u64 {
    (READ.0 / row_bytes.max(1)).clamp(LEAST_ROWS, MOST_ROWS)
}

impl Traces {
    /// Reads the rows.
    pub(super) fn read(output: &ChannelOutput, rows: &[Row]) -> Result<Self, StorageError> {
        let samples = output.description.samples();
        let drawn = OVERLAID.min(rows.len() as u64);
        let mut evenly = super::spread::Evenly::new(rows.len() as u64, drawn);
        let mut traces = Self::default();
        let mut means: Vec<Vec<f32>> = Vec::with_capacity(rows.len());
        let mut block = Vec::new();
        for (row, record) in rows {
            let end = record.samples.get().min(samples);
            let mut decimator = evenly.takes_next().then(|| Decimator::new(end, PARTS));
            let mut parts = Means::new(samples);
            let mut next = 0;
            while next < end {
                let until = end.min(next.saturating_add(BLOCK));
                output.volts(*row, record, next..until, &mut block)?;
                if let Some(decimator) = &mut decimator {
                    decimator.push(&block);
                }
                parts.push(&block);
                next = until;
            }
            means.push(parts.finish());
            let (offset, interval) = (record.horiz_offset.get(), f64::from(record.horiz_interval.get()));
            if let Some(points) = decimator.map(Decimator::finish).filter(|points| !points.is_empty()) {
                traces.overlaid.push(Trace {
                    row: *row,
                    offset,
                    interval,
                    samples: end,
                    points,
                });
            }
        }
        // A header without times has its samples in order all the same.
        let placed = |trace: &Trace| trace.offset.is_finite() && trace.interval.is_finite() && trace.interval > 0.0;
        if !traces.overlaid.iter().all(placed) {
            for trace in &mut traces.overlaid {
                (trace.offset, trace.interval) = (0.0, 1.0);
            }
        }
        traces.rows = rows.len() as u64;
        if let Some(first) = traces.overlaid.first() {
            let parts = means.first().map_or(0, Vec::len);
            let band = |part: usize| Band::of(means.iter().filter_map(|row| row.get(part).copied()));
            let bands = (0..parts).zip(0_u32..);
            let column = |(at, part): (usize, u32)| {
                let (start, end) = (Means::start(samples, part), Means::start(samples, part + 1));
                let middle = f64::from(start).midpoint(f64::from(end.saturating_sub(1)));
                Some(Column {
                    at: first.offset + middle * first.interval,
                    band: band(at)?,
                })
            };
            traces.columns = bands.filter_map(column).collect();
        }
        Ok(traces)
    }

    /// Whether the samples have times, and not only numbers.
    pub(super) fn has_times(&self) -> bool {
        self.overlaid
            .iter()
            .any(|trace| trace.interval < 1.0 || trace.offset != 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_long_rows_few_are_read() {
        assert_eq!(most_rows(20_000), 500);
        assert_eq!(most_rows(4 * 50_000_000), 3);
        assert_eq!(most_rows(4 << 20), 64);
        assert_eq!(most_rows(0), 500);
    }
}
