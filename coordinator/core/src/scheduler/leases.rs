//! Leases and rows as they pass from one state to another. Nothing else changes them.

use trc2npy_common::units::RowRange;

use super::Core;
use crate::effect::Effect;
use crate::ids::{ChannelIndex, JobId, LeaseId, Millis, SessionId};
use crate::lease::{Holder, Lease};
use crate::placement::patience;
use crate::rows::{Care, Cost, Hands, Pieces};

/// When a second attempt has ended without a shard, the next one is not made before.
const AGAIN: Millis = Millis::seconds(10);

impl Core {
    /// Adds a lease of rows that are held with it among the hands.
    pub(super) fn add_lease(&mut self, id: LeaseId, lease: Lease) {
        self.deadlines.insert((lease.deadline, id));
        if let Some(session) = lease.session()
            && let Some(worker) = self.workers.get_mut(&session)
        {
            worker.leases.insert(id);
            worker.bytes += lease.bytes;
        }
        let session = lease.session();
        self.leases.insert(id, lease);
        self.index(id);
        if let Some(session) = session {
            self.refresh(session);
        }
    }

    /// Takes a lease out of its worker's hands; the rows stay held.
    pub(super) fn remove_lease(&mut self, id: LeaseId) -> Option<Lease> {
        let lease = self.leases.remove(&id)?;
        self.deadlines.remove(&(lease.deadline, id));
        self.lone.remove(&(lease.end, id));
        self.stalled.remove(&id);
        if let Some(session) = lease.session() {
            if let Some(worker) = self.workers.get_mut(&session) {
                worker.leases.remove(&id);
                worker.bytes = worker.bytes.saturating_sub(lease.bytes);
            }
            self.refresh(session);
        }
        Some(lease)
    }

    /// Puts a lease where second attempts are looked for, or nowhere. To be called where it, or who else has its rows,
    /// has changed.
    pub(super) fn index(&mut self, id: LeaseId) {
        let Some(lease) = self.leases.get(&id) else { return };
        self.lone.remove(&(lease.end, id));
        self.stalled.remove(&id);
        if lease.holder == Holder::Orphan || !self.is_lone(lease) {
            return;
        }
        if lease.stalled {
            self.stalled.insert(id);
            self.look_at_all = true;
        } else {
            self.lone.insert((lease.end, id));
        }
    }

    /// Whether nobody else has the rows.
    fn is_lone(&self, lease: &Lease) -> bool {
        let channel = self.jobs.get(&lease.job).and_then(|job| job.channel(lease.channel));
        let held = channel.and_then(|channel| channel.held(lease.rows));
        held.is_some_and(|held| matches!(held.hands, Hands::One(_)))
    }

    /// The other attempt at the rows of a lease.
    pub(super) fn other_attempt(&self, id: LeaseId, lease: &Lease) -> Option<LeaseId> {
        let channel = self.jobs.get(&lease.job)?.channel(lease.channel)?;
        channel.held(lease.rows)?.hands.leases().find(|&other| other != id)
    }

    /// Gives a lease another time until which it must get on.
    pub(super) fn set_deadline(&mut self, id: LeaseId, deadline: Millis) {
        if let Some(lease) = self.leases.get_mut(&id) {
            self.deadlines.remove(&(lease.deadline, id));
            lease.deadline = deadline;
            self.deadlines.insert((deadline, id));
        }
    }

    /// The time in which a lease must get on, from now on.
    pub(super) fn patience(&self, lease: &Lease) -> Millis {
        self.now() + patience(lease.step)
    }

    /// Ends an attempt without a shard. The rows stay with the other attempt, where there is one that gets on; else they
    /// are open again. `change` writes into their history what there is to write.
    pub(super) fn end_attempt(&mut self, id: LeaseId, change: impl FnOnce(&Cost, Pieces) -> Pieces) {
        let Some(lease) = self.remove_lease(id) else { return };
        let mut other = self.other_attempt(id, &lease);
        // One that hangs would keep the rows from being tried in another way.
        if let Some(hangs) = other.filter(|other| self.leases.get(other).is_some_and(|other| other.stalled))
            && let Some(hanging) = self.remove_lease(hangs)
        {
            self.revoke(hangs, &hanging);
            other = None;
        }
        let Some(channel) = self
            .jobs
            .get_mut(&lease.job)
            .and_then(|job| job.channel_mut(lease.channel))
        else {
            return;
        };
        let Some(other) = other else {
            if let Some(held) = channel.release(lease.rows) {
                let pieces = change(&channel.cost, held.pieces);
                self.open_rows(lease.job, lease.channel, pieces);
            }
            return;
        };
        if let Some((cost, held)) = channel.held_with_cost(lease.rows) {
            held.pieces = change(cost, std::mem::take(&mut held.pieces));
        }
        self.leave_to(other, &lease);
    }

    /// Takes back one of two attempts; the other keeps the rows.
    pub(super) fn take_back(&mut self, id: LeaseId) {
        let Some(lease) = self.remove_lease(id) else { return };
        self.revoke(id, &lease);
        if let Some(other) = self.other_attempt(id, &lease) {
            self.leave_to(other, &lease);
        }
    }

    fn leave_to(&mut self, other: LeaseId, ended: &Lease) {
        let no_second_before = self.now() + AGAIN;
        let channel = self
            .jobs
            .get_mut(&ended.job)
            .and_then(|job| job.channel_mut(ended.channel));
        if let Some(held) = channel.and_then(|channel| channel.held_mut(ended.rows)) {
            held.hands = Hands::One(other);
        }
        if let Some(other) = self.leases.get_mut(&other).filter(|other| !other.stalled) {
            other.no_second_before = no_second_before;
        }
        self.index(other);
    }

    /// Makes released rows open.
    pub(super) fn open_rows(&mut self, job: JobId, channel: ChannelIndex, pieces: Pieces) {
        let now = self.now();
        let Some(its) = self.jobs.get_mut(&job).and_then(|job| job.channel_mut(channel)) else {
            return;
        };
        for (rows, care) in pieces {
            match its.add_open(rows, care, now) {
                Some(time) => {
                    self.waits.insert((time, job, channel));
                }
                None => self.look_at_all = true,
            }
        }
        self.note_open(job);
    }

    /// Keeps the list of jobs with open rows.
    pub(super) fn note_open(&mut self, job: JobId) {
        let now = self.now();
        let has = self
            .jobs
            .get(&job)
            .is_some_and(|job| job.held_until <= now && job.has_open());
        if has {
            self.open.insert(job);
        } else {
            self.open.remove(&job);
        }
    }

    /// Tells the worker of a lease to drop it; the lease is removed already.
    pub(super) fn revoke(&mut self, id: LeaseId, lease: &Lease) {
        match lease.session() {
            Some(session) => self.tell_to_drop(session, lease.job, id),
            None => self.note_dropped(lease.job, id),
        }
    }

    pub(super) fn tell_to_drop(&mut self, session: SessionId, job: JobId, lease: LeaseId) {
        self.note_dropped(job, lease);
        self.effects.push(Effect::Revoke { session, lease });
    }

    pub(super) fn note_dropped(&mut self, job: JobId, lease: LeaseId) {
        if self.was_granted(lease)
            && let Some(job) = self.jobs.get_mut(&job)
        {
            job.dropped.insert(lease);
        }
    }

    /// Tells a worker, where it is still there, that a delivered lease can be forgotten.
    pub(super) fn settle(&mut self, session: Option<SessionId>, lease: LeaseId) {
        if let Some(session) = session.filter(|session| self.workers.contains_key(session)) {
            self.effects.push(Effect::Settle { session, lease });
        }
    }
}

/// Every piece with its history, which begins where there was none.
pub(super) fn each_care(pieces: Pieces, mut change: impl FnMut(RowRange, &mut Care)) -> Pieces {
    let changed = pieces.into_iter().map(|(rows, care)| {
        let mut care = care.unwrap_or_default();
        change(rows, &mut care);
        (rows, Some(care))
    });
    changed.collect()
}
