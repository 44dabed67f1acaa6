//! Workers: what they do when all goes well, and all that can go wrong with them.

use std::collections::{BTreeMap, VecDeque};

use fastrand::Rng;
use trc2npy_common::units::{Bytes, RowRange};
use trc2npy_coordinator_core::{
    Beat, ChannelIndex, Effect, Event, Fault, Found, Grant, Hello, JobId, LeaseId, LeaseProgress, Loss, Millis,
    SessionId, Shard, Step, Work,
};

use crate::world::World;

/// What the coordinator says to a worker.
#[derive(Clone, Debug)]
pub(crate) enum ToWorker {
    Grant(Grant),
    Revoke(LeaseId),
    Settle(LeaseId),
    Dismiss,
}

/// A lease that a worker works on.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    grant: Grant,
    began: Millis,
    looked: Millis,
    done: u64,
    /// It hangs until then.
    stuck_until: Millis,
}

#[derive(Clone, Debug)]
pub(crate) struct Worker {
    name: String,
    pub(crate) roots: Vec<String>,
    slots: u32,
    /// Bytes a millisecond of one lease.
    speed: u64,
    alive: bool,
    /// Stopped, or its machine asleep, until then.
    paused_until: Millis,
    /// A new process since the connection that the coordinator may still take for alive.
    renewed: bool,
    leaving: bool,
    told: Millis,
    pub(crate) session: Option<SessionId>,
    pub(crate) tasks: BTreeMap<LeaseId, Task>,
    pub(crate) unsettled: BTreeMap<LeaseId, (Shard, Work, Grant)>,
    pub(crate) inbox: VecDeque<ToWorker>,
    pub(crate) outbox: VecDeque<Event>,
}

impl Worker {
    pub(crate) fn random(random: &mut Rng, at: usize) -> Self {
        let mut roots = vec!["data".to_owned(), "more".to_owned()];
        // The first one sees everything: a job must have a worker that can end it.
        roots.truncate(if at == 0 { 2 } else { random.usize(0..=2) });
        Self {
            name: format!("pc{at}"),
            roots,
            slots: random.u32(1..4),
            speed: random.u64(500..20_000),
            alive: true,
            paused_until: Millis(0),
            renewed: true,
            leaving: false,
            told: Millis(0),
            session: None,
            tasks: BTreeMap::new(),
            unsettled: BTreeMap::new(),
            inbox: VecDeque::new(),
            outbox: VecDeque::new(),
        }
    }

    pub(crate) fn is_quiet(&self) -> bool {
        self.tasks.is_empty() && self.unsettled.is_empty() && self.inbox.is_empty() && self.outbox.is_empty()
    }
}

impl World {
    pub(crate) fn send(&mut self, session: SessionId, word: ToWorker) {
        if let Some(worker) = self.workers.iter_mut().find(|worker| worker.session == Some(session)) {
            worker.inbox.push_back(word);
        }
    }

    /// A worker's turn.
    pub(crate) fn act(&mut self, at: usize) {
        self.befall(at);
        let worker = &self.workers[at];
        if worker.paused_until > self.time && !self.calm {
            return;
        }
        if !worker.alive {
            if self.may(10) {
                self.workers[at].alive = true;
            }
            return;
        }
        if worker.session.is_none() {
            if self.may(4) {
                self.connect(at);
            }
            return;
        }
        self.listen(at);
        self.work(at);
        self.beat(at);
        while !self.workers[at].outbox.is_empty() && self.may(2) {
            if let Some(event) = self.workers[at].outbox.pop_front() {
                if self.strikes(30) {
                    self.counts.note("told twice");
                    self.tell(event.clone());
                }
                self.tell(event);
            }
        }
    }

    /// What can happen to a worker at any time.
    fn befall(&mut self, at: usize) {
        if self.strikes(8) {
            self.die(at);
        }
        if self.strikes(10) {
            self.break_stream(at);
            if self.strikes(700) {
                self.tell_lost(at, Loss::StreamBroken);
            }
        }
        if self.strikes(8) {
            let time = self.random.u64(..90_000);
            self.workers[at].paused_until = self.time + Millis(time);
        }
        // A connection that nobody is at the other end of is noticed some time, or the silence is.
        let open = self
            .sessions
            .iter()
            .find(|(_, worker)| **worker == at)
            .map(|(&session, _)| session);
        if open.is_some() && open != self.workers[at].session && self.may(40) {
            self.tell_lost(at, Loss::StreamBroken);
        }
    }

    /// Its process ends, and with it all that it had in hand.
    fn die(&mut self, at: usize) {
        self.say(|| format!("pc{at} dies"));
        self.break_stream(at);
        let worker = &mut self.workers[at];
        (worker.alive, worker.renewed, worker.leaving) = (false, true, false);
        worker.tasks.clear();
        worker.unsettled.clear();
        if self.random.u32(..10) < 7 {
            self.tell_lost(at, Loss::StreamBroken);
        }
    }

    /// The worker's end of its connection is gone.
    pub(crate) fn break_stream(&mut self, at: usize) {
        let worker = &mut self.workers[at];
        worker.session = None;
        worker.inbox.clear();
        let words: Vec<_> = worker.outbox.drain(..).collect();
        if self.strikes(300) {
            self.late.extend(words);
        }
    }

    pub(crate) fn note_crash(&mut self, grant: &Grant) {
        if let Some(job) = self.jobs.get_mut(&grant.job) {
            job.files_of(grant.channel, grant.rows)
                .for_each(|file| file.crash(grant.rows, grant.lease));
        }
    }

    fn connect(&mut self, at: usize) {
        let open = self.sessions.iter().any(|(_, worker)| *worker == at);
        if open && self.workers[at].renewed {
            // Two of one name: the second is refused until the first one is gone.
            return;
        }
        self.tell_lost(at, Loss::Replaced);
        self.last_session += 1;
        let session = SessionId(self.last_session);
        let tells_all = self.random.bool();
        let now = self.time;
        let worker = &mut self.workers[at];
        worker.session = Some(session);
        (worker.renewed, worker.told) = (false, now);
        let mut in_hand: Vec<Grant> = worker.tasks.values().map(|task| task.grant).collect();
        if tells_all {
            in_hand.extend(worker.unsettled.values().map(|(_, _, grant)| *grant));
        }
        worker.inbox.clear();
        worker.outbox.clear();
        let delivered = worker.unsettled.values();
        worker
            .outbox
            .extend(delivered.map(|&(shard, work, _)| Event::Delivered { session, shard, work }));
        let hello = Hello {
            name: worker.name.clone(),
            slots: worker.slots,
            roots: worker.roots.clone(),
            in_hand: in_hand.clone(),
        };
        self.sessions.insert(session, at);
        self.tell(Event::Joined { session, hello });
        assert!(self.core.workers().iter().any(|worker| worker.session == session));
        let queued = self.effects.iter().map(|(_, effect)| effect);
        let queued = queued.filter(|effect| matches!(effect, Effect::Revoke { session: of, .. } if *of == session));
        let read = self.workers[at]
            .inbox
            .iter()
            .filter(|word| matches!(word, ToWorker::Revoke(_)));
        let revoked = queued.count() + read.count();
        if revoked < in_hand.len() {
            self.counts.note("re-attached");
        }
        if revoked > 0 {
            self.counts.note("re-attach refused");
        }
    }

    fn listen(&mut self, at: usize) {
        while self.may(2) {
            let now = self.time;
            let worker = &mut self.workers[at];
            match worker.inbox.pop_front() {
                None => return,
                Some(ToWorker::Grant(grant)) => {
                    let task = Task {
                        grant,
                        began: now,
                        looked: now,
                        done: 0,
                        stuck_until: Millis(0),
                    };
                    worker.tasks.insert(grant.lease, task);
                    if self.strikes(40) {
                        let time = if self.random.bool() { 200_000 } else { u64::MAX / 4 };
                        let until = self.time + Millis(self.random.u64(..time));
                        self.workers[at]
                            .tasks
                            .entry(grant.lease)
                            .and_modify(|task| task.stuck_until = until);
                    }
                }
                Some(ToWorker::Revoke(lease)) => {
                    worker.tasks.remove(&lease);
                    if let Some((shard, ..)) = worker.unsettled.remove(&lease) {
                        self.storage.remove(&shard);
                    }
                }
                Some(ToWorker::Settle(lease)) => {
                    worker.unsettled.remove(&lease);
                    worker.tasks.remove(&lease);
                }
                Some(ToWorker::Dismiss) => {
                    self.counts.note("dismissed");
                    assert!(
                        self.lied || worker.tasks.is_empty(),
                        "dismissed with {:?}",
                        worker.tasks
                    );
                    self.tell_lost(at, Loss::Goodbye);
                    self.die(at);
                    return;
                }
            }
        }
    }

    fn beat(&mut self, at: usize) {
        let (calm, now) = (self.calm, self.time);
        let moods = [self.strikes(20), self.strikes(20), self.strikes(20), self.strikes(3)];
        let worker = &mut self.workers[at];
        let Some(session) = worker.session else { return };
        if now.since(worker.told) < Millis(1000) {
            return;
        }
        worker.told = now;
        worker.leaving |= moods[3];
        let progress = worker.tasks.values().map(|task| LeaseProgress {
            lease: task.grant.lease,
            bytes: Bytes(task.done),
            step: if task.done == 0 {
                Step::Preparing
            } else {
                Step::Converting
            },
        });
        let beat = Beat {
            slots: if moods[0] { 0 } else { worker.slots },
            memory_pressure: moods[1],
            disk_free: if calm {
                None
            } else {
                Some(Bytes::mib(if moods[2] { 1 } else { 100_000 }))
            },
            draining: worker.leaving,
            progress: progress.collect(),
        };
        worker.outbox.push_back(Event::Beat { session, beat });
    }

    fn work(&mut self, at: usize) {
        let now = self.time;
        let leases: Vec<LeaseId> = self.workers[at].tasks.keys().copied().collect();
        for lease in leases {
            let worker = &mut self.workers[at];
            let speed = worker.speed;
            let Some(task) = worker.tasks.get_mut(&lease) else {
                continue;
            };
            let bytes = self.jobs[&task.grant.job].bytes(task.grant.channel, task.grant.rows).0;
            if task.stuck_until <= now {
                task.done = (task.done + speed * now.since(task.looked).0).min(bytes);
            }
            task.looked = now;
            if task.done >= bytes {
                self.finish(at, lease);
            }
        }
    }

    /// A task has come to its end, good or bad.
    fn finish(&mut self, at: usize, lease: LeaseId) {
        let now = self.time;
        let Some(task) = self.workers[at].tasks.get(&lease).cloned() else {
            return;
        };
        let Some(session) = self.workers[at].session else {
            return;
        };
        let grant = task.grant;
        let terms = grant.terms;
        let Some(job) = self.jobs.get_mut(&grant.job) else {
            return;
        };
        let mut found = Found::default();
        let (mut deadly, mut unreadable, mut writing) = (false, false, Vec::new());
        for file in job.files_of(grant.channel, grant.rows).filter(|_| !terms.give_up) {
            deadly |= file.deadly;
            unreadable |= file.unreadable;
            // A file in parts counts where its first row is.
            found.unreadable += u64::from(file.unreadable && file.rows.start >= grant.rows.start);
            if file.written > now && !terms.settled {
                writing.push(file.rows.intersection(grant.rows));
            }
        }
        if terms.give_up {
            found.bad_rows = grant.rows.len();
        }
        let fault = if deadly {
            if !terms.apart && self.random.bool() {
                return self.die(at);
            }
            Some(Fault::Crashed("signal 11".to_owned()))
        } else if !writing.is_empty() {
            self.counts.note("waited for writer");
            Some(Fault::StillWriting(writing))
        } else if unreadable && !terms.take_unreadable {
            Some(Fault::Input("permission denied".to_owned()))
        } else {
            self.random_fault(at, &grant)
        };
        self.workers[at].tasks.remove(&lease);
        if let Some(fault) = fault {
            self.note_fault(&grant, &fault);
            self.workers[at]
                .outbox
                .push_back(Event::Failed { session, lease, fault });
            return;
        }
        let shard = Shard {
            lease,
            job: grant.job,
            channel: grant.channel,
            rows: grant.rows,
        };
        let work = Work {
            bytes: Bytes(task.done),
            took: now.since(task.began),
            ..Work::default()
        };
        let broken = self.strikes(30);
        self.storage.write(&shard, (!broken).then_some(found));
        let shard = if self.strikes(30) { self.lie(shard) } else { shard };
        self.workers[at].unsettled.insert(lease, (shard, work, grant));
        self.workers[at]
            .outbox
            .push_back(Event::Delivered { session, shard, work });
    }

    fn random_fault(&mut self, at: usize, grant: &Grant) -> Option<Fault> {
        if !self.strikes(150) {
            return None;
        }
        let why = "it was so".to_owned();
        Some(match self.random.u32(..100) {
            0..=19 => Fault::Returned,
            20..=39 => Fault::StillWriting(self.some_rows(grant)),
            40..=59 => Fault::Input(why),
            60..=79 => Fault::Output(why),
            80..=84 => Fault::Crashed(why),
            85..=89 => Fault::Ended(why),
            90 => Fault::Hopeless(why),
            // The first one sees all files, and says so.
            _ if at > 0 => Fault::Unfit(why),
            _ => Fault::Returned,
        })
    }

    fn some_rows(&mut self, grant: &Grant) -> Vec<RowRange> {
        (0..self.random.usize(..3))
            .map(|_| {
                let start = self.random.u64(grant.rows.start.saturating_sub(2)..grant.rows.end + 2);
                RowRange::new(start, start + self.random.u64(..5))
            })
            .collect()
    }

    fn note_fault(&mut self, grant: &Grant, fault: &Fault) {
        let Some(job) = self.jobs.get_mut(&grant.job) else {
            return;
        };
        match fault {
            Fault::Hopeless(_) => job.hopeless = true,
            Fault::Output(_) => job.outputs_failed += 1,
            Fault::Input(_) => job
                .files_of(grant.channel, grant.rows)
                .for_each(|file| file.input_faults += 1),
            _ => {}
        }
    }

    /// A shard as it is not.
    fn lie(&mut self, mut shard: Shard) -> Shard {
        self.counts.note("lied");
        self.lied = true;
        match self.random.u32(..7) {
            0 => shard.rows.end += self.random.u64(1..3),
            1 => shard.rows.start += 1,
            2 => shard.rows = RowRange::new(shard.rows.end, shard.rows.start),
            3 => shard.channel = ChannelIndex(self.random.u16(..4)),
            4 => shard.job = JobId(self.random.u64(..5)),
            5 => shard.lease.attempt = self.random.u64(..u64::MAX),
            // One that no start of this seed gets to.
            _ => shard.lease.epoch.0 += 1000,
        }
        shard
    }

    /// Words of connections that are gone.
    pub(crate) fn bring_late_words(&mut self) {
        while !self.late.is_empty() && self.may(5) {
            self.counts.note("late word");
            let event = self.late.remove(0);
            self.tell(event);
        }
    }
}
