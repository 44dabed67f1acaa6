//! A run at a glance, from the index alone: when it was triggered, how its baseline moved, what was clipped.
//!
//! 72 bytes a row are read, of a bounded number of rows; no sample is.

use serde::Serialize;
use trc2npy_common::fs::StorageError;
use trc2npy_common::npy::index::IndexRecord;
use trc2npy_common::outputs::Rows;
use trc2npy_common::report::{self, Changes, Clipping};
use trc2npy_common::status::Status;
use trc2npy_common::units::{RowRange, count, counted};

use super::pictures::{Axis, Panel, Points, Style};

/// Records that are looked at: 14 MB.
const MOST: u64 = 200_000;
/// Records read together where not all are.
const TOGETHER: u64 = 1000;
/// Parts of a run, or bars of a histogram.
const PARTS: usize = 60;

/// Which rows are looked at, where there are more than can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The first: neighbours are needed to tell the time between two.
    First,
    /// Some from everywhere.
    All,
}

/// What the index says of good rows.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    /// Rows that were looked at.
    looked: u64,
    /// All that there are.
    all: u64,
    bad: u64,
    /// Row and time in ns.
    times: Vec<(u64, i64)>,
    /// Row and level.
    baselines: Vec<(u64, f64)>,
    /// Rows with a sample at the end of what the instrument can write; none where that is not known.
    clipping: Option<Clipping>,
    changes: Vec<Changes>,
    /// The last good row.
    before: Option<IndexRecord>,
}

/// A row from which on a setting is another one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Change {
    setting: &'static str,
    row: u64,
    /// In the channel's list of files, counted from 1.
    file: u64,
    from: f32,
    to: f32,
}

/// Changes of settings that are listed; all are counted.
const CHANGES: usize = 5;

/// The numbers as they are told.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Facts {
    rows: u64,
    looked_at: u64,
    bad_rows: u64,
    clipped_rows: Option<u64>,
    /// Triggers a second.
    rate: Option<f64>,
    longest_gap_s: Option<f64>,
    /// The row after the longest gap.
    gap_before_row: Option<u64>,
    baseline_first: Option<f64>,
    baseline_last: Option<f64>,
    /// The first of them.
    setting_changes: Vec<Change>,
    unit: String,
    /// The same for people.
    sentences: Vec<String>,
}

impl Numbers {
    fn new(all: u64, clipping: Option<Clipping>) -> Self {
        Self {
            all,
            clipping,
            changes: Changes::all(),
            ..Self::default()
        }
    }

    pub(super) fn read(
        rows: &Rows<'_>,
        range: RowRange,
        which: Which,
        clipping: Option<Clipping>,
    ) -> Result<Self, StorageError> {
        let mut numbers = Self::new(range.len(), clipping);
        for part in parts(range, which) {
            rows.each_record(part, |row, record| {
                numbers.add(row, record);
                Ok::<_, StorageError>(())
            })?;
        }
        Ok(numbers)
    }

    fn add(&mut self, row: u64, record: &IndexRecord) {
        self.looked += 1;
        if !Status::from_code(record.status).is_some_and(Status::is_good) {
            self.bad += 1;
            return;
        }
        if let Some(before) = self.before.replace(*record) {
            Changes::look(&mut self.changes, &before, (row, record));
        }
        if record.time.get() != i64::MIN {
            self.times.push((row, record.time.get()));
        }
        let baseline = record.baseline.get();
        if baseline.is_finite() {
            self.baselines.push((row, baseline));
        }
        if let Some(clipping) = &mut self.clipping {
            clipping.add(row, record);
        }
    }

    /// The first changes of settings, in the order of the rows, and how many there are.
    fn setting_changes(&self) -> (Vec<Change>, u64) {
        let told = |of: &Changes| {
            let setting = match of.setting {
                "VERTICAL_GAIN" => "vertical gain",
                "VERTICAL_OFFSET" => "vertical offset",
                _ => "sample interval",
            };
            let told = move |change: &report::Change| Change {
                setting,
                row: change.row,
                file: u64::from(change.file) + 1,
                from: change.before,
                to: change.after,
            };
            of.listed.iter().map(told).collect::<Vec<_>>()
        };
        let mut first: Vec<Change> = self.changes.iter().flat_map(told).collect();
        first.sort_by_key(|change| change.row);
        first.truncate(CHANGES);
        (first, self.changes.iter().map(|of| of.count).sum())
    }

    /// Triggers a second, over the run.
    pub(super) fn rates(&self) -> Option<Panel<'static>> {
        let (first, last) = (self.times.first()?.1, self.times.last()?.1);
        let span = seconds(first, last);
        if self.times.len() < 3 || span <= 0.0 {
            return None;
        }
        let parts = PARTS.min(self.times.len() / 2);
        let width = span / parts as f64;
        let mut bars: Points = (0..parts).map(|at| ((at as f64 + 0.5) * width, 0.0)).collect();
        for &(_, time) in &self.times {
            bars[part(seconds(first, time) / span, parts)].1 += 1.0 / width;
        }
        Some(Panel {
            title: "triggers over the run".to_owned(),
            x: Axis {
                name: "time from the first trigger",
                unit: "s",
            },
            y: Axis {
                name: "rate",
                unit: "Hz",
            },
            style: Style::Bars,
            curves: vec![bars],
        })
    }

    /// The baseline, over the rows.
    pub(super) fn drift<'a>(&self, unit: &'a str) -> Option<Panel<'a>> {
        let (first, last) = (self.baselines.first()?.0, self.baselines.last()?.0);
        let parts = PARTS.min(self.baselines.len());
        let width = (last - first + 1) as f64;
        let mut means = vec![(0.0, 0.0, 0_u32); parts];
        for &(row, level) in &self.baselines {
            let mean = &mut means[part((row - first) as f64 / width, parts)];
            *mean = (mean.0 + row as f64, mean.1 + level, mean.2 + 1);
        }
        let means = means.into_iter().filter(|mean| mean.2 > 0);
        let line = means.map(|(row, level, n)| (row / f64::from(n), level / f64::from(n)));
        Some(Panel {
            title: "baseline over the run".to_owned(),
            x: Axis { name: "row", unit: "" },
            y: Axis { name: "baseline", unit },
            style: Style::Lines,
            curves: vec![line.collect()],
        })
    }

    /// How the baselines are spread.
    pub(super) fn spread<'a>(&self, unit: &'a str) -> Option<Panel<'a>> {
        let levels = || self.baselines.iter().map(|(_, level)| *level);
        let low = levels().fold(f64::INFINITY, f64::min);
        let high = levels().fold(f64::NEG_INFINITY, f64::max);
        if self.baselines.is_empty() {
            return None;
        }
        let (low, width) = if high > low {
            (low, high - low)
        } else {
            let width = low.abs().max(1e-9) / 10.0;
            (low - width / 2.0, width)
        };
        let step = width / PARTS as f64;
        let mut bars: Points = (0..PARTS).map(|at| (low + (at as f64 + 0.5) * step, 0.0)).collect();
        levels().for_each(|level| bars[part((level - low) / width, PARTS)].1 += 1.0);
        Some(Panel {
            title: format!("baselines of {}", counted(self.baselines.len() as u64, "row")),
            x: Axis { name: "baseline", unit },
            y: Axis { name: "rows", unit: "" },
            style: Style::Bars,
            curves: vec![bars],
        })
    }

    /// All of it in numbers, and in sentences.
    pub(super) fn facts(&self, unit: &str) -> Facts {
        let mut facts = Facts {
            rows: self.all,
            looked_at: self.looked,
            bad_rows: self.bad,
            clipped_rows: self.clipping.as_ref().map(|clipping| clipping.rows),
            unit: unit.to_owned(),
            ..Facts::default()
        };
        let mut sentences = Vec::new();
        if self.looked < self.all {
            sentences.push(format!("Of the first {}:", counted(self.looked, "row")));
        }
        if let (Some(first), Some(last)) = (self.times.first(), self.times.last())
            && last.1 > first.1
        {
            let span = seconds(first.1, last.1);
            let rate = (self.times.len() - 1) as f64 / span;
            facts.rate = Some(rate);
            sentences.push(format!("{} triggers a second, over {} s.", short(rate), short(span)));
            let gaps = self.times.windows(2).map(|two| (two[1].0, seconds(two[0].1, two[1].1)));
            if let Some((row, gap)) = gaps.max_by(|one, other| one.1.total_cmp(&other.1)) {
                facts.longest_gap_s = Some(gap);
                facts.gap_before_row = Some(row);
                sentences.push(format!(
                    "The longest gap is {} s, before row {}.",
                    short(gap),
                    count(row)
                ));
            }
        }
        let n = self.baselines.len();
        if n >= 10 {
            let mean = |part: &[(u64, f64)]| part.iter().map(|(_, level)| level).sum::<f64>() / part.len() as f64;
            let (first, last) = (mean(&self.baselines[..n / 10]), mean(&self.baselines[n - n / 10..]));
            facts.baseline_first = Some(first);
            facts.baseline_last = Some(last);
            sentences.push(format!(
                "The baseline goes from {} to {} m{unit} (first and last tenth).",
                short(first * 1e3),
                short(last * 1e3)
            ));
        }
        let (first, all) = self.setting_changes();
        for change in &first {
            sentences.push(format!(
                "The {} changes from {} to {} at row {}, file {} of the list.",
                change.setting,
                short(change.from.into()),
                short(change.to.into()),
                count(change.row),
                count(change.file)
            ));
        }
        let more = all - first.len() as u64;
        if more > 0 {
            sentences.push(format!("Settings change {} more.", counted(more, "time")));
        }
        facts.setting_changes = first;
        match facts.clipped_rows {
            Some(0) => sentences.push("No trace is clipped.".to_owned()),
            Some(1) => sentences.push("1 trace is clipped.".to_owned()),
            Some(n) => sentences.push(format!("{} traces are clipped.", count(n))),
            None => {}
        }
        facts.sentences = sentences;
        facts
    }
}

fn seconds(from: i64, to: i64) -> f64 {
    (to as f64 - from as f64) / 1e9
}

/// The part in which a share of the whole lies.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, and is cut to what there is"
)]
fn part(share: f64, parts: usize) -> usize {
    ((share * parts as f64) as usize).min(parts - 1)
}

/// Four digits that count.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 12"
)]
fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let digits = (3.0 - value.abs().log10().floor()).clamp(0.0, 12.0) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// Rows to look at: all of them, or as many as may be.
fn parts(range: RowRange, which: Which) -> Vec<RowRange> {
    let all = range.len();
    if all <= MOST {
        return vec![range];
    }
    if which == Which::First {
        return vec![RowRange::new(range.start, range.start + MOST)];
    }
    let n = MOST / TOGETHER;
    let start = |at: u64| {
        range.start + u64::try_from(u128::from(all - TOGETHER) * u128::from(at) / u128::from(n - 1)).unwrap_or(0)
    };
    (0..n)
        .map(|at| RowRange::new(start(at), start(at) + TOGETHER))
        .collect()
}

#[cfg(test)]
mod tests {
    use trc2npy_common::plan::Element;

    use super::*;

    fn record(time: i64, baseline: f64, min: f32, max: f32) -> IndexRecord {
        let mut record = IndexRecord::bad(0, 0, Status::Good);
        record.time.set(time);
        record.baseline.set(baseline);
        record.gain.set(0.001);
        record.offset.set(0.0);
        record.min.set(min);
        record.max.set(max);
        record
    }

    fn numbers(records: &[IndexRecord]) -> Numbers {
        let fields = serde_json::json!({"MIN_VALUE": -128.0, "MAX_VALUE": 127.0});
        let clipping = Clipping::of(fields.as_object().unwrap(), Element::Float32);
        let mut numbers = Numbers::new(records.len() as u64, clipping);
        for (row, record) in (0..).zip(records) {
            numbers.add(row, record);
        }
        numbers
    }

    #[test]
    fn rate_gap_drift_and_clipping_are_told() {
        let mut records: Vec<IndexRecord> = (0..20)
            .map(|k| {
                record(
                    k * 100_000_000,
                    0.001 * f64::from(i32::try_from(k).unwrap()),
                    -0.05,
                    0.05,
                )
            })
            .collect();
        for record in &mut records[10..] {
            record.time.set(record.time.get() + 5_000_000_000);
        }
        records[3].max.set(0.127);
        records[4].min.set(-0.128);
        records[5].status = Status::Missing.code();
        let facts = numbers(&records).facts("V");
        assert_eq!(facts.clipped_rows, Some(2));
        assert_eq!(facts.bad_rows, 1);
        assert_eq!(facts.gap_before_row, Some(10));
        assert!((facts.longest_gap_s.unwrap() - 5.1).abs() < 1e-6);
        assert!((facts.rate.unwrap() - 18.0 / 6.9).abs() < 1e-6);
        assert_eq!(
            facts.sentences,
            [
                "2.609 triggers a second, over 6.9 s.",
                "The longest gap is 5.1 s, before row 10.",
                "The baseline goes from 0 to 19 mV (first and last tenth).",
                "2 traces are clipped.",
            ]
        );
    }

    #[test]
    fn a_setting_that_changed_is_told_with_its_first_file() {
        let mut records: Vec<IndexRecord> = (0..40).map(|k| record(k, 0.0, 0.0, 0.0)).collect();
        for (row, record) in (0..).zip(&mut records) {
            record.file.set(row);
            record.gain.set(if row < 12 { 0.001 } else { 0.002 });
            record.horiz_interval.set(if row % 10 == 9 { 2e-9 } else { 1e-9 });
        }
        // What stands in a bad row is no setting.
        records[5].gain.set(7.0);
        records[5].status = Status::Missing.code();
        let facts = numbers(&records).facts("V");
        assert_eq!(
            facts.setting_changes[2],
            Change {
                setting: "vertical gain",
                row: 12,
                file: 13,
                from: 0.001,
                to: 0.002
            }
        );
        let told = |text: &str| facts.sentences.iter().any(|sentence| sentence.starts_with(text));
        assert!(told(
            "The vertical gain changes from 0.001 to 0.002 at row 12, file 13 of the list."
        ));
        assert!(told("Settings change 3 times more."), "{:?}", facts.sentences);
        assert_eq!(facts.setting_changes.len(), 5);
    }

    #[test]
    fn pictures_hold_every_row_once() {
        let records: Vec<IndexRecord> = (0..100)
            .map(|k| record(k * 10_000_000, f64::from(i32::try_from(k % 7).unwrap()), 0.0, 0.0))
            .collect();
        let numbers = numbers(&records);
        let sum = |panel: Panel<'_>| panel.curves[0].iter().map(|point| point.1).sum::<f64>();
        assert!((sum(numbers.spread("V").unwrap()) - 100.0).abs() < 1e-9);
        let rates = numbers.rates().unwrap();
        let width = 0.99 / rates.curves[0].len() as f64;
        assert!((sum(rates) * width - 100.0).abs() < 1e-6);
        assert!(numbers.drift("V").is_some());
        assert!(Numbers::default().spread("V").is_none() && Numbers::default().rates().is_none());
    }

    #[test]
    fn of_many_rows_some_are_looked_at() {
        let range = RowRange::new(7, 50_000_007);
        let first = parts(range, Which::First);
        assert_eq!(first, [RowRange::new(7, 200_007)]);
        let all = parts(range, Which::All);
        assert_eq!(all.iter().map(|part| part.len()).sum::<u64>(), MOST);
        assert_eq!((all[0].start, all.last().unwrap().end), (7, 50_000_007));
        assert_eq!(parts(RowRange::new(0, 5), Which::All), [RowRange::new(0, 5)]);
    }

    #[test]
    fn four_digits_count() {
        let shown = [0.0, 2.608_695, 1234.56, 1_000_000.0, 0.000_123_412, -20.0].map(short);
        assert_eq!(shown, ["0", "2.609", "1235", "1000000", "0.0001234", "-20"]);
    }
}
