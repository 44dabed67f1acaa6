//! `OUT/.trc2npy/`: the plan, the journal and the unfinished files of a conversion, so that it can be gone on with.

mod earlier;
mod identity;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ConvertRun;
use super::error::ConvertError;
use super::journal::{Committed, Journal, Record};
use super::range::Target;
use super::settings::Settings;
use crate::channel::Channel;
use crate::fs::{self, Lock, StorageError};
use crate::npy;
use crate::plan::{ChannelPlan, Plan, PlanRequest};
use crate::units::Bytes;
use earlier::Earlier;

/// The folder's name inside the output folder.
const FOLDER: &str = ".trc2npy";
const PLAN: &str = "plan.bin";
const JOURNAL: &str = "journal";

/// The command in words, as one would type it; without what does not decide about bytes.
pub(super) fn words(run: &ConvertRun) -> Vec<String> {
    let mut words = identity::words(&run.request, &run.settings);
    words.extend(["--out".to_owned(), run.out.to_string()]);
    words
}

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

/// The locked state of one conversion.
pub(super) struct Workspace {
    pub(super) out: PathBuf,
    folder: PathBuf,
    pub(super) plan: Arc<Plan>,
    pub(super) journal: Journal,
    pub(super) stage: Stage,
    pub(super) committed: BTreeMap<Channel, Vec<Committed>>,
    /// Sentences for people: new inputs since the plan.
    pub(super) notes: Vec<String>,
    /// None where there is nothing to do.
    _lock: Option<Lock>,
}

impl Workspace {
    /// Takes the output folder for itself, and either goes on with what the same command left there or begins.
    pub(super) fn open(
        out: &Path,
        plan: Plan,
        request: &PlanRequest,
        settings: &Settings,
    ) -> Result<Self, ConvertError> {
        let state = out.join(FOLDER);
        let mine = state.join(identity::key(request, settings));
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
        remove_folder(&mine)?;
        create_folder(&mine)?;
        for folder in [out, &state] {
            sync_folder(folder)?;
        }
        fs::write_file_with(&mine.join(PLAN), |mut file| plan.write(&mut file))?;
        let opened = Record::Opened {
            plan: plan.id.to_string(),
            overwrite: settings.overwrite.others(),
            arrays: arrays(&plan, settings),
            settings: identity::describe(request, settings),
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
            _lock: lock,
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
    pub(super) fn targets(&self) -> Result<Vec<Target>, ConvertError> {
        let targets = self.plan.channels.iter().map(|channel| self.target(channel)).collect();
        // Records will say that rows are in these files: their names must be on the disk before.
        sync_folder(&self.folder)?;
        targets
    }

    /// Opens a channel's array and index for writing, as long as they will be, with their headers.
    fn target(&self, channel: &ChannelPlan) -> Result<Target, ConvertError> {
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
        })
    }

    /// Bytes that the unfinished files take on the disk already.
    pub(super) fn allocated(&self) -> Bytes {
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

    /// Records that everything has its name; `files` are these names and their lengths.
    pub(super) fn finish(&mut self, files: Vec<(String, u64)>, seconds: f64) -> Result<(), ConvertError> {
        self.journal.append(&[Record::Done { files, seconds }])?;
        self.stage = Stage::Done;
        Ok(())
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
    let needs = open.map(|workspace| {
        let needed = workspace.plan.output_bytes().saturating_sub(workspace.allocated());
        (workspace.out.as_path(), needed)
    });
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

/// Opens or makes a file of `length` that begins with `header`.
fn prepare(path: &Path, header: &[u8], length: u64) -> Result<File, ConvertError> {
    let failed = |source| StorageError::new("write", path, source);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(failed)?;
    file.set_len(length).map_err(failed)?;
    fs::write_all_at(&file, header, 0).map_err(failed)?;
    Ok(file)
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
