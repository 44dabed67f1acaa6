//! What people are shown: jobs, channels in bins, workers, and why rows wait.
//!
//! Changes nothing, and gives sums, bins and sentences, never single ranges.

mod explain;
mod hands;
mod reason;

use std::collections::BTreeSet;

use trc2npy_common::units::{Bytes, RowRange};

use crate::event::Step;
use crate::ids::{ChannelIndex, JobId, Millis, SessionId};
use crate::job::{Job, Phase};
use crate::placement::{self, Obstacle};
use crate::rows::{Amount, Care, Channel};
use crate::scheduler::Core;
use crate::worker::Worker;
pub use hands::Ranges;
pub use reason::{Idle, Reason};

/// Most bins in which a channel's progress is shown.
pub const MOST_BINS: usize = 512;

/// A job that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobView {
    /// Which.
    pub job: JobId,
    /// All rows are there, and its files are being given their names.
    pub publishing: bool,
    /// In the plan's order.
    pub channels: Vec<ChannelView>,
    /// Leases in workers' hands, second attempts among them.
    pub leases: u64,
    /// Workers that have some.
    pub workers: u64,
    /// Second attempts so far.
    pub second_attempts: u64,
    /// Files that could not be read.
    pub unreadable: u64,
}

/// A channel of a job that has not ended. Rows are committed, leased, open or waiting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelView {
    /// All rows.
    pub all: Amount,
    /// Those that are done.
    pub committed: Amount,
    /// Those in workers' hands, or of shards that are being checked and copied.
    pub leased: Amount,
    /// Those that anyone could have now.
    pub open: Amount,
    /// Those that nobody gets before a time (files that were still being written, tries after a pause).
    pub waiting: Amount,
    /// Of the committed rows.
    pub bad_rows: u64,
    /// Rows whose files have ended several processes and are not opened any more, committed or not.
    pub quarantined: u64,
}

/// A part of a channel's rows; all parts of a channel are of about the same size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bin {
    /// How many rows it has.
    pub rows: u64,
    /// How many of them are committed.
    pub committed: u64,
    /// How many of them are leased or being taken over.
    pub leased: u64,
}

/// A connected worker.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerView {
    /// Which.
    pub session: SessionId,
    /// Its name.
    pub name: String,
    /// The roots that it has mapped.
    pub roots: Vec<String>,
    /// Leases that it can work on side by side.
    pub slots: u32,
    /// Leases that it has.
    pub leases: u64,
    /// Of one lease, bytes a second; none where nothing has come of it yet.
    pub speed: Option<Bytes>,
    /// Of its delivered leases.
    pub delivered: Bytes,
    /// Where it writes shards; none where unknown.
    pub disk_free: Option<Bytes>,
    /// It gets no more leases until it ends.
    pub draining: bool,
    /// Why it gets nothing now, where there is a reason beside having nothing to do.
    pub idle: Option<Idle>,
    /// Of its leases the one that has not got on for the longest: in which step, and for how long.
    pub quiet: Option<(Step, Millis)>,
}

impl Core {
    /// All jobs that have not ended, the oldest first.
    pub fn jobs(&self) -> Vec<JobView> {
        self.jobs.keys().filter_map(|&job| self.job(job)).collect()
    }

    /// A job, where it has not ended.
    pub fn job(&self, job: JobId) -> Option<JobView> {
        let found = self.jobs.get(&job)?;
        let (leases, workers) = self.hands_of(found);
        Some(JobView {
            job,
            publishing: found.phase == Phase::Publishing,
            channels: found.channels.iter().map(channel_view).collect(),
            leases,
            workers,
            second_attempts: found.second_attempts,
            unreadable: found.unreadable,
        })
    }

    fn quiet(&self, worker: &Worker) -> Option<(Step, Millis)> {
        let leases = worker.leases.iter().filter_map(|id| self.leases.get(id));
        let quiet = leases.map(|lease| (lease.step, self.now().since(lease.moved)));
        quiet.max_by_key(|&(_, time)| time)
    }

    /// Leases of a job, and how many workers have them.
    fn hands_of(&self, job: &Job) -> (u64, u64) {
        let held = job.channels.iter().flat_map(Channel::all_held);
        let leases: Vec<_> = held.flat_map(|held| held.hands.leases()).collect();
        let holders = leases.iter().filter_map(|lease| self.leases.get(lease)?.session());
        let holders: BTreeSet<_> = holders.collect();
        (leases.len() as u64, holders.len() as u64)
    }

    /// How far a channel is, in `n` parts of its rows (at most [`MOST_BINS`], and no more than it has rows). Empty for a
    /// job that has ended or a channel that it lacks.
    pub fn bins(&self, job: JobId, channel: ChannelIndex, n: usize) -> Vec<Bin> {
        let found = self.jobs.get(&job).and_then(|job| job.channel(channel));
        found.map_or_else(Vec::new, |channel| bins(channel, n))
    }

    /// All connected workers, the oldest connection first.
    pub fn workers(&self) -> Vec<WorkerView> {
        let all = self.workers.iter();
        all.map(|(&session, worker)| WorkerView {
            session,
            name: worker.name.to_string(),
            roots: worker.roots.iter().cloned().collect(),
            slots: worker.slots,
            leases: worker.leases.len() as u64,
            speed: worker.pace.speed(),
            delivered: worker.delivered,
            disk_free: worker.disk_free,
            draining: worker.is_draining(),
            idle: idleness(worker, self.now()),
            quiet: self.quiet(worker),
        })
        .collect()
    }
}

/// Why a worker gets no lease, whatever there is to do.
fn idleness(worker: &Worker, now: Millis) -> Option<Idle> {
    let condition = worker.condition(now);
    Some(match placement::obstacle(&condition)? {
        Obstacle::Draining if worker.makes_bad_shards() => Idle::BadShards(worker.bad_shard_why.clone()),
        Obstacle::Draining => Idle::Draining,
        Obstacle::Silent => Idle::Silent(condition.silence),
        Obstacle::MemoryPressure => Idle::MemoryPressure,
        Obstacle::Resting => Idle::Resting {
            rest: condition.rest,
            why: worker.rests_why.clone(),
        },
        Obstacle::NoSlots => Idle::NoSlots,
        Obstacle::Busy => Idle::Busy(condition.leases),
    })
}

fn channel_view(channel: &Channel) -> ChannelView {
    let mut all = channel.rows_committed;
    for more in [channel.rows_held, channel.rows_open, channel.rows_waiting] {
        all += more;
    }
    let given_up = |care: &Care| care.terms().give_up;
    let open = channel
        .open_parts()
        .filter(|(.., care)| care.is_some_and(given_up))
        .map(|(rows, ..)| rows.len());
    let held = channel.all_held().flat_map(|held| &held.pieces);
    let held = held
        .filter(|(_, care)| care.as_deref().is_some_and(given_up))
        .map(|(rows, _)| rows.len());
    ChannelView {
        all,
        committed: channel.rows_committed,
        leased: channel.rows_held,
        open: channel.rows_open,
        waiting: channel.rows_waiting,
        bad_rows: channel.bad_rows,
        quarantined: channel.rows_given_up + open.sum::<u64>() + held.sum::<u64>(),
    }
}

fn bins(channel: &Channel, n: usize) -> Vec<Bin> {
    let rows = channel.cost.rows();
    let n = (n.min(MOST_BINS) as u64).min(rows);
    // The first row of a bin; `rows` times 512 could be more than 64 bits hold.
    let start = |bin: u64| u64::try_from(u128::from(rows) * u128::from(bin) / u128::from(n.max(1))).unwrap_or(rows);
    let mut bins: Vec<Bin> = (0..n)
        .map(|bin| Bin {
            rows: start(bin + 1) - start(bin),
            ..Bin::default()
        })
        .collect();
    let mut spread = |part: RowRange, count: fn(&mut Bin) -> &mut u64| {
        // A row's bin, or the one before it.
        let first = u64::try_from(u128::from(part.start) * u128::from(n) / u128::from(rows.max(1))).unwrap_or(0);
        for bin in first..n {
            let all = RowRange::new(start(bin), start(bin + 1));
            if all.start >= part.end {
                break;
            }
            if let Some(bin) = bins.get_mut(usize::try_from(bin).unwrap_or(MOST_BINS)) {
                *count(bin) += part.intersection(all).len();
            }
        }
    };
    for part in channel.all_committed() {
        spread(part, |bin| &mut bin.committed);
    }
    for held in channel.all_held() {
        spread(held.rows, |bin| &mut bin.leased);
    }
    bins
}
