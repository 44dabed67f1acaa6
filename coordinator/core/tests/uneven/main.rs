//! Workers of very different speed, some that join late, some that leave: when a job ends, against when it could have
//! ended at best.
//!
//! Nothing fails here but workers that go. `TRC2NPY_SEED=N` tells one mix in full, `TRC2NPY_SEEDS=N` tries as many as that
//! (1,000 unless told).
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the test may look at its environment and say something; the core may not"
)]

mod ideal;
mod mix;
mod night;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use mix::Mix;
use night::Night;

/// How much later than at best a job may end.
const WITHIN: f64 = 0.15;
/// Of the worst mixes so many are named.
const SHOWN: usize = 8;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text}: a number expected")),
    )
}

/// As a share of the best, without what is unavoidable.
fn later_than_at_best(seed: u64, talks: bool) -> f64 {
    let mix = Mix::random(seed);
    let best = ideal::end(&mix);
    let end = Night::new(&mix, talks).run();
    if talks {
        println!(
            "{mix:?}\nended at {end:.1} s, at best {best:.1} s, unavoidable {:.1} s",
            mix.unavoidable()
        );
    }
    (end - mix.unavoidable()) / best - 1.0
}

#[test]
fn every_mix_ends_soon_after_it_could_have_at_best() {
    let first = number("TRC2NPY_SEED");
    let seeds = number("TRC2NPY_SEEDS").unwrap_or(1_000);
    let seeds = first.map_or(0..seeds, |seed| seed..seed + 1);
    let (next, late) = (AtomicU64::new(seeds.start), Mutex::new(Vec::new()));
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let by = later_than_at_best(seed, first.is_some());
                    late.lock().expect("no thread has failed").push((by, seed));
                }
            });
        }
    });
    let mut late: Vec<(f64, u64)> = late.into_inner().expect("no thread has failed");
    late.sort_by(|one, other| one.0.total_cmp(&other.0));
    for (by, seed) in late.iter().rev().take(SHOWN) {
        println!("seed {seed}: {:.1} %", by * 100.0);
    }
    let at = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a position in the list"
        )]
        let at = ((late.len() - 1) as f64 * share) as usize;
        late[at].0 * 100.0
    };
    println!(
        "{} mixes: later than at best by {:.1} % (median), {:.1} % (99 of 100), {:.1} % (worst)",
        late.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    let (worst, seed) = late[late.len() - 1];
    assert!(
        worst <= WITHIN,
        "seed {seed}: {:.1} % later than at best; to see it: TRC2NPY_SEED={seed} cargo test -p trc2npy-coordinator-core \
         --test uneven -- --nocapture",
        worst * 100.0
    );
}
