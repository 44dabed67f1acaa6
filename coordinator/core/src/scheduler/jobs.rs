//! Jobs that begin and end.

use super::Core;
use crate::effect::{Effect, Ending, Reached, Record};
use crate::event::{JobSpec, Shard};
use crate::ids::{ChannelIndex, JobId, LeaseId, Millis};
use crate::job::{Job, LeaseSet, Phase};
use crate::rows::{Hands, Landing};

/// How long workers of before a restart are awaited, so that what they have in hand is not given to others.
const RETURN: Millis = Millis::seconds(3);

/// A job that nobody works on any more.
struct Apart {
    /// Of each channel.
    reached: Vec<Reached>,
    /// Shards that were being landed.
    landing: Vec<Landing>,
    /// Leases that never count again.
    dropped: LeaseSet,
}

impl Core {
    pub(super) fn open_job(&mut self, id: JobId, spec: &JobSpec, shards: Vec<Shard>, restored: bool) {
        if self.jobs.contains_key(&id) {
            return;
        }
        let held_until = if restored { self.now() + RETURN } else { Millis(0) };
        let since = LeaseId {
            epoch: self.epoch,
            attempt: self.attempts,
        };
        let mut job = Job::new(spec, since, held_until);
        if let Some(dropped) = self.aside.remove(&id) {
            job.dropped = dropped;
            job.dropped.insert_until(since);
        }
        self.jobs.insert(id, job);
        for shard in shards {
            let channel = self.jobs.get_mut(&id).and_then(|job| job.channel_mut(shard.channel));
            match channel {
                Some(channel) if shard.job == id && channel.is_open(shard.rows) => {
                    channel.hold(shard.rows, Hands::One(shard.lease));
                    self.land(shard, None, true, false);
                }
                _ => self.discard(shard),
            }
        }
        // Looked at again when the workers have had their time.
        if restored {
            self.waits.insert((held_until, id, ChannelIndex(0)));
        }
        self.note_open(id);
        self.look_at_all = true;
        if self.jobs.get(&id).is_some_and(Job::is_done) {
            self.publish(id);
        }
    }

    pub(super) fn cancel(&mut self, id: JobId) {
        // Files get their names one after the other: from the first one on there is no way back.
        if self.jobs.get(&id).is_some_and(|job| job.phase == Phase::Running) {
            self.end_job(id, Ending::Cancelled);
        }
    }

    pub(super) fn published(&mut self, id: JobId, result: Result<(), String>) {
        if self.jobs.get(&id).is_some_and(|job| job.phase == Phase::Publishing) {
            self.end_job(id, result.map_or_else(Ending::Failed, |()| Ending::Done));
        }
    }

    /// Stops work on a job that is not over. Once its files get their names, what befalls the storage is told by that.
    pub(super) fn set_aside(&mut self, id: JobId, why: String) {
        if self.jobs.get(&id).is_none_or(|job| job.phase != Phase::Running) {
            return;
        }
        let Some(apart) = self.take_apart(id) else { return };
        self.aside.insert(id, apart.dropped);
        self.settle_all(&apart.landing);
        let reached = apart.reached;
        self.effects.push(Effect::SetAside { job: id, why, reached });
    }

    /// Ends a job: nothing of it is in anyone's hands from here on.
    pub(super) fn end_job(&mut self, id: JobId, ending: Ending) {
        let Some(apart) = self.take_apart(id) else { return };
        self.effects.push(Effect::Record(Record::Ended {
            job: id,
            ending: ending.clone(),
            reached: apart.reached,
        }));
        self.settle_all(&apart.landing);
        self.effects.push(Effect::Close { job: id, ending });
    }

    /// Takes a job out of everybody's hands.
    fn take_apart(&mut self, id: JobId) -> Option<Apart> {
        let mut job = self.jobs.remove(&id)?;
        self.open.remove(&id);
        let reached = job.channels.iter().map(|channel| Reached {
            rows: channel.rows_committed.rows,
            bad_rows: channel.bad_rows,
        });
        let reached = reached.collect();
        let mut landing = Vec::new();
        for channel in &job.channels {
            for held in channel.all_held() {
                for lease in held.hands.leases() {
                    job.dropped.insert(lease);
                    if let Some(removed) = self.remove_lease(lease) {
                        self.revoke(lease, &removed);
                    }
                }
                if let Hands::Landing(shard) = held.hands {
                    landing.push(shard);
                }
            }
        }
        Some(Apart {
            reached,
            landing,
            dropped: job.dropped,
        })
    }

    fn settle_all(&mut self, landing: &[Landing]) {
        for landing in landing {
            self.settle(landing.maker, landing.lease);
            self.no_longer_awaits(landing.maker);
        }
    }
}
