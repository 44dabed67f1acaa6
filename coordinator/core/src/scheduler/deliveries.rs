//! Shards that come, land, or do not.

use trc2npy_common::units::{Bytes, RowRange};

use super::Core;
use crate::effect::{Effect, Ending, Record};
use crate::event::{Found, Shard, Work};
use crate::ids::{ChannelIndex, JobId, LeaseId, SessionId};
use crate::job::Phase;
use crate::lease::Lease;
use crate::rows::{Hands, Landing, Pieces};
use crate::worker::OUTPUT_REST;

/// Shards in succession that may fail to land, whoever made them, before the job fails.
const LANDINGS_FAILED: u32 = 6;

/// What a delivered shard is worth.
enum Worth {
    /// It is of a lease that has its rows.
    Live,
    /// Nobody has its rows.
    Open,
    /// It is being landed.
    Landing,
    /// It has landed.
    Landed,
    /// Nothing.
    Nothing,
}

impl Core {
    /// Whether this coordinator, or an earlier start of it, can have granted such a lease.
    pub(super) fn was_granted(&self, lease: LeaseId) -> bool {
        let latest = LeaseId {
            epoch: self.epoch,
            attempt: self.attempts,
        };
        lease.attempt > 0 && lease <= latest
    }

    pub(super) fn deliver(&mut self, session: SessionId, shard: Shard, work: Work) {
        self.hear(session);
        match self.worth(&shard) {
            Worth::Live => self.take_live(session, shard, work),
            Worth::Open => {
                if let Some(channel) = self
                    .jobs
                    .get_mut(&shard.job)
                    .and_then(|job| job.channel_mut(shard.channel))
                {
                    channel.hold(shard.rows, Hands::One(shard.lease));
                }
                self.note_open(shard.job);
                self.note_shard(session, shard.job);
                self.land(shard, Some(session), false, false);
            }
            Worth::Landing => self.await_landing(session, shard.job, shard.channel, shard.rows),
            // Its files may still be what the array is made of after a restart; whoever records it there removes them.
            Worth::Landed => self.settle(Some(session), shard.lease),
            Worth::Nothing => self.refuse(session, shard),
        }
    }

    fn worth(&self, shard: &Shard) -> Worth {
        let Some(job) = self.jobs.get(&shard.job) else {
            return Worth::Nothing;
        };
        let Some(channel) = job.channel(shard.channel) else {
            return Worth::Nothing;
        };
        let live = self.leases.contains_key(&shard.lease);
        // Also what only an earlier start knew of is not to lose its files; a lease in someone's hands is not such a one.
        let of_before = !live && shard.lease <= job.since && channel.is_committed(shard.rows);
        if job.landed.has(shard.lease) || of_before {
            return Worth::Landed;
        }
        if let Some(held) = channel.held(shard.rows) {
            return match &held.hands {
                Hands::Landing(landing) if landing.lease == shard.lease => Worth::Landing,
                hands if hands.have(shard.lease) => Worth::Live,
                _ => Worth::Nothing,
            };
        }
        if !live && !job.dropped.has(shard.lease) && self.was_granted(shard.lease) && channel.is_open(shard.rows) {
            Worth::Open
        } else {
            Worth::Nothing
        }
    }

    /// The shard does not count. Where the worker takes it for that of a lease in its hands, it has that no more.
    fn refuse(&mut self, session: SessionId, shard: Shard) {
        let holds = self
            .leases
            .get(&shard.lease)
            .is_some_and(|lease| lease.session() == Some(session));
        if holds {
            self.end_attempt(shard.lease, |_, pieces| pieces);
        }
        if !self.aside.contains_key(&shard.job) {
            self.discard(shard);
        }
        self.settle(Some(session), shard.lease);
    }

    /// Has a shard's files removed.
    pub(super) fn discard(&mut self, shard: Shard) {
        self.note_dropped(shard.job, shard.lease);
        self.effects.push(Effect::Discard(shard));
    }

    fn take_live(&mut self, session: SessionId, shard: Shard, work: Work) {
        let Some(lease) = self.remove_lease(shard.lease) else {
            return;
        };
        let other = self.other_attempt(shard.lease, &lease);
        self.note_work(&lease, work);
        if let Some(other) = other
            && let Some(second) = self.remove_lease(other)
        {
            self.revoke(other, &second);
        }
        self.land(shard, Some(session), false, lease.terms.give_up);
    }

    /// What a shard says of the speed of its worker, and of the job.
    fn note_work(&mut self, lease: &Lease, work: Work) {
        let Some(session) = lease.session() else { return };
        if let Some(worker) = self.workers.get_mut(&session) {
            worker.pace.note(lease.bytes, work.took);
            worker.delivered += lease.bytes;
        }
        self.refresh(session);
        self.note_shard(session, lease.job);
        if let Some(job) = self.jobs.get_mut(&lease.job) {
            job.cost += lease.bytes;
            // A worker's word, and thus of any size.
            job.read += Bytes(work.bytes.0.min(lease.bytes.0));
            job.took = job.took + work.took;
        }
    }

    /// A worker has read files of a job.
    fn note_shard(&mut self, session: SessionId, job: JobId) {
        if let Some(job) = self.jobs.get_mut(&job) {
            job.shards += 1;
            job.unreadable_on.remove(&session);
        }
    }

    /// Has a shard checked and copied; its rows are held.
    pub(super) fn land(&mut self, shard: Shard, maker: Option<SessionId>, recorded: bool, given_up: bool) {
        let landing = Landing {
            lease: shard.lease,
            maker: None,
            recorded,
            given_up,
        };
        let job = self.jobs.get_mut(&shard.job);
        let channel = job.and_then(|job| job.channel_mut(shard.channel));
        if let Some(held) = channel.and_then(|channel| channel.held_mut(shard.rows)) {
            held.hands = Hands::Landing(landing);
            self.effects.push(Effect::Land(shard));
        }
        if let Some(session) = maker {
            self.await_landing(session, shard.job, shard.channel, shard.rows);
        }
    }

    /// Notes who waits for word of a shard that is being landed.
    pub(super) fn await_landing(&mut self, session: SessionId, job: JobId, channel: ChannelIndex, rows: RowRange) {
        let Some(worker) = self.workers.get_mut(&session) else {
            return;
        };
        let channel = self.jobs.get_mut(&job).and_then(|job| job.channel_mut(channel));
        let held = channel.and_then(|channel| channel.held_mut(rows));
        let Some(Hands::Landing(landing)) = held.map(|held| &mut held.hands) else {
            return;
        };
        if landing.maker == Some(session) {
            return;
        }
        worker.unsettled += 1;
        let before = landing.maker.replace(session);
        self.no_longer_awaits(before);
    }

    pub(super) fn no_longer_awaits(&mut self, session: Option<SessionId>) {
        if let Some(session) = session
            && let Some(worker) = self.workers.get_mut(&session)
        {
            worker.unsettled -= 1;
            self.refresh(session);
        }
    }

    /// Takes the rows of a landing shard out of its hands, if it is one.
    fn end_landing(&mut self, shard: &Shard) -> Option<(Landing, Pieces)> {
        let channel = self.jobs.get_mut(&shard.job)?.channel_mut(shard.channel)?;
        let Hands::Landing(landing) = channel.held(shard.rows)?.hands else {
            return None;
        };
        if landing.lease != shard.lease {
            return None;
        }
        let held = channel.release(shard.rows)?;
        self.no_longer_awaits(landing.maker);
        Some((landing, held.pieces))
    }

    pub(super) fn landed(&mut self, shard: Shard, found: Found) {
        let Some((landing, _)) = self.end_landing(&shard) else {
            return;
        };
        let Some(job) = self.jobs.get_mut(&shard.job) else {
            return;
        };
        job.unreadable = job.unreadable.saturating_add(found.unreadable);
        job.outputs_failed = 0;
        job.landings_failed = 0;
        job.landed.insert(shard.lease);
        if let Some(channel) = job.channel_mut(shard.channel) {
            channel.commit(shard.rows);
            channel.bad_rows = channel.bad_rows.saturating_add(found.bad_rows);
            if landing.given_up {
                channel.rows_given_up += shard.rows.len();
            }
        }
        let (unreadable, allowed) = (job.unreadable, job.unreadable_allowed);
        let done = job.is_done();
        if !landing.recorded {
            self.effects.push(Effect::Record(Record::Committed(shard)));
        }
        self.settle(landing.maker, shard.lease);
        if let Some(worker) = landing.maker.and_then(|session| self.workers.get_mut(&session)) {
            if !worker.makes_bad_shards() {
                worker.bad_shards = 0;
            }
            worker.output_rest = OUTPUT_REST;
        }
        if unreadable > allowed {
            let why = format!(
                "{unreadable} files could not be read, more than the {allowed} allowed; mend the storage and submit again"
            );
            self.end_job(shard.job, Ending::Failed(why));
        } else if done {
            self.publish(shard.job);
        }
    }

    pub(super) fn landing_failed(&mut self, shard: Shard, why: &str) {
        let Some((landing, pieces)) = self.end_landing(&shard) else {
            return;
        };
        if landing.recorded {
            self.effects.push(Effect::Record(Record::Reopened {
                job: shard.job,
                channel: shard.channel,
                rows: shard.rows,
            }));
        }
        self.discard(shard);
        self.settle(landing.maker, shard.lease);
        self.open_rows(shard.job, shard.channel, pieces);
        if let Some(session) = landing.maker {
            if let Some(worker) = self.workers.get_mut(&session) {
                worker.bad_shards += 1;
                why.clone_into(&mut worker.bad_shard_why);
            }
            self.refresh(session);
        }
        let Some(job) = self.jobs.get_mut(&shard.job) else {
            return;
        };
        // What an earlier start has recorded says nothing of the storage as it is now.
        job.landings_failed += u32::from(!landing.recorded);
        if job.landings_failed >= LANDINGS_FAILED {
            let why = format!("{LANDINGS_FAILED} shards in succession could not be taken over; the last one: {why}");
            self.end_job(shard.job, Ending::Failed(why));
        }
    }

    /// Has the files given their names, when all rows are there.
    pub(super) fn publish(&mut self, id: JobId) {
        if let Some(job) = self.jobs.get_mut(&id)
            && job.phase == Phase::Running
        {
            job.phase = Phase::Publishing;
            self.effects.push(Effect::Publish(id));
        }
    }
}
