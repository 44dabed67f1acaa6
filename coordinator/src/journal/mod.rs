//! What survives a restart of the coordinator: jobs, and the rows of each that are committed. In redb, on the
//! coordinator's own disk.
//!
//! Every change is durable when its call returns. Opened always, created only in an empty folder: a journal that is
//! gone must not look like one that never was.

mod check;
mod error;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use trc2npy_common::fs;
use trc2npy_common::units::RowRange;
use trc2npy_coordinator_core::{ChannelIndex, Ending, Epoch, JobId, LeaseId, Record, Shard};
use trc2npy_proto::Submission;

pub use check::{Finding, check, dump};
pub use error::JournalError;

const FILE: &str = "journal.redb";
/// Numbers of the state as a whole.
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// Job -> [`JobRecord`] as JSON.
const JOBS: TableDefinition<u64, &[u8]> = TableDefinition::new("jobs");
/// (job, channel, first row) -> (end of the rows, epoch, attempt) of the shard that has them.
const COMMITS: TableDefinition<(u64, u16, u64), (u64, u32, u64)> = TableDefinition::new("commits");
const VERSION: u64 = 1;

/// A job, as it was accepted and as it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// What was asked; all jobs of one call have the same.
    pub submission: Submission,
    /// Its run.
    pub run: String,
    /// The output folder of the run, as `data:npy/r005`.
    pub out: String,
    /// Names the plan, which lies beside the journal.
    pub plan: String,
    /// The folder of its shards, inside of the state in the output folder.
    pub folder: String,
    /// Milliseconds since 1970.
    pub submitted_ms: u64,
    /// Nothing while it is worked on.
    pub end: Option<JobEnd>,
    /// What planning found, for people.
    pub warnings: Vec<String>,
    /// The rows of each channel and the like, for people who look at it after its end.
    pub channels: Vec<ChannelSummary>,
}

/// What is known of a channel without its plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelSummary {
    /// `C1`
    pub name: String,
    /// Rows of its array.
    pub rows: u64,
    /// Samples of each.
    pub samples: u32,
    /// `float32`
    pub dtype: String,
    /// Below the output folder.
    pub array: String,
    /// Of the array's file.
    pub bytes: u64,
    /// Bad rows by the number of their verdict.
    pub bad: Vec<(u8, u64)>,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobEnd {
    /// How.
    #[serde(flatten)]
    pub ending: Ended,
    /// Milliseconds since 1970.
    pub at_ms: u64,
}

/// How a job ended, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ended", rename_all = "lowercase")]
pub enum Ended {
    /// All files are there.
    Done {
        /// They were there before.
        already: bool,
    },
    /// Someone cancelled it.
    Cancelled,
    /// It could not be done.
    Failed {
        /// For people.
        why: String,
    },
}

impl From<&Ending> for Ended {
    fn from(ending: &Ending) -> Self {
        match ending {
            Ending::Done => Self::Done { already: false },
            Ending::Cancelled => Self::Cancelled,
            Ending::Failed(why) => Self::Failed { why: why.clone() },
        }
    }
}

/// What is kept.
#[derive(Debug)]
pub struct Journal {
    database: Database,
    folder: PathBuf,
    /// Names this state for as long as it exists.
    pub coordinator: String,
    /// One more than at the last start.
    pub epoch: Epoch,
}

impl Journal {
    /// Opens the state in `folder`, or begins one where the folder is empty or not there; raises the epoch.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        let path = folder.join(FILE);
        let begin = !path.exists();
        if begin {
            make_folder(folder)?;
            if is_in_use(folder)? {
                return Err(JournalError::Missing {
                    folder: folder.to_owned(),
                });
            }
        }
        let failed = |error| JournalError::new(&path, error);
        let database = if begin {
            // Under another name until it is whole: a half-made one would be called damaged for ever.
            let unfinished = folder.join("journal.redb.new");
            let database = Database::create(&unfinished).map_err(|error| failed(error.into()))?;
            begin_tables(&database).map_err(failed)?;
            drop(database);
            fs::rename(&unfinished, &path).map_err(|source| JournalError::Storage {
                path: path.clone(),
                source,
            })?;
            Database::open(&path)
        } else {
            Database::open(&path)
        };
        let database = database.map_err(|error| failed(error.into()))?;
        let (version, identity, epoch) = raise_epoch(&database).map_err(failed)?;
        if version > VERSION {
            return Err(JournalError::Newer {
                path,
                found: version,
                known: VERSION,
            });
        }
        Ok(Self {
            database,
            folder: folder.to_owned(),
            coordinator: format!("{identity:016x}"),
            epoch: Epoch(u32::try_from(epoch).unwrap_or(u32::MAX)),
        })
    }

    /// Where a plan lies.
    pub fn plan_path(&self, plan: &str) -> PathBuf {
        self.folder.join("plans").join(format!("{plan}.bin"))
    }

    /// Keeps a plan: before the job that needs it is recorded.
    pub fn save_plan(&self, plan: &trc2npy_common::plan::Plan) -> Result<(), JournalError> {
        let path = self.plan_path(&plan.id.to_string());
        let folder = path.parent().unwrap_or(&self.folder);
        make_folder(folder)?;
        if path.exists() {
            return Ok(());
        }
        fs::write_file_with(&path, |mut file: &File| plan.write(&mut file)).map_err(|error| JournalError::Storage {
            path: path.clone(),
            source: std::io::Error::other(error.to_string()),
        })
    }

    /// All jobs, in their order.
    pub fn jobs(&self) -> Result<Vec<(JobId, JobRecord)>, JournalError> {
        self.read(|transaction| {
            let jobs = transaction.open_table(JOBS)?;
            let mut all = Vec::new();
            for entry in jobs.iter()? {
                let (job, record) = entry?;
                let record = serde_json::from_slice(record.value())
                    .map_err(|error| redb::Error::Corrupted(format!("job {}: {error}", job.value())))?;
                all.push((JobId(job.value()), record));
            }
            Ok(all)
        })
    }

    /// The shards of a job that are recorded as whole.
    pub fn shards(&self, job: JobId) -> Result<Vec<Shard>, JournalError> {
        self.read(|transaction| {
            let commits = transaction.open_table(COMMITS)?;
            let mut shards = Vec::new();
            for entry in commits.range((job.0, 0, 0)..=(job.0, u16::MAX, u64::MAX))? {
                let (key, value) = entry?;
                let ((_, channel, start), (end, epoch, attempt)) = (key.value(), value.value());
                shards.push(Shard {
                    lease: LeaseId {
                        epoch: Epoch(epoch),
                        attempt,
                    },
                    job,
                    channel: ChannelIndex(channel),
                    rows: RowRange::new(start, end),
                });
            }
            Ok(shards)
        })
    }

    /// Records jobs that were accepted, together; returns their numbers.
    pub fn accept(&self, records: &[JobRecord]) -> Result<Vec<JobId>, JournalError> {
        self.write(|transaction| {
            let mut jobs = transaction.open_table(JOBS)?;
            let first = jobs.last()?.map_or(1, |(last, _)| last.value() + 1);
            let mut numbers = Vec::with_capacity(records.len());
            for (number, record) in (first..).zip(records) {
                jobs.insert(number, encode(record).as_slice())?;
                numbers.push(JobId(number));
            }
            Ok(numbers)
        })
    }

    /// Records what the core wants remembered, all together; `ended`: the last records of jobs that have ended, of which
    /// no shard needs to be remembered any more.
    pub fn record(&self, records: &[Record], ended: &[(JobId, JobRecord)]) -> Result<(), JournalError> {
        self.write(|transaction| {
            let mut commits = transaction.open_table(COMMITS)?;
            let mut jobs = transaction.open_table(JOBS)?;
            for record in records {
                match record {
                    Record::Committed(shard) => {
                        let key = (shard.job.0, shard.channel.0, shard.rows.start);
                        let value = (shard.rows.end, shard.lease.epoch.0, shard.lease.attempt);
                        commits.insert(key, value)?;
                    }
                    Record::Reopened { job, channel, rows } => {
                        let range = (job.0, channel.0, rows.start)..(job.0, channel.0, rows.end);
                        commits.retain_in(range, |_, _| false)?;
                    }
                    // Its last record says more.
                    Record::Ended { .. } => {}
                }
            }
            for (job, record) in ended {
                commits.retain_in((job.0, 0, 0)..=(job.0, u16::MAX, u64::MAX), |_, _| false)?;
                jobs.insert(job.0, encode(record).as_slice())?;
            }
            Ok(())
        })
    }

    fn read<T>(&self, read: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error>) -> Result<T, JournalError> {
        let result = self
            .database
            .begin_read()
            .map_err(Into::into)
            .and_then(|transaction| read(&transaction));
        result.map_err(|error| JournalError::new(&self.folder.join(FILE), error))
    }

    fn write<T>(&self, write: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>) -> Result<T, JournalError> {
        transact(&self.database, write).map_err(|error| JournalError::new(&self.folder.join(FILE), error))
    }
}

fn encode(record: &JobRecord) -> Vec<u8> {
    serde_json::to_vec(record).expect("a job holds nothing that JSON cannot")
}

fn transact<T>(
    database: &Database,
    write: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
) -> Result<T, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    let result = write(&transaction)?;
    transaction.commit()?;
    Ok(result)
}

fn begin_tables(database: &Database) -> Result<(), redb::Error> {
    transact(database, |transaction| {
        let mut meta = transaction.open_table(META)?;
        meta.insert("version", VERSION)?;
        meta.insert("coordinator", fastrand::u64(..))?;
        meta.insert("epoch", 0)?;
        transaction.open_table(JOBS)?;
        transaction.open_table(COMMITS)?;
        Ok(())
    })
}

/// Version, identity, and the epoch of this start. Nothing is changed in the state of a newer program.
fn raise_epoch(database: &Database) -> Result<(u64, u64, u64), redb::Error> {
    let get = |name: &'static str| -> Result<u64, redb::Error> {
        let meta = database.begin_read()?.open_table(META)?;
        let value = meta.get(name)?.map(|value| value.value());
        value.ok_or_else(|| redb::Error::Corrupted(format!("it has no {name}")))
    };
    let (version, identity, epoch) = (get("version")?, get("coordinator")?, get("epoch")? + 1);
    if version <= VERSION {
        transact(database, |transaction| {
            transaction.open_table(META)?.insert("epoch", epoch)?;
            Ok(())
        })?;
    }
    Ok((version, identity, epoch))
}

fn make_folder(folder: &Path) -> Result<(), JournalError> {
    std::fs::create_dir_all(folder).map_err(|source| JournalError::Storage {
        path: folder.to_owned(),
        source,
    })
}

/// Whether something lies in the folder: then it is no place to begin a state.
fn is_in_use(folder: &Path) -> Result<bool, JournalError> {
    let failed = |source| JournalError::Storage {
        path: folder.to_owned(),
        source,
    };
    let mut entries = std::fs::read_dir(folder).map_err(failed)?;
    // What a start left that was killed before it had begun.
    Ok(entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != "journal.redb.new")))
}
