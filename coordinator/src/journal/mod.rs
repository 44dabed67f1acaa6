//! What survives a restart of the coordinator: jobs, and the rows of each that are committed. In redb, on the
//! coordinator's own disk.
//!
//! Every change is durable when its call returns. Opened always, created only in an empty folder: a journal that is
//! gone must not look like one that never was.

mod check;
mod error;
mod finished;
mod records;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use trc2npy_common::units::RowRange;
use trc2npy_common::{fs, panics};
use trc2npy_coordinator_core::{ChannelIndex, Epoch, JobId, LeaseId, Record, Shard};

pub use check::{Finding, check, dump};
pub use error::JournalError;
pub(crate) use finished::Finished;
pub use records::{ChannelSummary, Ended, JobEnd, JobRecord, JobTrace, Seen, Unfinished};

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
