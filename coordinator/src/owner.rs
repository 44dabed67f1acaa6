//! The one owner of the core: everything that happens comes here as a message, and whatever the core wants done goes
//! out from here. Nothing here waits for a disk, a network or a long computation.

mod effects;
mod sessions;
mod speed;
mod traces;
mod views;
mod waiting;
mod watched;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};
use tonic::Status;
use trc2npy_common::convert::BadFile;
use trc2npy_coordinator_core::{
    Amount, ChannelView, Core, Effect, Ending, Event, Found, JobId, JobSpec, JobView, Loss, Reached, Record, SessionId,
    Shard,
};
use trc2npy_proto::v1;
use trc2npy_telemetry::{Level, Spans, Tell};

use crate::clock::{Clock, wall_ms};
use crate::http::metrics::Meters;
use crate::job::LiveJob;
use crate::journal::{ENDED_JOBS, Ended, Finished, JobEnd, JobRecord, Journal, JournalError, Unfinished};
use crate::recorder::Recorder;
use crate::{Restored, planner, stitcher};
use sessions::{Asked, WorkerSession};
pub(crate) use sessions::{Joining, Refused};
use speed::Speed;
use traces::Traces;
pub(crate) use watched::Look;
use watched::{BadParts, Watched};

const TICK: Duration = Duration::from_millis(250);
/// How often it is tried to go on with a job that waits.
pub(crate) const TRY_AGAIN: Duration = Duration::from_secs(10);

/// What the owner is told.
pub(crate) enum Message {
    /// A worker wants to work.
    Join(Joining),
    /// A worker says something.
    FromWorker(SessionId, v1::FromWorker),
    /// A worker's stream has ended.
    StreamEnded(SessionId),
    /// A job is accepted and recorded.
    Opened(Box<Accepted>),
    /// A recorded job cannot be worked on now, and why.
    Waits(JobId, Box<JobRecord>, String),
    /// The records of these steps are on the disk.
    Durable(Vec<u64>),
    /// They will never be.
    JournalFailed(JournalError),
    /// A shard is checked and copied.
    Landed(Shard, Found),
    /// Or it cannot be.
    LandingFailed(Shard, String),
    /// The job's folder or its inputs are not what they were.
    StorageFailed(JobId, String),
    /// Nothing can be written at the moment where the job's arrays are.
    StorageAway(JobId, String),
    /// A job was let go of, and its output folder is free.
    LetGo(JobId),
    /// Nothing is done with a job any more, and its output folder is free.
    Closed(JobId),
    /// All files of a job have their names, or why not.
    Published(JobId, Result<Finished, String>),
    /// Some of its bad files, for people.
    BadFiles(JobId, Vec<BadFile>),
    /// Something about it came up, for people.
    Noted(JobId, Vec<String>),
    /// Someone wants to know or to change something.
    Ask(Box<dyn FnOnce(&mut Owner) + Send>),
    /// The coordinator ends.
    Stop,
}

/// A job as it comes from the planner.
pub(crate) struct Accepted {
    pub(crate) id: JobId,
    pub(crate) record: JobRecord,
    /// None where it has ended: its arrays were there.
    pub(crate) work: Option<Opened>,
}

/// What is to be worked on.
pub(crate) struct Opened {
    pub(crate) job: LiveJob,
    pub(crate) spec: JobSpec,
    pub(crate) shards: Vec<Shard>,
    /// An earlier start had it.
    pub(crate) restored: bool,
}

/// A message, and when it came.
pub(crate) type Posted = (Instant, Message);

/// Where messages for the owner are dropped; never waits. Whoever has it can also count what it does.
#[derive(Clone, Debug)]
pub(crate) struct Inbox {
    sender: Sender<Posted>,
    meters: Arc<Meters>,
}

impl Inbox {
    pub(crate) fn new() -> (Self, Receiver<Posted>) {
        let (sender, receiver) = mpsc::channel();
        let meters = Arc::new(Meters::new());
        (Self { sender, meters }, receiver)
    }

    pub(crate) fn meters(&self) -> &Arc<Meters> {
        &self.meters
    }

    pub(crate) fn post(&self, message: Message) {
        // An owner that is gone needs no messages.
        let _ = self.sender.send((Instant::now(), message));
    }

    /// Has the owner do something between two messages, and returns what comes of it.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Owner) -> T + Send + 'static,
    ) -> Result<T, Status> {
        let (reply, answer) = oneshot::channel();
        self.post(Message::Ask(Box::new(move |owner| {
            // Nobody may be waiting any more.
            let _ = reply.send(ask(owner));
        })));
        answer.await.map_err(|_| gone())
    }

    /// The same for a thread.
    pub(crate) fn ask_and_wait<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&mut Owner) -> T + Send + 'static,
    ) -> Option<T> {
        let (reply, answer) = mpsc::sync_channel(1);
        self.post(Message::Ask(Box::new(move |owner| {
            let _ = reply.send(ask(owner));
        })));
        answer.recv().ok()
    }
}

/// A job as people see it, working or ended.
pub(crate) struct JobEntry {
    pub(crate) record: JobRecord,
    pub(crate) live: Option<LiveJob>,
    /// Why it cannot be gone on with at the moment.
    waits: Option<String>,
    /// Whether that is being tried just now.
    tried: bool,
    /// Names of the workers that have delivered some of it, for the report.
    makers: BTreeSet<String>,
    /// Becomes true when nothing of it will change any more.
    over: watch::Sender<bool>,
    speed: Speed,
    /// Where it has bad rows, for people; what an earlier start saw of that is not known.
    bad_parts: BadParts,
    /// Some of its bad files, while it runs.
    bad_files: Vec<BadFile>,
}

impl JobEntry {
    /// Keeps how far it has come, while nobody works on it.
    fn note_reached(&mut self, reached: &[Reached]) {
        for (channel, reached) in self.record.channels.iter_mut().zip(reached) {
            channel.unfinished = Some(Unfinished {
                rows: reached.rows,
                bad_rows: reached.bad_rows,
            });
        }
    }
}

/// Of all channels together.
fn sum(view: &JobView, of: impl Fn(&ChannelView) -> Amount) -> Amount {
    let mut all = Amount::default();
    view.channels.iter().for_each(|channel| all += of(channel));
    all
}

/// What a caller is told whose question comes to an end with the coordinator.
pub(crate) fn gone() -> Status {
    Status::unavailable("the coordinator is shutting down")
}

/// What nothing else may touch.
pub(crate) struct Owner {
    core: Core,
    clock: Clock,
    pub(crate) journal: Arc<Journal>,
    recorder: Recorder,
    tries: Sender<planner::GoOn>,
    next_try: Instant,
    pub(crate) jobs: BTreeMap<JobId, JobEntry>,
    /// Keys of accepted submits.
    pub(crate) keys: HashMap<String, Vec<JobId>>,
    sessions: BTreeMap<SessionId, WorkerSession>,
    /// Processes of workers that were asked to end and have not yet.
    drained: BTreeSet<u64>,
    next_session: u64,
    /// Questions to workers that wait for their answers.
    asked: HashMap<u64, Asked>,
    next_question: u64,
    next_step: u64,
    /// Effects that wait for the records of their step.
    deferred: BTreeMap<u64, Vec<Effect>>,
    pub(crate) roots: Vec<String>,
    traces: Traces,
    spans: Spans,
    tell: Tell,
    watched: Watched,
}

impl Owner {
    pub(crate) fn new(
        journal: Arc<Journal>,
        inbox: Inbox,
        tries: Sender<planner::GoOn>,
        roots: Vec<String>,
        restored: Restored,
        (spans, tell): (Spans, Tell),
    ) -> std::io::Result<Self> {
        let clock = Clock::start();
        let watched = Watched::new(Arc::clone(inbox.meters()));
        let recorder = Recorder::start(Arc::clone(&journal), inbox)?;
        let mut owner = Self {
            core: Core::new(journal.epoch, clock.now()),
            clock,
            journal,
            recorder,
            tries,
            next_try: Instant::now() + TRY_AGAIN,
            jobs: BTreeMap::new(),
            keys: HashMap::new(),
            sessions: BTreeMap::new(),
            drained: BTreeSet::new(),
            next_session: 1,
            asked: HashMap::new(),
            next_question: 1,
            next_step: 1,
            deferred: BTreeMap::new(),
            roots,
            traces: Traces::new(spans.clone()),
            spans,
            tell,
            watched,
        };
        for (id, record) in restored.ended {
            owner.enter(id, record, None, None);
        }
        for (id, record, why) in restored.waiting {
            owner.enter(id, record, None, Some(why));
        }
        Ok(owner)
    }

    /// Works until it is told to stop, or the journal fails.
    pub(crate) fn run(mut self, messages: &Receiver<Posted>) -> Result<(), JournalError> {
        let mut next_tick = Instant::now() + TICK;
        loop {
            let now = Instant::now();
            if now >= next_tick {
                next_tick = now + TICK;
                self.step(Event::Tick);
                self.look_at_speeds();
                self.try_again(now);
            }
            let message = match messages.recv_timeout(next_tick.saturating_duration_since(now)) {
                Ok((posted, message)) => {
                    self.watched.meters.waited(posted.elapsed());
                    message
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            match message {
                Message::Join(joining) => self.join(joining),
                Message::FromWorker(session, message) => self.hear(session, message),
                Message::StreamEnded(session) => self.lose(session, Loss::StreamBroken),
                Message::Opened(accepted) => self.open(*accepted),
                Message::Waits(job, record, why) => self.waits(job, *record, why),
                Message::Durable(steps) => {
                    for step in steps {
                        self.traces.durable(step);
                        for effect in self.deferred.remove(&step).unwrap_or_default() {
                            self.perform_one(effect);
                        }
                    }
                }
                Message::JournalFailed(error) => return Err(error),
                Message::Landed(shard, found) => self.step(Event::Landed { shard, found }),
                Message::LandingFailed(shard, why) => self.step(Event::LandingFailed { shard, why }),
                Message::StorageFailed(job, why) => self.step(Event::StorageFailed { job, why }),
                Message::StorageAway(job, why) => self.step(Event::StorageAway { job, why }),
                Message::LetGo(job) => self.let_go(job),
                Message::Closed(job) => self.closed(job),
                Message::Published(job, result) => self.published(job, result),
                Message::BadFiles(job, files) => self.note_bad_files(job, files),
                Message::Noted(job, notes) => {
                    if let Some(entry) = self.jobs.get_mut(&job) {
                        entry.record.warnings.extend(notes);
                    }
                }
                Message::Ask(ask) => ask(&mut self),
                Message::Stop => return Ok(()),
            }
        }
    }

    fn enter(&mut self, id: JobId, record: JobRecord, live: Option<LiveJob>, waits: Option<String>) {
        self.keys.entry(record.submission.key.clone()).or_default().push(id);
        let is_over = live.is_none() && waits.is_none();
        let entry = JobEntry {
            record,
            live,
            waits,
            tried: false,
            makers: BTreeSet::new(),
            over: watch::Sender::new(is_over),
            speed: Speed::default(),
            bad_parts: BadParts::default(),
            bad_files: Vec::new(),
        };
        self.jobs.insert(id, entry);
    }

    fn open(&mut self, accepted: Accepted) {
        let Accepted { id, record, work } = accepted;
        let Some(Opened {
            job,
            spec,
            shards,
            restored,
        }) = work
        else {
            match self.jobs.get_mut(&id) {
                None => self.enter(id, record.clone(), None, None),
                Some(entry) if entry.waits.is_some() => {
                    entry.waits = None;
                    entry.record = record.clone();
                }
                // Cancelled meanwhile.
                Some(_) => return,
            }
            if let Some(span) = record.span(id) {
                self.spans.over(span.with("trc2npy.done_already", true));
            }
            // Its arrays were there; that may not be recorded yet.
            self.tell_of(
                id,
                Level::Info,
                &format!("job {id}: {} -> {}: done already", record.run, record.out),
            );
            self.record_ended(id, record);
            self.closed(id);
            return;
        };
        match self.jobs.get_mut(&id) {
            None => {
                let told = format!("job {id}: {} -> {}", record.run, record.out);
                self.enter(id, record, Some(job), None);
                self.tell_of(id, Level::Info, &told);
            }
            Some(entry) if entry.waits.is_some() => {
                entry.waits = None;
                entry.live = Some(job);
                self.tell_of(id, Level::Info, &format!("job {id} goes on"));
            }
            // Cancelled while it was being opened.
            Some(_) => {
                job.stitcher.give(stitcher::Task::Close(Ending::Cancelled));
                return;
            }
        }
        if let Some(entry) = self.jobs.get(&id) {
            let channels = entry.record.channels.iter().map(|channel| channel.name.clone());
            self.traces.open(id, entry.record.place(), channels.collect());
        }
        self.step(Event::Opened {
            job: id,
            spec,
            shards,
            restored,
        });
    }

    pub(crate) fn cancel(&mut self, job: JobId) {
        let Some(entry) = self.jobs.get_mut(&job) else { return };
        if entry.waits.take().is_some() {
            let ending = Ending::Cancelled;
            let close = Effect::Close {
                job,
                ending: ending.clone(),
            };
            self.record(
                vec![Record::Ended {
                    job,
                    ending,
                    reached: Vec::new(),
                }],
                vec![close],
            );
        } else if entry.live.is_some() && entry.record.end.is_none() {
            self.step(Event::CancelAsked(job));
        }
    }

    /// The job that has this output folder.
    pub(crate) fn maker_of(&self, out: &str) -> Option<JobId> {
        let mut unfinished = self
            .jobs
            .iter()
            .filter(|(_, entry)| entry.live.is_some() || entry.waits.is_some());
        unfinished.find(|(_, entry)| entry.record.out == out).map(|(id, _)| *id)
    }

    /// The very last that happens to a job.
    fn closed(&mut self, job: JobId) {
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.live = None;
            entry.over.send_replace(true);
        }
        self.forget_old();
    }

    /// Forgets the oldest of more ended jobs than are kept.
    fn forget_old(&mut self) {
        let is_over = |entry: &JobEntry| *entry.over.borrow();
        let over = self.jobs.values().filter(|entry| is_over(entry)).count();
        for _ in ENDED_JOBS..over {
            let oldest = self.jobs.iter().find(|(_, entry)| is_over(entry)).map(|(id, _)| *id);
            if let Some(entry) = oldest.and_then(|oldest| self.jobs.remove(&oldest)) {
                self.keys.remove(&entry.record.submission.key);
            }
        }
    }

    fn published(&mut self, job: JobId, result: Result<Finished, String>) {
        let result = result.map(|finished| {
            if let Some(entry) = self.jobs.get_mut(&job) {
                entry.record.finish(finished);
            }
        });
        self.step(Event::Published { job, result });
    }

    pub(crate) fn step(&mut self, event: Event) {
        self.traces.hear(&event, None, None);
        self.step_on(event);
    }

    /// The same of what the traces know already.
    fn step_on(&mut self, event: Event) {
        self.watch(&event);
        let effects = self.core.step(self.clock.now(), event);
        self.watch_effects(&effects);
        self.perform(effects);
    }

    /// Says something about a job.
    fn tell_of(&self, job: JobId, level: Level, text: &str) {
        let place = self.jobs.get(&job).and_then(|entry| entry.record.place());
        self.tell.line(level, text, place);
    }

    /// Marks a job as ended, for people and for the journal.
    fn end(&mut self, job: JobId, ended: Ended, reached: &[Reached]) {
        if let Some(entry) = self.jobs.get_mut(&job) {
            let told = match &ended {
                Ended::Done { .. } => (Level::Info, format!("job {job}: done")),
                Ended::Cancelled => (Level::Info, format!("job {job}: cancelled")),
                Ended::Failed { why } => (Level::Warning, format!("job {job}: failed: {why}")),
            };
            self.tell.line(told.0, &told.1, entry.record.place());
            if !matches!(ended, Ended::Done { .. }) {
                entry.note_reached(reached);
            }
            entry.record.end = Some(JobEnd {
                ending: ended,
                at_ms: wall_ms(),
            });
            let ranges = self.traces.close(job);
            if let Some(span) = entry.record.span(job) {
                self.spans.over(span.count("trc2npy.ranges", ranges));
            }
        }
    }
}
