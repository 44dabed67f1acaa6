//! One trace a job, whatever processes work on it: seen in what comes to the core and what goes out of it.
//!
//! ```text
//! submit (client) > job > plan
//!                       > range (an attempt; the one that counts says so) > read, decode, write, sync (worker)
//!                       |                                                 > stitch, commit
//!                       > finish
//! ```
//! Of many ranges some are told of ([`Ranges`]).

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use trc2npy_common::units::RowRange;
use trc2npy_coordinator_core::{ChannelIndex, Effect, Event, Fault, Grant, JobId, LeaseId, Record, SessionId, Shard};
use trc2npy_telemetry::{EndedRange, Kind, Place, Ranges, Span, Spans};

/// Attempts that came to nothing and are counted where their rows are granted again.
const REMEMBERED: usize = 1000;

/// The traces of the jobs that are worked on. Does nothing where nobody hears of them.
#[derive(Default)]
pub(super) struct Traces {
    spans: Spans,
    jobs: HashMap<JobId, JobTrace>,
    attempts: BTreeMap<LeaseId, Attempt>,
    /// Shards whose records are being written, by the step that they came in.
    recording: BTreeMap<u64, Vec<(LeaseId, SystemTime)>>,
}

struct JobTrace {
    place: Place,
    channels: Vec<String>,
    ranges: Ranges,
    /// Rows of attempts that came to nothing.
    again: Vec<(ChannelIndex, RowRange)>,
    finish: Option<Span>,
}

/// A lease.
struct Attempt {
    job: JobId,
    channel: ChannelIndex,
    rows: RowRange,
    session: SessionId,
    span: Span,
    /// What the coordinator did with its shard.
    parts: Vec<(Span, SystemTime)>,
    landing: Option<SystemTime>,
    /// When its worker was lost.
    lost: Option<SystemTime>,
}

/// Why an attempt came to nothing, in a word; none where that is no failure.
fn word(fault: &Fault) -> (&'static str, Option<&str>) {
    match fault {
        Fault::Returned => ("returned", None),
        Fault::StillWriting(_) => ("still_writing", None),
        Fault::Unfit(why) => ("unfit", Some(why)),
        Fault::Input(why) => ("input", Some(why)),
        Fault::Output(why) => ("output", Some(why)),
        Fault::Crashed(why) => ("crashed", Some(why)),
        Fault::Ended(why) => ("ended", Some(why)),
        Fault::Hopeless(why) => ("hopeless", Some(why)),
    }
}

impl Traces {
    pub(super) fn new(spans: Spans) -> Self {
        Self {
            spans,
            ..Self::default()
        }
    }

    /// A job is worked on from now on, perhaps again.
    pub(super) fn open(&mut self, job: JobId, place: Option<Place>, channels: Vec<String>) {
        let Some(place) = place.filter(|place| self.spans.are_heard() && place.is_told()) else {
            return;
        };
        self.jobs.entry(job).or_insert_with(|| JobTrace {
            place,
            channels,
            ranges: Ranges::new(self.spans.clone()),
            again: Vec::new(),
            finish: None,
        });
    }

    /// The job is over: what was kept is told. How many ranges there were.
    pub(super) fn close(&mut self, job: JobId) -> u64 {
        let open: Vec<LeaseId> = self
            .attempts
            .iter()
            .filter(|(_, attempt)| attempt.job == job)
            .map(|(lease, _)| *lease)
            .collect();
        for lease in open {
            let lost = self.attempts.get(&lease).and_then(|attempt| attempt.lost);
            let outcome = if lost.is_some() { "lost" } else { "dropped" };
            self.end(lease, outcome, lost.map(|_| "its worker was lost"));
        }
        self.jobs.remove(&job).map_or(0, |trace| trace.ranges.close())
    }

    /// What the core is about to hear; from a worker with its name, and the place that came with its message.
    pub(super) fn hear(&mut self, event: &Event, worker: Option<&str>, place: Option<Place>) {
        if self.jobs.is_empty() {
            return;
        }
        match event {
            Event::Delivered { session, shard, work } => {
                if !self.attempts.contains_key(&shard.lease) {
                    // Granted by an earlier start of the coordinator.
                    let start = SystemTime::now() - Duration::from_millis(work.took.0);
                    self.begin(*session, *shard, place, start, worker);
                }
                if let Some(attempt) = self.attempts.get_mut(&shard.lease) {
                    attempt.span = attempt.span.clone().count("trc2npy.bytes", work.bytes.0);
                }
            }
            Event::Failed { lease, fault, .. } => {
                let (outcome, why) = word(fault);
                self.end(*lease, outcome, why);
            }
            Event::Lost { session, .. } => self.lost(*session),
            Event::Joined { session, hello } => {
                for grant in &hello.in_hand {
                    if let Some(attempt) = self.attempts.get_mut(&grant.lease) {
                        attempt.session = *session;
                        attempt.lost = None;
                    }
                }
            }
            Event::Landed { shard, .. } => self.landed(shard, None),
            Event::LandingFailed { shard, why } => {
                self.landed(shard, Some(why));
                self.end(shard.lease, "damaged", Some(why));
            }
            Event::Published { job, result } => {
                if let Some(span) = self.jobs.get_mut(job).and_then(|trace| trace.finish.take()) {
                    self.spans.over(span.failed(result.as_ref().err().cloned()));
                }
            }
            _ => {}
        }
    }

    /// What the core wants done.
    pub(super) fn see(&mut self, effect: &Effect) {
        if self.jobs.is_empty() {
            return;
        }
        match effect {
            Effect::Revoke { lease, .. } => self.end(*lease, "superseded", None),
            Effect::Discard(shard) => self.end(shard.lease, "superseded", None),
            Effect::Disconnect { session, .. } => self.lost(*session),
            Effect::Land(shard) => {
                if let Some(attempt) = self.attempts.get_mut(&shard.lease) {
                    attempt.landing = Some(SystemTime::now());
                }
            }
            Effect::Publish(job) => {
                if let Some(trace) = self.jobs.get_mut(job) {
                    trace.finish = Some(Span::below(&trace.place, "finish", SystemTime::now()));
                }
            }
            _ => {}
        }
    }

    /// A lease is granted: its place, for the worker. Of one that will not be told of unless it is slow or fails, the
    /// worker need not tell.
    pub(super) fn granted(&mut self, session: SessionId, worker: &str, grant: &Grant) -> Option<Place> {
        if self.jobs.is_empty() {
            return None;
        }
        let shard = Shard {
            lease: grant.lease,
            job: grant.job,
            channel: grant.channel,
            rows: grant.rows,
        };
        self.begin(session, shard, None, SystemTime::now(), Some(worker));
        let trace = self.jobs.get(&grant.job)?;
        let place = *self.attempts.get(&grant.lease)?.span.place();
        Some(if trace.ranges.is_early() { place } else { place.untold() })
    }

    /// Records of a step are sent off.
    pub(super) fn recording(&mut self, step: u64, records: &[Record]) {
        let committed = records.iter().filter_map(|record| match record {
            Record::Committed(shard) if self.attempts.contains_key(&shard.lease) => Some(shard.lease),
            _ => None,
        });
        let now = SystemTime::now();
        let committed: Vec<_> = committed.map(|lease| (lease, now)).collect();
        if !committed.is_empty() {
            self.recording.insert(step, committed);
        }
    }

    /// They are on the disk.
    pub(super) fn durable(&mut self, step: u64) {
        for (lease, since) in self.recording.remove(&step).unwrap_or_default() {
            if let Some(attempt) = self.attempts.get_mut(&lease) {
                let commit = Span::below(attempt.span.place(), "commit", since);
                attempt.parts.push((commit, SystemTime::now()));
                self.end(lease, "committed", None);
            }
        }
    }

    fn begin(
        &mut self,
        session: SessionId,
        shard: Shard,
        place: Option<Place>,
        start: SystemTime,
        worker: Option<&str>,
    ) {
        let Shard {
            lease,
            job,
            channel,
            rows,
        } = shard;
        // Whoever had these rows and was lost will not come back to them in time.
        let lost: Vec<LeaseId> = self
            .attempts
            .iter()
            .filter(|(_, other)| other.lost.is_some() && other.covers(job, channel, rows))
            .map(|(lease, _)| *lease)
            .collect();
        let Some(trace) = self.jobs.get_mut(&job) else { return };
        let others = self.attempts.values().filter(|other| other.covers(job, channel, rows));
        let before = trace.again.iter();
        let before = before.filter(|(of, again)| *of == channel && !again.intersection(rows).is_empty());
        let attempt = 1 + (others.count() + before.count()) as u64;
        let name = trace.channels.get(usize::from(channel.0)).cloned().unwrap_or_default();
        let place = place.unwrap_or_else(|| trace.place.below());
        let mut span = Span::new("range", place, Some(trace.place), start)
            .kind(Kind::Producer)
            .with("trc2npy.channel", name)
            .count("trc2npy.rows.first", rows.start)
            .count("trc2npy.rows.count", rows.len())
            .count("trc2npy.attempt", attempt)
            .with("trc2npy.lease", lease.to_string());
        if let Some(worker) = worker {
            span = span.with("trc2npy.worker", worker.to_owned());
        }
        self.attempts.insert(
            lease,
            Attempt {
                job,
                channel,
                rows,
                session,
                span,
                parts: Vec::new(),
                landing: None,
                lost: None,
            },
        );
        for lease in lost {
            self.end(lease, "lost", Some("its worker was lost"));
        }
    }

    fn lost(&mut self, session: SessionId) {
        let now = SystemTime::now();
        let its = self.attempts.values_mut().filter(|attempt| attempt.session == session);
        its.for_each(|attempt| attempt.lost = attempt.lost.or(Some(now)));
    }

    fn landed(&mut self, shard: &Shard, why: Option<&String>) {
        let Some(attempt) = self.attempts.get_mut(&shard.lease) else {
            return;
        };
        if let Some(since) = attempt.landing.take() {
            let stitch = Span::below(attempt.span.place(), "stitch", since).failed(why.cloned());
            attempt.parts.push((stitch, SystemTime::now()));
        }
    }

    /// An attempt is over: told of, kept until the job's end, or dropped.
    fn end(&mut self, lease: LeaseId, outcome: &'static str, why: Option<&str>) {
        let Some(attempt) = self.attempts.remove(&lease) else {
            return;
        };
        let Some(trace) = self.jobs.get_mut(&attempt.job) else {
            return;
        };
        let counts = outcome == "committed";
        if !counts && trace.again.len() < REMEMBERED {
            trace.again.push((attempt.channel, attempt.rows));
        }
        let range = EndedRange {
            at: attempt.lost.filter(|_| !counts).unwrap_or_else(SystemTime::now),
            span: attempt
                .span
                .with("trc2npy.outcome", outcome)
                .with("trc2npy.winner", counts)
                .failed(why.map(str::to_owned)),
            parts: attempt.parts,
        };
        trace.ranges.over(range, !counts);
    }
}

impl Attempt {
    fn covers(&self, job: JobId, channel: ChannelIndex, rows: RowRange) -> bool {
        self.job == job && self.channel == channel && !self.rows.intersection(rows).is_empty()
    }
}
