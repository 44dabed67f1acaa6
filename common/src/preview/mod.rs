//! Rows as traces for a picture: their samples thinned so that no extreme is lost, each at its own place in time.
//!
//! `decimate` thins (pure), `arrays` reads finished outputs, `sources` `.trc` files by a plan. Whatever the length of a
//! row, it is read block by block, and only what can be seen of it is kept. Nothing here knows how a picture is drawn.

mod arrays;
mod decimate;
mod error;
mod sources;

pub use arrays::{ArrayRequest, arrays};
pub use decimate::{Decimator, Point};
pub use error::PreviewError;
pub use sources::sources;

use crate::channel::Channel;

/// Rows that one picture may hold: more than anybody can tell apart, and what bounds its memory.
pub const MOST_TRACES: u64 = 1000;
/// Channels, over all runs, that one picture may hold.
pub const MOST_PANELS: usize = 8;

/// Samples read at a time.
pub(crate) const BLOCK: u32 = 1 << 18;

/// The rows of one channel.
#[derive(Clone, Debug)]
pub struct Panel {
    /// The run's name.
    pub run: String,
    /// Which channel.
    pub channel: Channel,
    /// The unit of its values: VERTUNIT.
    pub unit: String,
    /// The unit of its horizontal axis: HORUNIT.
    pub horizontal_unit: String,
    /// Whether the level of each row's first samples is taken off.
    pub baseline: bool,
    /// The good rows, in order.
    pub traces: Vec<Trace>,
    /// The others.
    pub left_out: Vec<LeftOut>,
    /// Samples of rows that are drawn which have no place: infinite ones.
    pub passed_over: u64,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Trace {
    /// Its number in the array, or in what `convert` would make.
    pub row: u64,
    /// Where its first sample lies on the horizontal axis, relative to its trigger.
    pub offset: f64,
    /// From one sample to the next.
    pub interval: f64,
    /// Samples that were looked at.
    pub samples: u32,
    /// What is to be seen of them, in order; at least one.
    pub points: Vec<Point>,
}

/// A row that is not drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Its number.
    pub row: u64,
    /// What is wrong with it.
    pub why: String,
}

/// Where the samples of a row lie: its first one, and from one to the next.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: f64,
    interval: f64,
}

impl Trace {
    /// Where a point of it lies on the horizontal axis.
    pub fn at(&self, point: Point) -> f64 {
        self.offset + f64::from(point.sample) * self.interval
    }
}

impl Panel {
    /// Takes a row in: drawn where it can be placed and has a finite sample.
    fn add(&mut self, row: u64, place: Place, samples: u32, thinned: Decimator) {
        let passed_over = thinned.passed_over();
        let points = thinned.finish();
        let Place { offset, interval } = place;
        if points.is_empty() {
            self.leave_out(row, "none of its samples is a finite number");
        } else if offset.is_finite() && interval.is_finite() && interval > 0.0 {
            self.passed_over += u64::from(passed_over);
            self.traces.push(Trace {
                row,
                offset,
                interval,
                samples,
                points,
            });
        } else {
            let why = format!("its header gives no times (HORIZ_INTERVAL {interval}, HORIZ_OFFSET {offset})");
            self.leave_out(row, why);
        }
    }

    fn leave_out(&mut self, row: u64, why: impl Into<String>) {
        self.left_out.push(LeftOut { row, why: why.into() });
    }
}

/// Refuses what makes no picture: too much, nothing, or horizontal axes that have nothing in common.
fn check_size(panels: usize, rows: u64) -> Result<(), PreviewError> {
    if panels > MOST_PANELS {
        return Err(PreviewError::TooManyPanels { panels });
    }
    if rows > MOST_TRACES {
        return Err(PreviewError::TooManyRows { rows });
    }
    Ok(())
}

fn check_panels(panels: Vec<Panel>) -> Result<Vec<Panel>, PreviewError> {
    if panels.iter().all(|panel| panel.traces.is_empty()) {
        let first = panels
            .iter()
            .find_map(|panel| panel.left_out.first().map(|left_out| (panel.channel, left_out.clone())));
        return Err(PreviewError::AllBad {
            rows: panels.iter().map(|panel| panel.left_out.len() as u64).sum(),
            first: first.map(|(channel, left_out)| format!("{channel} row {}: {}", left_out.row, left_out.why)),
        });
    }
    let unit = &panels[0].horizontal_unit;
    if let Some(other) = panels.iter().find(|panel| panel.horizontal_unit != *unit) {
        return Err(PreviewError::Axes {
            channels: [panels[0].channel, other.channel],
            units: [unit.clone(), other.horizontal_unit.clone()],
        });
    }
    Ok(panels)
}
