//! A whole plan on one machine: threads take ranges, one place commits them.
//!
//! Order of every commit: the rows' bytes to the disk, then the record, then the record to the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::budget::Budget;
use super::error::ConvertError;
use super::publish;
use super::range::{RangeConverter, RangeDone, RangeOptions, Reading};
use super::settings::Settings;
use super::synced::SyncedRange;
use super::target::Target;
use super::watch::{Phase, Pulse, Stop, Watch};
use super::workspace::Workspace;
use crate::plan::{ChannelPlan, Plan};
use crate::resources::{MemoryGauge, Pressure};
use crate::units::{Bytes, RowRange};

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Unreadable files that are let pass in a run of any size.
const MOST_UNREADABLE: u64 = 100;
/// Units of work that each thread gets at least, so that all of them end together.
const RANGES_A_THREAD: u64 = 32;
/// Each takes memory and a line of the journal: more of them would break `--memory-limit`.
const MOST_RANGES: u64 = 16_384;
const SMALLEST_RANGE: Bytes = Bytes::mib(4);
const LARGEST_RANGE: Bytes = Bytes::mib(64);

/// A piece of work.
#[derive(Clone, Copy, Debug)]
struct Task {
    /// Position in the plan's channels.
    channel: usize,
    rows: RowRange,
    /// Whether the rows' file seemed to be still being written.
    young: bool,
    /// Whether progress has counted the rows already.
    counted: bool,
}

impl Task {
    fn part(self, rows: RowRange) -> Option<Self> {
        (!rows.is_empty()).then_some(Self { rows, ..self })
    }
}

/// How far [`run`] came.
pub(super) struct Ran {
    /// Whether every row is committed; else it was asked to stop before.
    pub(super) complete: bool,
    /// For each channel of the plan the time that threads spent on it, added up.
    pub(super) busy: Vec<Duration>,
    /// What bringing the arrays to the disk took.
    pub(super) syncing: Duration,
}

/// Converts what is not committed yet.
pub(super) fn run(
    workspace: &mut Workspace,
    budget: &Budget,
    settings: &Settings,
    watch: &Watch,
    stop: &Stop,
) -> Result<Ran, ConvertError> {
    let plan = Arc::clone(&workspace.plan);
    begin_watch(workspace, &plan, watch);
    let targets = workspace.targets()?;
    let range_size = range_size(&plan, settings, budget);
    let tasks = open_tasks(workspace, &plan, range_size);
    watch.enter(Phase::Converting);

    let mut committer = Committer {
        unreadable: workspace.committed.values().flatten().map(|rows| rows.unreadable).sum(),
        workspace,
        plan: &plan,
        targets: &targets,
        sync_every: half_of(settings.sync_every),
        pending: Vec::new(),
        pending_bytes: Bytes(0),
        allowed: unreadable_allowed(&plan),
        busy: vec![Duration::ZERO; plan.channels.len()],
        syncing: Duration::ZERO,
    };
    let crew = Crew {
        plan: &plan,
        targets: &targets,
        settings,
        budget,
        watch,
        stop,
        waiting: Bytes(half_of(settings.sync_every).0 / range_size.0.max(1))
            .as_usize()
            .max(1),
    };
    let worked = crew.work_and_settle(&tasks, &mut committer);
    watch.enter(Phase::Syncing);
    // What was finished before something went wrong is kept; the first error is the one to tell.
    let kept = committer.commit();
    let (busy, syncing) = (committer.busy, committer.syncing);
    worked.and(kept)?;
    Ok(Ran {
        complete: missing_rows(workspace, &plan) == 0,
        busy,
        syncing,
    })
}

/// Unreadable files that are let pass; more of them are a storage problem.
pub fn unreadable_allowed(plan: &Plan) -> u64 {
    (plan.files() / 100).clamp(1, MOST_UNREADABLE)
}

/// What is written and not yet synced: one half is being synced while the other is made.
fn half_of(sync_every: Bytes) -> Bytes {
    Bytes(sync_every.0 / 2)
}

pub(crate) fn wait(time: Duration, watch: &Watch, stop: &Stop) {
    let end = Instant::now() + time;
    while !stop.requested() && Instant::now() < end {
        watch.note_pace();
        std::thread::sleep(LOOK.min(end.saturating_duration_since(Instant::now())));
    }
}

pub(super) fn missing_rows(workspace: &Workspace, plan: &Plan) -> u64 {
    let all: u64 = plan.channels.iter().map(|channel| channel.rows).sum();
    let committed = workspace.committed.values().flatten();
    all - committed.map(|rows| rows.rows.len()).sum::<u64>()
}

pub(super) fn begin_watch(workspace: &Workspace, plan: &Plan, watch: &Watch) {
    let rows = plan.channels.iter().map(|channel| channel.rows).sum();
    watch.begin(rows, plan.input_bytes());
    for rows in workspace.committed.values().flatten() {
        watch.resume(rows.rows.len(), rows.statuses.bad_rows(), rows.bytes_in);
    }
}

/// Bytes of one unit of work, for [`ChannelPlan::ranges`]: as asked, else so many units that all threads end together.
pub fn range_size(plan: &Plan, settings: &Settings, budget: &Budget) -> Bytes {
    let total: Bytes = plan.channels.iter().map(ChannelPlan::data_bytes).sum();
    let chosen = || Bytes(total.0 / (budget.threads as u64 * RANGES_A_THREAD)).clamp(SMALLEST_RANGE, LARGEST_RANGE);
    let least = total.max(plan.input_bytes()).0 / MOST_RANGES;
    Bytes(settings.range_size.unwrap_or_else(chosen).0.max(least))
}

/// The rows that no earlier run committed, in ranges.
fn open_tasks(workspace: &Workspace, plan: &Plan, size: Bytes) -> Vec<Task> {
    let mut tasks = Vec::new();
    for (position, channel) in plan.channels.iter().enumerate() {
        let committed = workspace.committed.get(&channel.channel).into_iter().flatten();
        let open = channel.open_ranges(size, committed.map(|done| done.rows));
        tasks.extend(open.into_iter().map(|rows| Task {
            channel: position,
            rows,
            young: false,
            counted: false,
        }));
    }
    tasks
}

/// What all threads share.
struct Crew<'c> {
    plan: &'c Plan,
    targets: &'c [Target],
    settings: &'c Settings,
    budget: &'c Budget,
    watch: &'c Watch,
    stop: &'c Stop,
    /// Converted ranges that may wait for their commit: more would be lost with the power than `--sync-every` allows.
    waiting: usize,
}

/// What a thread says of a task.
struct Report {
    task: Task,
    done: Result<RangeDone, ConvertError>,
    took: Duration,
}

/// What must be done again of tasks in which files were still being written.
#[derive(Default)]
struct Deferred {
    /// The rows of those files.
    young: Vec<Task>,
    /// The tasks' other rows.
    around: Vec<Task>,
}

impl Deferred {
    fn add(&mut self, task: Task, young: &[RowRange]) {
        let around = Task { counted: true, ..task };
        let mut next = task.rows.start;
        for &rows in young {
            self.around.extend(around.part(RowRange::new(next, rows.start)));
            let young = Task { young: true, ..task };
            self.young.extend(young.part(rows));
            next = rows.end;
        }
        self.around.extend(around.part(RowRange::new(next, task.rows.end)));
    }
}

impl Crew<'_> {
    /// Works through `tasks`, and later once more through those with files that were still being written.
    fn work_and_settle(&self, tasks: &[Task], committer: &mut Committer<'_>) -> Result<(), ConvertError> {
        let Deferred { young, around } = self.work(tasks, false, committer, publish::write_lists)?;
        // What stands beside a young file need not wait for it.
        let late = self.work(&around, false, committer, |_| Ok(()))?;
        let young = [young, late.young, late.around].concat();
        if young.is_empty() || self.stop.requested() {
            return Ok(());
        }
        // Waiting is no reason to lose what is done.
        self.watch.enter(Phase::Syncing);
        committer.commit()?;
        self.watch.enter(Phase::Settling);
        wait(self.settings.settle, self.watch, self.stop);
        if self.stop.requested() {
            return Ok(());
        }
        self.watch.enter(Phase::Converting);
        self.work(&young, true, committer, |_| Ok(())).map(drop)
    }

    /// Works through `tasks`, and does something else of the workspace `meanwhile`; returns what is left of those with
    /// files still being written.
    fn work(
        &self,
        tasks: &[Task],
        last_try: bool,
        committer: &mut Committer<'_>,
        meanwhile: impl FnOnce(&Workspace) -> Result<(), ConvertError>,
    ) -> Result<Deferred, ConvertError> {
        let next = AtomicUsize::new(0);
        let halt = AtomicBool::new(false);
        let scarce = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (reports, inbox) = mpsc::sync_channel::<Report>(self.waiting.min(tasks.len()));
            for _ in 0..self.budget.threads.min(tasks.len()) {
                let reports = reports.clone();
                let (next, halt, scarce) = (&next, &halt, &scarce);
                scope.spawn(move || self.thread(tasks, last_try, (next, halt, scarce), &reports));
            }
            drop(reports);
            let result = meanwhile(committer.workspace).and_then(|()| self.attend(&inbox, &scarce, committer));
            halt.store(true, Ordering::Relaxed);
            result
        })
    }

    fn thread(
        &self,
        tasks: &[Task],
        last_try: bool,
        (next, halt, scarce): (&AtomicUsize, &AtomicBool, &AtomicBool),
        reports: &mpsc::SyncSender<Report>,
    ) {
        let pulse = Pulse::new();
        let mut converter = RangeConverter::new(self.plan, &self.budget.ample);
        let uncounted = Watch::heard_by(self.watch.listener().cloned());
        while !self.stop.requested() && !halt.load(Ordering::Relaxed) {
            let Some(&task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) else {
                break;
            };
            let sizes = if scarce.load(Ordering::Relaxed) {
                &self.budget.scarce
            } else {
                &self.budget.ample
            };
            converter.resize(sizes);
            let channel = &self.plan.channels[task.channel];
            let waited_for = [task.rows];
            let options = RangeOptions {
                io: self.settings.io,
                trust_size: self.settings.trust_size,
                settle: self.settings.settle,
                last_try,
                waited_for: if task.young { &waited_for } else { &[] },
                reading: Reading::MayFail,
                pulse: &pulse,
            };
            let began = Instant::now();
            let done = converter.convert(
                channel,
                task.rows,
                &self.targets[task.channel],
                &options,
                if task.counted { &uncounted } else { self.watch },
            );
            let took = began.elapsed();
            if reports.send(Report { task, done, took }).is_err() {
                break;
            }
        }
    }

    /// Commits what the threads report, and looks at the memory meanwhile.
    fn attend(
        &self,
        inbox: &mpsc::Receiver<Report>,
        scarce: &AtomicBool,
        committer: &mut Committer<'_>,
    ) -> Result<Deferred, ConvertError> {
        let mut deferred = Deferred::default();
        let mut gauge = MemoryGauge::new();
        let mut pressure = Pressure::new(self.settings.memory_threshold);
        let mut looked: Option<Instant> = None;
        loop {
            if looked.is_none_or(|at| at.elapsed() >= LOOK) {
                let memory = gauge.sample();
                self.watch.note_memory(memory.resident);
                self.watch.note_pace();
                scarce.store(pressure.update(memory.used_fraction), Ordering::Relaxed);
                looked = Some(Instant::now());
            }
            match inbox.recv_timeout(LOOK) {
                Ok(Report { task, done, took }) => {
                    let done = done?;
                    committer.busy[task.channel] += took;
                    if done.deferred.is_empty() {
                        committer.take(task, done)?;
                    } else {
                        deferred.add(task, &done.deferred);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(deferred),
            }
        }
    }
}

/// The one place that says rows are done.
struct Committer<'c> {
    workspace: &'c mut Workspace,
    plan: &'c Plan,
    targets: &'c [Target],
    sync_every: Bytes,
    pending: Vec<(usize, SyncedRange)>,
    pending_bytes: Bytes,
    unreadable: u64,
    allowed: u64,
    busy: Vec<Duration>,
    syncing: Duration,
}

impl Committer<'_> {
    fn take(&mut self, task: Task, done: RangeDone) -> Result<(), ConvertError> {
        self.unreadable += done.unreadable;
        if self.unreadable > self.allowed {
            let last = done
                .bad
                .iter()
                .rev()
                .find(|bad| bad.status == crate::status::Status::Unreadable);
            let last = last.map_or_else(String::new, |bad| format!("{}: {}", bad.file, bad.why));
            return Err(ConvertError::Unreadable {
                files: self.unreadable,
                allowed: self.allowed,
                last,
            });
        }
        self.pending_bytes += Bytes(done.data.len + done.index.len);
        let committed = SyncedRange::new(self.plan.channels[task.channel].channel, task.rows, done);
        self.pending.push((task.channel, committed));
        if self.pending_bytes >= self.sync_every {
            self.commit()?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), ConvertError> {
        let mut touched: Vec<usize> = self.pending.iter().map(|(channel, _)| *channel).collect();
        touched.sort_unstable();
        touched.dedup();
        let began = Instant::now();
        for channel in touched {
            self.targets[channel].sync()?;
        }
        self.syncing += began.elapsed();
        let committed = self.pending.drain(..).map(|(_, committed)| committed).collect();
        self.workspace.commit(committed)?;
        self.pending_bytes = Bytes(0);
        Ok(())
    }
}
