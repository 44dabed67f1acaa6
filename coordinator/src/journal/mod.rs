//! What survives a restart of the coordinator: jobs, and the rows of each that are committed. In redb, on the
//! coordinator's own disk.
//!
//! Every change is durable when its call returns. Opened always, created only in an empty folder: a journal that is
//! gone must not look like one that never was.

mod check;
mod error;
mod finished;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};
use trc2npy_common::convert::BadFile;
use trc2npy_common::plan::Findings;
use trc2npy_common::units::RowRange;
use trc2npy_common::{fs, panics};
use trc2npy_coordinator_core::{ChannelIndex, Ending, Epoch, JobId, LeaseId, Record, Shard};
use trc2npy_proto::Submission;
use trc2npy_telemetry::{Kind, Place, Span};

pub use check::{Finding, check, dump};
pub use error::JournalError;
pub(crate) use finished::Finished;

const FILE: &str = "journal.redb";
const PLANS: &str = "plans";
/// Numbers of the state as a whole.
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
/// Job -> [`JobRecord`] as JSON.
const JOBS: TableDefinition<u64, &[u8]> = TableDefinition::new("jobs");
/// (job, channel, first row) -> (end of the rows, epoch, attempt) of the shard that has them.
const COMMITS: TableDefinition<(u64, u16, u64), (u64, u32, u64)> = TableDefinition::new("commits");
const VERSION: u64 = 1;
/// Ended jobs that are kept, for people.
pub(crate) const ENDED_JOBS: usize = 500;

/// A job, as it was accepted and as it ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobRecord {
    /// What was asked; all jobs of one call have the same.
    pub submission: Submission,
    /// Its run.
    pub run: String,
    /// The output folder of the run, as `data:npy/r005`.
    pub out: String,
    /// The id of its plan.
    pub plan: String,
    /// The folder of its shards, inside of the state in the output folder; its plan lies beside the journal under this
    /// name.
    pub folder: String,
    /// Milliseconds since 1970.
    pub submitted_ms: u64,
    /// Nothing while it is worked on.
    pub end: Option<JobEnd>,
    /// What planning found, for people.
    pub warnings: Vec<String>,
    /// The rows of each channel and the like, for people who look at it after its end.
    pub channels: Vec<ChannelSummary>,
    /// What planning found, for the report.
    #[serde(default)]
    pub findings: Findings,
    /// The first of the bad files of a finished job; all are in its report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bad_files: Vec<BadFile>,
    /// Roots of its inputs that the coordinator did not have when it planned it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<String>,
    /// Of files in them, by what workers know them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<Seen>,
    /// Its place in a trace, as a traceparent, and that of whoever asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<JobTrace>,
}

/// Where a job belongs in the traces: kept, so that one trace goes on over restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobTrace {
    /// Its own place.
    pub place: String,
    /// Of the call that asked for it, where that said one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// When the call came, in milliseconds since 1970.
    pub began_ms: u64,
}

/// What a worker that lists files for the coordinator saw of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Position in the plan's channels.
    pub channel: u32,
    /// Position in the channel's files.
    pub file: u64,
    /// CRC32C of its first 4 KiB.
    pub crc: u32,
}

impl JobRecord {
    /// Its place in the traces.
    pub(crate) fn place(&self) -> Option<Place> {
        self.trace.as_ref()?.place.parse().ok()
    }

    /// The whole job, which has ended.
    pub(crate) fn span(&self, id: JobId) -> Option<Span> {
        let trace = self.trace.as_ref()?;
        let parent = trace.parent.as_ref().and_then(|parent| parent.parse().ok());
        let began = UNIX_EPOCH + Duration::from_millis(trace.began_ms);
        let (state, why) = match self.end.as_ref().map(|end| &end.ending) {
            Some(Ended::Failed { why }) => ("failed", Some(why.clone())),
            Some(Ended::Cancelled) => ("cancelled", None),
            _ => ("done", None),
        };
        let rows = self.channels.iter().map(|channel| channel.rows).sum();
        let span = Span::new("job", self.place()?, parent, began)
            .kind(Kind::Server)
            .count("trc2npy.job", id.0)
            .with("trc2npy.run", self.run.clone())
            .with("trc2npy.out", self.out.clone())
            .with("trc2npy.state", state)
            .count("trc2npy.channels", self.channels.len() as u64)
            .count("trc2npy.rows.count", rows);
        Some(span.failed(why))
    }

    /// Notes the rows of recorded shards in a job that nobody works on: nothing else is known of how far it came.
    pub(crate) fn note_unfinished(&mut self, shards: &[Shard]) {
        for (position, channel) in self.channels.iter_mut().enumerate() {
            let its = shards.iter().filter(|shard| usize::from(shard.channel.0) == position);
            channel.unfinished = Some(Unfinished {
                rows: its.map(|shard| shard.rows.len()).sum(),
                bad_rows: 0,
            });
        }
    }
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
    /// What there was of it when its job ended without being done, or could not be gone on with.
    #[serde(default)]
    pub unfinished: Option<Unfinished>,
}

/// How far a channel came whose job was cancelled or has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// Rows that were committed.
    pub rows: u64,
    /// Those of them that are bad.
    pub bad_rows: u64,
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
            Ending::Failed(why) | Ending::Hopeless(why) => Self::Failed { why: why.clone() },
        }
    }
}

/// What is kept.
#[derive(Debug)]
pub struct Journal {
    /// There until the end.
    database: Option<Database>,
    folder: PathBuf,
    /// Names this state for as long as it exists.
    pub coordinator: String,
    /// One more than at the last start.
    pub epoch: Epoch,
}

impl Journal {
    /// Opens the state in `folder`, or begins one where the folder is empty or not there; raises the epoch.
    pub fn open(folder: &Path) -> Result<Self, JournalError> {
        sound(&folder.join(FILE), || Self::open_or_begin(folder))
    }

    fn open_or_begin(folder: &Path) -> Result<Self, JournalError> {
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
            database: Some(database),
            folder: folder.to_owned(),
            coordinator: format!("{identity:016x}"),
            epoch: Epoch(u32::try_from(epoch).unwrap_or(u32::MAX)),
        })
    }

    /// Where the plan of a job lies, by the name of its folder for shards.
    pub fn plan_path(&self, folder: &str) -> PathBuf {
        plan_path(&self.folder, folder)
    }

    /// Keeps the plan of a job: before the job is recorded.
    pub fn save_plan(&self, folder: &str, plan: &trc2npy_common::plan::Plan) -> Result<(), JournalError> {
        let path = self.plan_path(folder);
        make_folder(&self.folder.join(PLANS))?;
        fs::write_file_with(&path, |mut file: &File| plan.write(&mut file)).map_err(|error| JournalError::Storage {
            path: path.clone(),
            source: error.source,
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
        })?;
        for (_, record) in ended {
            // What stays is removed at the next start.
            let _ = fs::remove_file(&self.plan_path(&record.folder));
        }
        Ok(())
    }

    /// Forgets all ended jobs but the newest ones, and the plans that no job needs. Returns the jobs that are left.
    pub fn tidy(&self) -> Result<Vec<(JobId, JobRecord)>, JournalError> {
        let mut jobs = self.jobs()?;
        let ended = jobs
            .iter()
            .filter(|(_, record)| record.end.is_some())
            .map(|(job, _)| *job);
        let too_many = ended.clone().count().saturating_sub(ENDED_JOBS);
        let forgotten: BTreeSet<JobId> = ended.take(too_many).collect();
        if !forgotten.is_empty() {
            self.write(|transaction| {
                let mut table = transaction.open_table(JOBS)?;
                for job in &forgotten {
                    table.remove(job.0)?;
                }
                Ok(())
            })?;
        }
        jobs.retain(|(job, _)| !forgotten.contains(job));
        let going_on = jobs.iter().filter(|(_, record)| record.end.is_none());
        let needed: BTreeSet<PathBuf> = going_on.map(|(_, record)| self.plan_path(&record.folder)).collect();
        for plan in std::fs::read_dir(self.folder.join(PLANS))
            .into_iter()
            .flatten()
            .flatten()
        {
            if !needed.contains(&plan.path()) {
                // It only takes room.
                let _ = fs::remove_file(&plan.path());
            }
        }
        Ok(jobs)
    }

    fn database(&self) -> &Database {
        self.database
            .as_ref()
            .expect("it is there until the journal is dropped")
    }

    fn read<T>(&self, read: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error>) -> Result<T, JournalError> {
        let path = self.folder.join(FILE);
        sound(&path, || {
            let transaction = self.database().begin_read().map_err(Into::into);
            transaction
                .and_then(|transaction| read(&transaction))
                .map_err(|error| JournalError::new(&path, error))
        })
    }

    fn write<T>(&self, write: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>) -> Result<T, JournalError> {
        let path = self.folder.join(FILE);
        if !path.exists() {
            // What is written into a removed file is lost with the process.
            return Err(JournalError::Removed { path });
        }
        sound(&path, || {
            transact(self.database(), write).map_err(|error| JournalError::new(&path, error))
        })
    }
}

impl Drop for Journal {
    /// Closing writes too, and may meet damaged pages: the next start tells of them.
    fn drop(&mut self) {
        let database = self.database.take();
        let _ = panics::caught(|| drop(database));
    }
}

/// Where the plan of a job lies, in the state's folder.
fn plan_path(state: &Path, folder: &str) -> PathBuf {
    state.join(PLANS).join(format!("{folder}.bin"))
}

/// What is done with a journal; pages that the database cannot make sense of are an error of the file, also where the
/// database panics over them.
fn sound<T>(path: &Path, run: impl FnOnce() -> Result<T, JournalError>) -> Result<T, JournalError> {
    panics::caught(run).unwrap_or_else(|why| {
        Err(JournalError::Damaged {
            path: path.to_owned(),
            why,
        })
    })
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
    let above = folder.ancestors().find(|above| above.exists());
    if let Some(file) = above.filter(|above| !above.is_dir()) {
        return Err(JournalError::NoFolder {
            folder: folder.to_owned(),
            file: file.to_owned(),
        });
    }
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
