//! One named file of every kind that the format has, each with what must be read from it.

mod bad;
mod good;

use jiff::civil::date;
use jiff::tz::TimeZone;

use crate::trace::{Bits, ByteOrder, Template, TraceFile, TriggerTime};

/// A file and what a reader must make of it.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// Unique in the catalog; says what is special.
    pub name: String,
    /// The whole file.
    pub bytes: Vec<u8>,
    /// What is in it, or why it must be refused.
    pub expected: Result<Expected, Refusal>,
}

/// Why a file must be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// There is no `WAVEDESC` at its place.
    NotWaveform,
    /// Fewer bytes in the file than its blocks name.
    Truncated,
    /// Lengths or enums that contradict each other.
    Malformed,
}

/// What must be read from a good file.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// Offset of the descriptor in the file.
    pub start: usize,
    /// TEMPLATE_NAME.
    pub template: String,
    /// Byte order.
    pub order: ByteOrder,
    /// Width of a sample.
    pub bits: Bits,
    /// Segments, so rows.
    pub segments: u32,
    /// Samples of each segment.
    pub samples: u32,
    /// All samples, segment after segment.
    pub codes: Vec<i16>,
    /// Vertical units a code.
    pub gain: f32,
    /// What is subtracted.
    pub offset: f32,
    /// Seconds between samples.
    pub horiz_interval: f32,
    /// Seconds from the trigger to the first sample, of the file's first segment.
    pub horiz_offset: f64,
    /// Nanoseconds since 1970 in the instrument's own local time, rounded; none where TRIGGER_TIME is no date.
    pub trigger_time: Option<i64>,
    /// One for each segment.
    pub rows: Vec<RowTime>,
    /// Whether there is a TRIGTIME array.
    pub has_trigtime: bool,
    /// Bytes of WAVE_ARRAY_2.
    pub second_array: u64,
    /// WAVE_ARRAY_COUNT and the true number of samples, where they differ.
    pub count_mismatch: Option<(u32, u32)>,
    /// Bytes behind the last block.
    pub trailing: u64,
    /// INSTRUMENT_NAME.
    pub instrument: String,
    /// VERTUNIT.
    pub vert_unit: String,
    /// HORUNIT.
    pub hor_unit: String,
    /// RECORD_TYPE.
    pub record_type: i16,
    /// PROCESSING_DONE.
    pub processing_done: i16,
    /// Number of the channel that the header names (WAVE_SOURCE + 1), whatever it is worth.
    pub source_channel: i16,
}

/// When a segment was triggered, and where its samples begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowTime {
    /// Seconds since the file's first trigger; NaN where the file does not say.
    pub time: f64,
    /// Seconds from this trigger to the segment's first sample.
    pub offset: f64,
}

/// Every fixture: the good ones, then those that must be refused.
pub fn catalog() -> Vec<Fixture> {
    let mut all = good::fixtures();
    all.extend(bad::fixtures());
    all
}

fn fixture(name: impl Into<String>, file: &TraceFile) -> Fixture {
    Fixture {
        name: name.into(),
        bytes: file.to_bytes(),
        expected: Ok(Expected::of(file)),
    }
}

impl Expected {
    /// What the writer meant to say.
    fn of(file: &TraceFile) -> Self {
        let small = |n: usize| u32::try_from(n).expect("fixtures are small");
        let count = file.sample_count();
        let named = file
            .wave_array_count
            .map(|named| u32::try_from(named).expect("no fixture names fewer than none"));
        Self {
            start: file.descriptor_start(),
            template: file.template.name().to_owned(),
            order: file.order,
            bits: file.bits,
            segments: small(file.segments.len()),
            samples: small(count / file.segments.len()),
            codes: file
                .segments
                .iter()
                .flat_map(|segment| segment.codes.iter().copied())
                .collect(),
            gain: file.gain,
            offset: file.offset,
            horiz_interval: file.horiz_interval,
            horiz_offset: file.horiz_offset,
            trigger_time: nanoseconds(file.trigger_time),
            rows: file
                .segments
                .iter()
                .enumerate()
                .map(|(k, segment)| {
                    if file.trigtime {
                        RowTime {
                            time: segment.time,
                            offset: segment.offset,
                        }
                    } else {
                        // Only the first segment is known to lie at the file's trigger.
                        RowTime {
                            time: if k == 0 { 0.0 } else { f64::NAN },
                            offset: file.horiz_offset,
                        }
                    }
                })
                .collect(),
            has_trigtime: file.trigtime,
            second_array: (file.second_array.len() * file.bits.bytes()) as u64,
            count_mismatch: named
                .filter(|&named| named != small(count))
                .map(|named| (named, small(count))),
            trailing: file.trailing.len() as u64,
            instrument: latin1(&file.instrument),
            vert_unit: latin1(&file.vert_unit),
            hor_unit: latin1(&file.hor_unit),
            record_type: file.record_type,
            processing_done: file.processing_done,
            source_channel: file.wave_source + 1,
        }
    }
}

/// Nanoseconds since 1970 of an instrument's clock.
fn nanoseconds(at: TriggerTime) -> Option<i64> {
    if at == TriggerTime::default() {
        return None;
    }
    // Checked here, since `date(..)` and `at(..)` take only what is one.
    let valid = (1..=12).contains(&at.months)
        && (0..24).contains(&at.hours)
        && (0..60).contains(&at.minutes)
        && (0.0..60.0).contains(&at.seconds)
        && (1..=9999).contains(&at.year)
        && (1..=date(at.year, at.months, 1).days_in_month()).contains(&at.days);
    if !valid {
        return None;
    }
    let minute = date(at.year, at.months, at.days).at(at.hours, at.minutes, 0, 0);
    let minute = TimeZone::UTC.to_timestamp(minute).ok()?.as_second();
    #[expect(clippy::cast_possible_truncation, reason = "below 60e9")]
    let within = (at.seconds * 1e9).round() as i64;
    minute.checked_mul(1_000_000_000)?.checked_add(within)
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

/// The two forms that a descriptor has, in both orders.
fn forms() -> impl Iterator<Item = (Template, ByteOrder, &'static str)> {
    [
        (Template::Lecroy2_3, ByteOrder::Little, "2.3 le"),
        (Template::Lecroy2_3, ByteOrder::Big, "2.3 be"),
        (Template::Lecroy2_2, ByteOrder::Little, "2.2 le"),
        (Template::Lecroy2_2, ByteOrder::Big, "2.2 be"),
        (Template::Lecroy1_0, ByteOrder::Little, "1.0 le"),
        (Template::Lecroy1_0, ByteOrder::Big, "1.0 be"),
    ]
    .into_iter()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_every_refusal_occurs() {
        let all = catalog();
        let names: BTreeSet<&str> = all.iter().map(|fixture| fixture.name.as_str()).collect();
        assert_eq!(names.len(), all.len());
        for refusal in [Refusal::NotWaveform, Refusal::Truncated, Refusal::Malformed] {
            assert!(
                all.iter().any(|fixture| fixture.expected == Err(refusal)),
                "{refusal:?}"
            );
        }
        assert!(all.iter().filter(|fixture| fixture.expected.is_ok()).count() > 50);
    }

    #[test]
    fn the_clock_is_counted_from_1970() {
        let at = |year, months, days, hours, minutes, seconds| {
            nanoseconds(TriggerTime {
                seconds,
                minutes,
                hours,
                days,
                months,
                year,
            })
        };
        // date -u -d '2022-11-09 09:23:52' +%s
        assert_eq!(at(2022, 11, 9, 9, 23, 52.112_417_11), Some(1_667_985_832_112_417_110));
        assert_eq!(at(1970, 1, 1, 0, 0, 0.0), Some(0));
        assert_eq!(
            at(2024, 2, 29, 23, 59, 59.999_999_999_9),
            Some(1_709_251_200_000_000_000)
        );
        assert_eq!(at(2023, 2, 29, 0, 0, 0.0), None);
        assert_eq!(at(2023, 13, 1, 0, 0, 0.0), None);
        assert_eq!(at(2023, 1, 1, 0, 0, 60.0), None);
        assert_eq!(at(2023, 1, 1, 24, 0, 0.0), None);
        assert_eq!(nanoseconds(TriggerTime::default()), None);
    }
}
