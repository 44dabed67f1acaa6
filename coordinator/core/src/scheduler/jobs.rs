//! Jobs that begin and end.

use super::Core;
use crate::effect::{Effect, Ending, Reached, Record};
use crate::event::{JobSpec, Shard};
use crate::ids::{ChannelIndex, JobId, Millis};
use crate::job::{Job, Phase};
use crate::rows::Hands;

/// How long workers of before a restart are awaited, so that what they have in hand is not given to others.
const RETURN: Millis = Millis::seconds(3);

impl Core {
    pub(super) fn open_job(&mut self, id: JobId, spec: &JobSpec, shards: Vec<Shard>, restored: bool) {
        if self.jobs.contains_key(&id) {
            return;
        }
        let held_until = if restored { self.now() + RETURN } else { Millis(0) };
        self.jobs.insert(id, Job::new(spec, held_until));
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

    /// Ends a job: nothing of it is in anyone's hands from here on.
    pub(super) fn end_job(&mut self, id: JobId, ending: Ending) {
        let Some(job) = self.jobs.remove(&id) else { return };
        self.open.remove(&id);
        let reached = job.channels.iter().map(|channel| Reached {
            rows: channel.rows_committed.rows,
            bad_rows: channel.bad_rows,
        });
        let reached = reached.collect();
        let mut delivered = Vec::new();
        for channel in &job.channels {
            for held in channel.all_held() {
                for lease in held.hands.leases() {
                    if let Some(removed) = self.remove_lease(lease) {
                        self.revoke(lease, &removed);
                    }
                }
                if let Hands::Landing(landing) = held.hands {
                    delivered.push(landing);
                }
            }
        }
        self.effects.push(Effect::Record(Record::Ended {
            job: id,
            ending: ending.clone(),
            reached,
        }));
        for landing in delivered {
            self.settle(landing.maker, landing.lease);
            self.no_longer_awaits(landing.maker);
        }
        self.effects.push(Effect::Close { job: id, ending });
    }
}
