//! Traces as SVG or PNG.

use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Rectangle, Text};
use plotters::style::colors::colormaps::{ColorMap, ViridisRGB};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{
    BLACK, Color, FontStyle, FontTransform, IntoFont, RGBAColor, RGBColor, TextStyle, WHITE, register_font,
};
use trc2npy_common::axis::Axis;
use trc2npy_common::preview::{Panel, Point, Trace};

use super::{horizontal_range, horizontal_title, printable, title, vertical_range};

/// Of a row, more than this cannot be seen: about the columns of the picture that traces are drawn in.
pub(super) const PARTS: u32 = 1000;

const WIDTH: u32 = 1200;
/// Of the traces of a single panel, and of each of several.
const HEIGHTS: [i32; 2] = [520, 300];
/// Above each panel, for its title.
const ABOVE: i32 = 48;
/// Below each panel.
const BELOW: i32 = 12;
/// Below the last one, for numbers and name of the horizontal axis.
const FOOT: i32 = 52;
const MARGIN: i32 = 20;
const GAP: i32 = 8;
const LABEL: i32 = 17;
const TITLE: i32 = 21;
/// Digits are centred as small letters are, which leaves them too high.
const NUDGE: i32 = 2;
/// Rows that the legend names.
const NAMED: usize = 8;

/// A part of DejaVu Sans, for the letters of a PNG: no font of the system is looked for. SVGs leave the choice to the viewer.
const FONT: &[u8] = include_bytes!("../../../assets/DejaVuSans-subset.ttf");
const FAMILY: &str = "sans-serif";

const GRID: RGBColor = RGBColor(222, 222, 222);
const FRAME: RGBColor = RGBColor(90, 90, 90);

/// The picture as a text.
pub(super) fn svg(panels: &[Panel]) -> String {
    let mut text = String::new();
    draw(
        SVGBackend::with_string(&mut text, (WIDTH, height(panels.len()))),
        panels,
    );
    text
}

/// The picture as the bytes of a PNG.
pub(super) fn png(panels: &[Panel]) -> Vec<u8> {
    let height = height(panels.len());
    let mut pixels = vec![0; WIDTH as usize * height as usize * 3];
    draw(BitMapBackend::with_buffer(&mut pixels, (WIDTH, height)), panels);
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, WIDTH, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&pixels))
        .expect("memory takes what is written, and the pixels are as many as the header says");
    bytes
}

fn panel_height(panels: usize) -> i32 {
    HEIGHTS[usize::from(panels > 1)]
}

fn height(panels: usize) -> u32 {
    let one = ABOVE + panel_height(panels) + BELOW;
    let all = i32::try_from(panels).unwrap_or(1) * one + FOOT;
    all.unsigned_abs()
}

fn draw<B: DrawingBackend>(backend: B, panels: &[Panel]) {
    register_font(FAMILY, FontStyle::Normal, FONT)
        .unwrap_or_else(|_| unreachable!("a font that is part of the program"));
    let sheet = Sheet {
        area: backend.into_drawing_area(),
    };
    let drawn = sheet.draw(panels).and_then(|()| sheet.area.present());
    drawn.expect("drawing into memory finds no obstacle, and all letters come from the program's own font");
}

type Drawn<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// Where the traces of a panel lie, in pixels.
#[derive(Clone, Copy)]
struct Frame {
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
}

impl Frame {
    fn x(&self, axis: &Axis, value: f64) -> i32 {
        self.left + pixels(axis.place(value), self.right - self.left)
    }

    fn y(&self, axis: &Axis, value: f64) -> i32 {
        self.bottom - pixels(axis.place(value), self.bottom - self.top)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "between the edges of the picture")]
fn pixels(share: f64, all: i32) -> i32 {
    (share.clamp(0.0, 1.0) * f64::from(all)).round() as i32
}

struct Sheet<B: DrawingBackend> {
    area: DrawingArea<B, Shift>,
}

impl<B: DrawingBackend> Sheet<B> {
    fn draw(&self, panels: &[Panel]) -> Drawn<B> {
        self.area.fill(&WHITE)?;
        let size = panel_height(panels.len());
        let vertical: Vec<Axis> = panels
            .iter()
            .map(|panel| {
                let (start, end) = vertical_range(panel);
                let most = usize::try_from(size / (2 * LABEL + GAP)).unwrap_or(1);
                Axis::new(start, end, &printable(&panel.unit), most, |_| true)
            })
            .collect();
        let texts = vertical
            .iter()
            .flat_map(|axis| &axis.ticks)
            .map(|tick| tick.label.clone());
        let left = MARGIN + LABEL + GAP + self.widest(texts)? + GAP;
        let legends: Vec<_> = panels.iter().map(legend).collect();
        let named = legends.iter().flatten().map(|(name, _)| name.clone());
        let right = WIDTH.cast_signed() - MARGIN - self.widest(named)? - GAP;
        let (start, end) = horizontal_range(panels);
        let unit = &panels[0].horizontal_unit;
        let horizontal = Axis::new(start, end, &printable(unit), 10, |axis| {
            let widest = self
                .widest(axis.ticks.iter().map(|tick| tick.label.clone()))
                .unwrap_or(0);
            axis.ticks.len() < 2
                || (right - left) / i32::try_from(axis.ticks.len()).unwrap_or(i32::MAX) > widest + 3 * GAP
        });
        let mut top = ABOVE;
        for ((panel, vertical), legend) in panels.iter().zip(&vertical).zip(legends) {
            let frame = Frame {
                left,
                right,
                top,
                bottom: top + size,
            };
            self.panel(panel, frame, [&horizontal, vertical], &legend)?;
            top += size + BELOW + ABOVE;
        }
        let bottom = top - ABOVE - BELOW;
        let frame = Frame {
            left,
            right,
            top,
            bottom,
        };
        for tick in &horizontal.ticks {
            // The last one would reach over the edge of the picture.
            let width = self.widest(std::iter::once(tick.label.clone()))?;
            let most = WIDTH.cast_signed() - GAP / 2 - width / 2;
            let at = (frame.x(&horizontal, tick.value).min(most), bottom + GAP);
            self.text(&tick.label, at, letters(LABEL, &BLACK, HPos::Center, VPos::Top))?;
        }
        let name = horizontal_title(unit, &horizontal.unit);
        let at = (left.midpoint(right), bottom + GAP + LABEL + GAP);
        self.text(&name, at, letters(LABEL, &BLACK, HPos::Center, VPos::Top))
    }

    fn panel(&self, panel: &Panel, frame: Frame, axes: [&Axis; 2], legend: &[Named]) -> Drawn<B> {
        let [horizontal, vertical] = axes;
        let Frame {
            left,
            right,
            top,
            bottom,
        } = frame;
        let middle = top - ABOVE / 2;
        self.text(
            &title(panel),
            (left, middle),
            letters(TITLE, &BLACK, HPos::Left, VPos::Center),
        )?;
        let unit = letters(LABEL, &BLACK, HPos::Center, VPos::Top).transform(FontTransform::Rotate270);
        self.text(&vertical.unit, (MARGIN, top.midpoint(bottom)), unit)?;
        for tick in &horizontal.ticks {
            let x = frame.x(horizontal, tick.value);
            self.area.draw(&PathElement::new([(x, top), (x, bottom)], GRID))?;
        }
        for tick in &vertical.ticks {
            let y = frame.y(vertical, tick.value);
            self.area.draw(&PathElement::new([(left, y), (right, y)], GRID))?;
            self.text(
                &tick.label,
                (left - GAP, y + NUDGE),
                letters(LABEL, &BLACK, HPos::Right, VPos::Center),
            )?;
        }
        self.area.draw(&Rectangle::new([(left, top), (right, bottom)], FRAME))?;
        for (trace, colour) in panel.traces.iter().zip(colours(panel.traces.len())) {
            self.trace(trace, frame, axes, colour)?;
        }
        let line = LABEL + GAP / 2;
        for ((name, colour), k) in legend.iter().zip(0..) {
            let at = (right + GAP, top + k * line);
            self.text(name, at, letters(LABEL, colour, HPos::Left, VPos::Top))?;
        }
        Ok(())
    }

    fn trace(&self, trace: &Trace, frame: Frame, [horizontal, vertical]: [&Axis; 2], colour: RGBAColor) -> Drawn<B> {
        let place = |point: &Point| {
            (
                frame.x(horizontal, trace.at(*point)),
                frame.y(vertical, point.value.into()),
            )
        };
        let mut path: Vec<(i32, i32)> = trace.points.iter().map(place).collect();
        path.dedup();
        match path[..] {
            // A line without length would not be seen.
            [only] => self.area.draw(&Circle::new(only, 2, colour.filled())),
            _ => self.area.draw(&PathElement::new(path, colour)),
        }
    }

    fn text(&self, text: &str, at: (i32, i32), letters: TextStyle<'_>) -> Drawn<B> {
        self.area.draw(&Text::new(text, at, letters))
    }

    fn widest(
        &self,
        texts: impl Iterator<Item = String>,
    ) -> Result<i32, DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>> {
        let letters = letters(LABEL, &BLACK, HPos::Left, VPos::Top);
        let mut widest = 0;
        for text in texts {
            let (width, _) = self.area.estimate_text_size(&text, &letters)?;
            widest = widest.max(i32::try_from(width).unwrap_or(0));
        }
        Ok(widest)
    }
}

fn letters(size: i32, colour: &impl Color, h_pos: HPos, v_pos: VPos) -> TextStyle<'static> {
    TextStyle {
        color: colour.to_backend_color(),
        ..TextStyle::from((FAMILY, size).into_font()).pos(Pos::new(h_pos, v_pos))
    }
}

/// From the first row to the last one, dark to light; what lies below others shows through where there are many.
fn colours(rows: usize) -> impl Iterator<Item = RGBAColor> {
    /// Lighter ones cannot be told from the paper.
    const LIGHTEST: f32 = 0.78;
    let solid = match rows {
        0..=5 => 1.0,
        6..=40 => 0.75,
        _ => 0.5,
    };
    (0..rows).map(move |k| {
        ViridisRGB
            .get_color(LIGHTEST * k as f32 / (rows.max(2) - 1) as f32)
            .mix(solid)
    })
}

/// A row that the legend names, and its colour.
type Named = (String, RGBAColor);

/// Some rows of a panel, evenly spread, the first and the last among them; of a single one the title tells.
fn legend(panel: &Panel) -> Vec<Named> {
    let rows = panel.traces.len();
    if rows < 2 {
        return Vec::new();
    }
    let named = rows.min(NAMED);
    let all: Vec<RGBAColor> = colours(rows).collect();
    let chosen = (0..named).map(|k| k * (rows - 1) / (named - 1));
    chosen
        .map(|k| {
            (
                format!("row {}", panel.traces[k].row),
                RGBAColor(all[k].0, all[k].1, all[k].2, 1.0),
            )
        })
        .collect()
}
