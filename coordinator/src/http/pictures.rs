//! Drawing: axes, lines and bars as SVG, of numbers that someone else has read. Knows no file and no job.
//!
//! Colours stand in attributes, for the page lets no inline style in; so each picture is made for a light or a dark page.

use std::fmt::Write as _;

use super::page::escaped;

/// As the page shows them; see `pictures` there.
pub(super) const WIDTH: f64 = 480.0;
pub(super) const HEIGHT: f64 = 230.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 44.0;

/// A curve or a row of bars, in the axes' units.
pub(super) type Points = Vec<(f64, f64)>;

/// What an axis is called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis<'a> {
    /// What is along it.
    pub(super) name: &'a str,
    /// Its unit; empty for plain numbers, which get no prefix.
    pub(super) unit: &'a str,
}

/// How a panel is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Each curve in a colour of its own.
    Lines,
    /// All curves in one thin colour, so that what they have in common is seen.
    Overlay,
    /// Bars from zero, each at the middle of its part.
    Bars,
}

/// One pair of axes with what is in them.
#[derive(Clone, Debug)]
pub(super) struct Panel<'a> {
    pub(super) title: String,
    pub(super) x: Axis<'a>,
    pub(super) y: Axis<'a>,
    pub(super) style: Style,
    pub(super) curves: Vec<Points>,
}

struct Ink {
    text: &'static str,
    grid: &'static str,
    lines: [&'static str; 6],
    overlay: &'static str,
}

const LIGHT: Ink = Ink {
    text: "#3c4650",
    grid: "#d9dee3",
    lines: ["#1f6fb2", "#b4501e", "#2f7d4f", "#8a3ea8", "#8a6d00", "#b02a55"],
    overlay: "#1f6fb2",
};
const DARK: Ink = Ink {
    text: "#c3ccd5",
    grid: "#333c45",
    lines: ["#6db3f2", "#f0965a", "#6fcf97", "#cf94e8", "#e0c04a", "#f27aa0"],
    overlay: "#6db3f2",
};

/// A panel as a picture.
pub(super) fn drawn(panel: &Panel<'_>, dark: bool) -> String {
    let ink = if dark { &DARK } else { &LIGHT };
    let mut svg = opened();
    draw(&mut svg, panel, ink);
    svg.push_str("</svg>");
    svg
}

/// A sentence in place of a picture.
pub(super) fn sentence(text: &str, dark: bool) -> String {
    let ink = if dark { &DARK } else { &LIGHT };
    let mut svg = opened();
    label(&mut svg, (WIDTH / 2.0, HEIGHT / 2.0), "middle", ink, text);
    svg.push_str("</svg>");
    svg
}

fn opened() -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"system-ui, sans-serif\" font-size=\"14\">"
    )
}

fn draw(svg: &mut String, panel: &Panel<'_>, ink: &Ink) {
    let all = || panel.curves.iter().flatten();
    let x = Scale::of(all().map(|point| point.0), (LEFT, WIDTH - RIGHT), false);
    let from_zero = panel.style == Style::Bars;
    let y = Scale::of(all().map(|point| point.1), (HEIGHT - BOTTOM, TOP), from_zero);
    axes(svg, panel, (&x, &y), ink);
    if panel.style == Style::Bars {
        for bars in &panel.curves {
            let step = (WIDTH - LEFT - RIGHT) / bars.len().max(1) as f64;
            for (at, (_, value)) in bars.iter().enumerate() {
                let (top, bottom) = (y.at(*value), y.at(0.0));
                let left = LEFT + at as f64 * step;
                let _ = write!(
                    svg,
                    "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
                    (step - 1.0).max(0.5),
                    (bottom - top).max(0.0),
                    ink.overlay
                );
            }
        }
        return;
    }
    for (at, curve) in panel.curves.iter().enumerate() {
        let (colour, opacity) = match panel.style {
            Style::Overlay => (ink.overlay, 0.3),
            Style::Lines | Style::Bars => (ink.lines[at % ink.lines.len()], 0.9),
        };
        let _ = write!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-opacity=\"{opacity}\" stroke-width=\"1.2\" points=\""
        );
        for (px, py) in curve {
            let _ = write!(svg, "{:.1},{:.1} ", x.at(*px), y.at(*py));
        }
        svg.push_str("\"/>");
    }
}

fn axes(svg: &mut String, panel: &Panel<'_>, (x, y): (&Scale, &Scale), ink: &Ink) {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let line = |svg: &mut String, (x1, y1): (f64, f64), (x2, y2): (f64, f64)| {
        let _ = write!(
            svg,
            "<path d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\" stroke=\"{}\"/>",
            ink.grid
        );
    };
    let (factor, prefix) = x.prefix(panel.x.unit);
    for tick in x.ticks(5) {
        line(svg, (x.at(tick), TOP), (x.at(tick), bottom));
        label(svg, (x.at(tick), bottom + 17.0), "middle", ink, &number(tick / factor));
    }
    let unit = |axis: Axis<'_>, prefix: &str| match axis.unit {
        "" => axis.name.to_owned(),
        unit => format!("{} ({prefix}{unit})", axis.name),
    };
    label(
        svg,
        (f64::midpoint(LEFT, right), bottom + 36.0),
        "middle",
        ink,
        &unit(panel.x, prefix),
    );
    let (factor, prefix) = y.prefix(panel.y.unit);
    for tick in y.ticks(4) {
        line(svg, (LEFT, y.at(tick)), (right, y.at(tick)));
        label(svg, (LEFT - 7.0, y.at(tick) + 4.0), "end", ink, &number(tick / factor));
    }
    label(svg, (8.0, 18.0), "start", ink, &unit(panel.y, prefix));
    label(svg, (right, 18.0), "end", ink, &panel.title);
}

fn label(svg: &mut String, (x, y): (f64, f64), anchor: &str, ink: &Ink, text: &str) {
    let _ = write!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{}\">{}</text>",
        ink.text,
        escaped(text)
    );
}

/// As short as the digits allow.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// From values to places in the picture.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64>, (from, to): (f64, f64), from_zero: bool) -> Self {
        let start = if from_zero {
            (0.0, 0.0)
        } else {
            (f64::INFINITY, f64::NEG_INFINITY)
        };
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold(start, |(low, high), value| (low.min(value), high.max(value)));
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        // A level line lies in the middle.
        let (low, high) = match high - low {
            width if width > 0.0 && width.is_finite() => (low, high),
            _ if from_zero => (0.0, 1.0),
            _ => (low - low.abs().max(1e-12) / 10.0, low + low.abs().max(1e-12) / 10.0),
        };
        let margin = if to < from { (high - low) * 0.05 } else { 0.0 };
        Self {
            low: if from_zero { low } else { low - margin },
            high: high + margin,
            from,
            to,
        }
    }

    fn at(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        self.from + share.clamp(-0.1, 1.1) * (self.to - self.from)
    }

    /// Round values, about `n` of them.
    fn ticks(&self, n: u32) -> Vec<f64> {
        let rough = (self.high - self.low) / f64::from(n);
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0];
        let step = steps.iter().map(|step| step * power).find(|step| *step >= rough);
        let step = step.unwrap_or(10.0 * power);
        let first = (self.low / step).ceil();
        let ticks = (0..=2 * n).map(|k| (first + f64::from(k)) * step);
        ticks.take_while(|tick| *tick <= self.high + step * 1e-9).collect()
    }

    /// A prefix of the unit with which the numbers are short, and what it stands for.
    fn prefix(&self, unit: &str) -> (f64, &'static str) {
        let largest = self.low.abs().max(self.high.abs());
        let prefixes = [
            (1e6, "M"),
            (1e3, "k"),
            (1.0, ""),
            (1e-3, "m"),
            (1e-6, "µ"),
            (1e-9, "n"),
            (1e-12, "p"),
        ];
        if unit.is_empty() || largest == 0.0 {
            return (1.0, "");
        }
        let found = prefixes.into_iter().find(|(factor, _)| largest >= *factor);
        found.unwrap_or((1e-12, "p"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(title: &str, curves: Vec<Points>) -> Panel<'_> {
        Panel {
            title: title.to_owned(),
            x: Axis {
                name: "time",
                unit: "s",
            },
            y: Axis { name: "", unit: "V" },
            style: Style::Lines,
            curves,
        }
    }

    #[test]
    fn ticks_are_round_and_inside() {
        let scale = Scale::of([0.0, 0.0034].into_iter(), (0.0, 100.0), false);
        let ticks: Vec<String> = scale.ticks(6).iter().map(|tick| number(tick * 1e3)).collect();
        assert_eq!(ticks, ["0", "1", "2", "3"]);
        assert_eq!(scale.prefix("s"), (1e-3, "m"));
        assert_eq!(scale.prefix(""), (1.0, ""));
    }

    #[test]
    fn numbers_without_a_width_or_a_value_are_drawn_all_the_same() {
        for curves in [
            vec![],
            vec![vec![(0.0, 0.0)]],
            vec![vec![(1.0, f64::NAN), (2.0, f64::INFINITY)]],
        ] {
            let svg = drawn(&panel("few", curves), false);
            assert!(
                svg.ends_with("</svg>") && !svg.contains("NaN,") && !svg.contains("inf"),
                "{svg}"
            );
        }
    }

    #[test]
    fn text_stays_text_and_no_style_is_inline() {
        let svg = drawn(
            &panel("<img src=x onerror=alert(1)>", vec![vec![(0.0, 1.0), (1.0, 2.0)]]),
            true,
        );
        assert!(svg.contains("&lt;img src=x onerror=alert(1)&gt;"), "{svg}");
        assert!(!svg.contains("style"), "{svg}");
        assert!(sentence("a < b", false).contains("a &lt; b"));
    }
}
