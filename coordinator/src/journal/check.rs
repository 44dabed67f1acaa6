//! Looking at a journal without a coordinator: whether it is sound, and what it holds.

use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable};
use serde_json::{Value as Json, json};
use trc2npy_common::plan::Plan;
use trc2npy_common::units::RowRange;

use super::{COMMITS, FILE, JOBS, JobRecord, JournalError, META, VERSION, plan_path, sound};

/// Something that should not be so, for people.
pub type Finding = String;

/// Whether the journal in `folder` is sound: its pages, its records, the plans beside it.
pub fn check(folder: &Path) -> Result<Vec<Finding>, JournalError> {
    let path = folder.join(FILE);
    let failed = |error| JournalError::new(&path, error);
    sound(&path, || {
        let mut database = open(folder)?;
        let mut findings = Vec::new();
        if !database.check_integrity().map_err(|error| failed(error.into()))? {
            findings.push(
                "its pages did not agree with their checksums and were repaired from the last whole state".to_owned(),
            );
        }
        look(&database, folder, &mut findings).map_err(failed)?;
        Ok(findings)
    })
}

fn open(folder: &Path) -> Result<Database, JournalError> {
    let path = folder.join(FILE);
    if !path.exists() {
        return Err(JournalError::NotThere {
            folder: folder.to_owned(),
        });
    }
    Database::open(&path).map_err(|error| JournalError::new(&path, error.into()))
}

fn look(database: &Database, folder: &Path, findings: &mut Vec<Finding>) -> Result<(), redb::Error> {
    let transaction = database.begin_read()?;
    let version = transaction
        .open_table(META)?
        .get("version")?
        .map(|version| version.value());
    if version.is_none_or(|version| version > VERSION) {
        findings.push(format!("its version is {version:?}, up to {VERSION} is known"));
        return Ok(());
    }
    let jobs = transaction.open_table(JOBS)?;
    for entry in jobs.iter()? {
        let (job, record) = entry?;
        let job = job.value();
        match serde_json::from_slice::<JobRecord>(record.value()) {
            Err(error) => findings.push(format!("job {job}: its record cannot be read: {error}")),
            Ok(record) if record.end.is_none() => {
                let path = plan_path(folder, &record.folder);
                match Plan::read_from(&path) {
                    Err(error) => findings.push(format!("job {job}: {}: {error}", path.display())),
                    Ok(plan) if plan.id.to_string() != record.plan => {
                        findings.push(format!("job {job}: {} is another plan", path.display()));
                    }
                    Ok(_) => {}
                }
            }
            Ok(_) => {}
        }
    }
    let mut before: Option<(u64, u16, RowRange)> = None;
    for entry in transaction.open_table(COMMITS)?.iter()? {
        let (key, value) = entry?;
        let ((job, channel, start), (end, ..)) = (key.value(), value.value());
        let rows = RowRange::new(start, end);
        if rows.is_empty() {
            findings.push(format!("job {job}, channel {channel}: a commit of no rows at {start}"));
        }
        if let Some((last_job, last_channel, last)) = before
            && (last_job, last_channel) == (job, channel)
            && last.end > start
        {
            findings.push(format!("job {job}, channel {channel}: rows {rows} are committed twice"));
        }
        if jobs.get(job)?.is_none() {
            findings.push(format!("rows {rows} of a job {job} that is not there"));
        }
        before = Some((job, channel, rows));
    }
    Ok(())
}

/// All that the journal in `folder` holds.
pub fn dump(folder: &Path) -> Result<Json, JournalError> {
    let path = folder.join(FILE);
    let read = |database: &Database| -> Result<Json, redb::Error> {
        let transaction = database.begin_read()?;
        let mut meta = serde_json::Map::new();
        for entry in transaction.open_table(META)?.iter()? {
            let (name, value) = entry?;
            meta.insert(name.value().to_owned(), json!(value.value()));
        }
        let mut jobs = Vec::new();
        let commits = transaction.open_table(COMMITS)?;
        for entry in transaction.open_table(JOBS)?.iter()? {
            let (job, record) = entry?;
            let job = job.value();
            let mut committed = Vec::new();
            for entry in commits.range((job, 0, 0)..=(job, u16::MAX, u64::MAX))? {
                let (key, value) = entry?;
                let ((_, channel, start), (end, epoch, attempt)) = (key.value(), value.value());
                committed.push(json!({
                    "channel": channel, "rows": [start, end], "epoch": epoch, "attempt": attempt,
                }));
            }
            let record: Json = serde_json::from_slice(record.value())
                .unwrap_or_else(|_| Json::String(String::from_utf8_lossy(record.value()).into_owned()));
            jobs.push(json!({"job": job, "record": record, "committed": committed}));
        }
        Ok(json!({"meta": meta, "jobs": jobs}))
    };
    sound(&path, || {
        read(&open(folder)?).map_err(|error| JournalError::new(&path, error))
    })
}
