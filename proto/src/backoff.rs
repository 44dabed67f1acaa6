//! How long to wait before the coordinator is called again: the same for workers and for whoever watches a job.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(15);

/// Doubles from try to try, and differs from caller to caller, so that not all of them come back in one moment.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
    random: fastrand::Rng,
}

impl Backoff {
    /// Begins with the shortest; `seed` is unlike that of other callers.
    pub fn new(seed: u64) -> Self {
        Self {
            next: FIRST,
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The connection stood: begin again from the shortest.
    pub fn reset(&mut self) {
        self.next = FIRST;
    }

    /// Between a half and the whole of the present step.
    pub fn wait(&mut self) -> Duration {
        let step = self.next;
        self.next = (step * 2).min(LONGEST);
        step.mul_f64(0.5 + self.random.f64() / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_begin_again_after_success() {
        let mut backoff = Backoff::new(7);
        let waits: Vec<Duration> = (0..12).map(|_| backoff.wait()).collect();
        for (at, wait) in waits.iter().enumerate() {
            let whole = LONGEST.min(FIRST * 2u32.pow(u32::try_from(at).unwrap()));
            assert!(*wait >= whole / 2 && *wait <= whole, "{at}: {wait:?}");
        }
        backoff.reset();
        assert!(backoff.wait() <= FIRST);
        assert_ne!(Backoff::new(1).wait(), Backoff::new(2).wait());
    }
}
