//! Doing what the core wants done.

use trc2npy_coordinator_core::{Effect, JobId, Record};
use trc2npy_proto::v1::{self, to_worker};

use super::Owner;
use crate::journal::{Ended, JobRecord};
use crate::recorder::Task;
use crate::stitcher;

impl Owner {
    /// In order. Some effects wait until every record before them is durable, whatever step it came in.
    pub(super) fn perform(&mut self, effects: Vec<Effect>) {
        let mut records = Vec::new();
        let mut late = Vec::new();
        for effect in effects {
            match effect {
                Effect::Record(record) => records.push(record),
                effect if waits_for_records(&effect) => late.push(effect),
                effect => self.perform_one(effect),
            }
        }
        if !records.is_empty() {
            self.record(records, late);
        } else if let Some(mut waiting) = self.deferred.last_entry() {
            waiting.get_mut().extend(late);
        } else {
            for effect in late {
                self.perform_one(effect);
            }
        }
    }

    /// Sends the records off, and keeps the effects that wait until they are written.
    pub(super) fn record(&mut self, records: Vec<Record>, late: Vec<Effect>) {
        let mut ended = Vec::new();
        for record in &records {
            if let Record::Ended { job, ending, reached } = record {
                self.end(*job, Ended::from(ending), reached);
                ended.extend(self.jobs.get(job).map(|entry| (*job, entry.record.clone())));
            }
        }
        let step = self.next_step;
        self.next_step += 1;
        self.deferred.insert(step, late);
        self.traces.recording(step, &records);
        self.recorder.record(Task { records, ended, step });
    }

    /// Records a job that has ended without the core.
    pub(super) fn record_ended(&mut self, job: JobId, record: JobRecord) {
        let step = self.next_step;
        self.next_step += 1;
        let (records, ended) = (Vec::new(), vec![(job, record)]);
        self.recorder.record(Task { records, ended, step });
    }

    pub(super) fn perform_one(&mut self, effect: Effect) {
        self.traces.see(&effect);
        match effect {
            Effect::Grant { session, grant } => self.grant(session, &grant),
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
            Effect::Look(job) => self.stitch(job, stitcher::Task::Look),
            Effect::Publish(job) => {
                let makers = self.jobs.get(&job).map(|entry| entry.makers.iter().cloned().collect());
                let workers = makers.unwrap_or_default();
                self.stitch(job, stitcher::Task::Publish { workers });
            }
            Effect::Close { job, ending } => match self.jobs.get(&job).map(|entry| entry.live.as_ref()) {
                Some(Some(live)) => live.stitcher.give(stitcher::Task::Close(ending)),
                Some(None) => self.closed(job),
                None => {}
            },
            Effect::SetAside { job, why, reached } => self.set_aside(job, why, &reached),
            // Taken out by `perform`.
            Effect::Record(_) => {}
        }
    }

    fn stitch(&self, job: JobId, task: stitcher::Task) {
        if let Some(live) = self.jobs.get(&job).and_then(|entry| entry.live.as_ref()) {
            live.stitcher.give(task);
        }
    }
}

/// What would be wrong if the coordinator lost a record after it.
const fn waits_for_records(effect: &Effect) -> bool {
    match effect {
        Effect::Settle { .. }
        | Effect::Discard(_)
        | Effect::Publish(_)
        | Effect::Close { .. }
        | Effect::SetAside { .. }
        | Effect::Dismiss(_) => true,
        Effect::Grant { .. }
        | Effect::Revoke { .. }
        | Effect::Land(_)
        | Effect::Look(_)
        | Effect::Disconnect { .. }
        | Effect::Record(_) => false,
    }
}
