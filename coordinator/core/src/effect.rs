//! What the core wants done.

use trc2npy_common::units::RowRange;

use crate::event::{Grant, Shard};
use crate::ids::{ChannelIndex, JobId, LeaseId, SessionId};

/// Something to be done, in the order given, over all steps.
///
/// Records become durable in that order. [`Effect::Settle`], [`Effect::Discard`], [`Effect::Publish`],
/// [`Effect::Close`], [`Effect::SetAside`] and [`Effect::Dismiss`] wait until every record before them, in whatever step it came, is durable.
/// [`Effect::Grant`], [`Effect::Revoke`], [`Effect::Land`] and [`Effect::Disconnect`] need not.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Give a worker a lease.
    Grant {
        /// To whom.
        session: SessionId,
        /// What.
        grant: Grant,
    },
    /// Tell a worker to drop a lease, whatever it has of it.
    Revoke {
        /// Whom.
        session: SessionId,
        /// Which.
        lease: LeaseId,
    },
    /// Tell a worker that it need not remember a delivered lease any more, or go on with one of an earlier start whose
    /// rows are there. It leaves the files alone.
    Settle {
        /// Whom.
        session: SessionId,
        /// Which.
        lease: LeaseId,
    },
    /// Check a shard and copy it to its place; answered by `Landed` or `LandingFailed`.
    Land(Shard),
    /// Remove a shard's files: it does not count.
    Discard(Shard),
    /// A worker could not do its part: see whether the folder of the job's shards and its inputs are what they were;
    /// answered by `StorageFailed` or `StorageAway` where they are not.
    Look(JobId),
    /// Remember across restarts.
    Record(Record),
    /// All rows are there: give the files of the job their names; answered by `Published`.
    Publish(JobId),
    /// The job is over: leave nothing of it behind but its result, or what a later one can go on with.
    Close {
        /// Which.
        job: JobId,
        /// How it ended.
        ending: Ending,
    },
    /// The job cannot be gone on with at the moment, and is not over: let go of its arrays, and try again later, as after a
    /// restart.
    SetAside {
        /// Which.
        job: JobId,
        /// Why, for people.
        why: String,
        /// What is committed of each channel, in the plan's order.
        reached: Vec<Reached>,
    },
    /// A draining worker has nothing left: it may go.
    Dismiss(SessionId),
    /// A worker is taken for dead: end its connection.
    Disconnect {
        /// Whose.
        session: SessionId,
        /// Why, for people.
        why: String,
    },
}

/// What must survive a restart.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// The rows' shard is whole.
    Committed(Shard),
    /// Rows that were committed are to be made again.
    Reopened {
        /// Of which job.
        job: JobId,
        /// Of which channel.
        channel: ChannelIndex,
        /// Which.
        rows: RowRange,
    },
    /// The job is over.
    Ended {
        /// Which.
        job: JobId,
        /// How.
        ending: Ending,
        /// What was committed of each channel, in the plan's order.
        reached: Vec<Reached>,
    },
}

/// How far a channel had come when its job ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Rows committed.
    pub rows: u64,
    /// Those of them that are bad.
    pub bad_rows: u64,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All files are there.
    Done,
    /// Someone cancelled it.
    Cancelled,
    /// Why it could not be done, for people. The same job can be gone on with when that has passed.
    Failed(String),
    /// Why it cannot be done, for people: the same job would fail again.
    Hopeless(String),
}
