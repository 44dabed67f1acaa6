//! Workers that come, say how they are, and go when nothing is left for them.

use super::Core;
use crate::effect::Effect;
use crate::event::{Beat, Grant, Hello};
use crate::ids::SessionId;
use crate::lease::{Holder, Lease};
use crate::placement::patience;
use crate::rows::Hands;
use crate::worker::Worker;

impl Core {
    pub(super) fn join(&mut self, session: SessionId, hello: &Hello) {
        if self.workers.contains_key(&session) {
            return;
        }
        self.workers.insert(session, Worker::new(hello, self.now()));
        self.slots += u64::from(hello.slots);
        for &grant in &hello.in_hand {
            if self.aside.contains_key(&grant.job) {
                // What there is of it may count.
                self.settle(Some(session), grant.lease);
            } else if !self.reattach(session, grant) {
                self.tell_to_drop(session, grant.job, grant.lease);
            }
        }
        self.refresh(session);
    }

    /// Whether a worker may go on with a lease of an earlier connection, or of an earlier start of the coordinator.
    fn reattach(&mut self, session: SessionId, grant: Grant) -> bool {
        let Some(job) = self.jobs.get_mut(&grant.job) else {
            return false;
        };
        let landed = job.channel(grant.channel).is_some_and(|channel| {
            job.landed.has(grant.lease) || (grant.lease <= job.since && channel.is_committed(grant.rows))
        });
        if landed {
            self.settle(Some(session), grant.lease);
            return true;
        }
        let Some(channel) = job.channel_mut(grant.channel) else {
            return false;
        };
        // Its process lives, whatever was thought when the connection broke.
        channel.pardon(grant.rows, grant.lease);
        if let Some(Hands::Landing(landing)) = channel.held(grant.rows).map(|held| &held.hands) {
            let mine = landing.lease == grant.lease;
            if mine {
                self.await_landing(session, grant.job, grant.channel, grant.rows);
            }
            return mine;
        }
        if let Some(lease) = self.leases.get(&grant.lease) {
            if lease.holder != Holder::Orphan || !lease.is(&grant) {
                return false;
            }
            let lease = self.remove_lease(grant.lease);
            if let Some(mut lease) = lease {
                lease.holder = Holder::Worker(session);
                lease.stalled = false;
                lease.deadline = self.patience(&lease);
                self.add_lease(grant.lease, lease);
                self.allow_all(session);
            }
            return true;
        }
        self.adopt(session, grant)
    }

    /// Lets a worker go on with rows that are open: the coordinator has forgotten the lease, or has taken its worker for
    /// dead, and nobody else has the rows.
    fn adopt(&mut self, session: SessionId, grant: Grant) -> bool {
        let now = self.now();
        if !self.was_granted(grant.lease) {
            return false;
        }
        let (Some(job), Some(worker)) = (self.jobs.get_mut(&grant.job), self.workers.get(&session)) else {
            return false;
        };
        let dropped = job.dropped.has(grant.lease);
        let Some(channel) = job.channel_mut(grant.channel) else {
            return false;
        };
        if dropped || !channel.is_open(grant.rows) {
            return false;
        }
        channel.hold(grant.rows, Hands::One(grant.lease));
        let bytes = channel.cost.bytes(grant.rows);
        let mut lease = Lease::begun(&grant, session, worker.name.clone(), bytes, now);
        lease.look_ahead(now, None, (job.read, job.cost));
        self.add_lease(grant.lease, lease);
        self.note_open(grant.job);
        self.allow_all(session);
        true
    }

    /// What a worker brings with it is not too much for it.
    fn allow_all(&mut self, session: SessionId) {
        if let Some(worker) = self.workers.get_mut(&session) {
            worker.allowed = worker.allowed.max(worker.leases.len());
        }
    }

    pub(super) fn take_beat(&mut self, session: SessionId, beat: &Beat) {
        let now = self.now();
        let Some(worker) = self.workers.get_mut(&session) else {
            return;
        };
        self.slots = self.slots - u64::from(worker.slots) + u64::from(beat.slots);
        worker.take_beat(beat);
        worker.heard = now;
        let speed = worker.pace.speed();
        for progress in &beat.progress {
            let Some(lease) = self.leases.get_mut(&progress.lease) else {
                continue;
            };
            if lease.holder != Holder::Worker(session) {
                continue;
            }
            let further = lease.advance(now, progress.bytes, progress.step);
            let before = lease.end;
            let input = self
                .jobs
                .get(&lease.job)
                .map(|job| (job.read, job.cost))
                .unwrap_or_default();
            lease.look_ahead(now, speed, input);
            lease.stalled &= !further;
            let step = lease.step;
            self.lone.remove(&(before, progress.lease));
            self.index(progress.lease);
            if further {
                self.set_deadline(progress.lease, now + patience(step));
            }
        }
        self.refresh(session);
    }

    /// Any word of a worker is a sign of life.
    pub(super) fn hear(&mut self, session: SessionId) {
        let now = self.now();
        if let Some(worker) = self.workers.get_mut(&session) {
            worker.heard = now;
        }
    }

    pub(super) fn drain(&mut self, session: SessionId) {
        if let Some(worker) = self.workers.get_mut(&session) {
            worker.drain_asked = true;
            self.refresh(session);
        }
    }

    /// Keeps a worker's place among those that may get leases, or that may go when nothing is left for them.
    pub(super) fn refresh(&mut self, session: SessionId) {
        let Some(worker) = self.workers.get_mut(&session) else {
            return;
        };
        let rank = worker.place(session);
        if rank != worker.rank {
            if let Some(before) = worker.rank {
                self.idle.remove(&before);
            }
            if let Some(rank) = rank {
                self.idle.insert(rank);
            }
            worker.rank = rank;
        }
        if rank.is_some() {
            self.ready.insert(session);
        }
        if worker.is_draining() {
            self.leaving.insert(session);
        } else {
            worker.dismissed = false;
        }
    }

    /// Lets those go that drain and have nothing left. At the end of a step: what they are told in it comes before.
    pub(super) fn dismiss(&mut self) {
        while let Some(session) = self.leaving.pop_first() {
            let Some(worker) = self.workers.get_mut(&session) else {
                continue;
            };
            let idle = worker.leases.is_empty() && worker.unsettled == 0;
            if idle && worker.is_draining() && !worker.dismissed {
                worker.dismissed = true;
                self.effects.push(Effect::Dismiss(session));
            }
        }
    }
}
