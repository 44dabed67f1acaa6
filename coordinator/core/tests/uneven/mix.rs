//! A job, and the workers that there are for it.

use fastrand::Rng;

/// What one lease costs besides its bytes, in seconds.
pub(crate) const EACH: f64 = 0.05;
/// Bytes a second that shards are checked and copied with, one after the other.
pub(crate) const LANDING: f64 = 1.5e9;
const MB: f64 = 1e6;

#[derive(Debug)]
pub(crate) struct Mix {
    pub(crate) workers: Vec<Worker>,
    /// Of each channel: rows, their bytes, rows of a file.
    pub(crate) channels: Vec<(u64, u64, u64)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Worker {
    /// Bytes a second, of one lease.
    pub(crate) speed: f64,
    pub(crate) slots: u32,
    /// In seconds.
    pub(crate) joins: f64,
    pub(crate) leaves: Option<Leaving>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Leaving {
    pub(crate) at: f64,
    /// It finishes what it has; else it is switched off.
    pub(crate) drained: bool,
}

impl Mix {
    pub(crate) fn random(seed: u64) -> Self {
        let mut random = Rng::with_seed(seed);
        let fastest = 10.0 * MB * 10_f64.powf(random.f64() * 1.3);
        let count = random.usize(2..=12);
        let mut workers: Vec<Worker> = (0..count)
            .map(|at| Worker {
                speed: match at {
                    0 => fastest,
                    // Throttled, or an old machine.
                    1 => fastest / 10.0,
                    _ => fastest / 30_f64.powf(random.f64()),
                },
                slots: random.u32(1..=4),
                joins: 0.0,
                leaves: None,
            })
            .collect();
        let total: f64 = workers.iter().map(Worker::rate).sum();
        // By all of them together, in seconds.
        let lasts = 60.0 * 30_f64.powf(random.f64());
        if count > 2 {
            let late = random.usize(1..count);
            workers[late].joins = lasts * random.f64();
            let gone = random.usize(1..count);
            if gone != late {
                workers[gone].leaves = Some(Leaving {
                    at: lasts * random.f64(),
                    drained: random.bool(),
                });
            }
        }
        let channels = random.usize(1..=4);
        let channels = (0..channels)
            .map(|_| {
                let bytes = total * lasts / channels as f64;
                let row = MB * 0.005 * 20_000_f64.powf(random.f64());
                let a_file = if random.u8(..4) == 0 { random.u64(2..200) } else { 1 };
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "positive and small enough"
                )]
                let (rows, row) = ((bytes / row).ceil() as u64, row as u64);
                (rows, row, a_file)
            })
            .collect();
        Self { workers, channels }
    }

    pub(crate) fn bytes(&self) -> f64 {
        self.channels.iter().map(|(rows, row, _)| (rows * row) as f64).sum()
    }

    /// Seconds that no scheduler can save: the last row begins when all others are in someone's hands, and is done by the
    /// fastest at best; before anything is known of a worker it is given little, and that costs it a beginning and an end;
    /// and that a machine was switched off is known only after a while.
    pub(crate) fn unavoidable(&self) -> f64 {
        let fastest = self.workers.iter().map(|worker| worker.speed).fold(0.0, f64::max);
        let row = self.channels.iter().map(|(_, row, _)| *row).max().unwrap_or(0) as f64;
        let lost = self
            .workers
            .iter()
            .any(|worker| worker.leaves.is_some_and(|leaving| !leaving.drained));
        row / fastest + 2.0 + if lost { 5.0 } else { 0.0 }
    }
}

impl Worker {
    /// Bytes a second, of all its leases together.
    pub(crate) fn rate(&self) -> f64 {
        self.speed * f64::from(self.slots)
    }
}
