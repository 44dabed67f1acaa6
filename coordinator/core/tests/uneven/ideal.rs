//! When a job is done at best: the work is spread over whoever is there, to the byte, and nothing else takes time but to
//! put it together, which goes on at the same time.

use crate::mix::{LANDING, Mix};

/// In seconds.
pub(crate) fn end(mix: &Mix) -> f64 {
    // How much more a second from when on.
    let mut changes: Vec<(f64, f64)> = Vec::new();
    for worker in &mix.workers {
        let leaves = worker.leaves.map_or(f64::INFINITY, |leaving| leaving.at);
        if leaves > worker.joins {
            changes.push((worker.joins, worker.rate()));
            changes.push((leaves, -worker.rate()));
        }
    }
    changes.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut now, mut rate, mut left) = (0.0, 0.0, mix.bytes());
    for (at, more) in changes {
        let done: f64 = rate * (at - now);
        if done >= left {
            break;
        }
        (now, left) = (at, left - done);
        rate += more;
    }
    (now + left / rate).max(mix.bytes() / LANDING)
}
