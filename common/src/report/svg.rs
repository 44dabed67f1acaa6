//! Charts as SVG: two axes, and on them lines, bands, bars and shaded spans. Colours are the page's, by class.
//!
//! Places are whole tenths of a unit: finer than a screen shows, and short.

use std::fmt::Write as _;

use super::html::Escaped;
use crate::axis::Axis;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 260.0;
const TOP: f64 = 24.0;
const RIGHT: f64 = 14.0;
const BOTTOM: f64 = 42.0;
/// About what a character of a label takes.
const LETTER: f64 = 7.0;
/// Ticks of an axis at most.
const TICKS: [usize; 2] = [6, 5];

/// One axis: its ends, its unit, and what is along it.
#[derive(Clone, Debug)]
pub(super) struct Along<'t> {
    pub(super) ends: (f64, f64),
    pub(super) unit: &'t str,
    pub(super) name: &'t str,
}

impl Along<'_> {
    /// Its name with the unit of its labels.
    fn title(&self, axis: &Axis) -> String {
        if axis.unit.is_empty() {
            self.name.to_owned()
        } else {
            format!("{} ({})", self.name, axis.unit)
        }
    }
}

/// A little more than from the smallest to the largest value; around equal ones too. None where no value is finite.
pub(super) fn around(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let mut ends: Option<(f64, f64)> = None;
    for value in values.filter(|value| value.is_finite()) {
        let (low, high) = ends.unwrap_or((value, value));
        ends = Some((low.min(value), high.max(value)));
    }
    let (low, high) = ends?;
    let size = low.abs().max(high.abs());
    let margin = match high - low {
        span if span > size * 1e-6 => span * 0.05,
        _ if size > 0.0 => size * 0.1,
        _ => 1.0,
    };
    let wider = (low - margin, high + margin);
    (wider.0.is_finite() && wider.1.is_finite() && wider.0 < wider.1).then_some(wider)
}

/// From zero to a little more than the largest value.
pub(super) fn from_zero(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let most = values.filter(|value| value.is_finite()).fold(0.0, f64::max);
    if most > 0.0 { (0.0, most * 1.05) } else { (0.0, 1.0) }
}

/// A picture that grows.
#[derive(Debug)]
pub(super) struct Chart {
    x: Axis,
    y: Axis,
    left: f64,
    body: String,
}

impl Chart {
    /// Empty axes.
    pub(super) fn new(x: &Along<'_>, y: &Along<'_>) -> Self {
        let axis = |along: &Along<'_>, most: usize| {
            let (start, end) = along.ends;
            let end = if start < end { end } else { start + 1.0 };
            let narrow = |axis: &Axis| {
                let letters: usize = axis.ticks.iter().map(|tick| tick.label.chars().count() + 2).sum();
                letters as f64 * LETTER < WIDTH - 90.0
            };
            Axis::new(start, end, along.unit, most, narrow)
        };
        let mut chart = Self {
            x: axis(x, TICKS[0]),
            y: axis(y, TICKS[1]),
            left: 0.0,
            body: String::new(),
        };
        chart.left = 14.0 + chart.y.widest() as f64 * LETTER;
        chart.frame(x, y);
        chart
    }

    fn frame(&mut self, x: &Along<'_>, y: &Along<'_>) {
        let (left, right, bottom) = (self.left, WIDTH - RIGHT, HEIGHT - BOTTOM);
        let titles = [x.title(&self.x), y.title(&self.y)];
        let (mut grid, mut labels) = (String::new(), String::new());
        for tick in &self.x.ticks {
            let at = self.across(tick.value);
            let _ = write!(grid, "M{at:.1} {TOP}V{bottom}");
            let middle = at.min(WIDTH - tick.label.chars().count() as f64 * LETTER / 2.0);
            let below = bottom + 15.0;
            let _ = write!(
                labels,
                "<text x=\"{middle:.1}\" y=\"{below}\" text-anchor=\"middle\">{}</text>",
                Escaped(&tick.label)
            );
        }
        for tick in &self.y.ticks {
            let at = self.down(tick.value);
            let _ = write!(grid, "M{left:.1} {at:.1}H{right}");
            let _ = write!(
                labels,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 6.0,
                at + 4.0,
                Escaped(&tick.label)
            );
        }
        let _ = writeln!(
            self.body,
            "<path class=\"grid\" d=\"{grid}\"/><path class=\"frame\" d=\"M{left:.1} {TOP}V{bottom}H{right}\"/>{labels}\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text><text x=\"4\" y=\"14\">{}</text>",
            left.midpoint(right),
            HEIGHT - 8.0,
            Escaped(&titles[0]),
            Escaped(&titles[1])
        );
    }

    fn across(&self, x: f64) -> f64 {
        self.left + self.x.place(x).clamp(0.0, 1.0) * (WIDTH - RIGHT - self.left)
    }

    fn down(&self, y: f64) -> f64 {
        HEIGHT - BOTTOM - self.y.place(y).clamp(0.0, 1.0) * (HEIGHT - BOTTOM - TOP)
    }

    /// A place in tenths; none where it is no number.
    fn tenths(&self, (x, y): (f64, f64)) -> Option<(i64, i64)> {
        #[expect(clippy::cast_possible_truncation, reason = "within the picture")]
        let tenths = |value: f64| (value * 10.0).round() as i64;
        (x.is_finite() && y.is_finite()).then(|| (tenths(self.across(x)), tenths(self.down(y))))
    }

    /// From place to place; a place alone is a dot. In steps from one to the next, which are shorter than places.
    fn path(&self, points: impl Iterator<Item = (f64, f64)>) -> String {
        let mut path = String::new();
        let mut before: Option<(i64, i64)> = None;
        let mut steps = 0;
        for (x, y) in points.filter_map(|point| self.tenths(point)) {
            match before {
                Some(same) if same == (x, y) => continue,
                Some((a, b)) => {
                    let letter = if steps == 0 { "l" } else { " " };
                    let _ = write!(path, "{letter}{} {}", x - a, y - b);
                    steps += 1;
                }
                None => {
                    let _ = write!(path, "M{x} {y}");
                }
            }
            before = Some((x, y));
        }
        if steps == 0 && before.is_some() {
            path.push_str("h1");
        }
        path
    }

    fn draw(&mut self, class: &str, path: &str) {
        if !path.is_empty() {
            let _ = writeln!(
                self.body,
                "<path class=\"{class}\" transform=\"scale(.1)\" d=\"{path}\"/>"
            );
        }
    }

    /// A line through points.
    pub(super) fn line(&mut self, class: &str, points: impl Iterator<Item = (f64, f64)>) {
        let path = self.path(points);
        self.draw(class, &path);
    }

    /// What lies between two values: `(x, low, high)`.
    pub(super) fn band(&mut self, class: &str, points: &[(f64, f64, f64)]) {
        let there = points.iter().map(|(x, low, _)| (*x, *low));
        let back = points.iter().rev().map(|(x, _, high)| (*x, *high));
        let path = self.path(there.chain(back));
        if points.len() > 1 {
            self.draw(class, &(path + "z"));
        }
    }

    /// A bar from one value to another, as high as its count.
    pub(super) fn bars(&mut self, bars: impl Iterator<Item = (f64, f64, f64)>) {
        let (mut path, floor) = (String::new(), self.y.start);
        for (from, to, height) in bars.filter(|(_, _, height)| *height > 0.0) {
            let corners = [(from, floor), (from, height), (to, height), (to, floor)];
            path.push_str(&self.path(corners.into_iter()));
            path.push('z');
        }
        self.draw("bar", &path);
    }

    /// From one place to another, over the whole height. What is narrower than a hair is one.
    pub(super) fn span(&mut self, from: f64, to: f64) {
        let (left, right) = (self.across(from), self.across(to));
        let bottom = HEIGHT - BOTTOM;
        let _ = writeln!(
            self.body,
            "<path class=\"gap\" d=\"M{left:.1} {TOP}H{:.1}V{bottom}H{left:.1}z\"/>",
            right.max(left + 1.0)
        );
    }

    /// The picture: its number on the page, its title, and what is to be seen on it in words.
    pub(super) fn finish(self, number: usize, title: &str, description: &str) -> String {
        format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"t{number} d{number}\">\n\
             <title id=\"t{number}\">{}</title><desc id=\"d{number}\">{}</desc>\n{}</svg>\n",
            Escaped(title),
            Escaped(description),
            self.body
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(x: (f64, f64), y: (f64, f64)) -> Chart {
        let along = |ends, unit| Along {
            ends,
            unit,
            name: "<x>",
        };
        Chart::new(&along(x, "s"), &along(y, "V"))
    }

    #[test]
    fn a_path_is_made_of_steps_and_skips_what_is_no_number() {
        let chart = chart((0.0, 1.0), (0.0, 1.0));
        let (left, right) = (chart.left * 10.0, (WIDTH - RIGHT) * 10.0);
        let path = chart.path([(0.0, 0.0), (f64::NAN, 1.0), (1.0, 1.0), (1.0, 1.0), (1.0, 0.0)].into_iter());
        let (down, up) = ((HEIGHT - BOTTOM) * 10.0, (HEIGHT - BOTTOM - TOP) * 10.0);
        assert_eq!(path, format!("M{left} {down}l{} -{up} 0 {up}", right - left));
        assert_eq!(chart.path([(0.0, 0.0)].into_iter()), format!("M{left} {down}h1"));
        assert_eq!(chart.path(std::iter::empty()), "");
    }

    #[test]
    fn nothing_leaves_the_picture_and_texts_are_escaped() {
        let mut chart = chart((5.0, 5.0), (-1e-3, 1e-3));
        chart.line("line", [(-1e300, -1e300), (1e300, 1e300)].into_iter());
        chart.bars([(0.0, 1.0, 7.0), (1.0, 2.0, f64::NAN)].into_iter());
        chart.span(5.5, 5.5);
        chart.band("band", &[(0.0, 1.0, 2.0)]);
        let svg = chart.finish(3, "<b>", "\"&");
        assert!(svg.contains("<title id=\"t3\">&lt;b&gt;</title>"), "{svg}");
        assert!(
            svg.contains("&lt;x&gt; (mV)") && !svg.contains("NaN") && !svg.contains("inf"),
            "{svg}"
        );
        assert!(!svg.contains("class=\"band\""), "{svg}");
    }

    #[test]
    fn flat_values_have_room_around_them() {
        assert_eq!(around([2.0, f64::NAN].into_iter()), Some((1.8, 2.2)));
        assert_eq!(around([0.0].into_iter()), Some((-1.0, 1.0)));
        assert_eq!(around([f64::NAN].into_iter()), None);
        assert_eq!(from_zero(std::iter::empty()), (0.0, 1.0));
    }
}
