//! The core among workers, a journal and a shared storage that fail in every way, seed by seed.
//!
//! While the disturbance lasts, workers die, stall, lie and answer late or twice, the clock stands still or leaps, and
//! the coordinator restarts between any two effects. Then all is calm, and every job must end, each of its rows recorded
//! exactly once and by a shard that is whole.
//!
//! `TRC2NPY_SEED=N` runs one seed; `TRC2NPY_SEEDS=N` as many as that (10,000 unless told).
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the test may look at its environment, use threads and say something; the core may not"
)]

mod disk;
mod jobs;
mod shell;
mod workers;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use world::World;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text}: a number expected")),
    )
}

#[test]
fn every_job_ends_whole_whatever_happens() {
    if let Some(seed) = number("TRC2NPY_SEED") {
        let counts = World::new(seed, true).run();
        println!("seed {seed}: {counts:?}");
        return;
    }
    let seeds = number("TRC2NPY_SEEDS").unwrap_or(10_000);
    let (next, failed) = (AtomicU64::new(0), Mutex::new(None));
    let totals = Mutex::new(world::Counts::default());
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds || failed.lock().unwrap().is_some() {
                        return;
                    }
                    match catch_unwind(AssertUnwindSafe(|| World::new(seed, false).run())) {
                        Ok(counts) => totals.lock().unwrap().add(&counts),
                        Err(_) => {
                            failed.lock().unwrap().get_or_insert(seed);
                        }
                    }
                }
            });
        }
    });
    if let Some(seed) = failed.into_inner().unwrap() {
        panic!(
            "seed {seed} failed; to see it again: \
             TRC2NPY_SEED={seed} cargo test -p trc2npy-coordinator-core --test simulation -- --nocapture"
        );
    }
    let totals = totals.into_inner().unwrap();
    println!("{seeds} seeds: {totals:?}");
    if seeds >= 1000 {
        totals.assert_all_seen();
    }
}
