//! The worker's side of the conversation with the coordinator: one stream at a time, a new one after each that broke.
//!
//! Knows of every lease that is in hand. Never works on one, and never waits for a thread that does.

mod broken;
mod link;

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Status;
use trc2npy_common::resources::Machine;
use trc2npy_common::units::Bytes;
use trc2npy_coordinator_core::{Fault, Grant, JobId, LeaseId, Step};
use trc2npy_proto::link::Announce;
use trc2npy_proto::v1::workers_client::WorkersClient;
use trc2npy_proto::v1::{self, from_worker, to_worker};
use trc2npy_proto::{Backoff, LARGEST_MESSAGE};
use trc2npy_telemetry::{Level, Place};

use crate::control::{Asked, Control};
use crate::crew::{Crew, Report, Task};
use crate::files::{self, JobFiles};
use crate::job::Job;
use crate::lease::{Done, Lease};
use crate::machine::Gauge;
use crate::{Ended, WorkerConfig, WorkerError, scout};
use broken::Broken;
use link::{End, InHand, Link};

/// Jobs whose plans are kept although no lease of them is in hand.
const KEPT_JOBS: usize = 4;
/// After a stop was asked: how long threads may take to let go.
const STOPPING: Duration = Duration::from_secs(10);

pub(crate) struct Session<'c> {
    config: &'c WorkerConfig,
    control: &'c Control,
    crew: Crew,
    reports: UnboundedReceiver<Report>,
    in_hand: BTreeMap<LeaseId, InHand>,
    jobs: HashMap<JobId, Arc<Job>>,
    /// Leases of jobs that are being fetched.
    waiting: HashMap<JobId, Vec<LeaseId>>,
    gauge: Gauge,
    /// Bytes free where shards go, as last seen.
    disk_free: Option<Bytes>,
    /// The look at it that is under way: storage that hangs must not make the worker look dead.
    disk_look: JoinSet<Option<Bytes>>,
    machine: Machine,
    /// Names this process.
    process: u64,
    /// The coordinator's records that the jobs and leases in hand belong to; none before the first welcome.
    coordinator: Option<String>,
    dismissed: bool,
}

impl<'c> Session<'c> {
    pub(crate) fn new(
        config: &'c WorkerConfig,
        control: &'c Control,
        crew: Crew,
        reports: UnboundedReceiver<Report>,
    ) -> Self {
        Self {
            config,
            control,
            crew,
            reports,
            in_hand: BTreeMap::new(),
            jobs: HashMap::new(),
            waiting: HashMap::new(),
            gauge: Gauge::new(config),
            disk_free: None,
            disk_look: JoinSet::new(),
            machine: Machine::detect(),
            process: fastrand::u64(..),
            coordinator: None,
            dismissed: false,
        }
    }

    /// Connects, works, and comes back, until there is an end.
    pub(crate) async fn run(mut self) -> Result<Ended, WorkerError> {
        let mut backoff = Backoff::new(self.process);
        let mut told = String::new();
        loop {
            let broken = match self.connect(&mut backoff, &mut told).await {
                Ok(broken) | Err(broken) => broken,
            };
            let why = match broken {
                Broken::Over(ended) => return ended,
                Broken::Again(why) => why,
            };
            // Where the connection is lost, nothing can be told: what was asked is done at once.
            if self.control.asked() == Asked::Stop || (self.control.asked() == Asked::Drain && self.is_idle()) {
                self.let_go(None).await;
                return Ok(match self.control.asked() {
                    Asked::Drain => Ended::Drained,
                    _ => Ended::Stopped,
                });
            }
            if told != why {
                self.config.tell.warn(&format!("{why}; trying again"));
                told = why;
            }
            tokio::select! {
                () = sleep(backoff.wait()) => {}
                () = self.control.changed() => {}
            }
            while let Ok(report) = self.reports.try_recv() {
                self.note(report);
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.in_hand.is_empty()
    }

    async fn connect(&mut self, backoff: &mut Backoff, told: &mut String) -> Result<Broken, Broken> {
        let address = &self.config.coordinator;
        let channel = tokio::select! {
            channel = address.connect() => channel.map_err(|error| Broken::Again(error.to_string()))?,
            () = self.control.changed() => return Ok(Broken::Again("interrupted while connecting".to_owned())),
        };
        let mut client = WorkersClient::with_interceptor(channel, Announce).max_decoding_message_size(LARGEST_MESSAGE);
        let (out, outgoing) = mpsc::unbounded_channel();
        let mut link = Link {
            client: client.clone(),
            out,
            fetches: JoinSet::new(),
            looks: JoinSet::new(),
        };
        link.send(from_worker::Message::Hello(self.hello()));
        let refused = |status: Status| self.refused_or_broken(&status);
        let mut incoming = client
            .session(UnboundedReceiverStream::new(outgoing))
            .await
            .map_err(refused)?
            .into_inner();
        let first = incoming
            .message()
            .await
            .map_err(refused)?
            .and_then(|message| message.message);
        let Some(to_worker::Message::Welcome(welcome)) = first else {
            return Err(Broken::Again("the coordinator did not answer as one".to_owned()));
        };
        backoff.reset();
        told.clear();
        if self
            .coordinator
            .as_ref()
            .is_some_and(|known| *known != welcome.coordinator)
        {
            // It begins anew, and counts jobs and leases from 1: what is in hand belongs to others of these numbers.
            self.config
                .tell
                .warn("the coordinator has begun with other records: what was in hand is of no use to it");
            self.forget_all();
            self.coordinator = Some(welcome.coordinator);
            return Err(Broken::Again("introducing this worker anew".to_owned()));
        }
        self.coordinator = Some(welcome.coordinator.clone());
        self.config
            .tell
            .info(&format!("connected to the coordinator at {address}"));
        let ended: Vec<LeaseId> = self.in_hand.keys().copied().collect();
        for lease in ended {
            self.tell(&link, lease);
        }
        let unfetched: Vec<Grant> = std::mem::take(&mut self.waiting)
            .into_values()
            .flatten()
            .filter_map(|lease| self.in_hand.get(&lease).map(|hand| hand.lease.grant))
            .collect();
        for grant in unfetched {
            self.begin(&mut link, grant);
        }
        Ok(self.serve(&mut link, &mut incoming, &welcome).await)
    }

    fn hello(&self) -> v1::Hello {
        v1::Hello {
            name: self.config.name.clone(),
            process: self.process,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            system: std::env::consts::OS.to_owned(),
            cores: u32::try_from(self.machine.usable_cores).unwrap_or(u32::MAX),
            memory_total: self.machine.memory_total.0,
            slots: u32::try_from(self.config.threads).unwrap_or(u32::MAX),
            roots: self.config.roots.iter().map(|(name, _)| name.to_string()).collect(),
            in_hand: self.in_hand.values().map(|hand| hand.lease.grant.into()).collect(),
        }
    }

    async fn serve(
        &mut self,
        link: &mut Link,
        incoming: &mut tonic::Streaming<v1::ToWorker>,
        welcome: &v1::Welcome,
    ) -> Broken {
        let every = Duration::from_millis(welcome.beat_every_ms.clamp(100, 10_000).into());
        let mut beats = interval(every);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let next = tokio::select! {
                message = incoming.message() => match message {
                    Ok(Some(message)) => self.obey(link, &message),
                    Ok(None) => ControlFlow::Break(Broken::Again("the coordinator has ended the connection".to_owned())),
                    Err(status) => ControlFlow::Break(self.refused_or_broken(&status)),
                },
                Some(report) = self.reports.recv() => {
                    let lease = report.lease;
                    self.note(report);
                    self.tell(link, lease);
                    ControlFlow::Continue(())
                }
                Some(fetched) = link.fetches.join_next() => {
                    if let Ok((job, fetched)) = fetched {
                        self.fetched(link, job, fetched);
                    }
                    ControlFlow::Continue(())
                }
                Some(answer) = link.looks.join_next() => {
                    for piece in answer.unwrap_or_default() {
                        link.send(from_worker::Message::Answer(piece));
                    }
                    ControlFlow::Continue(())
                }
                _ = beats.tick() => {
                    self.beat(link);
                    ControlFlow::Continue(())
                }
                () = self.control.changed() => {
                    self.beat(link);
                    ControlFlow::Continue(())
                }
            };
            if let ControlFlow::Break(broken) = next {
                return broken;
            }
            if let Some(ended) = self.end() {
                if ended == Ended::Stopped {
                    self.let_go(Some(link)).await;
                }
                link.say_goodbye(incoming).await;
                return Broken::Over(Ok(ended));
            }
        }
    }

    /// Whether it is time to go.
    fn end(&self) -> Option<Ended> {
        match self.control.asked() {
            Asked::Stop => Some(Ended::Stopped),
            Asked::Drain if self.is_idle() => Some(Ended::Drained),
            Asked::Nothing | Asked::Drain => (self.dismissed && self.is_idle()).then_some(Ended::Dismissed),
        }
    }

    fn beat(&mut self, link: &Link) {
        let look = self.gauge.look(self.in_hand.len());
        if let Some(looked) = self.disk_look.try_join_next() {
            self.disk_free = looked.unwrap_or(self.disk_free);
        }
        if self.disk_look.is_empty() {
            let jobs: Vec<Arc<Job>> = self.jobs.values().cloned().collect();
            // Shards of all jobs may lie on different roots: the fullest counts.
            self.disk_look
                .spawn_blocking(move || jobs.iter().filter_map(|job| job.free()).min());
        }
        link.send(from_worker::Message::Beat(v1::Beat {
            slots: look.slots,
            memory_pressure: look.memory_pressure,
            disk_free: self.disk_free.map(|free| free.0),
            draining: self.control.asked() != Asked::Nothing,
            progress: self.in_hand.values().map(|hand| hand.lease.progress().into()).collect(),
            cpu_used: look.cpu_used,
            memory_available: look.memory_available.0,
            memory_own: look.memory_own.0,
        }));
    }

    fn obey(&mut self, link: &mut Link, message: &v1::ToWorker) -> ControlFlow<Broken> {
        match &message.message {
            Some(to_worker::Message::Grant(grant)) => match Grant::try_from(*grant) {
                // A traceparent that is none costs the trace, not the lease.
                Ok(grant) => self.take(link, grant, message.traceparent.parse().ok()),
                Err(error) => {
                    return ControlFlow::Break(Broken::Again(format!(
                        "the coordinator sent a lease that is none: {error}"
                    )));
                }
            },
            Some(to_worker::Message::Revoke(v1::Revoke { lease: Some(lease) })) => self.drop_lease((*lease).into()),
            Some(to_worker::Message::Settle(v1::Settle { lease: Some(lease) })) => {
                // One that is still worked on has become needless.
                if let Some(hand) = self.in_hand.remove(&(*lease).into()) {
                    hand.lease.pulse.revoke();
                }
            }
            Some(to_worker::Message::Dismiss(_)) => self.dismissed = true,
            Some(to_worker::Message::Ask(ask)) => {
                let (ask, roots) = (ask.clone(), self.config.roots.clone());
                link.looks.spawn_blocking(move || scout::answer(&ask, &roots));
            }
            // What a later version adds is no reason to stop.
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn take(&mut self, link: &mut Link, grant: Grant, place: Option<Place>) {
        if self.control.asked() != Asked::Nothing {
            link.send(from_worker::Message::Failed(v1::Failed::new(
                grant.lease,
                Fault::Returned,
            )));
            return;
        }
        let lease = Lease::new(grant, place);
        self.in_hand.insert(grant.lease, InHand { lease, end: None });
        self.begin(link, grant);
    }

    /// Hands the lease to the crew, or first gets its job.
    fn begin(&mut self, link: &mut Link, grant: Grant) {
        if let Some(job) = self.jobs.get(&grant.job) {
            self.hand_over(grant.lease, &Arc::clone(job));
            return;
        }
        let waiting = self.waiting.entry(grant.job).or_default();
        waiting.push(grant.lease);
        if waiting.len() == 1 {
            link.fetches.spawn(files::fetch(link.client.clone(), grant.job));
        }
    }

    fn hand_over(&self, lease: LeaseId, job: &Arc<Job>) {
        if let Some(hand) = self.in_hand.get(&lease) {
            self.crew.give(Task {
                lease: Arc::clone(&hand.lease),
                job: Arc::clone(job),
            });
        }
    }

    fn fetched(&mut self, link: &Link, id: JobId, fetched: Result<JobFiles, String>) {
        let leases = self.waiting.remove(&id).unwrap_or_default();
        match fetched {
            Ok(files) => {
                self.forget_old_jobs();
                let job = Arc::new(Job::new(files));
                self.jobs.insert(id, Arc::clone(&job));
                for lease in leases {
                    self.hand_over(lease, &job);
                }
            }
            Err(why) => {
                for lease in leases {
                    let done = Done::Failed(Fault::Unfit(format!("the plan could not be fetched: {why}")));
                    self.note(Report { lease, done });
                    self.tell(link, lease);
                }
            }
        }
    }

    /// Lets go of all that a coordinator has given.
    fn forget_all(&mut self) {
        for hand in std::mem::take(&mut self.in_hand).into_values() {
            hand.lease.pulse.revoke();
        }
        self.jobs.clear();
        self.waiting.clear();
        self.disk_free = None;
    }

    fn forget_old_jobs(&mut self) {
        let in_use: Vec<JobId> = self.in_hand.values().map(|hand| hand.lease.grant.job).collect();
        while self.jobs.len() >= KEPT_JOBS {
            let oldest = self.jobs.keys().filter(|job| !in_use.contains(job)).min().copied();
            let Some(oldest) = oldest else { return };
            self.jobs.remove(&oldest);
        }
    }

    /// Keeps what a thread reports.
    fn note(&mut self, report: Report) {
        let Report { lease, done } = report;
        let Some(hand) = self.in_hand.get_mut(&lease) else {
            return;
        };
        match done {
            Done::Delivered(work) => {
                hand.lease.enter(Step::Delivering);
                hand.end = Some(End::Delivered(work));
            }
            Done::Failed(fault) => {
                if let Fault::Unfit(why)
                | Fault::Output(why)
                | Fault::Input(why)
                | Fault::Crashed(why)
                | Fault::Ended(why)
                | Fault::Hopeless(why) = &fault
                {
                    self.config.tell.line(Level::Warning, why, hand.lease.place);
                }
                hand.end = Some(End::Failed(fault));
            }
            Done::Revoked => {
                self.in_hand.remove(&lease);
            }
        }
    }

    /// Tells the coordinator of a lease that has ended.
    fn tell(&mut self, link: &Link, lease: LeaseId) {
        let Some(hand) = self.in_hand.get(&lease) else { return };
        let Some(message) = hand.message() else { return };
        link.send_of(message, hand.lease.place);
        if let Some(End::Failed(_)) = hand.end {
            self.in_hand.remove(&lease);
        }
    }

    fn drop_lease(&mut self, lease: LeaseId) {
        let Some(hand) = self.in_hand.get(&lease) else { return };
        hand.lease.pulse.revoke();
        // One that a thread works on is remembered until the thread has let go of it.
        let is_waiting = self.waiting.values().flatten().any(|&waiting| waiting == lease);
        if hand.end.is_some() || is_waiting {
            self.in_hand.remove(&lease);
        }
    }

    /// Has the threads let go of every lease that is not delivered; gives these back where there is a connection.
    async fn let_go(&mut self, link: Option<&Link>) {
        for hand in self.in_hand.values() {
            hand.lease.pulse.revoke();
        }
        let threads_let_go = async {
            while self.in_hand.values().any(|hand| hand.end.is_none()) {
                let Some(Report { lease, .. }) = self.reports.recv().await else {
                    return;
                };
                self.in_hand.remove(&lease);
                if let Some(link) = link {
                    link.send(from_worker::Message::Failed(v1::Failed::new(lease, Fault::Returned)));
                }
            }
        };
        let _ = tokio::time::timeout(STOPPING, threads_let_go).await;
    }
}
