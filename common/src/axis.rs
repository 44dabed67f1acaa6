//! The numbers along an axis: round ones, in a unit with a prefix, as many as there is room for.

use crate::readable::PREFIXES;

/// An axis from `start` to `end`.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Where it begins.
    pub start: f64,
    /// Where it ends.
    pub end: f64,
    /// The unit that the labels are in; may be empty.
    pub unit: String,
    /// Its numbers, in order.
    pub ticks: Vec<Tick>,
}

/// A number along an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where it stands.
    pub value: f64,
    /// What stands there, in the axis' unit.
    pub label: String,
}

impl Axis {
    /// An axis with at most `most` ticks, of which as many are taken as `fits` lets pass. `start` must be below `end`.
    pub fn new(start: f64, end: f64, unit: &str, most: usize, fits: impl Fn(&Self) -> bool) -> Self {
        let (exponent, unit) = prefixed(start.abs().max(end.abs()), unit);
        let mut axis = Self {
            start,
            end,
            unit,
            ticks: Vec::new(),
        };
        for most in (1..=most).rev() {
            axis.ticks = ticks(start, end, most, exponent);
            if fits(&axis) {
                return axis;
            }
        }
        axis.ticks.clear();
        axis
    }

    /// Where a value lies: 0 at the start, 1 at the end.
    pub fn place(&self, value: f64) -> f64 {
        (value - self.start) / (self.end - self.start)
    }

    /// Columns of the widest label.
    pub fn widest(&self) -> usize {
        self.ticks.iter().map(|tick| tick.label.len()).max().unwrap_or(0)
    }
}

/// The power of ten that the labels leave out, and the unit that says so.
fn prefixed(largest: f64, unit: &str) -> (i32, String) {
    /// Where the prefix that is none stands among all.
    const UNIT: i32 = 6;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an exponent of ten has at most three digits"
    )]
    let thousands = (largest.log10() + 1e-9).div_euclid(3.0) as i32;
    // Decibels and per cent have no prefixes.
    if unit.is_empty() || unit.starts_with("dB") || unit == "%" {
        let plain = (-1..=1).contains(&thousands);
        return match (plain, unit) {
            (true, _) => (0, unit.to_owned()),
            (false, "") => (thousands * 3, format!("1e{}", thousands * 3)),
            (false, unit) => (thousands * 3, format!("1e{} {unit}", thousands * 3)),
        };
    }
    let place = thousands + UNIT;
    // Far beyond the prefixes, where labels would be as long as lines.
    if !(-1..=10).contains(&place) && largest > 0.0 {
        return (thousands * 3, format!("1e{} {unit}", thousands * 3));
    }
    let place = place.clamp(0, 9);
    let prefix = usize::try_from(place).map_or("", |place| PREFIXES[place]);
    ((place - UNIT) * 3, format!("{prefix}{unit}"))
}

/// Multiples of 1, 2 or 5 times a power of ten: the narrowest step that makes at most `most`. One alone tells no scale: then
/// the next narrower step, which makes a few more.
fn ticks(start: f64, end: f64, most: usize, exponent: i32) -> Vec<Tick> {
    let scale = 10_f64.powi(exponent);
    let (start, end) = (start / scale, end / scale);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "an exponent of ten has at most three digits"
    )]
    let lowest = ((end - start) / most as f64).log10().floor() as i32 - 1;
    let steps = (lowest..lowest + 4).flat_map(|power| [1, 2, 5].map(|digit| Step { digit, power }));
    let mut narrower = Vec::new();
    for step in steps {
        let ticks = step.multiples(start, end, scale);
        match ticks.len() {
            0 | 1 if narrower.is_empty() => {}
            0 | 1 => return narrower,
            few if few <= most => return ticks,
            _ => narrower = ticks,
        }
    }
    narrower
}

struct Step {
    digit: u32,
    power: i32,
}

impl Step {
    /// Its multiples between two numbers, in units of `scale`; none where these are too large to be told apart by it.
    fn multiples(&self, start: f64, end: f64, scale: f64) -> Vec<Tick> {
        let (digit, tens) = (f64::from(self.digit), 10_f64.powi(self.power.abs()));
        // Not k * step, whose last bits can show.
        let multiple = |k: f64| {
            if self.power < 0 {
                k * digit / tens
            } else {
                k * digit * tens
            }
        };
        let step = multiple(1.0);
        // A little room: an end that is itself a multiple may lie beside it by rounding.
        let (first, last) = ((start / step - 1e-6).ceil(), (end / step + 1e-6).floor());
        let count = last - first + 1.0;
        if first.abs().max(last.abs()) > 1e12 || !(0.0..1e5).contains(&count) {
            return Vec::new();
        }
        let decimals = usize::try_from(-self.power).unwrap_or(0);
        let tick = |value: f64| Tick {
            value: value * scale,
            label: format!("{value:.decimals$}"),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 1e5"
        )]
        let count = count as u32;
        (0..count).map(|k| tick(multiple(first + f64::from(k)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(start: f64, end: f64, unit: &str, most: usize) -> (String, Vec<String>) {
        let axis = Axis::new(start, end, unit, most, |_| true);
        for tick in &axis.ticks {
            assert!((-1e-6..=1.000_001).contains(&axis.place(tick.value)), "{tick:?}");
        }
        (axis.unit, axis.ticks.into_iter().map(|tick| tick.label).collect())
    }

    #[test]
    fn ticks_are_round_numbers_in_a_unit_that_suits_them() {
        for (start, end, most, unit, expected) in [
            (
                -0.5e-6,
                2.002e-6,
                6,
                "µs",
                &["-0.5", "0.0", "0.5", "1.0", "1.5", "2.0"][..],
            ),
            (0.0, 1e-9, 5, "ns", &["0.0", "0.5", "1.0"]),
            (-0.031, 0.104, 4, "ms", &["0", "50", "100"]),
            (-2e-3, -1.999e-3, 3, "ms", &["-2.0000", "-1.9995", "-1.9990"]),
            (0.0, 7000.0, 8, "ks", &["0", "1", "2", "3", "4", "5", "6", "7"]),
            (0.3, 0.39, 1, "ms", &["300", "350"]),
            (-10.0, 330.0, 2, "s", &["0", "200"]),
            (
                1.0,
                1.0 + 1e-9,
                4,
                "s",
                &["1.0000000000", "1.0000000005", "1.0000000010"],
            ),
            (1.0, 1.0 + 1e-13, 4, "s", &[]),
        ] {
            let (shown, labels) = labels(start, end, "s", most);
            assert_eq!(
                (shown.as_str(), labels),
                (unit, expected.iter().map(ToString::to_string).collect())
            );
        }
    }

    #[test]
    fn what_has_no_prefix_gets_none() {
        assert_eq!(
            labels(-80.0, 0.0, "dBm", 5),
            (
                "dBm".to_owned(),
                ["-80", "-60", "-40", "-20", "0"].map(String::from).to_vec()
            )
        );
        assert_eq!(labels(0.0, 2e-9, "", 3).0, "1e-9");
        assert_eq!(labels(0.0, 0.02, "%", 3).1, ["0.00", "0.01", "0.02"]);
        assert_eq!(labels(0.0, 1e12, "Hz", 3).0, "GHz");
        assert_eq!(labels(0.0, 3e36, "V", 5).0, "1e36 V");
    }

    #[test]
    fn ticks_that_do_not_fit_become_fewer() {
        let axis = Axis::new(0.0, 10.0, "V", 20, |axis| axis.ticks.len() < 5);
        assert_eq!(axis.ticks.len(), 3, "{axis:?}");
        assert!(Axis::new(0.0, 10.0, "V", 20, |_| false).ticks.is_empty());
    }
}
