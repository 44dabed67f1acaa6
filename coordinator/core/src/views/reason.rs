//! Why rows wait, as types and as one plain sentence each.

use std::fmt;

use trc2npy_common::units::Bytes;

use crate::ids::Millis;

/// Why a job is not further, or a worker gets nothing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It has ended, or there never was one.
    NoSuchJob,
    /// Its files get their names.
    Publishing,
    /// The coordinator has started again a moment ago.
    AwaitingWorkers {
        /// So much longer.
        rest: Millis,
    },
    /// No worker is connected.
    NoWorkers {
        /// Rows that nobody has.
        rows: u64,
    },
    /// Workers are connected, but none that sees the files.
    NoneFit {
        /// Rows that nobody has.
        rows: u64,
    },
    /// Workers are connected, but none that sees the files of some rows.
    NoneSees {
        /// Rows that nobody has.
        rows: u64,
        /// The roots in which their files lie.
        roots: Vec<String>,
    },
    /// Older jobs come first.
    OlderJobs {
        /// How many have rows that nobody has.
        jobs: u64,
    },
    /// Files seemed to be still being written.
    StillWriting {
        /// Their rows.
        rows: u64,
        /// The first of them are tried in so much time.
        rest: Millis,
    },
    /// Files could not be read.
    Unreadable {
        /// Their rows.
        rows: u64,
        /// On which workers.
        workers: Vec<String>,
    },
    /// Attempts have ended with their processes.
    Struck {
        /// Rows that are tried in smaller parts.
        rows: u64,
    },
    /// Files have ended several processes and are given up.
    Quarantined {
        /// Their rows.
        rows: u64,
    },
    /// A worker's connection broke.
    AwaitingWorker {
        /// Its name.
        worker: String,
        /// Rows that it has.
        rows: u64,
        /// So much longer.
        rest: Millis,
    },
    /// A lease does not get on.
    Stalled {
        /// On which worker.
        worker: String,
        /// Its rows.
        rows: u64,
        /// Since it was granted.
        age: Millis,
        /// Whether another worker has a second attempt.
        second: bool,
    },
    /// Rows are in workers' hands.
    Working {
        /// How many.
        rows: u64,
        /// In how many leases.
        leases: u64,
    },
    /// Shards are being checked and copied to their place.
    Landing {
        /// Rows of them.
        rows: u64,
    },
    /// A worker gets nothing of the job.
    Worker {
        /// Its name.
        worker: String,
        /// Why.
        why: Idle,
    },
}

/// Why a worker gets nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Idle {
    /// It finishes what it has.
    Draining,
    /// Several of its shards were not what their checksums say; the last time this was found.
    BadShards(String),
    /// Nothing has been heard of it for so long.
    Silent(Millis),
    /// Its memory is full.
    MemoryPressure,
    /// It is left alone for a moment.
    Resting {
        /// So much longer.
        rest: Millis,
        /// What it did.
        why: String,
    },
    /// It has no room for any.
    NoSlots,
    /// It has as many leases as it can work on.
    Busy(u64),
    /// The job's roots that it has not mapped.
    RootsMissing(Vec<String>),
    /// It cannot work on the job.
    Unfit {
        /// Its own words.
        why: String,
        /// It is asked again in so much time.
        rest: Millis,
    },
    /// Too little is free where it writes shards.
    DiskFull(Bytes),
    /// It has failed on all rows that nobody has.
    FailedOnAll,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchJob => write!(f, "there is no such job, or it has ended"),
            Self::Publishing => write!(f, "all rows are there; the files are being given their names"),
            Self::AwaitingWorkers { rest } => {
                write!(
                    f,
                    "the coordinator has started again; its workers have {} more to come back",
                    seconds(*rest)
                )
            }
            Self::NoWorkers { rows } => write!(f, "{}: no worker is connected", wait(*rows)),
            Self::NoneFit { rows } => write!(f, "{}: no connected worker can work on this job", wait(*rows)),
            Self::NoneSees { rows, roots } => {
                let (rows, roots) = (wait(*rows), roots.join(", "));
                write!(
                    f,
                    "{rows}: their files are in {roots}, which no connected worker has mapped"
                )
            }
            Self::OlderJobs { jobs: 1 } => write!(f, "an older job comes first"),
            Self::OlderJobs { jobs } => write!(f, "{jobs} older jobs come first"),
            Self::StillWriting { rows, rest } => {
                let rest = seconds(*rest);
                write!(
                    f,
                    "{}: files seemed to be still being written; the next try is in {rest}",
                    wait(*rows)
                )
            }
            Self::Unreadable { rows, workers } => {
                let (waiting, workers) = (wait(*rows), workers.join(", "));
                write!(
                    f,
                    "{waiting} for another worker or a later try: files could not be read on {workers}"
                )
            }
            Self::Struck { rows } => {
                let rows = of(*rows, "is", "are");
                write!(
                    f,
                    "{rows} tried again in smaller parts: a process ended at work on them"
                )
            }
            Self::Quarantined { rows } => {
                let rows = of(*rows, "becomes", "become");
                write!(f, "{rows} bad: three processes ended at work on nothing else")
            }
            Self::AwaitingWorker { worker, rows, rest } => {
                let (rows, rest) = (of(*rows, "is", "are"), seconds(*rest));
                write!(
                    f,
                    "{rows} kept for {worker}, whose connection broke; it has {rest} more to come back"
                )
            }
            Self::Stalled {
                worker,
                rows,
                age,
                second,
            } => {
                let (rows, age) = (of(*rows, "does", "do"), seconds(*age));
                let other = if *second {
                    "another worker tries too"
                } else {
                    "no other worker has taken over yet"
                };
                write!(f, "{rows} not get on at {worker}, for {age} now; {other}")
            }
            Self::Working { rows, leases: 1 } => write!(f, "{} being worked on, in 1 lease", of(*rows, "is", "are")),
            Self::Working { rows, leases } => {
                write!(f, "{} being worked on, in {leases} leases", of(*rows, "is", "are"))
            }
            Self::Landing { rows } => write!(f, "{} being checked and copied into place", of(*rows, "is", "are")),
            Self::Worker { worker, why } => write!(f, "{worker} gets nothing: {why}"),
        }
    }
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Draining => write!(f, "it is finishing what it has, and ends then"),
            Self::BadShards(why) => {
                write!(
                    f,
                    "several of its shards in succession could not be taken over, the last one: {why}"
                )
            }
            Self::Silent(time) => write!(f, "nothing has been heard of it for {}", seconds(*time)),
            Self::MemoryPressure => write!(f, "its memory is full"),
            Self::Resting { rest, why } => write!(f, "it {why}; it is left alone for {} more", seconds(*rest)),
            Self::NoSlots => write!(f, "it has room for no lease"),
            Self::Busy(1) => write!(f, "it is busy with 1 lease"),
            Self::Busy(leases) => write!(f, "it is busy with {leases} leases"),
            Self::RootsMissing(roots) => write!(f, "it has not mapped {}", roots.join(", ")),
            Self::Unfit { why, rest } => {
                write!(
                    f,
                    "it cannot work on this job, and is asked again in {}: {why}",
                    seconds(*rest)
                )
            }
            Self::DiskFull(free) => write!(f, "too little is free where it writes shards: {free}"),
            Self::FailedOnAll => write!(f, "it could not read the files of the rows that are left"),
        }
    }
}

fn wait(rows: u64) -> String {
    of(rows, "waits", "wait")
}

/// `1 row waits`, `1,004 rows wait`.
fn of(rows: u64, one: &str, many: &str) -> String {
    let digits = rows.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    let verb = if rows == 1 {
        format!(" row {one}")
    } else {
        format!(" rows {many}")
    };
    text + &verb
}

/// Whole seconds, rounded up: what is left of a wait is never 0.
fn seconds(time: Millis) -> String {
    format!("{} s", time.0.div_ceil(1000))
}
