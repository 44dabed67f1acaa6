//! Which rows, which samples of each, and which of a file's two arrays a conversion takes. Pure.
//!
//! The rule for all of them: what is taken equals, bit for bit, that part of what would have been made of everything.
//! A baseline is therefore still the level of a record's first samples, also of samples that are not taken.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::trc::WaveArray;
use crate::units::{RowRange, count};

/// All three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// `--rows`, `--every`
    pub rows: RowSelection,
    /// `--samples`, `--time`
    pub samples: SampleSelection,
    /// `--array`
    pub array: WaveArray,
}

impl Selection {
    /// What is not as by default, as one would type it.
    pub fn flags(&self) -> Vec<String> {
        let mut flags = Vec::new();
        if !self.rows.is_all() {
            flags.push(self.rows.to_string());
        }
        match self.samples {
            SampleSelection::All => {}
            SampleSelection::Indices(span) => flags.push(format!("--samples {span}")),
            SampleSelection::Time(span) => flags.push(format!("--time {span}")),
        }
        if self.array == WaveArray::Second {
            flags.push("--array 2".to_owned());
        }
        flags
    }
}

/// Which of the rows that there would be become rows of the array, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowSelection {
    /// The first.
    pub start: u64,
    /// One past the last; none: to the end.
    pub end: Option<u64>,
    /// Of these every so many, beginning with the first.
    pub every: NonZeroU64,
}

impl Default for RowSelection {
    fn default() -> Self {
        Self {
            start: 0,
            end: None,
            every: NonZeroU64::MIN,
        }
    }
}

impl RowSelection {
    /// Whether nothing is left out, however many rows there are.
    pub fn is_all(&self) -> bool {
        *self == Self::default()
    }

    /// How many of the rows below `row` are taken: the number in the array of the first that is not below.
    pub fn before(&self, row: u64) -> u64 {
        let end = self.end.map_or(row, |end| end.min(row));
        end.saturating_sub(self.start).div_ceil(self.every.get())
    }

    /// The rows of the array that are taken from `rows`.
    pub fn taken(&self, rows: RowRange) -> RowRange {
        RowRange::new(self.before(rows.start), self.before(rows.end))
    }

    /// As a sentence holds it: a span that ends in a colon needs quotes there.
    pub fn quoted(&self) -> String {
        let Self { start, end, every } = self;
        let end = end.map_or_else(String::new, |end| end.to_string());
        let every = if every.get() > 1 {
            format!(" --every {every}")
        } else {
            String::new()
        };
        format!("--rows '{start}:{end}'{every}")
    }

    /// What number the array's row `taken` would have if all rows were taken.
    pub fn row(&self, taken: u64) -> u64 {
        self.start + taken * self.every.get()
    }
}

impl fmt::Display for RowSelection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start, end, every } = self;
        write!(f, "--rows {start}:")?;
        end.iter().try_for_each(|end| write!(f, "{end}"))?;
        if every.get() > 1 {
            write!(f, " --every {every}")?;
        }
        Ok(())
    }
}

/// Which samples of each record become samples of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SampleSelection {
    /// Every one.
    #[default]
    All,
    /// By number, from 0.
    Indices(Span<u32>),
    /// Those nearest to two times on the axis of the channel's reference file (0: its trigger), the second excluded.
    Time(Span<Picoseconds>),
}

/// From `start` up to, not including, `end`; none: from the first, to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span<T> {
    /// The first.
    pub start: Option<T>,
    /// One past the last.
    pub end: Option<T>,
}

/// Consecutive samples of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first.
    pub first: u32,
    /// How many.
    pub samples: u32,
}

/// The horizontal axis of a record.
#[derive(Clone, Copy, Debug)]
pub struct Axis<'u> {
    /// Where its first sample lies.
    pub offset: f64,
    /// From one sample to the next.
    pub interval: f32,
    /// In what both are.
    pub unit: &'u str,
}

/// Why a selection takes no samples of a channel.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoWindow {
    /// More than there are.
    #[error("--samples '{span}': its rows have {} samples; choose a smaller end", count((*record).into()))]
    Beyond {
        /// As asked.
        span: Span<u32>,
        /// As found.
        record: u32,
    },
    /// The two times lie before, behind or between the samples.
    #[error(
        "--time '{span}': no sample lies there; its rows reach from {} to {}; choose times in between",
        time(*from),
        time(*to)
    )]
    NoneThere {
        /// As asked.
        span: Span<Picoseconds>,
        /// The first sample's time.
        from: f64,
        /// The last sample's time.
        to: f64,
    },
    /// Frequencies, for example.
    #[error("--time: its horizontal axis is in {unit:?}, not in seconds; use --samples")]
    NotTime {
        /// HORUNIT.
        unit: String,
    },
}

impl SampleSelection {
    /// The samples taken of records of `record` samples. A time that lies before the first or behind the last sample
    /// means that one; a number that does is an error.
    pub fn window(&self, record: u32, axis: Axis<'_>) -> Result<Window, NoWindow> {
        let (first, end) = match *self {
            Self::All => (0, record),
            Self::Indices(span) => {
                let (first, end) = (span.start.unwrap_or(0), span.end.unwrap_or(record));
                if end > record || first >= end {
                    return Err(NoWindow::Beyond { span, record });
                }
                (first, end)
            }
            Self::Time(span) => {
                let nearest =
                    |time: Option<Picoseconds>, otherwise| time.map_or(otherwise, |time| axis.nearest(time, record));
                if !axis.unit.eq_ignore_ascii_case("s") {
                    return Err(NoWindow::NotTime {
                        unit: axis.unit.to_owned(),
                    });
                }
                let (first, end) = (nearest(span.start, 0), nearest(span.end, record));
                if first >= end {
                    return Err(NoWindow::NoneThere {
                        span,
                        from: axis.offset,
                        to: axis.time(record.saturating_sub(1)),
                    });
                }
                (first, end)
            }
        };
        Ok(Window {
            first,
            samples: end - first,
        })
    }
}

impl Axis<'_> {
    fn time(&self, sample: u32) -> f64 {
        self.offset + f64::from(sample) * f64::from(self.interval)
    }

    /// The sample nearest to a time, `record` for all times behind the last.
    fn nearest(&self, time: Picoseconds, record: u32) -> u32 {
        let sample = ((time.seconds() - self.offset) / f64::from(self.interval)).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped to a u32; NaN, of an interval that is none, gives 0"
        )]
        let sample = sample.clamp(0.0, record.into()) as u32;
        sample
    }
}

/// A time on a trace's axis. Whole picoseconds, so that the plan and the channel's JSON hold exactly what was asked for;
/// the fastest instruments take a sample every 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Picoseconds(pub i64);

/// Longest first.
const UNITS: [(&str, i64); 5] = [
    ("s", 1_000_000_000_000),
    ("ms", 1_000_000_000),
    ("us", 1_000_000),
    ("ns", 1_000),
    ("ps", 1),
];

impl Picoseconds {
    fn seconds(self) -> f64 {
        self.0 as f64 / 1e12
    }
}

impl fmt::Display for Picoseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, factor)| self.0 % factor == 0);
        let (unit, factor) = whole.expect("every number is one of whole picoseconds");
        write!(f, "{}{unit}", self.0 / factor)
    }
}

/// A time in seconds as it could be typed: `-60.535ns`.
fn time(seconds: f64) -> String {
    let picoseconds = seconds * 1e12;
    let fits = |factor: i64| picoseconds.abs() >= factor as f64;
    let unit = UNITS.iter().find(|(_, factor)| fits(*factor));
    let (unit, factor) = unit.copied().unwrap_or(("ps", 1));
    let text = format!("{:.3}", picoseconds / factor as f64);
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

/// A selection that could not be read; says what to write.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSelection {
    /// No time.
    #[error("not a time: {0:?} (write for example -1us, 2.5ms, 0, 40ns)")]
    Time(String),
    /// No number.
    #[error("not a number: {0:?} (rows and samples are counted from 0)")]
    Number(String),
    /// Not two of them.
    #[error("not a span: {0:?} (write START:END, START: or :END; END itself is not taken)")]
    Span(String),
    /// The other way round.
    #[error("{0:?} takes nothing: the end must lie behind the start (write START:END; END itself is not taken)")]
    Empty(String),
}

impl FromStr for Picoseconds {
    type Err = BadSelection;

    /// Reads `-1us`, `2.5 ms`, `1e-6`; a bare number is seconds.
    fn from_str(text: &str) -> Result<Self, BadSelection> {
        let bad = || BadSelection::Time(text.to_owned());
        let plain = text.trim().replace(['µ', 'μ'], "u").to_ascii_lowercase();
        // `ms` ends in `s` as well: the longest that fits.
        let unit = UNITS.iter().rev().find(|(unit, _)| plain.ends_with(unit));
        let (unit, factor) = unit.copied().unwrap_or(("", UNITS[0].1));
        let number: f64 = plain[..plain.len() - unit.len()].trim().parse().map_err(|_| bad())?;
        let value = (number * factor as f64).round();
        #[expect(clippy::cast_possible_truncation, reason = "checked to lie in an i64")]
        (value.abs() < 9.0e18).then_some(Self(value as i64)).ok_or_else(bad)
    }
}

/// Reads the number of a row or a sample.
pub fn number<T: FromStr>(text: &str) -> Result<T, BadSelection> {
    text.parse().map_err(|_| BadSelection::Number(text.to_owned()))
}

impl<T: PartialOrd> Span<T> {
    /// Reads `A:B`, `A:`, `:B` or `:`, each of the two with `part`.
    pub fn read(text: &str, part: impl Fn(&str) -> Result<T, BadSelection>) -> Result<Self, BadSelection> {
        let (start, end) = text
            .split_once(':')
            .ok_or_else(|| BadSelection::Span(text.to_owned()))?;
        let part = |text: &str| match text.trim() {
            "" => Ok(None),
            text => part(text).map(Some),
        };
        match (part(start)?, part(end)?) {
            (Some(start), Some(end)) if start >= end => Err(BadSelection::Empty(text.to_owned())),
            (start, end) => Ok(Self { start, end }),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Span<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.start.iter().try_for_each(|start| start.fmt(f))?;
        f.write_str(":")?;
        self.end.iter().try_for_each(|end| end.fmt(f))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn axis(offset: f64, interval: f32) -> Axis<'static> {
        Axis {
            offset,
            interval,
            unit: "S",
        }
    }

    fn times(text: &str) -> SampleSelection {
        SampleSelection::Time(Span::read(text, str::parse).unwrap())
    }

    proptest! {
        #[test]
        fn rows_are_numbered_as_a_slow_count_does(
            start in 0u64..20, end in proptest::option::of(0u64..40), every in 1u64..7, row in 0u64..50,
        ) {
            let every = NonZeroU64::new(every).unwrap();
            let selection = RowSelection { start, end, every };
            let taken: Vec<u64> = (start..end.unwrap_or(100)).step_by(usize::try_from(every.get()).unwrap()).collect();
            prop_assert_eq!(selection.before(row), taken.iter().filter(|&&taken| taken < row).count() as u64);
            for (k, &row) in (0..).zip(&taken) {
                prop_assert_eq!(selection.row(k), row);
            }
        }
    }

    #[test]
    fn spans_are_read_as_people_write_them() {
        let read = |text: &str| Span::<u32>::read(text, number);
        let span = |start, end| Ok(Span { start, end });
        assert_eq!(read("3:10"), span(Some(3), Some(10)));
        assert_eq!(read(" 3 : "), span(Some(3), None));
        assert_eq!(read(":10"), span(None, Some(10)));
        assert_eq!(read(":"), span(None, None));
        for (text, said) in [
            ("10", "not a span: \"10\""),
            ("5:5", "takes nothing"),
            ("6:5", "takes nothing"),
            ("a:5", "not a number: \"a\""),
            ("-1:5", "not a number: \"-1\""),
            ("0:99999999999", "not a number"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        assert_eq!(read("3:").unwrap().to_string(), "3:");
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, picoseconds, shown) in [
            ("-1us", -1_000_000, "-1us"),
            ("5µs", 5_000_000, "5us"),
            ("2.5 ms", 2_500_000_000, "2500us"),
            ("40NS", 40_000, "40ns"),
            ("1e-6", 1_000_000, "1us"),
            ("0", 0, "0s"),
            ("3s", 3_000_000_000_000, "3s"),
            ("7ps", 7, "7ps"),
        ] {
            let time: Picoseconds = text.parse().unwrap();
            assert_eq!((time.0, time.to_string().as_str()), (picoseconds, shown), "{text}");
        }
        for text in ["", "us", "1 hour", "1e99", "nan", "inf s", "1:2"] {
            assert!(text.parse::<Picoseconds>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_take_the_nearest_samples_and_stop_at_the_record() {
        // Samples at -2, -1, 0, ... 7 us, and a little beside.
        let axis = axis(-2.000_000_1e-6, 1e-6);
        let window = |text: &str| times(text).window(10, axis);
        let is = |first, samples| Ok(Window { first, samples });
        assert_eq!(window("-1us:5us"), is(1, 6));
        assert_eq!(window("-1.4us:4.6us"), is(1, 6));
        assert_eq!(window(":0"), is(0, 2));
        assert_eq!(window("0:"), is(2, 8));
        assert_eq!(window("-1s:1s"), is(0, 10));
        for text in ["8us:9us", "-9us:-8us", "1us:1.1us"] {
            let error = window(text).unwrap_err();
            assert!(matches!(error, NoWindow::NoneThere { .. }), "{text}: {error}");
        }
        let hertz = Axis { unit: "Hz", ..axis };
        assert!(matches!(times("0:1").window(10, hertz), Err(NoWindow::NotTime { .. })));
    }

    #[test]
    fn samples_that_are_not_there_are_refused() {
        let indices = |start, end| SampleSelection::Indices(Span { start, end });
        let axis = axis(0.0, 1.0);
        let is = |first, samples| Ok(Window { first, samples });
        assert_eq!(indices(Some(3), None).window(10, axis), is(3, 7));
        assert_eq!(indices(None, Some(10)).window(10, axis), is(0, 10));
        assert_eq!(SampleSelection::All.window(10, axis), is(0, 10));
        for (start, end) in [(None, Some(11)), (Some(10), None), (Some(3), Some(11))] {
            let error = indices(start, end).window(10, axis).unwrap_err();
            assert!(error.to_string().contains("10 samples"), "{error}");
        }
    }
}
