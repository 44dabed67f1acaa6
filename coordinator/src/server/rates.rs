//! How often somebody may do something: a bucket for each, which fills again with time.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many are remembered at most. Those whose buckets are full again need not be.
const REMEMBERED: usize = 4096;

/// What one may take at once, and how fast it comes back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    pub(crate) at_once: f64,
    pub(crate) a_second: f64,
}

/// The bucket of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    left: f64,
    at: Instant,
}

impl Bucket {
    pub(crate) fn full(rate: Rate, now: Instant) -> Self {
        Self {
            left: rate.at_once,
            at: now,
        }
    }

    /// Takes one. Where there is none: how long until there is.
    pub(crate) fn take(&mut self, rate: Rate, now: Instant) -> Result<(), Duration> {
        self.fill(rate, now);
        if self.left >= 1.0 {
            self.left -= 1.0;
            return Ok(());
        }
        Err(Duration::from_secs_f64((1.0 - self.left) / rate.a_second))
    }

    fn fill(&mut self, rate: Rate, now: Instant) {
        let since = now.saturating_duration_since(self.at).as_secs_f64();
        self.left = (self.left + since * rate.a_second).min(rate.at_once);
        self.at = now;
    }
}

/// A bucket for each of many.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    rate: Rate,
    of: Mutex<HashMap<K, Bucket>>,
}

impl<K: Eq + Hash> Buckets<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            of: Mutex::default(),
        }
    }

    /// Whether this one may do it once more.
    pub(crate) fn take(&self, who: K) -> bool {
        self.take_at(who, Instant::now())
    }

    fn take_at(&self, who: K, now: Instant) -> bool {
        let rate = self.rate;
        let mut all = self.of.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= REMEMBERED && !all.contains_key(&who) {
            all.retain(|_, bucket| {
                bucket.fill(rate, now);
                bucket.left < rate.at_once
            });
            if all.len() >= REMEMBERED {
                return false;
            }
        }
        let bucket = all.entry(who).or_insert_with(|| Bucket::full(rate, now));
        bucket.take(rate, now).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate {
        at_once: 3.0,
        a_second: 2.0,
    };

    #[test]
    fn a_bucket_fills_again_with_time() {
        let begin = Instant::now();
        let mut bucket = Bucket::full(RATE, begin);
        for _ in 0..3 {
            bucket.take(RATE, begin).unwrap();
        }
        assert_eq!(bucket.take(RATE, begin).unwrap_err(), Duration::from_millis(500));
        bucket.take(RATE, begin + Duration::from_millis(501)).unwrap();
        assert!(bucket.take(RATE, begin + Duration::from_millis(600)).is_err());
        let late = begin + Duration::from_hours(1);
        for _ in 0..3 {
            bucket.take(RATE, late).unwrap();
        }
        assert!(
            bucket.take(RATE, late).is_err(),
            "it never holds more than at the beginning"
        );
    }

    #[test]
    fn one_who_asks_much_takes_nothing_from_others_and_memory_is_bounded() {
        let begin = Instant::now();
        let buckets = Buckets::new(RATE);
        assert!((0..10).filter(|_| buckets.take_at(0, begin)).count() == 3);
        assert!(buckets.take_at(1, begin));
        for who in 0..2 * REMEMBERED {
            buckets.take_at(who, begin);
        }
        assert!(buckets.of.lock().unwrap().len() <= REMEMBERED);
        // Later on there is room again.
        assert!(buckets.take_at(3 * REMEMBERED, begin + Duration::from_mins(1)));
    }
}
