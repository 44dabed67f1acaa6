//! A run whose rows are made elsewhere and come as shards: same folder, same journal, same end as [`convert`].
//!
//! [`convert`]: super::convert

use std::io::ErrorKind::NotFound;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::error::ConvertError;
use super::report::Times;
use super::settings::Overwrite;
use super::synced::SyncedRange;
use super::target::Target;
use super::watch::{Phase, Watch};
use super::workspace::{self, Stage, Workspace};
use super::{ConvertRun, Outcome, State, job, publish, report};
use crate::channel::Channel;
use crate::fs;
use crate::npy::index::IndexRecord;
use crate::outputs::Unfinished;
use crate::plan::{Findings, Plan, PlannedRun};
use crate::roots::Roots;
use crate::shard::{self, ShardName};
use crate::stitch::{StitchError, Stitcher};
use crate::units::{Bytes, RowRange};

/// What an [`Assembly`] is opened for.
#[derive(Debug)]
pub struct AssemblyJob<'a> {
    /// The command: what it would be as one for [`convert`](super::convert) on this machine.
    pub run: ConvertRun,
    /// The output folder of this run.
    pub out: &'a Path,
    /// The name of the folder for shards: the job's own among all jobs of this output folder.
    pub folder: &'a str,
    /// This machine's roots: inputs below none of them are refused.
    pub roots: &'a Roots,
    /// Whether the same job was opened before, with this plan: then it goes on, and never begins anew, be it for
    /// `--overwrite` or since nothing of it is there.
    pub reopened: bool,
    /// How long planning took, for the report.
    pub planning: Duration,
    /// Raised as rows are committed.
    pub watch: Arc<Watch>,
}

/// What there is to do of a run.
#[derive(Debug)]
pub enum Opened {
    /// Nothing: the same command has finished it, and everything is still there.
    AlreadyDone(Outcome),
    /// Rows are to be made; or, where all of them are committed, only to be published.
    Begun(Box<Assembly>),
}

/// A locked run that takes shards. All of it may be called from several threads at once; each call can wait for the disk.
#[derive(Debug)]
pub struct Assembly {
    run: ConvertRun,
    plan: Arc<Plan>,
    portable: Plan,
    stitcher: Stitcher,
    /// Whether its shards are best left as codes.
    packs: bool,
    is_new: bool,
    watch: Arc<Watch>,
    /// Held for reading while bytes are written; never waited for with `state` in hand.
    targets: RwLock<Targets>,
    state: Mutex<Progressed>,
}

/// The unfinished arrays.
#[derive(Debug)]
enum Targets {
    /// A run that only waits its turn has no files open.
    Unopened,
    Open(Vec<Target>),
    /// The run takes no more rows.
    Closed,
}

/// What changes while rows come in.
#[derive(Debug)]
struct Progressed {
    workspace: Workspace,
    findings: Findings,
    times: Times,
    began: Instant,
    /// Whether the lists of files are written.
    listed: bool,
}

/// A shard whose bytes are in their place, and not yet on the disk.
#[derive(Debug)]
pub struct Landed {
    name: ShardName,
    /// Position of its channel in the plan.
    channel: usize,
    range: SyncedRange,
    took: Duration,
}

impl Landed {
    /// What is known of its rows.
    pub const fn range(&self) -> &SyncedRange {
        &self.range
    }
}

impl Assembly {
    /// How long a shard may take to be seen on this machine that another one has just made.
    pub const PATIENCE: Duration = Duration::from_secs(2);

    /// Takes the output folder for this run, goes on with what the same command left there or begins, and makes the
    /// folder for its shards. Fails as [`convert`](super::convert) does, before anything is written where it can.
    pub fn open(planned: PlannedRun, job: AssemblyJob<'_>) -> Result<Opened, ConvertError> {
        let AssemblyJob {
            mut run,
            out,
            folder,
            roots,
            reopened,
            planning,
            watch,
        } = job;
        let PlannedRun { plan, findings } = planned;
        // Refused before anything is written: what no worker will find, or what a link leads out of a root.
        plan.portable(roots)?.localised(roots)?;
        let mut workspace = if reopened {
            run.settings.overwrite = Overwrite::Never;
            match Workspace::reopen(out, &plan, &run, folder)? {
                Some(begun) => begun,
                None if workspace::is_begun(out, &run.request, &run.settings) => Workspace::open(out, plan, &run)?,
                None => {
                    return Err(ConvertError::Vanished {
                        out: out.to_owned(),
                        is_used: workspace::is_used(out),
                    });
                }
            }
        } else {
            Workspace::open(out, plan, &run)?
        };
        let mut times = Times {
            planning,
            ..Times::default()
        };
        if workspace.stage == Stage::Done {
            let mut outcome = outcome_of(&mut workspace, findings, State::AlreadyDone);
            report::note_changed_settings(&workspace, &mut outcome);
            report::summarise(&workspace, &run.settings, &times, &mut outcome);
            watch.enter(Phase::Done);
            return Ok(Opened::AlreadyDone(outcome));
        }
        let left = workspace.remove_job_folders(Some(folder));
        workspace.notes.extend(left);
        let is_new = !workspace.job_folder(folder).exists();
        if reopened {
            // What is there of it may lie in shards alone: it is never withdrawn, nor refused for want of room that they
            // themselves take. Where there is really none, no rows are given out.
            workspace.create_job_folder(folder)?;
        } else {
            let shards = shards_needed(&workspace, run.settings.sync_every);
            let there = workspace.shards_allocated(folder);
            let needed = (workspace.needed() + shards).saturating_sub(there);
            let room = workspace::have_room([(out, needed)].into_iter());
            if let Err(error) = room.and_then(|()| workspace.create_job_folder(folder)) {
                // Shards that are there stay: somebody may still be making them.
                if is_new {
                    workspace.withdraw();
                } else {
                    workspace.release();
                }
                return Err(error);
            }
        }
        // What is being published may have its names already, and must not be made anew under the old ones.
        let targets = match workspace.stage {
            Stage::Converting => Targets::Unopened,
            Stage::Publishing | Stage::Done => Targets::Closed,
        };
        let plan = Arc::clone(&workspace.plan);
        job::begin_watch(&workspace, &plan, &watch);
        watch.enter(Phase::Converting);
        times.busy = vec![Duration::ZERO; plan.channels.len()];
        let portable = plan.portable(roots)?;
        let job = workspace.job_folder(folder);
        let sharing = fs::takes_blocks(&job);
        let assembly = Self {
            stitcher: Stitcher {
                job,
                plan: portable.id,
                sharing: AtomicBool::new(sharing),
            },
            packs: !sharing,
            is_new: is_new && workspace.committed.is_empty(),
            run,
            plan,
            portable,
            watch,
            targets: RwLock::new(targets),
            state: Mutex::new(Progressed {
                workspace,
                findings,
                times,
                began: Instant::now(),
                listed: false,
            }),
        };
        Ok(Opened::Begun(Box::new(assembly)))
    }

    /// The plan, with this machine's paths. It can be older than the one that [`Assembly::open`] was given: an
    /// unfinished run goes on as it was begun.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The same plan as workers get it ([`Plan::portable`]): shards of one with another id are refused.
    pub const fn portable(&self) -> &Plan {
        &self.portable
    }

    /// Where shards are to be left: the folder that a worker hands to [`ShardWriter`](crate::shard::ShardWriter).
    pub fn job_folder(&self) -> &Path {
        &self.stitcher.job
    }

    /// Whether shards are best left as codes ([`Form::smallest`](super::Form::smallest)): the array cannot have their
    /// blocks, so that all bytes of them are written for the second time.
    pub const fn packs(&self) -> bool {
        self.packs
    }

    /// The output folder.
    pub fn out(&self) -> PathBuf {
        self.state().workspace.out.clone()
    }

    /// The name of the folder that has the run's state, and the one for shards in it.
    pub fn state_name(&self) -> Option<String> {
        let state = self.stitcher.job.parent()?.file_name()?;
        state.to_str().map(str::to_owned)
    }

    /// Whether nothing of the run was there before: no rows, and no folder for its shards.
    pub const fn is_new(&self) -> bool {
        self.is_new
    }

    /// Sentences for people about what was found when it was opened.
    pub fn notes(&self) -> Vec<String> {
        self.state().workspace.notes.clone()
    }

    /// Files that could not be read, of the rows that are committed.
    pub fn unreadable(&self) -> u64 {
        let state = self.state();
        let committed = state.workspace.committed.values().flatten();
        committed.map(|rows| rows.unreadable).sum()
    }

    /// Whether a file of the planned size counts as the planned one, whenever it was written.
    pub const fn trusts_size(&self) -> bool {
        self.run.settings.trust_size
    }

    /// Whether somebody has removed the run's state, or the folder for shards in it. Storage that is away for a while does
    /// not look like that.
    pub fn is_removed(&self) -> bool {
        let is_gone = |path: &Path| std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == NotFound);
        // A worker that writes at that moment can keep some of its folders there; the journal is gone all the same.
        self.state().workspace.is_removed()
            || is_gone(&self.stitcher.job) && self.stitcher.job.parent().is_some_and(|state| !is_gone(state))
    }

    /// The unfinished channels, in the plan's order, for whoever looks at rows that have landed.
    pub fn unfinished(&self) -> Vec<Unfinished> {
        let state = self.state();
        let file = |channel: Channel, what: &str| state.workspace.temporary(channel, what);
        let channels = self.plan.channels.iter();
        channels
            .map(|of| Unfinished::new(of, file(of.channel, "npy"), file(of.channel, "index.npy")))
            .collect()
    }

    /// Rows that need no work any more, in order.
    pub fn committed_rows(&self, channel: Channel) -> Vec<RowRange> {
        let state = self.state();
        let committed = state.workspace.committed.get(&channel);
        let mut rows: Vec<RowRange> = committed.into_iter().flatten().map(|done| done.rows).collect();
        rows.sort_unstable();
        rows
    }

    /// Checks a shard and copies it to its place in the unfinished array.
    ///
    /// May be called from several threads at once, also for rows that another shard is bringing: all whole shards of some
    /// rows hold the same bytes.
    pub fn land(&self, name: &ShardName) -> Result<Landed, StitchError> {
        self.land_within(name, Self::PATIENCE)
    }

    /// [`Assembly::land`] of a shard that may take so long to be seen on this machine.
    pub fn land_within(&self, name: &ShardName, patience: Duration) -> Result<Landed, StitchError> {
        let began = Instant::now();
        let targets = self.opened()?;
        let Targets::Open(targets) = &*targets else {
            return Err(StitchError::Over);
        };
        let channels = &self.plan.channels;
        let at = channels.iter().position(|channel| channel.channel == name.channel);
        let fits = |at: &usize| !name.rows.is_empty() && name.rows.end <= channels[*at].rows;
        let Some(channel) = at.filter(fits) else {
            return Err(StitchError::Unplanned { name: *name });
        };
        let record = self
            .stitcher
            .land(&channels[channel], name, &targets[channel], patience)?;
        Ok(Landed {
            name: *name,
            channel,
            range: record.range,
            took: began.elapsed(),
        })
    }

    /// The arrays; opened, where that was not done yet.
    fn opened(&self) -> Result<RwLockReadGuard<'_, Targets>, StitchError> {
        let read = || self.targets.read().unwrap_or_else(PoisonError::into_inner);
        let unopened = matches!(*read(), Targets::Unopened);
        if unopened {
            let mut targets = self.targets.write().unwrap_or_else(PoisonError::into_inner);
            if let Targets::Unopened = *targets {
                *targets = Targets::Open(self.state().workspace.targets().map_err(StitchError::Output)?);
            }
        }
        Ok(read())
    }

    /// Brings landed rows to the disk, and records them: they need not be made again, whatever happens, and their shards
    /// are removed. Shards of rows of which some are committed already count no second time.
    pub fn commit(&self, landed: Vec<Landed>) -> Result<(), ConvertError> {
        let targets = self.targets.read().unwrap_or_else(PoisonError::into_inner);
        let Targets::Open(targets) = &*targets else {
            return Ok(());
        };
        let mut touched: Vec<usize> = landed.iter().map(|landed| landed.channel).collect();
        touched.sort_unstable();
        touched.dedup();
        let began = Instant::now();
        touched.into_iter().try_for_each(|channel| targets[channel].sync())?;
        let mut state = self.state();
        state.times.syncing += began.elapsed();
        let mut new: Vec<SyncedRange> = Vec::with_capacity(landed.len());
        let mut shards = Vec::with_capacity(landed.len());
        for Landed {
            name,
            channel,
            range,
            took,
        } in landed
        {
            shards.push(name);
            state.times.busy[channel] += took;
            let taken = state.workspace.committed.get(&range.channel).into_iter().flatten();
            // Counted twice, the checksums of the whole would be wrong.
            let again =
                |other: &SyncedRange| other.channel == range.channel && !other.rows.intersection(range.rows).is_empty();
            if !taken.chain(&new).any(again) {
                new.push(range);
            }
        }
        for range in &new {
            self.watch.add_rows(range.rows.len(), range.statuses.bad_rows());
            self.watch.add_read(range.bytes_in);
            self.watch.add_written(Bytes(range.data_len));
        }
        self.watch.note_pace();
        state.workspace.commit(new)?;
        drop(state);
        // To let go of much takes a file system its time, and a network its own for every file.
        shards.par_iter().for_each(|name| {
            // What cannot be removed now goes with the job's folder.
            let _ = shard::discard(&self.stitcher.job, name);
        });
        Ok(())
    }

    /// Writes the lists of files, which [`Assembly::publish`] does else: for who has nothing to do yet.
    pub fn write_lists(&self) -> Result<(), ConvertError> {
        let mut state = self.state();
        if state.workspace.stage == Stage::Converting && !state.listed {
            publish::write_lists(&state.workspace)?;
            state.listed = true;
        }
        Ok(())
    }

    /// Gives the run's files their names, and leaves nothing else behind. `workers`: who made the rows, for the report.
    ///
    /// Fails where rows are missing. Where a name cannot be given (a mapped old array on Windows), it can be called again.
    pub fn publish(&self, workers: &[String]) -> Result<Outcome, ConvertError> {
        let missing = job::missing_rows(&self.state().workspace, &self.plan);
        if missing > 0 {
            let out = self.out();
            return Err(ConvertError::Incomplete { out, missing });
        }
        self.close();
        self.write_lists()?;
        let mut state = self.state();
        let Progressed {
            workspace,
            findings,
            times,
            began,
            ..
        } = &mut *state;
        self.watch.enter(Phase::Publishing);
        publish::publish(workspace, &self.run.settings)?;
        times.converting = began.elapsed();
        let left = workspace.remove_job_folders(None);
        workspace.notes.extend(left);
        let mut outcome = outcome_of(workspace, findings.clone(), State::Finished);
        report::note_changed_settings(workspace, &mut outcome);
        report::summarise(workspace, &self.run.settings, times, &mut outcome);
        report::write(&outcome, workspace, &self.run, times, &self.watch, workers)?;
        publish::finish(workspace, &self.run.settings, began.elapsed())?;
        report::write_page(&mut outcome);
        workspace.release();
        self.watch.enter(Phase::Done);
        Ok(outcome)
    }

    /// Ends the run without a result: removes its shards and lets others use the output folder. What is committed stays,
    /// and the same command goes on with it; unless it is `hopeless`, that is, would fail again, so that other commands
    /// may take its place. Returns a sentence for people where shards could not be removed.
    pub fn abandon(&self, hopeless: bool) -> Option<String> {
        self.close();
        let mut state = self.state();
        if hopeless {
            state.workspace.give_up();
        }
        let left = state.workspace.remove_job_folders(None);
        state.workspace.release();
        left
    }

    /// Lets another process go on with the run: what is committed stays, and the folder for shards with all that is in it.
    pub fn leave(self) {
        self.close();
        self.state().workspace.release();
    }

    /// Ends a run that was never asked to begin: nothing is left of it but what an earlier one had done.
    pub fn withdraw(&self) {
        self.close();
        let mut state = self.state();
        // Late workers there are none.
        let _ = state.workspace.remove_job_folders(None);
        state.workspace.withdraw();
    }

    /// Waits for what is being written, and closes the arrays.
    fn close(&self) {
        *self.targets.write().unwrap_or_else(PoisonError::into_inner) = Targets::Closed;
    }

    fn state(&self) -> MutexGuard<'_, Progressed> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn outcome_of(workspace: &mut Workspace, findings: Findings, state: State) -> Outcome {
    Outcome {
        out: workspace.out.clone(),
        state,
        channels: Vec::new(),
        findings,
        notes: std::mem::take(&mut workspace.notes),
        bad_files: Vec::new(),
    }
}

/// Bytes that shards take at a time: those of all rows that are to be made, but not much more than what is recorded, and
/// removed, at a time.
fn shards_needed(workspace: &Workspace, sync_every: Bytes) -> Bytes {
    let channels = workspace.plan.channels.iter();
    let needed = channels.map(|channel| {
        let committed = workspace.committed.get(&channel.channel).into_iter().flatten();
        let done: u64 = committed.map(|done| done.rows.len()).sum();
        (channel.row_bytes() + Bytes(IndexRecord::BYTES)) * channel.rows.saturating_sub(done)
    });
    needed.sum::<Bytes>().min(sync_every * 2)
}
