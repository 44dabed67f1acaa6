//! `OUT/.trc2npy/`: the plan, the journal and the unfinished files of a conversion, so that it can be gone on with.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::error::ConvertError;
use super::journal::{self, Committed, Journal, Record};
use super::range::Target;
use super::settings::Settings;
use crate::channel::Channel;
use crate::fs::{self, Lock, StorageError};
use crate::npy;
use crate::plan::{self, ChannelPlan, Plan, PlanRequest};
use crate::units::{Bytes, RowRange};

/// The folder's name inside the output folder.
const FOLDER: &str = ".trc2npy";
const PLAN: &str = "plan.bin";
const JOURNAL: &str = "journal";

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
    _lock: Lock,
}

/// An unfinished or finished conversion as found on the disk.
struct Found {
    folder: PathBuf,
    journal: Journal,
    records: Vec<Record>,
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
        create_folder(&state)?;
        let lock = Lock::acquire(&state)?;
        let key = key(request, settings);
        let mine = state.join(&key);
        if let Some(found) = find(&mine)?
            && let Some(resumed) = resume(found, out, settings)?
        {
            let resumed = Self::restore(out.to_owned(), resumed, lock);
            if resumed.stage != Stage::Done {
                refuse_held(out, &resumed.plan, settings)?;
            }
            return Ok(resumed);
        }
        refuse_held(out, &plan, settings)?;
        clear_the_way(&state, &mine, out, &plan, settings)?;
        remove_folder(&mine)?;
        create_folder(&mine)?;
        for folder in [out, &state] {
            sync_folder(folder)?;
        }
        fs::write_file_with(&mine.join(PLAN), |mut file| plan.write(&mut file))?;
        let arrays = plan
            .channels
            .iter()
            .map(|channel| settings.name.array(channel.channel))
            .collect();
        let opened = Record::Opened {
            plan: plan.id.to_string(),
            overwrite: settings.overwrite,
            arrays,
            settings: describe(request),
        };
        let journal = Journal::create(&mine.join(JOURNAL), &opened)?;
        let begun = Resumed {
            folder: mine,
            plan: Arc::new(plan),
            journal,
            records: vec![opened],
            notes: Vec::new(),
        };
        Ok(Self::restore(out.to_owned(), begun, lock))
    }

    fn restore(out: PathBuf, state: Resumed, lock: Lock) -> Self {
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
                Record::Opened { .. } => {}
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

    /// Leaves only what tells that the conversion is done.
    pub(super) fn finish(&mut self, arrays: Vec<(String, u64)>, seconds: f64) -> Result<(), ConvertError> {
        self.journal.append(&[Record::Done { arrays, seconds }])?;
        self.stage = Stage::Done;
        Ok(())
    }
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

/// Decides whether what the same command left can be gone on with; nothing where it must begin anew.
fn resume(found: Found, out: &Path, settings: &Settings) -> Result<Option<Resumed>, ConvertError> {
    let Found {
        folder,
        journal,
        records,
    } = found;
    let records = journal::standing(records);
    let done = records.iter().rev().find_map(|record| match record {
        Record::Done { arrays, .. } => Some(arrays),
        _ => None,
    });
    if let Some(arrays) = done {
        let there = |(name, bytes): &(String, u64)| {
            std::fs::metadata(out.join(name)).is_ok_and(|metadata| metadata.len() == *bytes)
        };
        if settings.overwrite || !arrays.iter().all(there) {
            return Ok(None);
        }
    }
    let path = folder.join(PLAN);
    let plan = Plan::read_from(&path).map_err(|source| ConvertError::PlanFile {
        path: path.clone(),
        folder: folder.clone(),
        source,
    })?;
    if done.is_none() && !holds_its_rows(&folder, &plan, &records, out, settings) {
        return Ok(None);
    }
    let has_rows = |channel: Channel, rows: RowRange| {
        records.iter().any(|record| {
            matches!(record, Record::Committed(done)
                if done.channel == channel && !done.rows.intersection(rows).is_empty())
        })
    };
    let changes = plan::compare(&plan, settings.trust_size, settings.threads, &has_rows)?;
    if changes.stops() {
        if settings.overwrite {
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
        folder,
        plan: Arc::new(plan),
        journal,
        records,
        notes,
    }))
}

/// Whether the files are there of which the records say that they hold rows. Where someone has removed or cut one, its
/// rows would come out as zeros.
fn holds_its_rows(folder: &Path, plan: &Plan, records: &[Record], out: &Path, settings: &Settings) -> bool {
    let publishing = records.contains(&Record::Publishing);
    let begun = |channel: Channel| {
        let of_it = |record: &Record| matches!(record, Record::Committed(rows) if rows.channel == channel);
        publishing || records.iter().any(of_it)
    };
    plan.channels
        .iter()
        .filter(|channel| begun(channel.channel))
        .all(|channel| {
            ["npy", "index.npy"].iter().zip(lengths(channel)).all(|(what, length)| {
                let is_whole = |path: PathBuf| std::fs::metadata(path).is_ok_and(|file| file.len() == length);
                let published = out.join(settings.name.sibling(channel.channel, &format!(".{what}")));
                is_whole(folder.join(format!("{}.{what}", channel.channel))) || (publishing && is_whole(published))
            })
        })
}

/// Refuses, or with `--overwrite` removes, what other commands left under the names that this one will use.
fn clear_the_way(state: &Path, mine: &Path, out: &Path, plan: &Plan, settings: &Settings) -> Result<(), ConvertError> {
    let names: Vec<String> = plan
        .channels
        .iter()
        .map(|channel| settings.name.array(channel.channel))
        .collect();
    let mut others = Vec::new();
    let listing = std::fs::read_dir(state).map_err(|source| StorageError::new("list", state, source))?;
    let folders = listing.flatten().map(|entry| entry.path());
    for folder in folders.filter(|path| path.is_dir() && path != mine) {
        let Some(found) = find(&folder)? else { continue };
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
        let done = found.records.iter().any(|record| matches!(record, Record::Done { .. }));
        if !done && !settings.overwrite {
            return Err(ConvertError::Unfinished {
                out: out.to_owned(),
                settings: asked.clone(),
            });
        }
        others.push(found.folder);
    }
    if !settings.overwrite
        && let Some(path) = finals(out, plan, settings).find(|path| path.exists())
    {
        return Err(ConvertError::Exists { path });
    }
    for folder in others {
        remove_folder(&folder)?;
    }
    Ok(())
}

/// Refuses at the start what could not be replaced at the end.
fn refuse_held(out: &Path, plan: &Plan, settings: &Settings) -> Result<(), ConvertError> {
    match finals(out, plan, settings).find(|path| fs::cannot_be_replaced(path)) {
        Some(path) => Err(ConvertError::Held { path }),
        None => Ok(()),
    }
}

/// All files that a finished conversion has in its output folder, but the report.
fn finals(out: &Path, plan: &Plan, settings: &Settings) -> impl Iterator<Item = PathBuf> {
    let suffixes = [".npy", ".index.npy", ".json", ".files.txt"];
    plan.channels
        .iter()
        .flat_map(move |channel| suffixes.map(|suffix| out.join(settings.name.sibling(channel.channel, suffix))))
}

fn find(folder: &Path) -> Result<Option<Found>, ConvertError> {
    let opened = Journal::open(&folder.join(JOURNAL))?;
    Ok(opened.map(|(journal, records)| Found {
        folder: folder.to_owned(),
        journal,
        records,
    }))
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

/// Names a command by all that decides about its bytes: its inputs, its choices, and what the arrays are called.
fn key(request: &PlanRequest, settings: &Settings) -> String {
    let inputs: Vec<PathBuf> = request
        .inputs
        .iter()
        .map(|input| std::path::absolute(input).unwrap_or_else(|_| PathBuf::from(input)))
        .collect();
    let text = format!(
        "{inputs:?} {:?} {:?} {} {} {:?} {}",
        request.channels, request.stem, request.recursive, request.join, request.options, settings.name
    );
    let digest = Sha256::digest(text.as_bytes());
    format!(
        "{:016x}",
        u64::from_be_bytes(*digest.first_chunk().expect("a SHA-256 has 32 bytes"))
    )
}

/// What was asked, in a line for people.
fn describe(request: &PlanRequest) -> String {
    let inputs: Vec<String> = request
        .inputs
        .iter()
        .map(|input| PathBuf::from(input).display().to_string())
        .collect();
    let options = serde_json::to_string(&request.options).unwrap_or_default();
    format!("inputs {}; options {options}", inputs.join(" "))
}
