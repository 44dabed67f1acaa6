//! What the core is told.

use trc2npy_common::plan::Stretch;
use trc2npy_common::units::{Bytes, RowRange};

use crate::ids::{ChannelIndex, JobId, LeaseId, Millis, SessionId};

/// Something that happened. All that the core knows, it knows from these.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Time has passed, nothing else.
    Tick,
    /// A job is to be worked on: a new one, or one that an earlier start of the coordinator had not ended.
    Opened {
        /// Never used before in this life of the core, but for one that was set aside.
        job: JobId,
        /// What it consists of.
        spec: JobSpec,
        /// Shards that an earlier start recorded, and whose rows are not among [`ChannelSpec::committed`]: to be landed
        /// once more.
        shards: Vec<Shard>,
        /// Whether an earlier start had it, or it was set aside: workers may still have leases of it in hand, and are awaited
        /// for a moment.
        restored: bool,
    },
    /// Someone wants the job to end without a result.
    CancelAsked(JobId),
    /// A worker has come, or come back.
    Joined {
        /// Never used before.
        session: SessionId,
        /// What it says of itself.
        hello: Hello,
    },
    /// A worker says how it is.
    Beat {
        /// Whose.
        session: SessionId,
        /// What it says.
        beat: Beat,
    },
    /// A worker has made a shard. It may be late, or come twice.
    Delivered {
        /// Whose.
        session: SessionId,
        /// The shard.
        shard: Shard,
        /// What it took.
        work: Work,
    },
    /// A worker gives a lease back without a shard.
    Failed {
        /// Whose.
        session: SessionId,
        /// Of which lease.
        lease: LeaseId,
        /// Why.
        fault: Fault,
    },
    /// A worker is gone: the one path for a closed stream, a worker's good-bye and a second connection of one process.
    /// (Silence the core notices by itself.)
    Lost {
        /// Whose.
        session: SessionId,
        /// How.
        loss: Loss,
    },
    /// Someone wants the worker to finish what it has and get no more.
    DrainAsked(SessionId),
    /// A shard's bytes agree with their checksums and are copied to their place.
    Landed {
        /// Which.
        shard: Shard,
        /// What is in it. Told here and not taken from the worker's word, so that a shard that is landed once more
        /// after a restart counts as it did before.
        found: Found,
    },
    /// They do not, or could not be: the rows are to be made again.
    LandingFailed {
        /// Which.
        shard: Shard,
        /// Why, for people.
        why: String,
    },
    /// The folder of the job's shards was removed, or its inputs are no longer what they were: no fault of any worker.
    StorageFailed {
        /// Which job.
        job: JobId,
        /// Why, for people.
        why: String,
    },
    /// Where the job's arrays are, nothing can be written at the moment.
    StorageAway {
        /// Which job.
        job: JobId,
        /// Why, for people.
        why: String,
    },
    /// All files of the job have their names, or it could not be.
    Published {
        /// Which.
        job: JobId,
        /// Why not, for people.
        result: Result<(), String>,
    },
}

/// A job as far as scheduling goes.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSpec {
    /// The roots that a worker must have mapped, whichever rows it makes.
    pub roots: Vec<String>,
    /// In the plan's order.
    pub channels: Vec<ChannelSpec>,
    /// How long a file that seems to be still being written is left alone, in ms.
    pub settle: Millis,
    /// Files that may be unreadable before the job fails.
    pub unreadable_allowed: u64,
    /// Bytes of each lease, where its owner wants them to be so many; else they follow the workers' speed.
    pub lease_bytes: Option<Bytes>,
}

/// One channel of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelSpec {
    /// What its rows cost, in row order; together they are all rows. Ranges are cut between files, unless these are larger.
    pub stretches: Vec<Stretch>,
    /// Rows that need no work any more; in order, none twice.
    pub committed: Vec<RowRange>,
    /// Where the rows' files lie, in row order, if not all of them in the job's own roots. Ranges are cut between them.
    pub regions: Vec<Region>,
}

/// Rows that follow those of the region before, and that not every worker can make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Of its rows.
    pub end: u64,
    /// The roots that a worker must have mapped besides those of the job.
    pub roots: Vec<String>,
}

/// A worker, as it introduces itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Hello {
    /// Its name, for people: two workers at a time never have the same (the shell refuses the second).
    pub name: String,
    /// Leases it can work on side by side.
    pub slots: u32,
    /// The roots that it has mapped and that were found to be the right ones.
    pub roots: Vec<String>,
    /// Leases of earlier connections that it still works on: it goes on with those that are not revoked.
    pub in_hand: Vec<Grant>,
}

/// A lease and what it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Which.
    pub lease: LeaseId,
    /// Of which job.
    pub job: JobId,
    /// Of which channel.
    pub channel: ChannelIndex,
    /// Its bounds, which never change.
    pub rows: RowRange,
    /// What is asked besides.
    pub terms: Terms,
}

/// What is asked of a lease besides its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each comes from something else, and any of them can hold"
)]
pub struct Terms {
    /// The rows are of files that seemed to be still being written, and have been waited for: decide now.
    pub settled: bool,
    /// Files that cannot be read become bad rows; without it the lease fails.
    pub take_unreadable: bool,
    /// The rows were in a process that ended, which may have been their doing: work on them in a process of its own, so
    /// that the worker outlives it and can tell.
    pub apart: bool,
    /// The rows have crashed several processes: none of their files is opened, all become bad rows.
    pub give_up: bool,
}

/// How a worker is.
#[derive(Clone, Debug, PartialEq)]
pub struct Beat {
    /// Leases it can work on side by side, as its memory is now.
    pub slots: u32,
    /// Whether its machine's memory is so full that nothing more should be begun.
    pub memory_pressure: bool,
    /// Bytes free where it writes shards; none where unknown.
    pub disk_free: Option<Bytes>,
    /// It takes no more leases (it is being ended, or its owner needs it).
    pub draining: bool,
    /// Of each lease it has in hand.
    pub progress: Vec<LeaseProgress>,
}

/// How far a lease is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseProgress {
    /// Which.
    pub lease: LeaseId,
    /// Input bytes done.
    pub bytes: Bytes,
    /// What is being done.
    pub step: Step,
}

/// What is being done of a lease, in this order. Each has its own deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// Getting the plan, opening files.
    Preparing,
    /// Reading, decoding, writing.
    Converting,
    /// Bringing the shard to the disk.
    Syncing,
    /// Telling of it.
    Delivering,
}

/// The rows of one delivered lease, on the shared storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Whose it is; with the bounds it names the files.
    pub lease: LeaseId,
    /// Of which job.
    pub job: JobId,
    /// Of which channel.
    pub channel: ChannelIndex,
    /// Its bounds.
    pub rows: RowRange,
}

/// What a shard took, by its worker's account. What is in it is said by [`Found`] when it has landed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Input bytes.
    pub bytes: Bytes,
    /// From grant to delivery, as the worker measured it.
    pub took: Millis,
    /// Rows that are bad.
    pub bad_rows: u64,
    /// Files that could not be read.
    pub unreadable: u64,
}

/// What a landed shard holds besides good rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Rows that are bad.
    pub bad_rows: u64,
    /// Files that could not be read.
    pub unreadable: u64,
}

/// Why a lease was given back, by what is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Given back unharmed: the worker pauses, drains, or was asked to.
    Returned,
    /// Some rows' files seem to be still being written: these later, the others at any time.
    StillWriting(Vec<RowRange>),
    /// This worker cannot work on this job at all (it does not see the files, or sees others).
    Unfit(String),
    /// Files could not be read: try on another worker.
    Input(String),
    /// The shard could not be written.
    Output(String),
    /// The decoder crashed. (Where it took the worker along, the worker is lost, and says nothing.)
    Crashed(String),
    /// The process that worked on the lease apart was ended from outside: by a person, or for want of memory.
    Ended(String),
    /// The inputs do not suit what was asked, or have changed: where another worker finds the same, the job has failed.
    Hopeless(String),
}

/// How a worker was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// The stream broke: the process may be alive and come back.
    StreamBroken,
    /// It said that it ends, and has given back what it had.
    Goodbye,
    /// The same process has connected anew.
    Replaced,
}
