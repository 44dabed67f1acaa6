//! The descriptor's timestamp, and the time of a row.

use std::fmt;

use jiff::SignedDuration;
use jiff::civil::Date;

/// TRIGGER_TIME as it stands in the file: the instrument's own local time, without a zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Timestamp {
    /// 0 up to, not including, 60; with fraction.
    pub seconds: f64,
    /// 0 to 59.
    pub minutes: i8,
    /// 0 to 23.
    pub hours: i8,
    /// 1 to 31.
    pub days: i8,
    /// 1 to 12.
    pub months: i8,
    /// With century.
    pub year: i16,
}

const EPOCH: Date = Date::constant(1970, 1, 1);
const NANOS: f64 = 1e9;

impl Timestamp {
    /// Nanoseconds since 1970-01-01 00:00 of the instrument's local time.
    ///
    /// None where the fields are no date and time (all zeros means unknown), or one outside the years that 64 bits
    /// of nanoseconds can hold. Seconds that round up to 60 carry into the minute.
    pub fn nanoseconds(&self) -> Option<i64> {
        let clock_is_sound =
            (0..60).contains(&self.minutes) && (0..24).contains(&self.hours) && (0.0..=60.0).contains(&self.seconds);
        if !clock_is_sound {
            return None;
        }
        let date = Date::new(self.year, self.months, self.days).ok()?;
        let days = date.duration_since(EPOCH).as_secs();
        let whole_minutes = days + i64::from(self.hours) * 3600 + i64::from(self.minutes) * 60;
        whole_minutes
            .checked_mul(1_000_000_000)?
            .checked_add(rounded(self.seconds * NANOS)?)
    }

    /// Whether every field is zero: the instrument knew no time.
    pub fn is_unset(&self) -> bool {
        self.seconds == 0.0 && [self.minutes, self.hours, self.days, self.months] == [0; 4] && self.year == 0
    }

    /// Equal in every bit, so that a NaN is equal to itself.
    pub(super) fn same(&self, other: &Self) -> bool {
        let key = |t: &Self| (t.seconds.to_bits(), t.minutes, t.hours, t.days, t.months, t.year);
        key(self) == key(other)
    }
}

impl fmt::Display for Timestamp {
    /// `2022-11-09T09:23:52.11241711`; `unknown` where unset; what is no date, as its bare numbers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_unset() {
            return f.write_str("unknown");
        }
        let civil = self
            .nanoseconds()
            .and_then(|ns| EPOCH.at(0, 0, 0, 0).checked_add(SignedDuration::from_nanos(ns)).ok());
        match civil {
            Some(civil) => write!(f, "{civil}"),
            None => write!(
                f,
                "{}-{}-{}T{}:{}:{}",
                self.year, self.months, self.days, self.hours, self.minutes, self.seconds
            ),
        }
    }
}

/// The time of a row: the file's trigger time and the segment's seconds since the first trigger, in nanoseconds since
/// 1970 of the instrument's local time. None where either is unknown or the sum leaves 64 bits.
pub fn row_time(trigger: Option<i64>, since_first_s: f64) -> Option<i64> {
    trigger?.checked_add(rounded(since_first_s * NANOS)?)
}

/// The nearest integer, where there is one.
fn rounded(value: f64) -> Option<i64> {
    // 2^63 as f64 is exact; the largest f64 below it is an i64.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let value = value.round();
    #[expect(clippy::cast_possible_truncation, reason = "checked to lie inside i64")]
    (-LIMIT < value && value < LIMIT).then_some(value as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(year: i16, months: i8, days: i8, hours: i8, minutes: i8, seconds: f64) -> Timestamp {
        Timestamp {
            seconds,
            minutes,
            hours,
            days,
            months,
            year,
        }
    }

    // Expected values: `date -u -d ... +%s`.
    #[test]
    fn dates_become_nanoseconds() {
        for (time, expected) in [
            (at(1970, 1, 1, 0, 0, 0.0), 0),
            (at(2022, 11, 9, 9, 23, 52.112_417_11), 1_667_985_832_112_417_110),
            (at(2024, 2, 29, 23, 59, 59.5), 1_709_251_199_500_000_000),
            (at(1969, 12, 31, 23, 59, 59.0), -1_000_000_000),
            // Rounds up to 60 s, out of the year.
            (at(2023, 12, 31, 23, 59, 59.999_999_999_9), 1_704_067_200_000_000_000),
            (at(2023, 12, 31, 23, 59, 59.999_999_9), 1_704_067_199_999_999_900),
        ] {
            assert_eq!(time.nanoseconds(), Some(expected), "{time:?}");
        }
    }

    #[test]
    fn what_is_no_date_is_unknown_and_no_error() {
        for time in [
            at(0, 0, 0, 0, 0, 0.0),
            at(2023, 13, 1, 0, 0, 0.0),
            at(2023, 2, 29, 0, 0, 0.0),
            at(2023, 1, 1, 24, 0, 0.0),
            at(2023, 1, 1, 0, 60, 0.0),
            at(2023, 1, 1, -1, 0, 0.0),
            at(2023, 1, 1, 0, 0, -0.5),
            at(2023, 1, 1, 0, 0, 61.0),
            at(2023, 1, 1, 0, 0, f64::NAN),
            at(2023, 1, 1, 0, 0, f64::INFINITY),
            at(i16::MIN, i8::MIN, i8::MIN, i8::MIN, i8::MIN, f64::MIN),
            at(1600, 1, 1, 0, 0, 0.0),
            at(2300, 1, 1, 0, 0, 0.0),
        ] {
            assert_eq!(time.nanoseconds(), None, "{time:?}");
        }
    }

    #[test]
    fn times_read_as_iso_or_as_they_are() {
        for (time, text) in [
            (at(2022, 11, 9, 9, 23, 52.25), "2022-11-09T09:23:52.25"),
            (at(2023, 12, 31, 23, 59, 60.0), "2024-01-01T00:00:00"),
            (at(0, 0, 0, 0, 0, 0.0), "unknown"),
            (at(2023, 13, 1, 0, 7, 0.5), "2023-13-1T0:7:0.5"),
        ] {
            assert_eq!(time.to_string(), text);
        }
    }

    #[test]
    fn a_row_lies_its_own_seconds_after_the_trigger() {
        assert_eq!(row_time(Some(10), 1.5e-9), Some(12));
        assert_eq!(row_time(Some(1_000), 0.007_458_397_749), Some(7_459_398_749 / 1_000));
        assert_eq!(row_time(None, 0.0), None);
        assert_eq!(row_time(Some(0), f64::NAN), None);
        assert_eq!(row_time(Some(0), 1e300), None);
        assert_eq!(row_time(Some(i64::MAX), 1.0), None);
    }
}
