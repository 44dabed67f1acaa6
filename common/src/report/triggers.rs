//! When the rows were triggered: how often over time, and where there are gaps.

/// Equal parts of the time at most, and rows that each should have.
const PARTS: u64 = 120;
const ROWS_A_PART: u64 = 8;
/// Intervals that are kept for their median.
const KEPT: usize = 1 << 16;
/// A gap is so many times the median interval.
const LONG: u64 = 10;
/// Gaps that are kept: the longest ones.
const LISTED: usize = 20;

/// The ends of the times, and what is usual between two.
#[derive(Clone, Debug, Default)]
pub(super) struct TimeSpan {
    ends: Option<(i64, i64)>,
    rows: u64,
    before: Option<i64>,
    intervals: Intervals,
}

/// Some of many intervals, spread evenly, in bounded memory.
#[derive(Clone, Debug)]
struct Intervals {
    every: u64,
    seen: u64,
    kept: Vec<u64>,
}

impl Default for Intervals {
    fn default() -> Self {
        Self {
            every: 1,
            seen: 0,
            kept: Vec::new(),
        }
    }
}

impl Intervals {
    fn add(&mut self, interval: u64) {
        if self.seen.is_multiple_of(self.every) {
            if self.kept.len() == KEPT {
                let mut kept = 0_u64..;
                self.kept.retain(|_| kept.next().is_some_and(|at| at.is_multiple_of(2)));
                self.every *= 2;
            }
            self.kept.push(interval);
        }
        self.seen += 1;
    }

    fn median(&self) -> Option<u64> {
        let mut sorted = self.kept.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

impl TimeSpan {
    /// Takes the next row's time in, in ns.
    pub(super) fn add(&mut self, time: i64) {
        let (first, last) = self.ends.unwrap_or((time, time));
        self.ends = Some((first.min(time), last.max(time)));
        self.rows += 1;
        if let Some(before) = self.before.replace(time).filter(|before| *before <= time) {
            self.intervals.add(time.abs_diff(before));
        }
    }
}

/// A long time without a trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// The row behind it.
    pub(super) row: u64,
    /// When it begins, in ns since 1970.
    pub(super) from: i64,
    /// How long it is, in ns.
    pub(super) length: u64,
}

/// Triggers by time.
#[derive(Clone, Debug)]
pub(super) struct Triggers {
    /// The earliest trigger, in ns since 1970 of the instrument's clock.
    pub(super) first: i64,
    /// The latest one.
    pub(super) last: i64,
    /// Of each equal part of the time between.
    pub(super) counts: Vec<u64>,
    /// The usual interval, in ns.
    pub(super) median: Option<u64>,
    /// All gaps.
    pub(super) gaps: u64,
    /// The longest ones, in no order.
    pub(super) longest: Vec<Gap>,
    /// Rows that are earlier than the row before.
    pub(super) backwards: u64,
    before: Option<i64>,
}

impl Triggers {
    /// None counted yet; none where no row has a time.
    pub(super) fn over(span: &TimeSpan) -> Option<Self> {
        let (first, last) = span.ends?;
        let parts = if first < last {
            (span.rows / ROWS_A_PART).clamp(1, PARTS)
        } else {
            1
        };
        Some(Self {
            first,
            last,
            counts: vec![0; usize::try_from(parts).unwrap_or(1)],
            median: span.intervals.median(),
            gaps: 0,
            longest: Vec::new(),
            backwards: 0,
            before: None,
        })
    }

    /// Counts the next row.
    pub(super) fn add(&mut self, row: u64, time: i64) {
        let span = u128::from(self.nanoseconds()) + 1;
        let at = u128::from(time.abs_diff(self.first)) * self.counts.len() as u128 / span;
        if let Some(count) = usize::try_from(at).ok().and_then(|at| self.counts.get_mut(at)) {
            *count += 1;
        }
        let Some(before) = self.before.replace(time) else {
            return;
        };
        if time < before {
            self.backwards += 1;
            return;
        }
        let length = time.abs_diff(before);
        let is_long = |median: u64| median > 0 && length > median.saturating_mul(LONG);
        if self.median.is_some_and(is_long) {
            self.gaps += 1;
            self.keep(Gap {
                row,
                from: before,
                length,
            });
        }
    }

    fn keep(&mut self, gap: Gap) {
        if self.longest.len() < LISTED {
            self.longest.push(gap);
        } else if let Some(shortest) = self.longest.iter_mut().min_by_key(|gap| gap.length)
            && shortest.length < gap.length
        {
            *shortest = gap;
        }
    }

    /// From the first trigger to the last.
    pub(super) fn nanoseconds(&self) -> u64 {
        self.last.abs_diff(self.first)
    }

    /// From the first trigger to the last, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.nanoseconds() as f64 / 1e9
    }

    /// The gaps that are kept, in the order of time.
    pub(super) fn listed(&self) -> Vec<Gap> {
        let mut gaps = self.longest.clone();
        gaps.sort_by_key(|gap| (gap.from, gap.row));
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn triggers(times: &[i64]) -> Option<Triggers> {
        let mut span = TimeSpan::default();
        for time in times {
            span.add(*time);
        }
        let mut triggers = Triggers::over(&span)?;
        (0..).zip(times).for_each(|(row, time)| triggers.add(row, *time));
        Some(triggers)
    }

    #[test]
    fn gaps_are_ten_times_longer_than_usual() {
        let mut times: Vec<i64> = (0..100).map(|k| k * 1_000).collect();
        times.extend((0..100).map(|k| 99_000 + 10_001 + k * 1_000));
        times.extend((0..100).map(|k| 208_001 + 10_000 + k * 1_000));
        let triggers = triggers(&times).unwrap();
        assert_eq!(triggers.median, Some(1_000));
        assert_eq!(
            triggers.listed(),
            [Gap {
                row: 100,
                from: 99_000,
                length: 10_001
            }]
        );
        assert_eq!(triggers.counts.iter().sum::<u64>(), 300);
        assert_eq!((triggers.counts.len(), triggers.backwards), (37, 0));
    }

    #[test]
    fn the_longest_of_many_gaps_are_kept() {
        let mut time = 0;
        let mut times = Vec::new();
        for k in 0..4000_i64 {
            // A gap after every fourth row, each longer than the one before.
            time += if k % 4 == 3 { 20_000 + k } else { 10 };
            times.push(time);
        }
        let triggers = triggers(&times).unwrap();
        assert_eq!((triggers.gaps, triggers.longest.len()), (1000, 20));
        assert!(triggers.listed().iter().all(|gap| gap.length > 23_900));
    }

    #[test]
    fn clocks_that_stand_still_or_go_back_break_nothing() {
        assert!(triggers(&[]).is_none());
        let still = triggers(&[7; 50]).unwrap();
        assert_eq!((still.counts, still.gaps), (vec![50], 0));
        let wild = triggers(&[i64::MAX, i64::MIN + 1, 0, 5]).unwrap();
        assert_eq!((wild.counts.iter().sum::<u64>(), wild.backwards), (4, 1));
    }

    #[test]
    fn the_median_of_more_intervals_than_are_kept_is_that_of_an_even_choice() {
        let mut intervals = Intervals::default();
        (0..1_000_000).for_each(|k| intervals.add(k));
        assert!(intervals.kept.len() <= KEPT && intervals.kept.len() >= KEPT / 2);
        let median = intervals.median().unwrap();
        assert!((499_000..501_000).contains(&median), "{median}");
    }
}
