//! What is around the core: it does the effects, answers them, keeps the journal, and dies now and then.

use std::collections::VecDeque;

use trc2npy_common::units::RowRange;
use trc2npy_coordinator_core::{
    Core, Effect, Epoch, Event, Fault, Grant, JobId, Loss, Millis, Record, SessionId, Shard,
};

use crate::disk::name;
use crate::workers::ToWorker;
use crate::world::World;

impl World {
    pub(crate) fn raw_time(&self) -> Millis {
        self.time - self.began
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.say(|| format!("  > {event:?}"));
        self.note_hands(&event);
        let back = if self.strikes(20) { self.random.u64(..3000) } else { 0 };
        let effects = self.core.step(self.raw_time() - Millis(back), event);
        self.core.check().unwrap_or_else(|error| panic!("{error}"));
        for effect in &effects {
            self.look_at(effect);
        }
        for effect in effects {
            match effect {
                Effect::Record(record) => self.record(record),
                Effect::Grant { .. } | Effect::Revoke { .. } | Effect::Land(_) if self.hasty => self.perform(effect),
                _ => self.effects.push_back((self.journal.last(), effect)),
            }
        }
    }

    fn record(&mut self, record: Record) {
        match &record {
            Record::Ended { job, ending, .. } => {
                let its = self.jobs.get_mut(job).expect("a job that was submitted");
                assert!(its.may_end(ending), "job {job} ends: {ending:?}");
                its.ending = Some(ending.clone());
            }
            Record::Reopened { .. } => self.counts.note("reopened record"),
            Record::Committed(_) => {}
        }
        self.journal.append(record);
    }

    /// Keeps who has which lease, as far as the core can know.
    fn note_hands(&mut self, event: &Event) {
        match event {
            Event::Joined { session, hello } => {
                for grant in &hello.in_hand {
                    self.hands.insert(grant.lease, (*session, *grant));
                }
            }
            Event::Delivered { shard, .. } => {
                self.hands.remove(&shard.lease);
            }
            Event::Failed { session, lease, fault } if self.hands.get(lease).is_some_and(|(of, _)| of == session) => {
                if let Some((_, grant)) = self.hands.remove(lease)
                    && matches!(fault, Fault::Crashed(_))
                {
                    self.note_crash(&grant);
                }
            }
            _ => {}
        }
    }

    /// What must hold of an effect when the core asks for it.
    fn look_at(&mut self, effect: &Effect) {
        self.say(|| format!("  < {effect:?}"));
        let of = match effect {
            Effect::Grant { grant, .. } => Some(grant.job),
            Effect::Land(shard) | Effect::Record(Record::Committed(shard)) => Some(shard.job),
            Effect::Record(Record::Reopened { job, .. } | Record::Ended { job, .. }) | Effect::Publish(job) => {
                Some(*job)
            }
            _ => None,
        };
        if let Some(job) = of {
            assert!(!self.jobs[&job].closed, "job {job} is closed: {effect:?}");
        }
        match effect {
            Effect::Grant { session, grant } => {
                let of = |grant: &Grant| (grant.job, grant.channel, grant.rows);
                if self.hands.values().any(|(_, other)| of(other) == of(grant)) {
                    self.counts.note("second attempt");
                }
                self.hands.insert(grant.lease, (*session, *grant));
                assert!(self.sessions.contains_key(session), "{session:?} is gone");
                self.look_at_grant(grant);
                self.look_at_roots(*session, grant);
            }
            Effect::Close { job, .. } => {
                self.jobs.entry(*job).and_modify(|job| job.closed = true);
            }
            Effect::Disconnect { session, .. } => {
                self.counts.note("lost silent");
                self.sessions.remove(session);
            }
            _ => {}
        }
    }

    fn look_at_roots(&self, session: SessionId, grant: &Grant) {
        let Some(worker) = self.workers.iter().find(|worker| worker.session == Some(session)) else {
            return;
        };
        let spec = &self.jobs[&grant.job].spec;
        let regions = &spec.channels[usize::from(grant.channel.0)].regions;
        let all = std::iter::once(&spec.roots);
        let needed: Vec<_> = match regions.iter().find(|region| grant.rows.start < region.end) {
            Some(region) => {
                assert!(grant.rows.end <= region.end, "{grant:?} reaches over {region:?}");
                all.chain([&region.roots]).flatten().collect()
            }
            None => all.flatten().collect(),
        };
        assert!(
            needed.iter().all(|root| worker.roots.contains(root)),
            "{grant:?} for {:?}",
            worker.roots
        );
    }

    fn look_at_grant(&mut self, grant: &Grant) {
        let job = self.jobs.get_mut(&grant.job).expect("a job that was submitted");
        let mut files = 0;
        for file in job.files_of(grant.channel, grant.rows) {
            files += 1;
            if grant.terms.give_up {
                assert!(
                    file.crashed_alone.len() >= 3,
                    "{grant:?}: only {:?} crashed on it",
                    file.crashed_alone
                );
            }
            if grant.terms.take_unreadable {
                assert!(
                    file.input_faults >= 2,
                    "{grant:?}: only {} could not read it",
                    file.input_faults
                );
            }
        }
        assert!(files > 0, "{grant:?} has no rows");
        if grant.terms.give_up {
            assert_eq!(files, 1, "{grant:?} gives up files that were not alone");
            self.counts.note("given up");
        }
        if grant.terms.take_unreadable {
            self.counts.note("unreadable taken");
        }
    }

    /// Does some of what is to be done, and answers some of what was done.
    pub(crate) fn work_off(&mut self) {
        let some = if self.calm { usize::MAX } else { self.random.usize(..30) };
        for _ in 0..some {
            if self.strikes(4) {
                return self.restart();
            }
            if self.may(3) {
                let records = if self.calm { usize::MAX } else { self.random.usize(..4) };
                self.journal.sync(records.min(self.journal.pending()));
            }
            if !self.one_effect() {
                break;
            }
        }
        for shard in std::mem::take(&mut self.landings) {
            if self.may(4) {
                self.answer(shard);
            } else {
                self.landings.push(shard);
            }
        }
        for job in std::mem::take(&mut self.publishing) {
            if !self.may(4) {
                self.publishing.push(job);
                continue;
            }
            let fails = self.strikes(50);
            if fails {
                self.jobs.entry(job).and_modify(|job| job.publish_failed = true);
            }
            let result = if fails {
                Err("the disk is full".to_owned())
            } else {
                Ok(())
            };
            self.tell(Event::Published { job, result });
        }
    }

    /// Does the next effect, if it can be done; says whether it could.
    fn one_effect(&mut self) -> bool {
        let able = self
            .effects
            .front()
            .is_some_and(|(record, _)| self.journal.is_durable(*record));
        if able && let Some((_, effect)) = self.effects.pop_front() {
            self.perform(effect);
        }
        able
    }

    fn perform(&mut self, effect: Effect) {
        self.say(|| format!("    {effect:?}"));
        match effect {
            Effect::Grant { session, grant } => self.send(session, ToWorker::Grant(grant)),
            Effect::Revoke { session, lease } => self.send(session, ToWorker::Revoke(lease)),
            Effect::Settle { session, lease } => {
                let of_lease = |committed: &&crate::disk::Name| committed.3 == lease;
                if let Some(committed) = self.journal.newest.committed.iter().find(of_lease) {
                    let durable = self.journal.durable.committed.contains(committed);
                    assert!(durable, "{lease} is settled before its record is durable");
                }
                self.send(session, ToWorker::Settle(lease));
            }
            Effect::Dismiss(session) => self.send(session, ToWorker::Dismiss),
            Effect::Disconnect { session, .. } => {
                for worker in &mut self.workers {
                    if worker.session == Some(session) {
                        worker.session = None;
                    }
                }
            }
            Effect::Land(shard) => {
                assert!(!self.landings.contains(&shard), "{shard:?} is being landed");
                self.landings.push(shard);
            }
            Effect::Discard(shard) => {
                self.counts.note("discard");
                if self.aside.contains(&shard.job) {
                    // Nobody is there to do it.
                    return;
                }
                let over = self.jobs.get(&shard.job).is_none_or(|job| job.ending.is_some());
                let committed = self.journal.newest.committed.contains(&name(&shard));
                assert!(over || !committed, "{shard:?} is committed");
                assert!(over || !self.landings.contains(&shard), "{shard:?} is being landed");
                self.storage.remove(&shard);
            }
            Effect::SetAside { job, .. } => {
                self.counts.note("set aside");
                self.landings.retain(|shard| shard.job != job);
                self.aside.push(job);
            }
            // In the simulation it is always the worker's own trouble.
            Effect::Look(_) => {}
            Effect::Publish(job) => {
                self.look_at_whole(job);
                self.publishing.push(job);
            }
            Effect::Close { job, ending } => {
                assert!(
                    self.journal.durable.ended.contains(&job),
                    "the end of job {job} is not durable"
                );
                assert_eq!(self.jobs[&job].ending.as_ref(), Some(&ending));
                self.storage.remove_job(job);
            }
            Effect::Record(record) => self.record(record),
        }
    }

    /// Every row is recorded, by a shard that is whole.
    fn look_at_whole(&self, job: JobId) {
        let shards = self.journal.durable.shards_of(job);
        for shard in &shards {
            assert!(
                self.storage.read(shard).is_some(),
                "{shard:?} is committed and not whole"
            );
        }
        for (index, files) in (0_u16..).zip(&self.jobs[&job].files) {
            let mut at = 0;
            for shard in shards.iter().filter(|shard| shard.channel.0 == index) {
                assert_eq!(shard.rows.start, at, "job {job}, channel {index}: a gap, or rows twice");
                at = shard.rows.end;
            }
            assert_eq!(
                at,
                files.last().map_or(0, |file| file.rows.end),
                "job {job}, channel {index}: rows are missing"
            );
        }
    }

    /// Says how a landing ended.
    fn answer(&mut self, shard: Shard) {
        let found = self.storage.read(&shard);
        let spurious = self.strikes(30);
        if let Some(found) = found.filter(|_| !spurious) {
            return self.tell(Event::Landed { shard, found });
        }
        self.counts.note("landing failed");
        self.jobs.entry(shard.job).and_modify(|job| job.landings_failed += 1);
        self.tell(Event::LandingFailed {
            shard,
            why: "the checksum is another".to_owned(),
        });
    }

    /// The coordinator's process ends where it is, and begins anew.
    pub(crate) fn restart(&mut self) {
        let pending = self.journal.pending();
        let kept = self.random.usize(..=pending);
        if kept < pending {
            self.counts.note("record lost");
        }
        self.journal.crash(kept);
        self.counts.note("restart");
        for at in 0..self.workers.len() {
            self.break_stream(at);
        }
        self.start();
    }

    pub(crate) fn start(&mut self) {
        self.sessions.clear();
        self.effects = VecDeque::new();
        self.landings.clear();
        self.publishing.clear();
        self.hands.clear();
        self.late.clear();
        self.aside.clear();
        self.epoch = Epoch(self.epoch.0 + 1);
        self.say(|| format!("epoch {}", self.epoch.0));
        self.began = self.time - Millis(self.random.u64(..100));
        self.core = Core::new(self.epoch, self.raw_time());
        let all: Vec<JobId> = self.jobs.keys().copied().collect();
        for id in all {
            if self.journal.durable.ended.contains(&id) {
                // What its end leaves behind is removed when the coordinator starts.
                self.storage.remove_job(id);
                self.jobs.entry(id).and_modify(|job| job.closed = true);
                continue;
            }
            self.open_again(id);
        }
    }

    /// As the journal knows it.
    fn open_again(&mut self, id: JobId) {
        let mut shards = self.journal.durable.shards_of(id);
        let job = self.jobs.get_mut(&id).expect("it is one of them");
        (job.ending, job.closed) = (None, false);
        let mut spec = job.spec.clone();
        // Some are where they belong already, and need not land again.
        let in_place = self.random.f32() < 0.3;
        if in_place {
            for shard in shards.drain(..) {
                let rows: RowRange = shard.rows;
                spec.channels[usize::from(shard.channel.0)].committed.push(rows);
            }
        }
        self.tell(Event::Opened {
            job: id,
            spec,
            shards,
            restored: true,
        });
    }

    /// Jobs whose storage was away are tried again.
    pub(crate) fn try_again(&mut self) {
        for id in std::mem::take(&mut self.aside) {
            if self.may(3) {
                self.open_again(id);
            } else {
                self.aside.push(id);
            }
        }
    }

    /// A connection breaks, and the coordinator hears of it.
    pub(crate) fn tell_lost(&mut self, at: usize, loss: Loss) {
        let open = self
            .sessions
            .iter()
            .find(|(_, worker)| **worker == at)
            .map(|(&session, _)| session);
        if let Some(session) = open {
            self.sessions.remove(&session);
            self.tell(Event::Lost { session, loss });
        }
    }
}
