//! The third step: shards into arrays, as they come or as far as they are there; then their names.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::error::ShareError;
use super::pieces::Share;
use super::site::{HOPELESS, Run, Shares};
use super::work::COUNT;
use crate::channel::Channel;
use crate::convert::{
    Assembly, AssemblyJob, ConvertError, Landed, Opened, Outcome, Settings, Stop, Watch, unreadable_allowed, wait,
};
use crate::fs::{LockError, StorageError};
use crate::plan::PlannedRun;
use crate::shard::{self, Mark, ShardName};
use crate::stitch::StitchError;
use crate::units::{Bytes, RowRange, count, counted};

/// Between two looks for shards.
const LOOK: Duration = Duration::from_millis(500);
/// How often somebody who waits is told of it.
const TELL: Duration = Duration::from_mins(1);

/// What is asked of [`Shares::gather`].
pub struct Gather<'g> {
    /// This machine's settings; what decides about bytes comes from the plan file.
    pub settings: &'g Settings,
    /// Whether to wait for what is missing.
    pub waits: bool,
    /// And how long, at most.
    pub timeout: Option<Duration>,
    /// Raised as rows come.
    pub watch: &'g Arc<Watch>,
    /// Ends it early: what has come is kept.
    pub stop: &'g Stop,
    /// Told, in sentences for people, what happens.
    pub tell: &'g dyn Fn(&str),
}

/// How it ended.
#[derive(Debug)]
pub enum Gathered {
    /// Every run has its arrays.
    All(Vec<Outcome>),
    /// Rows are missing, and were not to be waited for; what is there is in its place.
    Missing(Missing),
    /// It was asked to stop.
    Interrupted,
}

/// Rows that are not made.
#[derive(Debug, Default)]
pub struct Missing {
    /// Of each run that lacks some: its name, and consecutive rows of a channel.
    pub rows: Vec<(String, Vec<(Channel, RowRange)>)>,
    /// Which shares they are of, counted from 0, and of how many: those that tasks were told of last.
    pub shares: Option<(Vec<u64>, u64)>,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Stretches of rows that are named.
        const NAMED: usize = 8;
        for (run, stretches) in &self.rows {
            let rows: u64 = stretches.iter().map(|(_, rows)| rows.len()).sum();
            let named = stretches
                .iter()
                .take(NAMED)
                .map(|(channel, rows)| format!("{channel} {rows}"));
            let named: Vec<String> = named.collect();
            let more = if stretches.len() > NAMED { ", ..." } else { "" };
            let missing = if rows == 1 { "is" } else { "are" };
            let (rows, named) = (counted(rows, "row"), named.join(", "));
            writeln!(f, "run {run}: {rows} {missing} not made: {named}{more}")?;
        }
        let Some((shares, of)) = &self.shares else {
            return f.write_str("no task has begun for this plan");
        };
        let list: Vec<String> = shares.iter().map(u64::to_string).collect();
        let list = list.join(",");
        write!(
            f,
            "missing: {} of {}: {list} (make them with --index and --count {of}; as a Slurm array: --array={list})",
            counted(shares.len() as u64, "share"),
            count(*of),
        )
    }
}

impl Shares {
    /// Brings shards into the arrays of all runs, and gives these their names once all rows are there.
    pub fn gather(&self, asked: &Gather<'_>) -> Result<Gathered, ShareError> {
        let began = Instant::now();
        let mut benches = Vec::with_capacity(self.runs.len());
        let mut done = Vec::with_capacity(self.runs.len());
        for run in &self.runs {
            match self.open_run(run, asked, began)? {
                None => return Ok(Gathered::Interrupted),
                Some(Opened::AlreadyDone(outcome)) => done.push(outcome),
                Some(Opened::Begun(assembly)) => benches.push(Bench::new(run, *assembly)?),
            }
        }
        let mut told = Instant::now();
        let mut looks = 0;
        loop {
            let mut open = Vec::new();
            for mut bench in benches {
                bench.look(asked, self.sync_every)?;
                if bench.open.is_empty() {
                    done.push(bench.publish()?);
                } else {
                    open.push(bench);
                }
            }
            benches = open;
            looks += 1;
            if benches.is_empty() {
                return Ok(Gathered::All(done));
            }
            if asked.stop.requested() {
                return Ok(Gathered::Interrupted);
            }
            let missing = || self.missing(&benches);
            if !asked.waits {
                // What another machine has just made is seen here a moment late.
                if looks > 1 {
                    return Ok(Gathered::Missing(missing()));
                }
                wait(Assembly::PATIENCE, asked.watch, asked.stop);
                continue;
            }
            if let Some(waited) = asked.timeout.filter(|timeout| began.elapsed() >= *timeout) {
                let missing = missing();
                return Err(ShareError::TimedOut { missing, waited });
            }
            if told.elapsed() >= TELL {
                let rows: u64 = benches.iter().map(Bench::rows).sum();
                (asked.tell)(&format!("waiting for {}", counted(rows, "row")));
                told = Instant::now();
            }
            wait(LOOK, asked.watch, asked.stop);
        }
    }

    /// Takes a run's output folder; waits for another process that has it where that is asked. None: stopped meanwhile.
    fn open_run(&self, run: &Run, asked: &Gather<'_>, began: Instant) -> Result<Option<Opened>, ShareError> {
        let mut told = false;
        loop {
            // Where this plan has no say any more, nothing must be begun.
            run.standing(&self.name)?;
            let opened = Assembly::open(
                PlannedRun {
                    plan: (*run.plan).clone(),
                    findings: run.findings.clone(),
                },
                AssemblyJob {
                    run: self.command_of(run, asked.settings),
                    out: &run.out,
                    folder: &run.folder,
                    roots: &self.roots,
                    reopened: run.state.is_some(),
                    planning: Duration::ZERO,
                    watch: Arc::clone(asked.watch),
                },
            );
            match opened {
                // A task that was begun anew elsewhere finds the lock of the one that died.
                Err(ConvertError::Lock(LockError::Held { .. }))
                    if asked.waits && asked.timeout.is_none_or(|timeout| began.elapsed() < timeout) =>
                {
                    if !told {
                        let out = run.out.display();
                        (asked.tell)(&format!("{out} is in use by another process; waiting until it is free"));
                        told = true;
                    }
                    wait(LOOK, asked.watch, asked.stop);
                    if asked.stop.requested() {
                        return Ok(None);
                    }
                }
                Ok(Opened::Begun(assembly)) if run.state.is_none() => {
                    assembly.withdraw();
                    return Err(run.gone("its arrays are not those that were there when it was planned"));
                }
                opened => return Ok(Some(opened?)),
            }
        }
    }

    fn missing(&self, benches: &[Bench<'_>]) -> Missing {
        let mut missing = Missing::default();
        for bench in benches {
            let mut stretches: Vec<(Channel, RowRange)> = Vec::new();
            for &(channel, rows) in &bench.open {
                let channel = bench.run.plan.channels[channel].channel;
                match stretches.last_mut() {
                    Some((of, last)) if *of == channel && last.end == rows.start => last.end = rows.end,
                    _ => stretches.push((channel, rows)),
                }
            }
            missing.rows.push((bench.run.plan.run.clone(), stretches));
        }
        let noted = benches.iter().find_map(|bench| {
            let text = std::fs::read_to_string(bench.run.job().join(COUNT)).ok()?;
            text.trim().parse::<u64>().ok()
        });
        missing.shares = noted.map(|count| {
            let lacks = |index: &u64| {
                let share = Share::new(*index, count).map(|share| self.pieces_of(share));
                share.is_ok_and(|pieces| {
                    pieces.iter().any(|piece| {
                        let of = &self.runs[piece.run];
                        let mut own = benches.iter().filter(|bench| std::ptr::eq(bench.run, of));
                        own.any(|bench| bench.open.contains(&(piece.channel, piece.rows)))
                    })
                })
            };
            ((0..count).filter(lacks).collect(), count)
        });
        missing
    }
}

/// A run that takes shards.
struct Bench<'g> {
    run: &'g Run,
    assembly: Assembly,
    /// Pieces that are not in the array: position of the channel, and rows; in order.
    open: Vec<(usize, RowRange)>,
    landed: Vec<Landed>,
    unsynced: Bytes,
    /// Files that could not be read, of the rows that are in the array.
    unreadable: u64,
    /// Who has made the rows.
    makers: BTreeSet<String>,
}

impl<'g> Bench<'g> {
    fn new(run: &'g Run, assembly: Assembly) -> Result<Self, ShareError> {
        let mut open = Vec::new();
        for (position, (channel, pieces)) in run.plan.channels.iter().zip(&run.pieces).enumerate() {
            let committed = assembly.committed_rows(channel.channel);
            for &rows in pieces {
                if !run.is_covered(rows, &committed)? {
                    open.push((position, rows));
                }
            }
        }
        Ok(Self {
            run,
            unreadable: assembly.unreadable(),
            assembly,
            open,
            landed: Vec::new(),
            unsynced: Bytes(0),
            makers: BTreeSet::new(),
        })
    }

    fn rows(&self) -> u64 {
        self.open.iter().map(|(_, rows)| rows.len()).sum()
    }

    /// Brings what has been made since the last look into the array, and records it.
    fn look(&mut self, asked: &Gather<'_>, sync_every: Bytes) -> Result<(), ShareError> {
        let job = self.run.job();
        if let Ok(why) = std::fs::read_to_string(job.join(HOPELESS)) {
            self.assembly.abandon(true);
            return Err(ShareError::Hopeless { why });
        }
        if self.assembly.is_removed() {
            return Err(self
                .run
                .gone("its unfinished files were removed while it was being put together"));
        }
        let open = std::mem::take(&mut self.open);
        let mut left = Vec::with_capacity(open.len());
        // One whose mark is there and whose files are not is waited for; thousands are not, each for itself.
        let mut patience = Assembly::PATIENCE;
        for pieces in open.chunks(asked.settings.threads.max(1)) {
            if asked.stop.requested() {
                left.extend_from_slice(pieces);
                continue;
            }
            let marks = pieces.iter().map(|&(channel, rows)| Mark {
                channel: self.run.plan.channels[channel].channel,
                rows,
            });
            let found: Vec<_> = marks.map(|mark| (mark, mark.find(&job))).collect();
            let shards: Vec<Option<ShardName>> = found
                .iter()
                .map(|(_, found)| found.as_ref().map(|(shard, _)| *shard))
                .collect();
            let began = Instant::now();
            let results = self.land(&shards, patience);
            for ((piece, (mark, found)), result) in pieces.iter().zip(found).zip(results) {
                let (Some((shard, maker)), Some(result)) = (found, result) else {
                    left.push(*piece);
                    continue;
                };
                match result {
                    Ok(landed) => {
                        self.take(landed, &mark)?;
                        self.makers.insert(maker);
                    }
                    Err(StitchError::Output(error) | StitchError::Unreadable(error)) => {
                        return Err(ConvertError::from(error).into());
                    }
                    Err(error) => {
                        patience = patience.saturating_sub(began.elapsed());
                        (asked.tell)(&format!("warning: rows {mark} are to be made again: {error}"));
                        discard(&job, &mark, &shard)?;
                        left.push(*piece);
                    }
                }
            }
            if self.unsynced >= sync_every {
                self.commit()?;
            }
        }
        self.open = left;
        self.commit()
    }

    /// Copies shards to their places, side by side.
    fn land(&self, shards: &[Option<ShardName>], patience: Duration) -> Vec<Option<Result<Landed, StitchError>>> {
        let assembly = &self.assembly;
        if let [only] = shards {
            return vec![only.map(|shard| assembly.land_within(&shard, patience))];
        }
        thread::scope(|scope| {
            let threads: Vec<_> = shards
                .iter()
                .map(|shard| shard.map(|shard| scope.spawn(move || assembly.land_within(&shard, patience))))
                .collect();
            let join = |thread: thread::ScopedJoinHandle<'_, _>| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            threads.into_iter().map(|thread| thread.map(join)).collect()
        })
    }

    /// Counts what has landed; more unreadable files than a run may have are not brought into it.
    fn take(&mut self, landed: Landed, mark: &Mark) -> Result<(), ShareError> {
        let range = landed.range();
        let (files, allowed) = (self.unreadable + range.unreadable, unreadable_allowed(&self.run.plan));
        if range.unreadable > 0 && files > allowed {
            let last = range.bad.last().map(|bad| format!("{}: {}", bad.file, bad.why));
            let last = last.unwrap_or_default();
            // They are tried again when their shares are.
            mark.withdraw(&self.run.job())?;
            return Err(ConvertError::Unreadable { files, allowed, last }.into());
        }
        self.unreadable = files;
        self.unsynced += Bytes(range.data_len + range.index_len);
        self.landed.push(landed);
        Ok(())
    }

    fn commit(&mut self) -> Result<(), ShareError> {
        self.unsynced = Bytes(0);
        Ok(self.assembly.commit(std::mem::take(&mut self.landed))?)
    }

    fn publish(self) -> Result<Outcome, ShareError> {
        let makers: Vec<String> = self.makers.into_iter().collect();
        Ok(self.assembly.publish(&makers)?)
    }
}

/// Takes a damaged shard out of the way: its rows are missing then, for everyone.
fn discard(job: &std::path::Path, mark: &Mark, shard: &ShardName) -> Result<(), StorageError> {
    mark.withdraw(job)?;
    shard::discard(job, shard)
}
