//! A connected worker.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use trc2npy_common::units::Bytes;

use crate::event::{Beat, Hello};
use crate::ids::{LeaseId, Millis, SessionId};
use crate::pace::Pace;
use crate::placement::{self, Condition};

/// Shards of it in succession that were not what their checksums say, before it gets no more leases.
const BAD_SHARDS: u32 = 3;

/// Rest of a worker that could not write a shard; doubles from time to time.
pub(crate) const OUTPUT_REST: Millis = Millis::seconds(5);

/// The order in which workers get leases: the fastest first, the oldest first among equals.
pub(crate) type Rank = (Reverse<u64>, SessionId);

/// What is known of a worker.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is told by someone else, and any of them can hold"
)]
pub(crate) struct Worker {
    pub(crate) name: Arc<str>,
    pub(crate) roots: BTreeSet<String>,
    pub(crate) slots: u32,
    pub(crate) memory_pressure: bool,
    pub(crate) disk_free: Option<Bytes>,
    /// It says so itself.
    pub(crate) leaving: bool,
    /// Someone wants it to.
    pub(crate) drain_asked: bool,
    /// When something was last heard of it.
    pub(crate) heard: Millis,
    pub(crate) leases: BTreeSet<LeaseId>,
    /// Most leases that it may have in flight, as it was when it got the last one.
    pub(crate) allowed: usize,
    /// What its leases cost.
    pub(crate) bytes: Bytes,
    /// Delivered shards of which it waits for word.
    pub(crate) unsettled: u64,
    /// In one lease.
    pub(crate) pace: Pace,
    /// What its delivered leases cost.
    pub(crate) delivered: Bytes,
    /// It gets nothing before.
    pub(crate) rests_until: Millis,
    pub(crate) rests_why: String,
    /// How long it rests after the next failed output.
    pub(crate) output_rest: Millis,
    pub(crate) bad_shards: u32,
    pub(crate) bad_shard_why: String,
    pub(crate) dismissed: bool,
    /// Its place among those that may get a lease.
    pub(crate) rank: Option<Rank>,
}

impl Worker {
    pub(crate) fn new(hello: &Hello, now: Millis) -> Self {
        Self {
            name: hello.name.as_str().into(),
            roots: hello.roots.iter().cloned().collect(),
            slots: hello.slots,
            memory_pressure: false,
            disk_free: None,
            leaving: false,
            drain_asked: false,
            heard: now,
            leases: BTreeSet::new(),
            allowed: 0,
            bytes: Bytes(0),
            unsettled: 0,
            pace: Pace::default(),
            delivered: Bytes(0),
            rests_until: Millis(0),
            rests_why: String::new(),
            output_rest: OUTPUT_REST,
            bad_shards: 0,
            bad_shard_why: String::new(),
            dismissed: false,
            rank: None,
        }
    }

    pub(crate) fn take_beat(&mut self, beat: &Beat) {
        self.slots = beat.slots;
        self.memory_pressure = beat.memory_pressure;
        self.disk_free = beat.disk_free;
        self.leaving = beat.draining;
    }

    /// Whether it gets no more leases until it ends.
    pub(crate) fn is_draining(&self) -> bool {
        self.leaving || self.drain_asked || self.makes_bad_shards()
    }

    /// Whether it gets none since its shards are not what their checksums say.
    pub(crate) fn makes_bad_shards(&self) -> bool {
        self.bad_shards >= BAD_SHARDS
    }

    pub(crate) fn condition(&self, now: Millis) -> Condition {
        Condition {
            slots: self.slots.into(),
            leases: self.leases.len() as u64,
            draining: self.is_draining(),
            memory_pressure: self.memory_pressure,
            silence: now.since(self.heard),
            rest: self.rests_until.since(now),
        }
    }

    /// Whether it has all of these roots mapped.
    pub(crate) fn sees(&self, roots: &[String]) -> bool {
        roots.iter().all(|root| self.roots.contains(root))
    }

    /// Whether it lives and is not about to end.
    pub(crate) fn stays(&self, now: Millis) -> bool {
        !self.is_draining() && now.since(self.heard) <= placement::SILENT
    }

    /// Its place, where it has a slot to spare; what passes with time alone is not looked at.
    pub(crate) fn place(&self, session: SessionId) -> Option<Rank> {
        let able = !self.is_draining() && !self.memory_pressure && self.leases.len() < self.slots as usize;
        able.then_some((Reverse(self.pace.speed().unwrap_or_default().0), session))
    }

    /// Leaves it alone for a while.
    pub(crate) fn rest(&mut self, until: Millis, why: &str) {
        self.rests_until = until;
        why.clone_into(&mut self.rests_why);
    }
}
