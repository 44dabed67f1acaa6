//! Which sources could be deleted: each counted once, however many arrays have rows of it, and what lies beside them.
//!
//! The result errs on the side of keeping: what is not known to be in the arrays is to be kept. Nothing is deleted here.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::folders::{SourceFolders, split};
use super::tally::{Kept, Seen};
use crate::fs::{self, StorageError};
use crate::outputs::{Description, FileList, Paths};
use crate::plan::{self, Examples};
use crate::report;
use crate::trc::{Field, FieldSet};
use crate::units::Bytes;

/// Header fields that a row's index record holds, or that its samples do.
const IN_THE_INDEX: FieldSet = FieldSet::EMPTY
    .with(Field::TriggerTime)
    .with(Field::VerticalGain)
    .with(Field::VerticalOffset)
    .with(Field::HorizInterval)
    .with(Field::HorizOffset)
    .with(Field::CommType)
    .with(Field::CommOrder);

/// What could be deleted, and what not.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Deletion {
    /// The folders of the sources, as lists name them.
    pub folders: Vec<String>,
    /// Files that hold nothing that is not in the arrays, but for [`Deletion::only_in_headers`].
    pub files: u64,
    /// Their bytes.
    pub bytes: Bytes,
    /// All sources of these folders: those, and what is to be kept; files of another kind are not among them.
    pub of_files: u64,
    /// What is to be kept, and why.
    pub kept: BTreeMap<Kept, Examples<String>>,
    /// Header fields that vary from file to file and are in no index.
    pub only_in_headers: FieldSet,
}

/// Shown each source once, with why it is to be kept; none where it could be deleted.
pub type SeeSource<'s> = &'s mut dyn FnMut(&Path, Option<Kept>);

/// A channel all of whose sources were seen, and agree.
pub(super) struct Channel<'c> {
    pub(super) sources: &'c SourceFolders,
    pub(super) list: &'c FileList,
    pub(super) description: &'c Description,
    pub(super) seen: &'c [Seen],
}

/// A file by its real folder and its name: half of their BLAKE3, which no two files share. Run folders can hold
/// millions of files.
type Key = [u8; 16];

fn key(folder: &Path, name: &str) -> Key {
    let mut hasher = blake3::Hasher::new();
    hasher.update(folder.as_os_str().as_encoded_bytes());
    hasher.update(b"/");
    hasher.update(name.as_bytes());
    let mut half = Key::default();
    half.copy_from_slice(&hasher.finalize().as_bytes()[..size_of::<Key>()]);
    half
}

/// A source that some array has rows of.
struct Source {
    bytes: Bytes,
    kept: Option<Kept>,
    shown: bool,
}

/// Brings the channels' files together, and looks what else their folders hold. `outputs` can lie among them.
pub(super) fn conclude(
    channels: &[Channel<'_>],
    outputs: &[Paths],
    see: SeeSource<'_>,
) -> Result<Deletion, StorageError> {
    let mut folders = Folders::default();
    let mut sources: FxHashMap<Key, Source> = FxHashMap::default();
    let mut found = Deletion::default();
    for channel in channels {
        found.only_in_headers = found.only_in_headers.union(channel.description.varying_fields);
        folders.add_named(channel.sources)?;
        each(channel, &mut folders, |_, key, seen| {
            let source = sources.entry(key).or_insert(Source {
                bytes: seen.bytes,
                kept: seen.kept,
                shown: false,
            });
            // What one array lacks another may have.
            source.kept = source.kept.min(seen.kept);
        })?;
    }
    found.only_in_headers = found.only_in_headers.without(IN_THE_INDEX);
    let mut tell = |path: &Path, label: String, kept: Option<Kept>| {
        if let Some(kept) = kept {
            found.kept.entry(kept).or_default().add_smallest(label);
        }
        found.of_files += u64::from(kept != Some(Kept::NoTrace));
        see(path, kept);
    };
    let (mut files, mut bytes) = (0, Bytes(0));
    for channel in channels {
        each(channel, &mut folders, |(path, line), key, _| {
            let Some(source) = sources.get_mut(&key).filter(|source| !source.shown) else {
                return;
            };
            source.shown = true;
            if source.kept.is_none() {
                files += 1;
                bytes += source.bytes;
            }
            tell(path, line.to_owned(), source.kept);
        })?;
    }
    let ours = Ours::of(outputs);
    for (folder, label) in &folders.real {
        for (name, is_folder) in names(folder)? {
            let path = folder.join(&name);
            let shown = name.to_string_lossy();
            let is_known = match (is_folder, name.to_str()) {
                (true, _) => folders.real.contains_key(&path),
                (false, Some(text)) => sources.contains_key(&key(folder, text)),
                (false, None) => false,
            };
            if is_known || ours.hold(folder, &name) || plan::is_hidden(name.as_encoded_bytes()) {
                continue;
            }
            let is_trace = !is_folder && plan::is_trace(&shown);
            let kept = if is_trace { Kept::InNoArray } else { Kept::NoTrace };
            tell(&path, format!("{label}/{shown}"), Some(kept));
        }
    }
    found.folders = folders.real.into_values().collect();
    found.folders.sort();
    (found.files, found.bytes) = (files, bytes);
    Ok(found)
}

/// Shows the sources of a channel: path and line, key, and what was seen.
fn each(
    channel: &Channel<'_>,
    folders: &mut Folders,
    mut show: impl FnMut((&Path, &str), Key, Seen),
) -> Result<(), StorageError> {
    let mut seen: Vec<Seen> = channel.seen.to_vec();
    seen.sort_unstable_by_key(|seen| seen.number);
    let mut lines = channel.list.lines_of();
    let mut last: Option<(String, PathBuf)> = None;
    for seen in seen {
        let line = lines.get(seen.number.into())?.unwrap_or_default();
        // Of what has no path nothing was seen.
        let Ok(path) = channel.sources.path_of(line) else {
            continue;
        };
        let (label, name) = split(line);
        let real = match &mut last {
            Some((known, real)) if *known == label => real,
            other => {
                let real = folders.real_of(path.parent().unwrap_or(&path), &label)?;
                &mut other.insert((label, real)).1
            }
        };
        show((&path, line), key(real, &name), seen);
    }
    Ok(())
}

/// Real paths of the sources' folders, and how lists name them.
#[derive(Default)]
struct Folders {
    real: BTreeMap<PathBuf, String>,
    known: BTreeMap<PathBuf, PathBuf>,
}

impl Folders {
    /// Also those of which no file has a row.
    fn add_named(&mut self, sources: &SourceFolders) -> Result<(), StorageError> {
        for (label, path) in sources.named() {
            if path.is_dir() {
                self.real_of(path, label)?;
            }
        }
        Ok(())
    }

    fn real_of(&mut self, folder: &Path, label: &str) -> Result<PathBuf, StorageError> {
        if let Some(real) = self.known.get(folder) {
            return Ok(real.clone());
        }
        let real = fs::real(folder).map_err(|source| StorageError::new("open", folder, source))?;
        self.known.insert(folder.to_owned(), real.clone());
        self.real.entry(real.clone()).or_insert_with(|| label.to_owned());
        Ok(real)
    }
}

/// The verified files, which may lie beside their sources.
struct Ours(BTreeSet<(PathBuf, OsString)>);

impl Ours {
    fn of(outputs: &[Paths]) -> Self {
        let files = outputs.iter().flat_map(|paths| {
            let folder = fs::real(paths.folder()).unwrap_or_default();
            let names = paths.all().map(|path| path.file_name().unwrap_or_default().to_owned());
            let names = names
                .into_iter()
                .chain(["report.json", report::NAME].map(OsString::from));
            names.map(move |name| (folder.clone(), name))
        });
        Self(files.collect())
    }

    fn hold(&self, folder: &Path, name: &OsString) -> bool {
        !self.0.is_empty() && self.0.contains(&(folder.to_owned(), name.clone()))
    }
}

/// What is in a folder, and whether it is a folder itself.
fn names(folder: &Path) -> Result<Vec<(OsString, bool)>, StorageError> {
    let list = || -> std::io::Result<Vec<(OsString, bool)>> {
        std::fs::read_dir(folder)?
            .map(|entry| {
                let entry = entry?;
                Ok((entry.file_name(), entry.file_type()?.is_dir()))
            })
            .collect()
    };
    let mut names = list().map_err(|source| StorageError::new("list", folder, source))?;
    names.sort_unstable();
    Ok(names)
}
