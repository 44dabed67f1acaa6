//! What earlier commands left in an output folder: to be gone on with, to be left alone, or in the way.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{FOLDER, GONE, JOURNAL, PLAN, Resumed, arrays, lengths, remove_at_once};
use crate::channel::Channel;
use crate::convert::error::ConvertError;
use crate::convert::journal::{self, Journal, Record};
use crate::convert::settings::{Overwrite, Settings};
use crate::fs::{self, StorageError};
use crate::plan::{self, Made, Plan, PlanFileError};
use crate::shard::{MADE, SHARES};
use crate::units::RowRange;

/// An unfinished or finished conversion as found on the disk.
pub(super) struct Earlier {
    folder: PathBuf,
    journal: Journal,
    records: Vec<Record>,
}

/// A file's name in the output folder, and its length.
pub(super) type Final = (String, u64);

impl Earlier {
    /// What the command left whose folder is `mine`, or another one that made the same plan of the same files: the same
    /// inputs can be named in many ways.
    pub(super) fn of_command(
        state: &Path,
        mine: &Path,
        plan: &Plan,
        settings: &Settings,
    ) -> Result<Option<Self>, ConvertError> {
        if let Some(found) = Self::at(mine)? {
            return Ok(Some(found));
        }
        let arrays = arrays(plan, settings);
        for folder in folders(state)? {
            let Some(found) = Self::at(&folder)? else { continue };
            let same_names =
                matches!(found.records.first(), Some(Record::Opened { arrays: names, .. }) if *names == arrays);
            // One that cannot be read is told of where it is in the way.
            if same_names && found.plan().is_ok_and(|other| other.does_the_same(plan)) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// What has the folder of a job whose shards are in `job`.
    pub(super) fn of_job(state: &Path, job: &str) -> Result<Option<Self>, StorageError> {
        let of_it = folders(state)?.into_iter().find(|folder| folder.join(job).is_dir());
        of_it.map_or(Ok(None), |folder| Self::at(&folder))
    }

    fn at(folder: &Path) -> Result<Option<Self>, StorageError> {
        let opened = Journal::open(&folder.join(JOURNAL))?;
        Ok(opened.map(|(journal, records)| Self {
            folder: folder.to_owned(),
            journal,
            records: journal::standing(records),
        }))
    }

    fn plan(&self) -> Result<Plan, PlanFileError> {
        Plan::read_from(&self.folder.join(PLAN))
    }

    /// The files it had finished; none where it had not.
    pub(super) fn finals(&self) -> Vec<Final> {
        let done = self.records.iter().rev().find_map(|record| match record {
            Record::Done { files, .. } => Some(files.clone()),
            _ => None,
        });
        done.unwrap_or_default()
    }

    /// Whether it is finished, and everything is still there.
    pub(super) fn is_done(&self, out: &Path, settings: &Settings) -> bool {
        let finals = self.finals();
        !finals.is_empty() && settings.overwrite != Overwrite::Always && finals.iter().all(|file| is_there(out, file))
    }

    /// Decides whether it can be gone on with; nothing where it must begin anew. `now` is how the same command would be
    /// planned today.
    pub(super) fn resume(
        mut self,
        out: &Path,
        now: &Plan,
        settings: &Settings,
    ) -> Result<Option<Resumed>, ConvertError> {
        let finals = self.finals();
        let finished = !finals.is_empty();
        if finished && settings.overwrite == Overwrite::Always {
            return Ok(None);
        }
        if finished && !finals.iter().all(|file| is_there(out, file)) {
            let mut samples = finals
                .iter()
                .filter(|(name, _)| Path::new(name).extension().is_some_and(|end| end == "npy"));
            if !samples.all(|file| is_there(out, file)) {
                return Ok(None);
            }
            // A list or a JSON is gone: both are made of what the plan and the journal know.
            self.records.retain(|record| !matches!(record, Record::Done { .. }));
        }
        let plan = self.plan().map_err(|source| ConvertError::PlanFile {
            path: self.folder.join(PLAN),
            folder: self.folder.clone(),
            source,
        })?;
        if !finished && !self.holds_its_rows(&plan, out, settings) {
            return Ok(None);
        }
        // Looked at more closely (--probe all), the files are others than what could not be done.
        if self.records.last() == Some(&Record::Hopeless) && !plan.does_the_same(now) {
            return Ok(None);
        }
        let made = |channel: Channel, file: u64, rows: RowRange| self.made(channel, file, rows);
        let changes = plan::compare(&plan, now, settings.trust_size, settings.threads, &made)?;
        // What is unfinished goes on as planned: the next run will see what has become whole meanwhile.
        let is_stale = !changes.is_empty() || (finished && !plan.has_the_rows_of(now));
        if is_stale && settings.overwrite == Overwrite::Stale {
            return Ok(None);
        }
        if changes.stops() {
            if settings.overwrite.others() {
                return Ok(None);
            }
            return Err(ConvertError::Inputs {
                changes: changes.to_string(),
            });
        }
        let notes = if changes.is_empty() {
            Vec::new()
        } else {
            vec![changes.to_string()]
        };
        Ok(Some(Resumed {
            folder: self.folder,
            plan: Arc::new(plan),
            journal: self.journal,
            records: self.records,
            notes,
        }))
    }

    /// What is unfinished, to be gone on with by the plan that it was begun with; nothing where it is finished or given up,
    /// or where its rows are gone.
    pub(super) fn reopened(self, out: &Path, plan: &Plan, settings: &Settings) -> Option<Resumed> {
        let is_over = |record: &Record| matches!(record, Record::Done { .. } | Record::Hopeless);
        if self.records.iter().any(is_over) || !self.holds_its_rows(plan, out, settings) {
            return None;
        }
        let Some(Record::Opened { plan: id, .. }) = self.records.first() else {
            return None;
        };
        // Sent around, the plan has another one.
        let id = id.parse().ok()?;
        Some(Resumed {
            folder: self.folder,
            plan: Arc::new(Plan { id, ..plan.clone() }),
            journal: self.journal,
            records: self.records,
            notes: Vec::new(),
        })
    }

    /// What became of a file's rows.
    fn made(&self, channel: Channel, file: u64, rows: RowRange) -> Made {
        let committed = self.records.iter().filter_map(|record| match record {
            Record::Committed(done) if done.channel == channel => Some(done),
            _ => None,
        });
        let mut made = Made::Not;
        for done in committed.filter(|done| !done.rows.intersection(rows).is_empty()) {
            let grown = done.grown.iter().find(|grown| grown.file == file);
            made = grown.map_or(Made::AsPlanned, |grown| Made::From(grown.stamp));
        }
        made
    }

    /// Whether the files are there of which the records say that they hold rows. Where someone has removed or cut one,
    /// its rows would come out as zeros.
    fn holds_its_rows(&self, plan: &Plan, out: &Path, settings: &Settings) -> bool {
        let publishing = self.records.contains(&Record::Publishing);
        let begun = |channel: Channel| {
            let of_it = |record: &Record| matches!(record, Record::Committed(rows) if rows.channel == channel);
            publishing || self.records.iter().any(of_it)
        };
        plan.channels
            .iter()
            .filter(|channel| begun(channel.channel))
            .all(|channel| {
                ["npy", "index.npy"].iter().zip(lengths(channel)).all(|(what, length)| {
                    let is_whole = |path: PathBuf| std::fs::metadata(path).is_ok_and(|file| file.len() == length);
                    let published = out.join(settings.name.sibling(channel.channel, &format!(".{what}")));
                    let temporary = self.folder.join(format!("{}.{what}", channel.channel));
                    is_whole(temporary) || (publishing && is_whole(published))
                })
            })
    }

    /// Whether dropping it would cost nobody anything: finished, without a row, or bound to fail again.
    fn is_of_no_use(&self) -> bool {
        let done = |record: &Record| matches!(record, Record::Done { .. });
        let row = |record: &Record| matches!(record, Record::Committed(_));
        let made = || self.records.iter().any(row) || holds_shares(&self.folder);
        self.records.iter().any(done) || self.records.last() == Some(&Record::Hopeless) || !made()
    }
}

/// Whether tasks of a batch system have made rows that no array has yet: hours of many machines, maybe.
fn holds_shares(state: &Path) -> bool {
    let below = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten();
    let shares = below(state).filter(|entry| entry.file_name().to_string_lossy().starts_with(SHARES));
    let mut channels = shares.flat_map(|shares| below(&shares.path()));
    channels.any(|channel| below(&channel.path()).any(|entry| has_ending(&entry.path(), MADE)))
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found == ending)
}

fn is_there(out: &Path, (name, bytes): &Final) -> bool {
    std::fs::metadata(out.join(name)).is_ok_and(|metadata| metadata.len() == *bytes)
}

/// The conversions that `state` holds, in the order of their names; none where it is not there.
fn folders(state: &Path) -> Result<Vec<PathBuf>, StorageError> {
    let listing = match std::fs::read_dir(state) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing.map_err(|source| StorageError::new("list", state, source))?,
    };
    let paths = listing.flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> = paths.filter(|path| path.is_dir() && !has_ending(path, GONE)).collect();
    folders.sort_unstable();
    Ok(folders)
}

/// Refuses, or with `--overwrite` removes, what other commands left under the names that this one will use. `own` are
/// files that the same command had finished, of which some are lost.
pub(super) fn clear_the_way(
    state: &Path,
    mine: &Path,
    out: &Path,
    plan: &Plan,
    settings: &Settings,
    own: &[Final],
) -> Result<(), ConvertError> {
    let names = arrays(plan, settings);
    let mut others = Vec::new();
    for folder in folders(state)?.into_iter().filter(|folder| folder != mine) {
        let Some(found) = Earlier::at(&folder)? else { continue };
        let Some(Record::Opened {
            arrays,
            settings: asked,
            ..
        }) = found.records.first()
        else {
            continue;
        };
        if !arrays.iter().any(|array| names.contains(array)) {
            continue;
        }
        if !found.is_of_no_use() && !settings.overwrite.others() {
            return Err(ConvertError::Unfinished {
                state: out.join(FOLDER),
                command: asked.clone(),
            });
        }
        others.push(found.folder);
    }
    if !settings.overwrite.others() {
        for path in finals(out, plan, settings) {
            let Ok(found) = std::fs::metadata(&path) else { continue };
            match own.iter().find(|(name, _)| out.join(name) == path) {
                Some(&(_, left)) if left == found.len() => {}
                Some(&(_, left)) => {
                    let found = found.len();
                    return Err(ConvertError::NotAsLeft { path, left, found });
                }
                None => return Err(ConvertError::Exists { path }),
            }
        }
    }
    for folder in others {
        remove_at_once(&folder)?;
    }
    Ok(())
}

/// Refuses at the start what could not be named or replaced at the end.
pub(super) fn refuse_impossible(out: &Path, plan: &Plan, settings: &Settings) -> Result<(), ConvertError> {
    for path in finals(out, plan, settings) {
        let there = match std::fs::symlink_metadata(&path) {
            Ok(there) if there.is_dir() => return Err(ConvertError::Folder { path }),
            Ok(_) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        };
        let there = there.map_err(|source| StorageError::new("write", &path, source))?;
        if there && fs::cannot_be_replaced(&path) {
            return Err(ConvertError::Held { path });
        }
    }
    Ok(())
}

/// All files that a finished conversion has in its output folder, but the report.
fn finals(out: &Path, plan: &Plan, settings: &Settings) -> impl Iterator<Item = PathBuf> {
    plan.channels.iter().flat_map(move |channel| {
        crate::convert::publish::PARTS.map(|part| out.join(settings.name.sibling(channel.channel, &format!(".{part}"))))
    })
}
