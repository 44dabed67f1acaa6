//! The page as it changes: server-sent events, one snapshot for all who watch, at most once a second.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TrySendError};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use super::server::Leash;
use super::snapshot::Status;
use super::{Page, page};

/// Who may watch at a time.
pub(super) const MOST_WATCHERS: usize = 64;
const EVERY: Duration = Duration::from_secs(1);
/// Where nothing changes, so often something is sent all the same: a connection that is gone is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Snapshots that may wait for a slow browser. One that lets more pile up is sent away; it comes back by itself.
const PATIENCE: usize = 8;

struct Watcher {
    snapshots: Sender<Bytes>,
    leash: Leash,
}

/// All who watch.
#[derive(Default)]
pub(super) struct Hub(Mutex<Vec<Watcher>>);

impl Hub {
    fn watchers(&self) -> std::sync::MutexGuard<'_, Vec<Watcher>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One more, who gets `first` at once; none where there are too many.
    pub(super) fn join(&self, first: Bytes, leash: Leash) -> Option<Body> {
        let mut watchers = self.watchers();
        watchers.retain(|watcher| !watcher.snapshots.is_closed());
        if watchers.len() >= MOST_WATCHERS {
            return None;
        }
        let (snapshots, taken): (_, Receiver<Bytes>) = channel(PATIENCE);
        // There is room for it.
        let _ = snapshots.try_send(first);
        leash.stay();
        watchers.push(Watcher { snapshots, leash });
        let taken = ReceiverStream::new(taken).map(Ok::<_, std::convert::Infallible>);
        Some(Body::from_stream(taken))
    }

    fn is_empty(&self) -> bool {
        self.watchers().iter().all(|watcher| watcher.snapshots.is_closed())
    }

    fn send(&self, what: &Bytes) {
        self.watchers()
            .retain(|watcher| match watcher.snapshots.try_send(what.clone()) {
                Ok(()) => true,
                Err(TrySendError::Closed(_)) => false,
                Err(TrySendError::Full(_)) => {
                    watcher.leash.cut();
                    false
                }
            });
    }
}

/// Sends what has changed to all who watch, for as long as there is an owner to be asked.
pub(super) async fn broadcast(page: Arc<Page>) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut last = None;
    let mut sent = Instant::now();
    loop {
        ticks.tick().await;
        if page.hub.is_empty() {
            continue;
        }
        let Ok(status) = page.status().await else { return };
        if last.as_ref() != Some(&status) {
            page.hub.send(&event(&status));
            last = Some(status);
            sent = Instant::now();
        } else if sent.elapsed() >= KEEP_ALIVE {
            page.hub.send(&Bytes::from_static(b": still here\n\n"));
            sent = Instant::now();
        }
    }
}

/// The page at a moment, as an event: its tree as JSON, in one line.
pub(super) fn event(status: &Status) -> Bytes {
    let json = serde_json::to_string(&page::main(status)).unwrap_or_default();
    Bytes::from(format!("event: page\ndata: {json}\n\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watchers_are_bounded_and_slow_ones_are_sent_away() {
        let hub = Hub::default();
        let mut bodies = Vec::new();
        for _ in 0..MOST_WATCHERS {
            bodies.push(hub.join(Bytes::from_static(b"first"), Leash::default()).unwrap());
        }
        assert!(hub.join(Bytes::new(), Leash::default()).is_none());
        bodies.pop();
        let slow = Leash::default();
        bodies.push(hub.join(Bytes::new(), slow.clone()).expect("one has gone"));
        for _ in 0..PATIENCE {
            hub.send(&Bytes::from_static(b"more"));
        }
        assert!(slow.is_cut());
        assert!(hub.is_empty());
    }
}
