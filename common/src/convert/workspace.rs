//! `OUT/.trc2npy/`: the plan, the journal and the unfinished files of a conversion, so that it can be gone on with.

mod earlier;
mod identity;
mod seen;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ConvertRun;
use super::error::ConvertError;
use super::form::Form;
use super::journal::{Journal, Record};
use super::settings::Settings;
use super::stream::Turn;
use super::synced::SyncedRange;
use super::target::{Target, prepare};
use crate::channel::Channel;
use crate::fs::{self, Lock, StorageError};
use crate::npy;
use crate::plan::{ChannelPlan, Plan, PlanRequest};
use crate::units::Bytes;
use earlier::Earlier;
pub(super) use identity::{key, words};
pub use seen::{Seen, seen, state_folder};

/// The folder's name inside the output folder.
const FOLDER: &str = ".trc2npy";
const PLAN: &str = "plan.bin";
const JOURNAL: &str = "journal";
/// Ends the name of a folder that is being removed.
const GONE: &str = "gone";

/// How far an earlier run of the same command came.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(super) enum Stage {
    /// Rows are missing.
    Converting,
    /// All rows are there, not all names.
    Publishing,
    /// Nothing is left to do.
    Done,
}

/// Whether the command has begun in this output folder.
pub(super) fn is_begun(out: &Path, request: &PlanRequest, settings: &Settings) -> bool {
    out.join(FOLDER).join(key(request, settings)).join(JOURNAL).exists()
}

/// Whether there is anything of a conversion in this output folder, finished or not.
pub(super) fn is_used(out: &Path) -> bool {
    let unfinished = std::fs::read_dir(out.join(FOLDER)).is_ok_and(|mut entries| entries.next().is_some());
    unfinished || crate::outputs::find(out).is_ok()
}

/// The locked state of one conversion.
#[derive(Debug)]
pub(super) struct Workspace {
    pub(super) out: PathBuf,
    folder: PathBuf,
    pub(super) plan: Arc<Plan>,
    pub(super) journal: Journal,
    pub(super) stage: Stage,
    pub(super) committed: BTreeMap<Channel, Vec<SyncedRange>>,
    /// Sentences for people: new inputs since the plan.
    pub(super) notes: Vec<String>,
    /// None where there is nothing to do.
    lock: Option<Lock>,
}

impl Workspace {
    /// Takes the output folder for itself, and either goes on with what the same command left there or begins.
    pub(super) fn open(out: &Path, plan: Plan, run: &ConvertRun) -> Result<Self, ConvertError> {
        let ConvertRun { request, settings, .. } = run;
        let state = out.join(FOLDER);
        let mine = state.join(key(request, settings));
        if let Some(found) = Earlier::of_command(&state, &mine, &plan, settings)?
            && found.is_done(out, settings)
            && let Some(done) = found.resume(out, &plan, settings)?
        {
            // Nothing will be written, so that a full disk or a folder that is read-only now does not matter.
            return Ok(Self::restore(out.to_owned(), done, None));
        }
        create_folder(&state)?;
        let lock = Lock::acquire(&state)?;
        let found = Earlier::of_command(&state, &mine, &plan, settings)?;
        let own = found.as_ref().map(Earlier::finals).unwrap_or_default();
        if let Some(found) = found
            && let Some(resumed) = found.resume(out, &plan, settings)?
        {
            let resumed = Self::restore(out.to_owned(), resumed, Some(lock));
            if resumed.stage != Stage::Done {
                earlier::refuse_impossible(out, &resumed.plan, settings)?;
            }
            return Ok(resumed);
        }
        earlier::refuse_impossible(out, &plan, settings)?;
        earlier::clear_the_way(&state, &mine, out, &plan, settings, &own)?;
        // Tasks of a batch system may be writing into it.
        remove_at_once(&mine)?;
        create_folder(&mine)?;
        for folder in [out, &state] {
            sync_folder(folder)?;
        }
        fs::write_file_with(&mine.join(PLAN), |mut file| plan.write(&mut file))?;
        let opened = Record::Opened {
            plan: plan.id.to_string(),
            overwrite: settings.overwrite.others(),
            arrays: arrays(&plan, settings),
            settings: identity::describe(run),
        };
        let journal = Journal::create(&mine.join(JOURNAL), &opened)?;
        let begun = Resumed {
            folder: mine,
            plan: Arc::new(plan),
            journal,
            records: vec![opened],
            notes: Vec::new(),
        };
        Ok(Self::restore(out.to_owned(), begun, Some(lock)))
    }

    /// Goes on with what was begun here for the job whose shards are in `job`, with the plan that it was begun with. Its
    /// inputs are not listed again: that takes minutes where they are on a server, and whoever makes a row looks at its
    /// file. Nothing where that folder is not there: then the long way, [`Workspace::open`], tells what became of it.
    pub(super) fn reopen(out: &Path, plan: &Plan, run: &ConvertRun, job: &str) -> Result<Option<Self>, ConvertError> {
        let state = out.join(FOLDER);
        if !state.is_dir() {
            return Ok(None);
        }
        let lock = Lock::acquire(&state)?;
        // The folder's name is the job's alone, and it goes with all that it was made for.
        let found = Earlier::of_job(&state, job)?;
        let Some(begun) = found.and_then(|found| found.reopened(out, plan, &run.settings)) else {
            return Ok(None);
        };
        earlier::refuse_impossible(out, plan, &run.settings)?;
        Ok(Some(Self::restore(out.to_owned(), begun, Some(lock))))
    }

    fn restore(out: PathBuf, state: Resumed, lock: Option<Lock>) -> Self {
        let Resumed {
            folder,
            plan,
            journal,
            records,
            notes,
        } = state;
        let mut workspace = Self {
            out,
            folder,
            plan,
            journal,
            stage: Stage::Converting,
            committed: BTreeMap::new(),
            notes,
            lock,
        };
        for record in records {
            match record {
                Record::Opened { .. } | Record::Hopeless => {}
                Record::Committed(rows) => workspace.committed.entry(rows.channel).or_default().push(rows),
                Record::Publishing => workspace.stage = Stage::Publishing,
                Record::Done { .. } => workspace.stage = Stage::Done,
            }
        }
        for rows in workspace.committed.values_mut() {
            rows.sort_by_key(|rows| rows.rows);
        }
        workspace
    }

    /// An unfinished file of a channel.
    pub(super) fn temporary(&self, channel: Channel, what: &str) -> PathBuf {
        self.folder.join(format!("{channel}.{what}"))
    }

    /// The arrays and indices of all channels, in the plan's order, open for writing.
    pub(super) fn targets(&self) -> Result<Vec<Target>, StorageError> {
        let targets = self.plan.channels.iter().map(|channel| self.target(channel)).collect();
        // Records will say that rows are in these files: their names must be on the disk before.
        sync_folder(&self.folder)?;
        targets
    }

    /// Opens a channel's array and index for writing, as long as they will be, with their headers.
    fn target(&self, channel: &ChannelPlan) -> Result<Target, StorageError> {
        let shape = [channel.rows, u64::from(channel.samples)];
        let data_header = npy::header(&format!("'{}'", channel.element.descr()), &shape);
        let index_header = npy::index::header(channel.rows);
        let [data_length, index_length] = lengths(channel);
        let data_path = self.temporary(channel.channel, "npy");
        let index_path = self.temporary(channel.channel, "index.npy");
        Ok(Target {
            data: prepare(&data_path, &data_header, data_length)?,
            data_path,
            index: prepare(&index_path, &index_header, index_length)?,
            index_path,
            data_start: npy::DATA_START,
            index_start: npy::DATA_START,
            first_row: 0,
            form: Form::Values,
            turn: Turn::default(),
        })
    }

    /// Bytes that the outputs will take and do not take yet.
    pub(super) fn needed(&self) -> Bytes {
        self.plan.output_bytes().saturating_sub(self.allocated())
    }

    /// Bytes that the unfinished files take on the disk already.
    fn allocated(&self) -> Bytes {
        let files = self
            .plan
            .channels
            .iter()
            .flat_map(|channel| ["npy", "index.npy"].map(|what| self.temporary(channel.channel, what)));
        files
            .filter_map(|path| File::open(path).ok())
            .filter_map(|file| fs::allocated(&file).ok())
            .sum()
    }

    /// The folder of a job whose workers leave shards.
    pub(super) fn job_folder(&self, job: &str) -> PathBuf {
        self.folder.join(job)
    }

    /// Bytes that the shards of a job take on the disk already.
    pub(super) fn shards_allocated(&self, job: &str) -> Bytes {
        let channels = self.plan.channels.iter();
        let folders = channels.map(|channel| self.job_folder(job).join(channel.channel.to_string()));
        let files = folders
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flatten()
            .flatten();
        let opened = files.filter_map(|entry| File::open(entry.path()).ok());
        opened.filter_map(|file| fs::allocated(&file).ok()).sum()
    }

    /// Makes the folder of a job, with one for each channel.
    pub(super) fn create_job_folder(&self, job: &str) -> Result<(), ConvertError> {
        let folder = self.job_folder(job);
        for channel in self.plan.channels.iter() {
            create_folder(&folder.join(channel.channel.to_string()))?;
        }
        sync_folder(&folder)?;
        Ok(sync_folder(&self.folder)?)
    }

    /// Removes the folders of all jobs but one, with their shards: what is committed does not need them. Returns a
    /// sentence for people where one could not be removed, which is no reason to stop.
    pub(super) fn remove_job_folders(&self, but: Option<&str>) -> Option<String> {
        let names = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let folders = names.filter(|entry| {
            entry.file_type().is_ok_and(|kind| kind.is_dir()) && but.is_none_or(|job| entry.file_name() != *job)
        });
        let errors = folders.filter_map(|entry| remove_at_once(&entry.path()).err());
        errors.last().map(|error| format!("shards were left behind: {error}"))
    }

    /// Whether somebody has removed the state, as far as an open file tells.
    pub(super) fn is_removed(&self) -> bool {
        self.lock.as_ref().is_some_and(Lock::is_removed)
    }

    /// Lets another process work here.
    pub(super) fn release(&mut self) {
        self.lock = None;
    }

    /// Records rows whose bytes are on the disk, and what is known of them.
    pub(super) fn commit(&mut self, committed: Vec<SyncedRange>) -> Result<(), ConvertError> {
        let records: Vec<Record> = committed.iter().cloned().map(Record::Committed).collect();
        if !records.is_empty() {
            self.journal.append(&records)?;
        }
        for rows in committed {
            self.committed.entry(rows.channel).or_default().push(rows);
        }
        Ok(())
    }

    /// Records that everything has its name; `files` are these names and their lengths.
    pub(super) fn finish(&mut self, files: Vec<(String, u64)>, seconds: f64) -> Result<(), ConvertError> {
        self.journal.append(&[Record::Done { files, seconds }])?;
        self.stage = Stage::Done;
        Ok(())
    }

    /// Leaves nothing of a run that has no rows yet, as far as that can be removed; others keep what they have.
    pub(super) fn withdraw(&mut self) {
        if self.stage == Stage::Converting && self.committed.values().all(Vec::is_empty) {
            // Whatever stays does no harm: the same command goes on with it.
            let _ = remove_folder(&self.folder);
        }
        self.release();
    }

    /// Records that the same command would fail again: another one may take its place.
    pub(super) fn give_up(&mut self) {
        // Where even that cannot be written, the other command will ask for --overwrite.
        let _ = self.journal.append(&[Record::Hopeless]);
    }
}

/// Fails before the first byte where the outputs of all runs that are not finished will not fit.
pub(super) fn check_space<'w>(all: impl Iterator<Item = &'w Workspace>) -> Result<(), ConvertError> {
    let open = all.filter(|workspace| workspace.stage != Stage::Done);
    have_room(open.map(|workspace| (workspace.out.as_path(), workspace.needed())))
}

/// Fails where there is no room in these folders for so many bytes more.
pub(super) fn have_room<'p>(needs: impl Iterator<Item = (&'p Path, Bytes)>) -> Result<(), ConvertError> {
    match fs::shortage(needs)? {
        Some(shortage) => Err(ConvertError::NoSpace {
            out: shortage.folder,
            needed: shortage.needed,
            available: shortage.available,
        }),
        None => Ok(()),
    }
}

/// The arrays' final names.
fn arrays(plan: &Plan, settings: &Settings) -> Vec<String> {
    plan.channels
        .iter()
        .map(|channel| settings.name.array(channel.channel))
        .collect()
}

/// Bytes of a channel's array and of its index.
fn lengths(channel: &ChannelPlan) -> [u64; 2] {
    [
        npy::DATA_START + channel.data_bytes().0,
        npy::DATA_START + channel.rows * npy::index::IndexRecord::BYTES,
    ]
}

/// The state on the disk, begun or found.
struct Resumed {
    folder: PathBuf,
    plan: Arc<Plan>,
    journal: Journal,
    records: Vec<Record>,
    notes: Vec<String>,
}

fn create_folder(path: &Path) -> Result<(), StorageError> {
    std::fs::create_dir_all(path).map_err(|source| StorageError::new("create the folder", path, source))
}

fn sync_folder(path: &Path) -> Result<(), StorageError> {
    fs::sync_dir(path).map_err(|source| StorageError::new("bring to the disk the folder", path, source))
}

fn remove_folder(path: &Path) -> Result<(), StorageError> {
    match std::fs::remove_dir_all(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(StorageError::new("remove the folder", path, source))
        }
        _ => Ok(()),
    }
}

/// The same for a folder into which others may be writing: its name is gone before its files are, so that whoever comes
/// late finds no folder instead of half of one.
fn remove_at_once(path: &Path) -> Result<(), StorageError> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".{GONE}"));
    let aside = PathBuf::from(aside);
    remove_folder(&aside)?;
    // Windows keeps a folder's name while one of its files is open.
    remove_folder(if std::fs::rename(path, &aside).is_ok() {
        &aside
    } else {
        path
    })
}
