//! Doing what the core wants done.

use trc2npy_coordinator_core::{Effect, Record};
use trc2npy_proto::v1::{self, to_worker};

use super::Owner;
use crate::journal::Ended;
use crate::recorder::Task;
use crate::stitcher;

impl Owner {
    /// In order; what follows a record waits until it is durable.
    pub(super) fn perform(&mut self, effects: Vec<Effect>) {
        let mut effects = effects.into_iter();
        while let Some(effect) = effects.next() {
            if let Effect::Record(first) = effect {
                self.record(first, effects);
                return;
            }
            self.perform_one(effect);
        }
    }

    /// Sends the records off, and keeps the other effects until they are written.
    fn record(&mut self, first: Record, rest: impl Iterator<Item = Effect>) {
        let mut records = vec![first];
        let mut others = Vec::new();
        for effect in rest {
            match effect {
                Effect::Record(record) => records.push(record),
                other => others.push(other),
            }
        }
        let mut ended = Vec::new();
        for record in &records {
            if let Record::Ended { job, ending } = record {
                self.end(*job, Ended::from(ending));
                ended.extend(self.jobs.get(job).map(|entry| (*job, entry.record.clone())));
            }
        }
        let step = self.next_step;
        self.next_step += 1;
        self.deferred.insert(step, others);
        self.recorder.record(Task { records, ended, step });
    }

    fn perform_one(&mut self, effect: Effect) {
        match effect {
            Effect::Grant { session, grant } => self.send(session, to_worker::Message::Grant(grant.into())),
            Effect::Revoke { session, lease } => {
                let lease = Some(lease.into());
                self.send(session, to_worker::Message::Revoke(v1::Revoke { lease }));
            }
            Effect::Settle { session, lease } => {
                let lease = Some(lease.into());
                self.send(session, to_worker::Message::Settle(v1::Settle { lease }));
            }
            Effect::Dismiss(session) => self.send(session, to_worker::Message::Dismiss(v1::Dismiss {})),
            Effect::Disconnect { session, why } => self.disconnect(session, &why),
            Effect::Land(shard) => self.stitch(shard.job, stitcher::Task::Land(shard)),
            Effect::Discard(shard) => self.stitch(shard.job, stitcher::Task::Discard(shard)),
            Effect::Publish(job) => {
                let workers = self.names_of_workers(job);
                self.stitch(job, stitcher::Task::Publish { workers });
            }
            Effect::Close { job, ending } => {
                if let Some(live) = self.jobs.get_mut(&job).and_then(|entry| entry.live.take()) {
                    live.stitcher.give(stitcher::Task::Close(ending));
                }
            }
            // Taken out by `perform`.
            Effect::Record(_) => {}
        }
    }

    fn stitch(&self, job: trc2npy_coordinator_core::JobId, task: stitcher::Task) {
        if let Some(live) = self.jobs.get(&job).and_then(|entry| entry.live.as_ref()) {
            live.stitcher.give(task);
        }
    }
}
