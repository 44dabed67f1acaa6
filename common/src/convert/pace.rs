//! How a run came along, looked at about once a second: what `report.json` keeps of its speed and memory.
//!
//! Bounded: when there are too many points every second one goes, and from then on they are taken half as often.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::units::Bytes;

/// Points that are kept at most. Even, so that halving keeps the first one and an even spacing.
const MOST: usize = 600;
/// Between two points, until there are too many.
const STEP: Duration = Duration::from_secs(1);

/// A run at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PacePoint {
    /// Seconds since its first look.
    pub s: f64,
    /// Input bytes that this call has gone through by then.
    pub bytes: Bytes,
    /// Rows that this call has made by then.
    pub rows: u64,
    /// Bytes of memory that this process held; none where the rows are made elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
}

/// Points in the order of time.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    step: Duration,
    /// No point is taken before, measured as `s` is.
    due: Duration,
    points: Vec<PacePoint>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            step: STEP,
            due: Duration::ZERO,
            points: Vec::new(),
        }
    }
}

impl Pace {
    /// Takes a point where it is time for one.
    pub(super) fn note(&mut self, at: Duration, take: impl FnOnce(f64) -> PacePoint) {
        if at >= self.due {
            self.push(take(rounded(at)));
            self.due = at + self.step;
        } else if let Some(last) = self.points.last_mut().filter(|last| last.memory.is_none()) {
            // Memory is looked at a moment after the beginning.
            last.memory = take(last.s).memory;
        }
    }

    /// All points, and one of the end.
    pub(super) fn ended(&self, at: Duration, take: impl FnOnce(f64) -> PacePoint) -> Vec<PacePoint> {
        let mut all = self.clone();
        all.push(take(rounded(at)));
        all.points
    }

    fn push(&mut self, point: PacePoint) {
        if self.points.len() == MOST {
            self.halve();
        }
        self.points.push(point);
    }

    /// Of every two points the first stays, with the larger memory of both: no peak is lost.
    fn halve(&mut self) {
        let pairs = self.points.chunks(2);
        let one = |pair: &[PacePoint]| {
            let first = *pair.first()?;
            let memory = pair.iter().filter_map(|point| point.memory).max();
            Some(PacePoint { memory, ..first })
        };
        self.points = pairs.filter_map(one).collect();
        self.step *= 2;
    }
}

/// Milliseconds are enough.
fn rounded(at: Duration) -> f64 {
    (at.as_secs_f64() * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(s: f64, memory: u64) -> PacePoint {
        PacePoint {
            s,
            bytes: Bytes(0),
            rows: 0,
            memory: Some(Bytes(memory)),
        }
    }

    /// A run of so many seconds, looked at four times a second, with one peak of its memory.
    fn run(seconds: u32, peak: u32) -> Vec<PacePoint> {
        let mut pace = Pace::default();
        for quarter in 0..4 * seconds {
            let memory = if quarter / 4 == peak { 99 } else { 1 };
            pace.note(Duration::from_millis(250) * quarter, |s| point(s, memory));
        }
        pace.ended(Duration::from_secs(seconds.into()), |s| point(s, 1))
    }

    #[test]
    fn a_point_a_second_until_there_are_too_many() {
        let points = run(10, 3);
        let times: Vec<f64> = points.iter().map(|point| point.s).collect();
        assert_eq!(times, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]);
        assert_eq!(run(599, 3).len(), 600);
        assert_eq!(run(600, 3).len(), 301);
    }

    #[test]
    fn a_long_run_has_fewer_points_over_all_of_it_and_keeps_its_peak() {
        for seconds in [601, 1200, 5000, 40_000] {
            let points = run(seconds, 7);
            assert!((250..=MOST).contains(&points.len()), "{seconds}: {}", points.len());
            assert_eq!((points[0].s, points[points.len() - 1].s), (0.0, f64::from(seconds)));
            let steps: Vec<f64> = points.windows(2).map(|two| two[1].s - two[0].s).collect();
            let (last, others) = steps.split_last().unwrap();
            let widest = others.iter().copied().fold(0.0, f64::max);
            assert!(
                *last > 0.0 && widest <= f64::from(seconds) / 150.0,
                "{seconds}: {steps:?}"
            );
            assert!(points.iter().any(|point| point.memory == Some(Bytes(99))), "{seconds}");
        }
    }
}
