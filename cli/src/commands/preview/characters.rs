//! Traces drawn with characters: every character is a few dots, and lines go from dot to dot.

use trc2npy_common::axis::Axis;
use trc2npy_common::preview::{Panel, Trace};

use super::{horizontal_range, horizontal_title, printable, title, vertical_range};
use crate::screen::{Canvas, Glyphs, wrapped};

/// Lines that the traces of a panel get at least; more panels than fit run over the terminal's upper edge.
const LEAST_LINES: usize = 6;
/// Lines from one label of the vertical axis to the next, at least.
const LINES_A_LABEL: usize = 4;

/// Parts of a row of which the extremes are kept: each narrower than half a dot, so that no column of dots is left empty.
pub(super) fn parts(canvas: Canvas) -> u32 {
    let (across, _) = dots(canvas.glyphs);
    u32::try_from(2 * canvas.columns * across).unwrap_or(u32::MAX)
}

/// The panels, one below another, over one horizontal axis.
pub(super) fn draw(panels: &[Panel], canvas: Canvas) -> String {
    let titles: Vec<Vec<String>> = panels.iter().map(|panel| title_lines(panel, canvas)).collect();
    // Of each its titles, the unit and the axis; once labels and the axis' title; and one line for the prompt.
    let taken: usize = titles.iter().map(|lines| lines.len() + 2).sum::<usize>() + 3;
    let lines = (canvas.lines.saturating_sub(taken) / panels.len()).max(LEAST_LINES);
    let vertical: Vec<Axis> = panels.iter().map(|panel| vertical_axis(panel, lines)).collect();
    let margin = vertical.iter().map(Axis::widest).max().unwrap_or(0);
    let columns = canvas.columns.saturating_sub(margin + 2).max(8);
    let (start, end) = horizontal_range(panels);
    let unit = &panels[0].horizontal_unit;
    let horizontal = Axis::new(start, end, &printable(unit), columns / 8 + 1, |axis| {
        labels(axis, columns, margin + 2, canvas.columns).is_some()
    });
    let frame = Frame::of(canvas.glyphs);
    let mut text = String::new();
    for ((panel, title), vertical) in panels.iter().zip(titles).zip(&vertical) {
        let mut drawing = Drawing::new(columns, lines, canvas.glyphs);
        for trace in &panel.traces {
            drawing.trace(trace, &horizontal, vertical);
        }
        for line in &title {
            push(&mut text, line);
        }
        push(&mut text, &format!("{:>margin$}", vertical.unit));
        for (line, dots) in drawing.lines().enumerate() {
            let tick = vertical
                .ticks
                .iter()
                .find(|tick| drawing.line_of(vertical.place(tick.value)) == line);
            let (label, edge) = tick.map_or(("", frame.edge), |tick| (tick.label.as_str(), frame.left_tick));
            push(&mut text, &format!("{label:>margin$} {edge}{dots}"));
        }
        let mut bottom = vec![frame.bottom; columns];
        for tick in &horizontal.ticks {
            bottom[column_of(&horizontal, tick.value, columns)] = frame.bottom_tick;
        }
        push(
            &mut text,
            &format!("{:margin$} {}{}", "", frame.corner, String::from_iter(bottom)),
        );
    }
    push(
        &mut text,
        &labels(&horizontal, columns, margin + 2, canvas.columns).unwrap_or_default(),
    );
    let name = horizontal_title(unit, &horizontal.unit);
    let middle = margin + 2 + columns / 2;
    push(
        &mut text,
        &format!("{:1$}{name}", "", middle.saturating_sub(name.chars().count() / 2)),
    );
    if canvas.glyphs == Glyphs::Ascii {
        in_ascii(&text)
    } else {
        text
    }
}

fn push(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

fn title_lines(panel: &Panel, canvas: Canvas) -> Vec<String> {
    let wrapped = wrapped(&title(panel), 0, canvas.columns);
    // A name without blanks can be longer than a line.
    wrapped.lines().flat_map(|line| broken(line, canvas.columns)).collect()
}

fn broken(line: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for c in line.chars() {
        let width = console::measure_text_width(c.encode_utf8(&mut [0; 4]));
        if used + width > columns {
            lines.push(String::new());
            used = 0;
        }
        lines.last_mut().expect("it begins with one").push(c);
        used += width;
    }
    lines
}

fn vertical_axis(panel: &Panel, lines: usize) -> Axis {
    let (start, end) = vertical_range(panel);
    Axis::new(
        start,
        end,
        &printable(&panel.unit),
        (lines / LINES_A_LABEL).max(2),
        |_| true,
    )
}

fn column_of(axis: &Axis, value: f64, columns: usize) -> usize {
    at(axis.place(value), columns)
}

/// Which of so many places a share is nearest to.
fn at(share: f64, places: usize) -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between the first place and the last"
    )]
    let place = (share.clamp(0.0, 1.0) * (places - 1) as f64).round() as usize;
    place
}

/// The line of the horizontal axis' numbers, each below its tick; none where two would touch.
fn labels(axis: &Axis, columns: usize, margin: usize, whole: usize) -> Option<String> {
    let mut line = String::new();
    for tick in &axis.ticks {
        let middle = margin + column_of(axis, tick.value, columns);
        // A minus is no part of what stands below the tick.
        let digits = tick.label.trim_start_matches('-').len();
        let sign = tick.label.len() - digits;
        let start = middle.saturating_sub(digits / 2 + sign);
        let start = start.min(whole.saturating_sub(tick.label.len()));
        let gap = start
            .checked_sub(line.len())
            .filter(|gap| line.is_empty() || *gap >= 2)?;
        line.push_str(&" ".repeat(gap));
        line.push_str(&tick.label);
    }
    Some(line)
}

/// Dots of a character, across and down.
const fn dots(glyphs: Glyphs) -> (usize, usize) {
    match glyphs {
        Glyphs::Braille => (2, 4),
        Glyphs::Halves | Glyphs::Ascii => (1, 2),
    }
}

struct Frame {
    edge: char,
    left_tick: char,
    corner: char,
    bottom: char,
    bottom_tick: char,
}

impl Frame {
    const fn of(glyphs: Glyphs) -> Self {
        let [edge, left_tick, corner, bottom, bottom_tick] = match glyphs {
            Glyphs::Braille | Glyphs::Halves => ['│', '┤', '└', '─', '┬'],
            Glyphs::Ascii => ['|', '+', '+', '-', '+'],
        };
        Self {
            edge,
            left_tick,
            corner,
            bottom,
            bottom_tick,
        }
    }
}

/// A field of dots.
struct Drawing {
    columns: usize,
    across: usize,
    down: usize,
    glyphs: Glyphs,
    /// Of each character, a bit for each dot, column by column.
    cells: Vec<u8>,
}

impl Drawing {
    fn new(columns: usize, lines: usize, glyphs: Glyphs) -> Self {
        let (across, down) = dots(glyphs);
        Self {
            columns,
            across,
            down,
            glyphs,
            cells: vec![0; columns * lines],
        }
    }

    fn dots_down(&self) -> usize {
        self.cells.len() / self.columns * self.down
    }

    /// The line in which a share of the vertical axis lies.
    fn line_of(&self, share: f64) -> usize {
        at(1.0 - share, self.dots_down()) / self.down
    }

    fn trace(&mut self, trace: &Trace, horizontal: &Axis, vertical: &Axis) {
        let mut before = None;
        for &point in &trace.points {
            let here = (
                at(horizontal.place(trace.at(point)), self.columns * self.across),
                at(1.0 - vertical.place(point.value.into()), self.dots_down()),
            );
            self.line(before.unwrap_or(here), here);
            before = Some(here);
        }
    }

    /// All dots between two, as many as the longer side has.
    fn line(&mut self, from: (usize, usize), to: (usize, usize)) {
        let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1)).max(1);
        let between = |a: usize, b: usize, step: usize| (a * (steps - step) + b * step + steps / 2) / steps;
        for step in 0..=steps {
            self.dot(between(from.0, to.0, step), between(from.1, to.1, step));
        }
    }

    fn dot(&mut self, x: usize, y: usize) {
        let bit = x % self.across * self.down + y % self.down;
        self.cells[y / self.down * self.columns + x / self.across] |= 1 << bit;
    }

    fn lines(&self) -> impl Iterator<Item = String> {
        self.cells
            .chunks(self.columns)
            .map(|line| line.iter().map(|&cell| self.character(cell)).collect())
    }

    fn character(&self, cell: u8) -> char {
        match (self.glyphs, cell) {
            (_, 0) => ' ',
            (Glyphs::Braille, cell) => {
                // Unicode counts three dots of either column first, then the lowest two.
                let bits = cell & 0b0111 | (cell & 0b0111_0000) >> 1 | (cell & 0b1000) << 3 | cell & 0b1000_0000;
                char::from_u32(0x2800 + u32::from(bits)).expect("256 characters begin there")
            }
            (Glyphs::Halves, cell) => ['▀', '▄', '█'][usize::from(cell - 1)],
            (Glyphs::Ascii, cell) => ['\'', '.', ':'][usize::from(cell - 1)],
        }
    }
}

fn in_ascii(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            'µ' | 'μ' => plain.push('u'),
            'Ω' | '\u{2126}' => plain.push_str("Ohm"),
            c if c.is_ascii() => plain.push(c),
            _ => plain.push('?'),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dot_has_its_place_in_its_character() {
        for (glyphs, dots) in [
            (
                Glyphs::Braille,
                &[
                    ((0, 0), '⠁'),
                    ((0, 1), '⠂'),
                    ((0, 2), '⠄'),
                    ((0, 3), '⡀'),
                    ((1, 0), '⠈'),
                    ((1, 1), '⠐'),
                    ((1, 2), '⠠'),
                    ((1, 3), '⢀'),
                ][..],
            ),
            (Glyphs::Halves, &[((0, 0), '▀'), ((0, 1), '▄')]),
            (Glyphs::Ascii, &[((0, 0), '\''), ((0, 1), '.')]),
        ] {
            for &((x, y), character) in dots {
                let mut drawing = Drawing::new(3, 2, glyphs);
                drawing.dot(drawing.across + x, drawing.down + y);
                let lines: Vec<String> = drawing.lines().collect();
                assert_eq!(lines, ["   ".to_owned(), format!(" {character} ")]);
            }
        }
    }

    #[test]
    fn a_line_has_no_gaps_and_ends_where_it_should() {
        let mut drawing = Drawing::new(4, 2, Glyphs::Halves);
        drawing.line((0, 3), (3, 0));
        assert_eq!(drawing.lines().collect::<Vec<_>>(), ["  ▄▀", "▄▀  "]);
        let mut drawing = Drawing::new(2, 2, Glyphs::Ascii);
        drawing.line((1, 0), (1, 3));
        assert_eq!(drawing.lines().collect::<Vec<_>>(), [" :", " :"]);
    }

    #[test]
    fn a_name_longer_than_a_line_is_broken() {
        assert_eq!(broken("abcdefg", 3), ["abc", "def", "g"]);
        assert_eq!(broken("a", 3), ["a"]);
        assert_eq!(in_ascii("µs, 3 Ω, é"), "us, 3 Ohm, ?");
    }
}
