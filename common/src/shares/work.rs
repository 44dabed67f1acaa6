//! The second step: the rows of one share, as shards.
//!
//! Safe at any time, as often as one likes, also several times at once: what is made is left alone, every process writes
//! files of its own, and a mark is left only for a shard that is whole.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::error::ShareError;
use super::pieces::Share;
use super::site::{HOPELESS, Piece, Run, Shares, Standing};
use crate::convert::{
    BlockSizes, Budget, ConvertError, Form, Io, Phase, Pulse, RangeConverter, RangeOptions, Reading, Stop, Watch,
    unreadable_allowed, wait,
};
use crate::fs;
use crate::plan::ChannelPlan;
use crate::resources::{self, MemoryGauge, Pressure};
use crate::shard::{Mark, ShardWriter};
use crate::units::{Bytes, RowRange};

/// What this machine gives.
#[derive(Clone, Copy, Debug)]
pub struct Means {
    /// How input is read.
    pub io: Io,
    /// Pieces that are made side by side.
    pub threads: usize,
    /// Bytes that plan, buffers and mapped windows may take together.
    pub memory_limit: Bytes,
    /// Share of the system's memory in use above which the buffers shrink, 0 to 1.
    pub memory_threshold: f64,
}

/// A share, as far as it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worked {
    /// Its pieces.
    pub pieces: u64,
    /// Of these, those that were made before.
    pub found: u64,
    /// Those that this call has made.
    pub made: u64,
    /// Rows of these.
    pub rows: u64,
    /// Of these, rows that are bad.
    pub bad_rows: u64,
    /// Bytes of input that they took.
    pub bytes_in: Bytes,
}

impl Worked {
    /// Whether all of it is made.
    pub const fn is_complete(&self) -> bool {
        self.found + self.made == self.pieces
    }
}

/// A piece to be made, and what is known of its files.
#[derive(Clone, Debug)]
struct Task {
    piece: Piece,
    /// Rows of files that seemed to be still being written, and were waited for.
    waited_for: Vec<RowRange>,
    /// Whether files that could not be read here are bad now: they were tried before.
    may_fail: bool,
}

/// Why a piece is to be tried once more.
enum Again {
    /// Once these rows' files have settled.
    Later(Vec<RowRange>),
    /// At once: a file could not be read.
    Unread,
}

impl Shares {
    /// Makes what is missing of a share. Ends early, with what was reached, where `stop` is requested.
    pub fn work(&self, share: Share, means: &Means, watch: &Watch, stop: &Stop) -> Result<Worked, ShareError> {
        let pieces = self.pieces_of(share);
        let mut worked = Worked {
            pieces: pieces.len() as u64,
            ..Worked::default()
        };
        let rows = pieces.iter().map(|piece| piece.rows.len()).sum();
        watch.begin(rows, pieces.iter().map(|piece| piece.cost).sum());
        let mut tasks = Vec::new();
        for (position, run) in self.runs.iter().enumerate() {
            let own: Vec<Piece> = pieces.iter().filter(|piece| piece.run == position).copied().collect();
            if own.is_empty() {
                continue;
            }
            let committed = match run.standing(&self.name)? {
                Standing::Complete => {
                    worked.found += own.len() as u64;
                    continue;
                }
                Standing::Open(committed) => committed,
            };
            run.note_count(share);
            for piece in own {
                let channel = &run.plan.channels[piece.channel];
                let done = committed.get(&channel.channel).map_or(&[][..], Vec::as_slice);
                if run.is_covered(piece.rows, done)? || is_made(run, channel, piece.rows) {
                    worked.found += 1;
                    watch.resume(piece.rows.len(), 0, piece.cost);
                } else {
                    tasks.push(Task {
                        piece,
                        waited_for: Vec::new(),
                        may_fail: false,
                    });
                }
            }
        }
        let plans = self.runs.iter().map(|run| run.plan.memory_bytes()).sum();
        let budget = Budget::new(means.memory_limit, plans, means.threads).map_err(ConvertError::from)?;
        watch.enter(Phase::Converting);
        let crew = Crew {
            shares: self,
            means,
            budget,
            stop,
            made: Mutex::new(worked),
            unreadable: self.runs.iter().map(|_| AtomicU64::new(0)).collect(),
            packs: self.runs.iter().map(|run| !fs::takes_blocks(&run.job())).collect(),
        };
        let made_some = !tasks.is_empty();
        crew.work_and_settle(tasks, watch)?;
        if made_some {
            // What was made for a plan that was replaced meanwhile is gone with it, which must not pass for success.
            let mut runs: Vec<usize> = pieces.iter().map(|piece| piece.run).collect();
            runs.dedup();
            runs.into_iter()
                .try_for_each(|run| self.runs[run].standing(&self.name).map(drop))?;
        }
        watch.enter(Phase::Done);
        Ok(crew.made.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Run {
    /// Of how many shares the tasks are, for whoever says later which of them are missing. A note for people: what cannot
    /// be written is not said.
    fn note_count(&self, share: Share) {
        let path = self.job().join(COUNT);
        let text = format!("{}\n", share.count());
        if std::fs::read_to_string(&path).ok().as_ref() != Some(&text) {
            let _ = fs::write_file(&path, text.as_bytes());
        }
    }
}

/// Where [`Shares::work`] notes of how many shares it was told.
pub(super) const COUNT: &str = "count";

/// Whether the rows are there as a whole shard, as far as a few looks tell.
fn is_made(run: &Run, channel: &ChannelPlan, rows: RowRange) -> bool {
    let mark = Mark {
        channel: channel.channel,
        rows,
    };
    let found = mark.find(&run.job());
    found.is_some_and(|(shard, _)| run.looker().look(channel, &shard).is_ok())
}

impl Run {
    /// Whether rows need no work since these are in the array; an error where some of them are, and some are not.
    pub(super) fn is_covered(&self, rows: RowRange, committed: &[RowRange]) -> Result<bool, ShareError> {
        let covered: u64 = committed.iter().map(|done| done.intersection(rows).len()).sum();
        if covered > 0 && covered < rows.len() {
            return Err(self.gone("another command has made some of its rows since it was planned"));
        }
        Ok(covered > 0)
    }
}

struct Crew<'c> {
    shares: &'c Shares,
    means: &'c Means,
    budget: Budget,
    stop: &'c Stop,
    made: Mutex<Worked>,
    /// Of each run, files that could not be read.
    unreadable: Vec<AtomicU64>,
    /// Of each run, whether its shards are best left as codes.
    packs: Vec<bool>,
}

impl Crew<'_> {
    fn work_and_settle(&self, mut tasks: Vec<Task>, watch: &Watch) -> Result<(), ShareError> {
        let uncounted = Watch::new();
        let mut counts = watch;
        while !tasks.is_empty() && !self.stop.requested() {
            let again = self.work(&tasks, counts)?;
            // What is tried again was counted.
            counts = &uncounted;
            if again.iter().any(|(_, again)| matches!(again, Again::Later(_))) {
                watch.enter(Phase::Settling);
                wait(self.shares.settle, watch, self.stop);
                watch.enter(Phase::Converting);
            }
            let next = again.into_iter().map(|(task, again)| match again {
                Again::Later(waited_for) => Task { waited_for, ..task },
                Again::Unread => Task { may_fail: true, ..task },
            });
            tasks = next.collect();
        }
        Ok(())
    }

    /// Works through `tasks`; returns those that are to be tried once more.
    fn work(&self, tasks: &[Task], watch: &Watch) -> Result<Vec<(Task, Again)>, ShareError> {
        let (next, halt) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (again, failed) = (Mutex::new(Vec::new()), Mutex::new(None));
        let thread = || {
            let mut gauge = MemoryGauge::new();
            let mut pressure = Pressure::new(self.means.memory_threshold);
            while !self.stop.requested() && !halt.load(Ordering::Relaxed) {
                let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) else {
                    break;
                };
                let memory = gauge.sample();
                watch.note_memory(memory.resident);
                watch.note_pace();
                let sizes = if pressure.update(memory.used_fraction) {
                    &self.budget.scarce
                } else {
                    &self.budget.ample
                };
                match self.make(task, sizes, watch) {
                    Ok(None) => {}
                    Ok(Some(why)) => locked(&again).push((task.clone(), why)),
                    Err(error) => {
                        halt.store(true, Ordering::Relaxed);
                        locked(&failed).get_or_insert(error);
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.budget.threads.min(tasks.len()) {
                scope.spawn(thread);
            }
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(error) => Err(error),
            None => Ok(again.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Makes a piece. An error that only means that nobody waits for it any more, since all rows are there, is none.
    fn make(&self, task: &Task, sizes: &BlockSizes, watch: &Watch) -> Result<Option<Again>, ShareError> {
        let run = &self.shares.runs[task.piece.run];
        let result = self.convert(run, task, sizes, watch);
        let error = match result {
            Ok(again) => return Ok(again),
            Err(error) => error,
        };
        if let ShareError::Convert(error) = &error
            && error.is_hopeless()
        {
            // Whoever waits for these rows is to know that they will not come.
            let why = error.to_string();
            let _ = fs::write_file(&run.job().join(HOPELESS), why.as_bytes());
            return Err(ShareError::Hopeless { why });
        }
        match run.standing(&self.shares.name) {
            Ok(Standing::Complete) => {
                locked(&self.made).found += 1;
                Ok(None)
            }
            Ok(Standing::Open(_)) => Err(error),
            // Why there is nothing to write into says more than that it cannot be written.
            Err(why) => Err(why),
        }
    }

    fn convert(&self, run: &Run, task: &Task, sizes: &BlockSizes, watch: &Watch) -> Result<Option<Again>, ShareError> {
        let (plan, job, rows) = (&run.plan, run.job(), task.piece.rows);
        let channel = &plan.channels[task.piece.channel];
        let mark = Mark {
            channel: channel.channel,
            rows,
        };
        let name = mark.new_shard();
        let form = if self.packs[task.piece.run] {
            Form::smallest(channel, rows)
        } else {
            Form::Values
        };
        let writer = ShardWriter::create(&job, plan.id, channel, name, form)?;
        let pulse = Pulse::new();
        let options = RangeOptions {
            io: self.means.io,
            trust_size: self.shares.trust_size,
            settle: self.shares.settle,
            last_try: !task.waited_for.is_empty(),
            waited_for: &task.waited_for,
            reading: if task.may_fail {
                Reading::MayFail
            } else {
                Reading::MustSucceed
            },
            pulse: &pulse,
        };
        let converted = RangeConverter::new(plan, sizes).convert(channel, rows, writer.target(), &options, watch);
        let done = match converted {
            // A right that this node's account lacks says nothing of the file: another one may have it, or get it.
            Err(error @ ConvertError::Input { .. }) if !error.is_denied() => return Ok(Some(Again::Unread)),
            Err(ConvertError::Changed { file, change }) => return Err(ShareError::Changed { file, change }),
            converted => converted?,
        };
        if !done.deferred.is_empty() {
            return Ok(Some(Again::Later(done.deferred)));
        }
        let unreadable = &self.unreadable[task.piece.run];
        let files = unreadable.fetch_add(done.unreadable, Ordering::Relaxed) + done.unreadable;
        let allowed = unreadable_allowed(plan);
        if files > allowed {
            let last = done
                .bad
                .iter()
                .rev()
                .map(|bad| format!("{}: {}", bad.file, bad.why))
                .next();
            let last = last.unwrap_or_default();
            return Err(ConvertError::Unreadable { files, allowed, last }.into());
        }
        let (bad_rows, bytes_in) = (done.statuses.bad_rows(), done.bytes_in);
        writer.finish(done)?;
        mark.leave(&job, name.lease, &resources::host_name())?;
        let mut worked = locked(&self.made);
        worked.made += 1;
        worked.rows += rows.len();
        worked.bad_rows += bad_rows;
        worked.bytes_in += bytes_in;
        Ok(None)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
