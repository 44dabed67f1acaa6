//! A core with a clock and workers that do what the test says.

use std::collections::BTreeMap;

use trc2npy_common::plan::Stretch;
use trc2npy_common::units::{Bytes, RowRange};

use crate::{
    Beat, ChannelIndex, ChannelSpec, Core, Effect, Epoch, Event, Fault, Found, Grant, Hello, JobId, JobSpec, LeaseId,
    LeaseProgress, Loss, Millis, SessionId, Shard, Step, Work,
};

pub(super) struct Stage {
    pub(super) core: Core,
    now: Millis,
    sessions: u64,
    /// Workers that are heard of while time passes.
    heard: BTreeMap<SessionId, Beat>,
}

/// A job of one channel of files of one row each, 1 MiB a row, so that a lease has as many rows as MiB.
pub(super) fn spec(rows: u64) -> JobSpec {
    JobSpec {
        roots: vec!["data".to_owned()],
        channels: vec![channel(rows, 1)],
        settle: Millis::seconds(10),
        unreadable_allowed: 1,
        lease_bytes: Some(Bytes::mib(4)),
    }
}

pub(super) fn channel(rows: u64, rows_a_file: u64) -> ChannelSpec {
    ChannelSpec {
        stretches: vec![Stretch {
            rows,
            row_bytes: Bytes::mib(1),
            rows_a_file,
        }],
        committed: Vec::new(),
        regions: Vec::new(),
    }
}

pub(super) const fn rows(start: u64, end: u64) -> RowRange {
    RowRange::new(start, end)
}

pub(super) const fn lease(epoch: u32, attempt: u64) -> LeaseId {
    LeaseId {
        epoch: Epoch(epoch),
        attempt,
    }
}

pub(super) fn shard(grant: &Grant) -> Shard {
    Shard {
        lease: grant.lease,
        job: grant.job,
        channel: grant.channel,
        rows: grant.rows,
    }
}

pub(super) fn grants(effects: &[Effect]) -> Vec<(SessionId, Grant)> {
    let all = effects.iter().filter_map(|effect| match effect {
        Effect::Grant { session, grant } => Some((*session, *grant)),
        _ => None,
    });
    all.collect()
}

/// The first grant there is.
pub(super) fn grant(effects: &[Effect]) -> Grant {
    grants(effects).first().expect("a grant").1
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::of_epoch(1)
    }

    pub(super) fn of_epoch(epoch: u32) -> Self {
        Self {
            core: Core::new(Epoch(epoch), Millis(0)),
            now: Millis(0),
            sessions: 0,
            heard: BTreeMap::new(),
        }
    }

    pub(super) fn step(&mut self, event: Event) -> Vec<Effect> {
        self.core.step(self.now, event)
    }

    /// Time passes, and all workers are heard of.
    pub(super) fn wait(&mut self, time: Millis) -> Vec<Effect> {
        let end = self.now + time;
        let mut effects = Vec::new();
        while self.now < end {
            self.now = (self.now + Millis(250)).min(end);
            for (session, beat) in self.heard.clone() {
                effects.extend(self.step(Event::Beat { session, beat }));
            }
            effects.extend(self.step(Event::Tick));
        }
        effects
    }

    /// Time passes that the process does not see.
    pub(super) fn leap(&mut self, time: Millis) {
        self.now = self.now + time;
    }

    pub(super) fn open(&mut self, id: u64, spec: JobSpec) -> Vec<Effect> {
        self.step(Event::Opened {
            job: JobId(id),
            spec,
            shards: Vec::new(),
            restored: false,
        })
    }

    pub(super) fn restore(&mut self, id: u64, spec: JobSpec, shards: Vec<Shard>) -> Vec<Effect> {
        self.step(Event::Opened {
            job: JobId(id),
            spec,
            shards,
            restored: true,
        })
    }

    /// A worker with one slot and the root `data`.
    pub(super) fn join(&mut self, name: &str) -> (SessionId, Vec<Effect>) {
        self.join_with(name, 1, &[])
    }

    pub(super) fn join_with(&mut self, name: &str, slots: u32, in_hand: &[Grant]) -> (SessionId, Vec<Effect>) {
        self.join_seeing(&["data"], name, slots, in_hand)
    }

    pub(super) fn join_seeing(
        &mut self,
        roots: &[&str],
        name: &str,
        slots: u32,
        in_hand: &[Grant],
    ) -> (SessionId, Vec<Effect>) {
        self.sessions += 1;
        let session = SessionId(self.sessions);
        self.heard.insert(session, Self::beat(slots));
        let effects = self.step(Event::Joined {
            session,
            hello: Hello {
                name: name.to_owned(),
                slots,
                roots: roots.iter().map(ToString::to_string).collect(),
                in_hand: in_hand.to_vec(),
            },
        });
        (session, effects)
    }

    pub(super) fn beat(slots: u32) -> Beat {
        Beat {
            slots,
            memory_pressure: false,
            disk_free: None,
            draining: false,
            progress: Vec::new(),
        }
    }

    /// What a worker says from now on.
    pub(super) fn says(&mut self, session: SessionId, change: impl FnOnce(&mut Beat)) -> Vec<Effect> {
        let beat = self.heard.get_mut(&session).expect("a worker that is heard of");
        change(beat);
        let beat = beat.clone();
        self.step(Event::Beat { session, beat })
    }

    /// A worker says once how far a lease is.
    pub(super) fn progress(&mut self, session: SessionId, lease: LeaseId, bytes: Bytes, step: Step) -> Vec<Effect> {
        let mut beat = self.heard[&session].clone();
        beat.progress = vec![LeaseProgress { lease, bytes, step }];
        self.step(Event::Beat { session, beat })
    }

    /// It says nothing any more.
    pub(super) fn falls_silent(&mut self, session: SessionId) {
        self.heard.remove(&session);
    }

    pub(super) fn lost(&mut self, session: SessionId, loss: Loss) -> Vec<Effect> {
        self.heard.remove(&session);
        self.step(Event::Lost { session, loss })
    }

    /// A lease is delivered that took so long as one of 1 MiB/s.
    pub(super) fn deliver(&mut self, session: SessionId, grant: &Grant) -> Vec<Effect> {
        self.deliver_shard(session, shard(grant), Millis::seconds(grant.rows.len()))
    }

    pub(super) fn deliver_shard(&mut self, session: SessionId, shard: Shard, took: Millis) -> Vec<Effect> {
        let work = Work {
            bytes: Bytes::mib(shard.rows.len()),
            took,
            ..Work::default()
        };
        self.step(Event::Delivered { session, shard, work })
    }

    pub(super) fn land(&mut self, grant: &Grant) -> Vec<Effect> {
        self.step(Event::Landed {
            shard: shard(grant),
            found: Found::default(),
        })
    }

    pub(super) fn landing_fails(&mut self, grant: &Grant) -> Vec<Effect> {
        self.step(Event::LandingFailed {
            shard: shard(grant),
            why: "CRC32C 1 expected, 2 found".to_owned(),
        })
    }

    /// Delivers and lands.
    pub(super) fn finish(&mut self, session: SessionId, grant: &Grant) -> Vec<Effect> {
        let mut effects = self.deliver(session, grant);
        effects.extend(self.land(grant));
        effects
    }

    pub(super) fn fails(&mut self, session: SessionId, lease: LeaseId, fault: Fault) -> Vec<Effect> {
        self.step(Event::Failed { session, lease, fault })
    }

    /// Rows of the first channel of a job, by state: committed, leased, open, waiting.
    pub(super) fn counts(&self, job: u64) -> [u64; 4] {
        let channel = self.core.job(JobId(job)).expect("a living job").channels[0];
        [channel.committed, channel.leased, channel.open, channel.waiting].map(|amount| amount.rows)
    }

    /// The sentences of `explain`.
    pub(super) fn explain(&self, job: u64) -> Vec<String> {
        let reasons = self.core.explain(JobId(job), self.now);
        reasons.iter().map(ToString::to_string).collect()
    }

    pub(super) fn grant_of(job: u64, lease: LeaseId, rows: RowRange) -> Grant {
        Grant {
            lease,
            job: JobId(job),
            channel: ChannelIndex(0),
            rows,
            terms: crate::Terms::default(),
        }
    }
}
