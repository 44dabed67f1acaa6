//! A seed's world: what it consists of, and how its time goes by.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use fastrand::Rng;
use trc2npy_coordinator_core::{Core, Effect, Epoch, Event, Grant, JobId, LeaseId, Millis, SessionId, Shard};

use crate::disk::{Journal, Storage};
use crate::jobs::{Job, Jobs};
use crate::workers::Worker;

/// Rounds of disturbance at most, and of calm within which all jobs must have ended.
const DISTURBED: usize = 120;
const CALM: usize = 4000;

/// What happened in a run, to see that seeds reach what they are for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    pub(crate) fn note(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    pub(crate) fn assert_all_seen(&self) {
        for what in [
            "done",
            "failed",
            "cancelled",
            "second attempt",
            "given up",
            "unreadable taken",
            "restart",
            "discard",
            "landing failed",
            "reopened record",
            "re-attached",
            "re-attach refused",
            "lost silent",
            "dismissed",
            "waited for writer",
            "late word",
            "told twice",
            "lied",
            "record lost",
            "leap",
        ] {
            assert!(self.0.contains_key(what), "no seed has seen: {what}");
        }
    }
}

#[expect(clippy::struct_excessive_bools, reason = "each is a mood of its own")]
pub(crate) struct World {
    pub(crate) random: Rng,
    talks: bool,
    /// Longest step of time that is not a leap, in ms.
    pace: u64,
    pub(crate) calm: bool,
    /// Effects that need not wait for records do not.
    pub(crate) hasty: bool,
    /// A worker has told of a shard that it has not made: what it has by its own account is not what the core takes it
    /// to have.
    pub(crate) lied: bool,
    pub(crate) time: Millis,
    /// When the coordinator's process began.
    pub(crate) began: Millis,
    pub(crate) core: Core,
    pub(crate) epoch: Epoch,
    pub(crate) jobs: Jobs,
    pub(crate) journal: Journal,
    pub(crate) storage: Storage,
    /// What is to be done, each with the number of the record before it.
    pub(crate) effects: VecDeque<(u64, Effect)>,
    pub(crate) landings: Vec<Shard>,
    pub(crate) publishing: Vec<JobId>,
    /// Connections that the coordinator takes for alive, with the worker's position.
    pub(crate) sessions: BTreeMap<SessionId, usize>,
    pub(crate) last_session: u64,
    /// Leases that the core takes to be in the hands of a worker.
    pub(crate) hands: BTreeMap<LeaseId, (SessionId, Grant)>,
    /// Jobs whose storage was away.
    pub(crate) aside: Vec<JobId>,
    pub(crate) workers: Vec<Worker>,
    /// What was on its way when connections broke.
    pub(crate) late: Vec<Event>,
    pub(crate) counts: Counts,
}

impl World {
    pub(crate) fn new(seed: u64, talks: bool) -> Self {
        let mut random = Rng::with_seed(seed);
        let workers = (0..random.usize(1..=4))
            .map(|at| Worker::random(&mut random, at))
            .collect();
        let mut world = Self {
            talks,
            pace: *random.choice(&[100, 500, 1900]).expect("there are three"),
            calm: false,
            hasty: random.bool(),
            lied: false,
            time: Millis(random.u64(..1_000_000)),
            began: Millis(0),
            core: Core::new(Epoch(1), Millis(0)),
            epoch: Epoch(0),
            jobs: Jobs::new(),
            journal: Journal::default(),
            storage: Storage::default(),
            effects: VecDeque::new(),
            landings: Vec::new(),
            publishing: Vec::new(),
            sessions: BTreeMap::new(),
            aside: Vec::new(),
            last_session: 0,
            hands: BTreeMap::new(),
            workers,
            late: Vec::new(),
            counts: Counts::default(),
            random,
        };
        world.start();
        world
    }

    pub(crate) fn say(&self, what: impl FnOnce() -> String) {
        if self.talks {
            println!("{:>9} {}", self.time.0, what());
        }
    }

    /// True so often of a thousand, as long as the disturbance lasts.
    pub(crate) fn strikes(&mut self, of_a_thousand: u32) -> bool {
        !self.calm && self.random.u32(..1000) < of_a_thousand
    }

    /// True with a chance of one in `n`, or always when all is calm.
    pub(crate) fn may(&mut self, n: u32) -> bool {
        self.calm || self.random.u32(..n) == 0
    }

    pub(crate) fn run(mut self) -> Counts {
        self.submit();
        let rounds = self.random.usize(..DISTURBED);
        for _ in 0..rounds {
            self.round();
            if self.strikes(8) {
                self.submit();
            }
        }
        self.say(|| "calm".to_owned());
        self.calm = true;
        let mut left = CALM;
        while !self.is_over() {
            self.round();
            self.nobody_works_in_vain();
            left -= 1;
            assert!(left > 0, "a job does not end: {}", self.plight());
        }
        self.nothing_is_left();
        self.counts
    }

    fn submit(&mut self) {
        let id = JobId(self.jobs.len() as u64 + 1);
        let job = Job::random(&mut self.random, self.time);
        let spec = job.spec.clone();
        self.say(|| format!("job {id}: {spec:?}"));
        self.jobs.insert(id, job);
        self.tell(Event::Opened {
            job: id,
            spec,
            shards: Vec::new(),
            restored: false,
        });
    }

    fn round(&mut self) {
        let step = match self.random.u32(..100) {
            0..=9 => 0,
            10..=11 if !self.calm => {
                self.counts.note("leap");
                self.random.u64(2_000..100_000)
            }
            // Not a leap, so that what hangs is found in time.
            _ if self.calm => self.random.u64(200..1900),
            _ => self.random.u64(1..self.pace),
        };
        self.time = self.time + Millis(step);
        self.tell(Event::Tick);
        for at in 0..self.workers.len() {
            self.act(at);
        }
        self.bring_late_words();
        self.try_again();
        self.disturb();
        self.work_off();
    }

    fn disturb(&mut self) {
        if self.strikes(15) {
            self.restart();
        }
        if self.strikes(3)
            && let Some(job) = self.any_job()
        {
            self.jobs.entry(job).and_modify(|job| job.cancelled = true);
            self.tell(Event::CancelAsked(job));
        }
        if self.strikes(4)
            && let Some(job) = self.any_job()
            && !self.aside.contains(&job)
        {
            let why = "the share is away".to_owned();
            self.tell(Event::StorageAway { job, why });
        }
        if self.strikes(5)
            && let Some((&session, _)) = self.sessions.iter().next()
        {
            self.tell(Event::DrainAsked(session));
        }
        if self.strikes(5) {
            let job = JobId(self.random.u64(..9));
            let _ = self
                .core
                .explain(job, self.raw_time())
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>();
            self.tell(Event::Published {
                job: JobId(77),
                result: Ok(()),
            });
        }
    }

    pub(crate) fn any_job(&mut self) -> Option<JobId> {
        let jobs: Vec<_> = self.jobs.keys().copied().collect();
        self.random.choice(jobs)
    }

    fn is_over(&self) -> bool {
        let ended = self.jobs.values().all(|job| job.ending.is_some() && job.closed);
        let quiet = self.effects.is_empty() && self.journal.pending() == 0 && self.late.is_empty();
        ended && quiet && (self.lied || self.workers.iter().all(Worker::is_quiet))
    }

    /// In calm, the leases that a worker has are those that the core knows of: nobody works on what was taken from it.
    fn nobody_works_in_vain(&self) {
        let words = self
            .workers
            .iter()
            .any(|worker| !worker.inbox.is_empty() || !worker.outbox.is_empty());
        if self.lied || words || !self.effects.is_empty() || !self.late.is_empty() {
            return;
        }
        for view in self.core.workers() {
            let worker = &self.workers[self.sessions[&view.session]];
            if worker.session == Some(view.session) {
                let has: Vec<_> = worker.tasks.keys().collect();
                assert_eq!(
                    view.leases,
                    has.len() as u64,
                    "{}: the core knows of other leases than {has:?}",
                    view.name
                );
            }
        }
    }

    fn nothing_is_left(&mut self) {
        assert!(self.core.jobs().is_empty(), "jobs left: {:?}", self.core.jobs());
        for worker in &self.workers {
            assert!(self.lied || worker.is_quiet(), "left: {worker:?}");
        }
        for job in self.jobs.values() {
            self.counts.note(match job.ending {
                Some(trc2npy_coordinator_core::Ending::Done) => "done",
                Some(trc2npy_coordinator_core::Ending::Cancelled) => "cancelled",
                _ => "failed",
            });
        }
    }

    fn plight(&self) -> String {
        let mut text = String::new();
        for job in self.core.jobs() {
            let _ = write!(text, "\n{job:?}");
            for reason in self.core.explain(job.job, self.raw_time()) {
                let _ = write!(text, "\n  {reason}");
            }
        }
        format!("{text}\n{:?}\n{:?}", self.core.workers(), self.workers)
    }
}
