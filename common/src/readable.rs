//! Measured values and times as people read them: on the screen and in the report.

use jiff::SignedDuration;
use jiff::civil::DateTime;

/// Nanoseconds since 1970 as a date and time of day, to the microsecond: the instrument's own local time.
pub fn date(ns: i64) -> String {
    let since = SignedDuration::from_micros(ns.div_euclid(1000));
    let civil = DateTime::constant(1970, 1, 1, 0, 0, 0, 0).checked_add(since);
    civil.map_or_else(
        |_| format!("{ns} ns"),
        |civil| civil.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string(),
    )
}

/// Prefixes of units, a factor of 1000 from one to the next.
pub const PREFIXES: [&str; 10] = ["a", "f", "p", "n", "µ", "m", "", "k", "M", "G"];

/// A measured value with four digits and the unit's prefix: `-23.96 mV`.
pub fn si(value: f64, unit: &str) -> String {
    const PLAIN: i32 = 6;
    if !value.is_finite() {
        return "-".to_owned();
    }
    if value == 0.0 {
        return format!("0 {unit}");
    }
    // Rounded first, so that 999.96 m becomes 1.000.
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an exponent of ten has at most three digits"
    )]
    let thousands = (rounded.abs().log10().floor() as i32).div_euclid(3);
    let place = (thousands + PLAIN).clamp(0, 9);
    let scaled = rounded / 10_f64.powi((place - PLAIN) * 3);
    let decimals = match scaled.abs() {
        size if size < 9.9995 => 3,
        size if size < 99.995 => 2,
        _ => 1,
    };
    format!(
        "{scaled:.decimals$} {}{unit}",
        PREFIXES[usize::try_from(place).unwrap_or(6)]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_four_digits_and_a_prefix() {
        for (value, text) in [
            (0.0, "0 V"),
            (-0.023_959_04, "-23.96 mV"),
            (1.0, "1.000 V"),
            (0.999_96, "1.000 V"),
            (0.099_999_9, "100.0 mV"),
            (1e-9, "1.000 nV"),
            (9.999_999_717e-10, "1.000 nV"),
            (12_346.0, "12.35 kV"),
            (f64::NAN, "-"),
            (f64::INFINITY, "-"),
        ] {
            assert_eq!(si(value, "V"), text, "{value}");
        }
    }

    #[test]
    fn dates_are_those_of_the_instruments_clock() {
        assert_eq!(date(1_667_985_832_112_417_110), "2022-11-09 09:23:52.112417");
        assert_eq!(date(-1), "1969-12-31 23:59:59.999999");
    }
}
