//! The core itself: `step(now, event)` gives effects. Each kind of event has a file here.
//!
//! Every change of a lease or of rows goes through `leases.rs`, every loss of a worker through `loss.rs`.

mod check;
mod clock;
mod deliveries;
mod faults;
mod grants;
mod jobs;
mod leases;
mod loss;
mod sweep;
#[cfg(test)]
mod tests;
mod workers;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::effect::{Effect, Ending};
use crate::event::Event;
use crate::ids::{ChannelIndex, Epoch, JobId, LeaseId, Millis, SessionId};
use crate::job::{Job, LeaseSet};
use crate::lease::Lease;
use crate::placement::Fleet;
use crate::worker::{Rank, Worker};
use clock::Clock;

/// Everything that the coordinator decides by.
///
/// It holds living jobs, connected workers and leases in flight; what has ended is forgotten.
#[derive(Clone, Debug)]
pub struct Core {
    pub(crate) epoch: Epoch,
    pub(crate) clock: Clock,
    /// Leases granted so far.
    pub(crate) attempts: u64,
    pub(crate) jobs: BTreeMap<JobId, Job>,
    /// Jobs that were set aside, with the leases that never count again. Some of their shards are recorded, and it is not
    /// known here which.
    aside: BTreeMap<JobId, LeaseSet>,
    pub(crate) workers: BTreeMap<SessionId, Worker>,
    pub(crate) leases: BTreeMap<LeaseId, Lease>,
    /// Slots of all workers.
    pub(crate) slots: u64,
    /// Jobs with rows that can be had now.
    open: BTreeSet<JobId>,
    /// Workers with a slot to spare.
    idle: BTreeSet<Rank>,
    /// When each lease's patience ends.
    deadlines: BTreeSet<(Millis, LeaseId)>,
    /// Leases that get on and have no second attempt, by when they will be done.
    lone: BTreeSet<(Millis, LeaseId)>,
    /// Leases that do not get on and have no second attempt.
    stalled: BTreeSet<LeaseId>,
    /// When rows of a channel can be had that cannot yet.
    waits: BTreeSet<(Millis, JobId, ChannelIndex)>,
    swept: Millis,
    /// Of each region of a channel, the workers that may take its rows, as they were at the last sweep or later.
    fleets: RefCell<BTreeMap<(JobId, ChannelIndex, usize), Fleet>>,
    /// Rows have become open in this step, or time has made workers able again.
    look_at_all: bool,
    /// Workers that have become able in this step.
    ready: BTreeSet<SessionId>,
    /// Draining workers of which something has changed in this step.
    leaving: BTreeSet<SessionId>,
    effects: Vec<Effect>,
}

impl Core {
    /// Knows no job and no worker yet. `epoch` was never used before.
    pub fn new(epoch: Epoch, now: Millis) -> Self {
        Self {
            epoch,
            clock: Clock::new(now),
            attempts: 0,
            jobs: BTreeMap::new(),
            aside: BTreeMap::new(),
            workers: BTreeMap::new(),
            leases: BTreeMap::new(),
            slots: 0,
            open: BTreeSet::new(),
            idle: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            lone: BTreeSet::new(),
            stalled: BTreeSet::new(),
            waits: BTreeSet::new(),
            swept: Millis(0),
            fleets: RefCell::default(),
            look_at_all: false,
            ready: BTreeSet::new(),
            leaving: BTreeSet::new(),
            effects: Vec::new(),
        }
    }

    /// Takes in what has happened and says what is to be done, in this order.
    ///
    /// `now` may stand still or go back (then it counts as standing still). Where it leaps by over 2 s, the process was
    /// asleep and could have heard of nothing: all deadlines move by that much. So it is to be called a few times a
    /// second, with [`Event::Tick`] where nothing has happened.
    pub fn step(&mut self, now: Millis, event: Event) -> Vec<Effect> {
        self.clock.advance(now);
        let tick = matches!(event, Event::Tick);
        self.take(event);
        self.sweep(tick);
        self.place();
        self.dismiss();
        debug_assert_eq!(self.check(), Ok(()));
        std::mem::take(&mut self.effects)
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Tick => {}
            Event::Opened {
                job,
                spec,
                shards,
                restored,
            } => self.open_job(job, &spec, shards, restored),
            Event::CancelAsked(job) => self.cancel(job),
            Event::Joined { session, hello } => self.join(session, &hello),
            Event::Beat { session, beat } => self.take_beat(session, &beat),
            Event::Delivered { session, shard, work } => self.deliver(session, shard, work),
            Event::Failed { session, lease, fault } => self.fault(session, lease, fault),
            Event::Lost { session, loss } => self.lose(session, loss.into()),
            Event::DrainAsked(session) => self.drain(session),
            Event::Landed { shard, found } => self.landed(shard, found),
            Event::LandingFailed { shard, why } => self.landing_failed(shard, &why),
            Event::StorageFailed { job, why } => self.end_job(job, Ending::Failed(why)),
            Event::StorageAway { job, why } => self.set_aside(job, why),
            Event::Published { job, result } => self.published(job, result),
        }
    }

    /// Time as the deadlines have it.
    pub(crate) fn now(&self) -> Millis {
        self.clock.now()
    }
}
