//! How a running worker is asked to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::Notify;

/// What was asked of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Asked {
    Nothing,
    /// Finish what is in hand, take nothing more.
    Drain,
    /// Give back what is in hand.
    Stop,
}

/// Asks a worker to end; from any thread.
#[derive(Clone, Debug, Default)]
pub struct Control {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    asked: AtomicU8,
    changed: Notify,
}

impl Control {
    /// Nothing asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first time: finish what is in hand; from then on: give it back at once. Returns which.
    pub fn signal(&self) -> bool {
        let first = self.shared.asked.fetch_add(1, Ordering::SeqCst) == 0;
        self.shared.changed.notify_one();
        first
    }

    /// Finish what is in hand, take nothing more; where something was asked already, that stays. Returns whether it was not.
    pub fn drain(&self) -> bool {
        let asked = &self.shared.asked;
        let first = asked.compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        self.shared.changed.notify_one();
        first
    }

    /// Asks to end at once.
    pub fn stop(&self) {
        self.shared.asked.store(2, Ordering::SeqCst);
        self.shared.changed.notify_one();
    }

    pub(crate) fn asked(&self) -> Asked {
        match self.shared.asked.load(Ordering::SeqCst) {
            0 => Asked::Nothing,
            1 => Asked::Drain,
            _ => Asked::Stop,
        }
    }

    /// Returns once something was asked since the last time.
    pub(crate) async fn changed(&self) {
        self.shared.changed.notified().await;
    }
}
