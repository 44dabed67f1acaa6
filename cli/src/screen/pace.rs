//! How fast a conversion is at the moment, and how long it has still to go.

use std::collections::VecDeque;
use std::time::Duration;

use trc2npy_common::convert::Progress;
use trc2npy_common::units::Bytes;

/// Long enough to smooth a sync of the output, short enough to show that a disk has become slow.
const WINDOW: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug)]
struct Point {
    at: Duration,
    bytes: u64,
    rows: u64,
}

/// Counts of the last seconds.
#[derive(Debug, Default)]
pub(super) struct Pace {
    points: VecDeque<Point>,
}

impl Pace {
    /// Takes the counters as they are at `at`, measured from the start.
    pub(super) fn note(&mut self, at: Duration, progress: &Progress) {
        if progress.bytes_in_total == Bytes(0) {
            // Nothing is planned yet: the speed would begin with the planning's standstill.
            return;
        }
        // What an earlier run did is no speed of this one.
        self.points.push_back(Point {
            at,
            bytes: progress.bytes_in.saturating_sub(progress.bytes_in_before).0,
            rows: progress.rows.saturating_sub(progress.rows_before),
        });
        // The first point stays until a second one is old enough to take its place.
        while self
            .points
            .get(1)
            .is_some_and(|second| at.saturating_sub(second.at) >= WINDOW)
        {
            self.points.pop_front();
        }
    }

    /// Input bytes in a second.
    pub(super) fn bytes_per_second(&self) -> Option<f64> {
        self.per_second(|point| point.bytes)
    }

    /// Rows in a minute.
    pub(super) fn rows_per_minute(&self) -> Option<f64> {
        self.per_second(|point| point.rows).map(|rate| rate * 60.0)
    }

    /// Time until the last input byte is read.
    pub(super) fn left(&self, progress: &Progress) -> Option<Duration> {
        let rate = self.bytes_per_second().filter(|rate| *rate > 0.0)?;
        let seconds = progress.bytes_in_total.saturating_sub(progress.bytes_in).0 as f64 / rate;
        Duration::try_from_secs_f64(seconds).ok()
    }

    fn per_second(&self, get: impl Fn(&Point) -> u64) -> Option<f64> {
        let (first, last) = self.points.front().zip(self.points.back())?;
        let seconds = last.at.saturating_sub(first.at).as_secs_f64();
        // The next of several runs counts from zero again.
        (seconds > 0.0).then(|| get(last).saturating_sub(get(first)) as f64 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(bytes: u64, rows: u64) -> Progress {
        Progress {
            bytes_in: Bytes(bytes),
            bytes_in_total: Bytes(100_000),
            bytes_in_before: Bytes(10_000),
            rows,
            rows_before: 10,
            ..Progress::default()
        }
    }

    #[test]
    fn an_earlier_runs_rows_do_not_make_this_one_fast() {
        let mut pace = Pace::default();
        pace.note(Duration::ZERO, &Progress::default());
        // The plan is there; what was done before is not counted yet.
        let bare = Progress {
            bytes_in_before: Bytes(0),
            rows_before: 0,
            ..at(0, 0)
        };
        pace.note(Duration::from_secs(1), &bare);
        assert_eq!(pace.left(&bare), None);
        pace.note(Duration::from_secs(2), &at(10_000, 10));
        assert_eq!(pace.bytes_per_second(), Some(0.0));
        assert_eq!(pace.left(&at(10_000, 10)), None);
        pace.note(Duration::from_secs(3), &at(14_000, 14));
        assert_eq!(pace.bytes_per_second(), Some(2_000.0));
        assert_eq!(pace.rows_per_minute(), Some(120.0));
        assert_eq!(pace.left(&at(14_000, 14)), Some(Duration::from_secs(43)));
    }

    #[test]
    fn the_speed_is_that_of_the_last_seconds() {
        let mut pace = Pace::default();
        for second in 0..=100 {
            // Fast for 50 s, then at a tenth.
            let bytes = 10_000
                + if second <= 50 {
                    second * 1000
                } else {
                    50_000 + (second - 50) * 100
                };
            pace.note(Duration::from_secs(second), &at(bytes, 10));
        }
        assert_eq!(pace.bytes_per_second(), Some(100.0));
        assert!(pace.points.len() < 30);
    }
}
