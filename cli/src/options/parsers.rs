//! Texts to values: what clap cannot read by itself.

use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use jiff::SignedDuration;
use trc2npy_common::convert::LEAST_MEMORY;
use trc2npy_common::selection::{BadSelection, Picoseconds, Span, number};
use trc2npy_common::units::{BadSize, Bytes};
use trc2npy_proto::BadWorkerName;

/// One word that an option takes: the word, what it means, its value.
pub(super) type Choice<T> = (&'static str, &'static str, T);

/// Reads one of `table`'s words.
pub(super) fn choice<T: Copy + Send + Sync + 'static>(table: &'static [Choice<T>]) -> impl TypedValueParser<Value = T> {
    let words = table
        .iter()
        .map(|(word, meaning, _)| PossibleValue::new(*word).help(*meaning));
    PossibleValuesParser::new(words).map(move |text| {
        table
            .iter()
            .find_map(|(word, _, value)| (*word == text).then_some(*value))
            .expect("the parser before lets only the table's words pass")
    })
}

/// Reads `10s`, `2m`, `500ms`; a bare number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let parsed = match text.trim().parse::<u32>() {
        Ok(seconds) => Ok(SignedDuration::from_secs(seconds.into())),
        Err(_) => text.trim().parse::<SignedDuration>(),
    };
    parsed
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "not a duration (write for example 10s, 2m or 500ms)".to_owned())
}

/// Reads a share above 0 and up to 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let value: f64 = text
        .trim()
        .parse()
        .map_err(|_| "not a number (write for example 0.85)".to_owned())?;
    if value > 0.0 && value <= 1.0 {
        Ok(value)
    } else {
        Err(format!("{value} is not a share between 0 and 1 (write 0.85 for 85 %)"))
    }
}

/// Reads `1%`, or the share itself: `0.01`.
pub(super) fn percentage(text: &str) -> Result<f64, String> {
    let bad = |_| "not a share (write for example 1% or 0.01)".to_owned();
    let value = match text.trim().strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map_err(bad)? / 100.0,
        None => text.trim().parse().map_err(bad)?,
    };
    if value > 0.0 && value <= 1.0 {
        Ok(value)
    } else {
        Err("not between 0 % and 100 % (write for example 1% or 0.01)".to_owned())
    }
}

/// Reads the number of a job.
pub(super) fn job(text: &str) -> Result<u64, String> {
    let number = text.trim().parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "a job has a number from 1 on; trc2npy jobs lists them".to_owned())
}

/// Reads what a worker is to be called.
pub(super) fn worker_name(text: &str) -> Result<String, BadWorkerName> {
    trc2npy_proto::worker_name(text).map(str::to_owned)
}

/// Reads what a worker may take of its machine's memory.
pub(super) fn worker_memory(text: &str) -> Result<Bytes, String> {
    let size: Bytes = text.parse().map_err(|error: BadSize| error.to_string())?;
    if size < LEAST_MEMORY {
        return Err(format!(
            "a worker needs at least {}MiB, for a small plan and the buffers of one thread; a plan of many files takes more",
            LEAST_MEMORY.0 >> 20
        ));
    }
    Ok(size)
}

/// Reads a number of threads, 1 to 1024.
pub(super) fn threads(text: &str) -> Result<NonZeroUsize, String> {
    text.trim()
        .parse()
        .ok()
        .filter(|n: &NonZeroUsize| n.get() <= 1024)
        .ok_or_else(|| "not a number of threads (1 to 1024)".to_owned())
}

/// Reads a number of samples.
pub(super) fn samples(text: &str) -> Result<u32, String> {
    text.trim()
        .parse()
        .map_err(|_| "not a number of samples (a whole number from 0 on)".to_owned())
}

/// Reads a number of samples that may be none at all.
pub(super) fn whole_number(text: &str) -> Result<i64, String> {
    let text = text.trim();
    text.parse()
        .map_err(|_| "not a number of samples (write for example 2000)".to_owned())
}

/// Reads which rows.
pub(super) fn rows(text: &str) -> Result<Span<u64>, BadSelection> {
    Span::read(text, number)
}

/// Reads which samples.
pub(super) fn sample_span(text: &str) -> Result<Span<u32>, BadSelection> {
    Span::read(text, number)
}

/// Reads from when to when.
pub(super) fn time_span(text: &str) -> Result<Span<Picoseconds>, BadSelection> {
    Span::read(text, str::parse)
}

/// Reads every how many.
pub(super) fn every(text: &str) -> Result<NonZeroU64, String> {
    text.trim()
        .parse()
        .map_err(|_| "not a number of rows (a whole number from 1 on)".to_owned())
}

/// Reads `yes`, `no` and their kin.
pub(super) fn yes_no(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err("neither yes nor no".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, millis) in [
            ("10s", 10_000),
            ("2m", 120_000),
            ("500ms", 500),
            ("0", 0),
            ("3", 3_000),
            ("1m 5s", 65_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "-5s", "soon", "10 parsecs", "1e3"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_can_be_written_in_percent() {
        for (text, value) in [
            ("1%", 0.01),
            ("0.01", 0.01),
            ("100 %", 1.0),
            ("1", 1.0),
            ("12.5%", 0.125),
        ] {
            assert_eq!(percentage(text), Ok(value), "{text}");
        }
        for text in ["0%", "101%", "5", "-1%", "%", "x", "nan%"] {
            assert!(percentage(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_percentage_is_not_taken_for_a_share() {
        assert_eq!(share("0.85"), Ok(0.85));
        assert_eq!(share("1"), Ok(1.0));
        for text in ["85", "0", "-0.1", "nan", "inf", "x"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
