//! Two pieces of work in turn, A B A B ..., compared pair by pair: a shared machine's speed drifts within minutes, the
//! ratio of neighbours does not.

use std::fmt;
use std::time::{Duration, Instant};

/// The times of interleaved runs of A and B.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    a: Vec<Duration>,
    b: Vec<Duration>,
}

impl Pairs {
    /// Runs both `count` times in turn, and before each of them `prepare`, whose time does not count. Ends with the
    /// first error.
    pub fn run<E>(
        count: usize,
        mut prepare: impl FnMut() -> Result<(), E>,
        mut a: impl FnMut() -> Result<(), E>,
        mut b: impl FnMut() -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut pairs = Self::default();
        for _ in 0..count {
            prepare()?;
            pairs.a.push(timed(&mut a)?);
            prepare()?;
            pairs.b.push(timed(&mut b)?);
        }
        Ok(pairs)
    }

    /// The median of A's time divided by B's.
    pub fn ratio(&self) -> f64 {
        median(self.ratios().collect(), f64::total_cmp).unwrap_or(f64::NAN)
    }

    fn ratios(&self) -> impl Iterator<Item = f64> {
        let times = self.a.iter().zip(&self.b);
        times.map(|(a, b)| a.as_secs_f64() / b.as_secs_f64())
    }
}

/// `ratio 1.07 (0.95 to 1.31; 0.41 s and 0.38 s)`: median and range of the ratios, medians of the times.
impl fmt::Display for Pairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = self.ratios().fold(f64::INFINITY, f64::min);
        let most = self.ratios().fold(0.0, f64::max);
        let middle = |times: &[Duration]| median(times.to_vec(), Duration::cmp).unwrap_or_default();
        write!(
            f,
            "ratio {:.2} ({least:.2} to {most:.2}; {:.2?} and {:.2?})",
            self.ratio(),
            middle(&self.a),
            middle(&self.b)
        )
    }
}

fn timed<E>(work: &mut impl FnMut() -> Result<(), E>) -> Result<Duration, E> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed())
}

fn median<T>(mut values: Vec<T>, order: impl Fn(&T, &T) -> std::cmp::Ordering) -> Option<T> {
    values.sort_by(order);
    let middle = values.len() / 2;
    values.into_iter().nth(middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_middle_one_of_the_pairs() {
        let seconds = |all: [u64; 3]| all.map(Duration::from_secs).to_vec();
        let pairs = Pairs {
            a: seconds([1, 9, 10]),
            b: seconds([1, 3, 5]),
        };
        assert!((pairs.ratio() - 2.0).abs() < 1e-12);
        assert_eq!(pairs.to_string(), "ratio 2.00 (1.00 to 3.00; 9.00s and 3.00s)");
    }
}
