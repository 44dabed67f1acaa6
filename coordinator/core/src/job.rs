//! A job that has not ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use trc2npy_common::units::{Bytes, RowRange};

use crate::event::JobSpec;
use crate::ids::{ChannelIndex, Epoch, LeaseId, Millis, SessionId};
use crate::lease::Lease;
use crate::rows::{Channel, Spans};
use crate::worker::Worker;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Rows are missing.
    Running,
    /// All are there; the files get their names.
    Publishing,
}

/// Why a worker gets nothing of a job, and until when: a folder that is not mounted now may be tomorrow, and if all
/// workers were excluded for good by a fault that has passed, the night would be lost.
#[derive(Clone, Debug)]
pub(crate) struct Unfit {
    pub(crate) why: String,
    pub(crate) until: Millis,
}

/// Many leases in little memory: most of them follow each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeaseSet(BTreeMap<Epoch, Spans>);

impl LeaseSet {
    pub(crate) fn insert(&mut self, lease: LeaseId) {
        let attempt = RowRange::new(lease.attempt, lease.attempt.saturating_add(1));
        self.0.entry(lease.epoch).or_default().insert(attempt);
    }

    /// Adds all attempts of an epoch up to one.
    pub(crate) fn insert_until(&mut self, last: LeaseId) {
        let attempts = RowRange::new(0, last.attempt.saturating_add(1));
        self.0.entry(last.epoch).or_default().insert(attempts);
    }

    pub(crate) fn has(&self, lease: LeaseId) -> bool {
        self.0
            .get(&lease.epoch)
            .is_some_and(|attempts| attempts.has(lease.attempt))
    }
}

/// What is known of a job.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub(crate) roots: Vec<String>,
    pub(crate) settle: Millis,
    pub(crate) unreadable_allowed: u64,
    pub(crate) lease_bytes: Option<Bytes>,
    pub(crate) channels: Vec<Channel>,
    pub(crate) phase: Phase,
    /// The last lease that was granted before it was opened: of those up to it only the records know.
    pub(crate) since: LeaseId,
    /// Nobody gets leases of it before: workers may come back with some.
    pub(crate) held_until: Millis,
    /// Workers that cannot work on it.
    pub(crate) unfit: BTreeMap<SessionId, Unfit>,
    /// Of workers that could not read files of it since their last shard: how often, and how many shards the job had
    /// when that began.
    pub(crate) unreadable_on: BTreeMap<SessionId, (u32, u64)>,
    /// The worker that says that the job cannot be done, while no other one has said so.
    pub(crate) hopeless_on: Option<Arc<str>>,
    /// Shards that came.
    pub(crate) shards: u64,
    /// Leases whose shards have landed.
    pub(crate) landed: LeaseSet,
    /// Leases that were revoked or whose shards are being removed. They never count again, even where their rows are
    /// open: what is there of their files may be gone a moment later.
    pub(crate) dropped: LeaseSet,
    /// Shards in succession that could not be written.
    pub(crate) outputs_failed: u32,
    /// Shards in succession that did not land.
    pub(crate) landings_failed: u32,
    /// Files that could not be read.
    pub(crate) unreadable: u64,
    pub(crate) second_attempts: u64,
    /// Input bytes of the shards that came, and what their rows cost.
    pub(crate) read: Bytes,
    pub(crate) cost: Bytes,
    /// The workers' time for them.
    pub(crate) took: Millis,
}

impl Job {
    /// With all rows open but those that the spec has as committed.
    pub(crate) fn new(spec: &JobSpec, since: LeaseId, held_until: Millis) -> Self {
        Self {
            roots: spec.roots.clone(),
            settle: spec.settle,
            unreadable_allowed: spec.unreadable_allowed,
            lease_bytes: spec.lease_bytes,
            channels: spec.channels.iter().map(Channel::new).collect(),
            phase: Phase::Running,
            since,
            held_until,
            unfit: BTreeMap::new(),
            unreadable_on: BTreeMap::new(),
            hopeless_on: None,
            shards: 0,
            landed: LeaseSet::default(),
            dropped: LeaseSet::default(),
            outputs_failed: 0,
            landings_failed: 0,
            unreadable: 0,
            second_attempts: 0,
            read: Bytes(0),
            cost: Bytes(0),
            took: Millis(0),
        }
    }

    pub(crate) fn channel(&self, index: ChannelIndex) -> Option<&Channel> {
        self.channels.get(usize::from(index.0))
    }

    pub(crate) fn channel_mut(&mut self, index: ChannelIndex) -> Option<&mut Channel> {
        self.channels.get_mut(usize::from(index.0))
    }

    /// With their positions.
    pub(crate) fn each_channel(&self) -> impl Iterator<Item = (ChannelIndex, &Channel)> {
        (0..).map(ChannelIndex).zip(&self.channels)
    }

    /// Whether a worker can work on it, as far as is known: on some of its rows at least.
    pub(crate) fn suits(&self, session: SessionId, worker: &Worker, now: Millis) -> bool {
        let unfit = self.unfit.get(&session).is_some_and(|unfit| unfit.until > now);
        !unfit && worker.sees(&self.roots)
    }

    /// Whether it can work on these rows of one lease.
    pub(crate) fn suits_rows(&self, session: SessionId, worker: &Worker, now: Millis, lease: &Lease) -> bool {
        let channel = self.channel(lease.channel);
        self.suits(session, worker, now) && channel.is_some_and(|channel| worker.sees(channel.roots(lease.rows)))
    }

    /// What is in nobody's hands.
    pub(crate) fn remaining(&self) -> Bytes {
        let all = self.channels.iter();
        all.map(|channel| channel.rows_open.bytes + channel.rows_waiting.bytes)
            .sum()
    }

    /// What is not committed.
    pub(crate) fn unfinished(&self) -> Bytes {
        self.remaining() + self.channels.iter().map(|channel| channel.rows_held.bytes).sum()
    }

    /// Whether there are rows to be had now.
    pub(crate) fn has_open(&self) -> bool {
        self.channels.iter().any(|channel| channel.rows_open.rows > 0)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.channels.iter().all(Channel::is_done)
    }

    /// What one lease's worker does a second, over all of them.
    pub(crate) fn speed(&self) -> Option<Bytes> {
        let speed = u128::from(self.cost.0) * 1000 / u128::from(self.took.0.max(1));
        (self.cost.0 > 0).then(|| Bytes(u64::try_from(speed).unwrap_or(u64::MAX)))
    }
}
