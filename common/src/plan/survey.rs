//! What inputs hold, before anything is decided about it: folders, and their files by name, size and time.
//!
//! Made on a machine that sees the inputs. The plan may be made on another one: it needs this, and the first bytes of some
//! files ([`Heads`]).

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::error::PlanError;
use super::findings::Examples;
use super::inputs::{FolderInput, resolve};
use super::names::{Class, Unmatched, split};
use super::planner::{list_all, pool};
use super::probe::read_head;
use super::walk::{Listing, RawEntry};
use crate::fs::Stamp;
use crate::roots::{RootError, Roots, is_file_name};
use crate::units::Bytes;

/// Where the first bytes of files come from.
pub trait Heads: fmt::Debug + Sync {
    /// [`HEAD_BYTES`](crate::trc::HEAD_BYTES) of a file, or all of a shorter one.
    fn head(&self, path: &Path) -> io::Result<Vec<u8>>;
}

/// The files that this machine sees.
#[derive(Clone, Copy, Debug)]
pub struct OwnFiles;

impl Heads for OwnFiles {
    fn head(&self, path: &Path) -> io::Result<Vec<u8>> {
        read_head(path)
    }
}

/// The folders that some inputs name, each with its files.
#[derive(Debug, Default)]
pub struct Survey {
    pub(super) folders: Vec<(FolderInput, Listing)>,
}

/// Lists what the inputs name, with `recursive` also the folders below. `seen` counts the files as they come.
pub fn survey(inputs: &[PathBuf], recursive: bool, threads: usize, seen: &AtomicU64) -> Result<Survey, PlanError> {
    pool(threads)?.install(|| {
        let folders = list_all(resolve(inputs)?, recursive, seen)?;
        Ok(Survey { folders })
    })
}

/// A survey that came from elsewhere and cannot be one.
#[derive(Debug, thiserror::Error)]
#[error("the list of files is not one that trc2npy makes: {0}")]
pub struct BadSurvey(String);

impl From<String> for BadSurvey {
    fn from(why: String) -> Self {
        Self(why)
    }
}

/// What stands before the columns: a folder.
#[derive(Serialize, Deserialize)]
struct FolderHead {
    /// As a place.
    path: String,
    names: Option<Vec<String>>,
    typed: bool,
    classes: Vec<ClassHead>,
    unmatched: BTreeMap<Unmatched, (u64, Vec<String>)>,
    folders: Vec<String>,
    entries: u64,
}

/// A form of names, told by one of them.
#[derive(Serialize, Deserialize)]
struct ClassHead {
    name: String,
    literal: bool,
}

/// Bytes of one file: number, size, time, class.
const ENTRY: usize = 28;

impl Survey {
    /// Adds what was found of other inputs, behind what is there; a folder that is there already is left out.
    ///
    /// Fails where of one folder single files are named in both.
    pub fn append(&mut self, other: Self) -> Result<(), PlanError> {
        let known: FxHashMap<PathBuf, usize> = self
            .folders
            .iter()
            .enumerate()
            .map(|(at, (folder, _))| (folder.path.clone(), at))
            .collect();
        for (folder, listing) in other.folders {
            match known.get(&folder.path).map(|&at| &mut self.folders[at]) {
                None => self.folders.push((folder, listing)),
                Some((there, _)) if there.names.is_none() => there.typed |= folder.typed,
                Some(there) if folder.names.is_none() => *there = (folder, listing),
                Some(_) => return Err(PlanError::NamedApart { folder: folder.path }),
            }
        }
        Ok(())
    }

    /// A file of this survey that shows that `other`, a later one of the same inputs, looked at another storage: it has no
    /// such file, or one of the same size and another time (not asked with `trust_size`). Other sizes say nothing: a
    /// file may still be being written.
    pub fn unlike(&self, other: &Self, trust_size: bool) -> Option<PathBuf> {
        let others: FxHashMap<&Path, &Listing> = other
            .folders
            .iter()
            .map(|(folder, listing)| (folder.path.as_path(), listing))
            .collect();
        let nothing = Listing::default();
        self.folders.iter().find_map(|(folder, listing)| {
            let there = others.get(folder.path.as_path()).copied().unwrap_or(&nothing);
            let unlike = unlike(listing, there, trust_size)?;
            Some(
                folder
                    .path
                    .join(listing.classes[unlike.class as usize].name(unlike.number)),
            )
        })
    }

    /// For another machine: paths become places. Fails where a folder is below no root.
    pub fn encode(&self, roots: &Roots) -> Result<Vec<u8>, RootError> {
        let mut heads = Vec::with_capacity(self.folders.len());
        for (folder, listing) in &self.folders {
            let text = |name: &std::ffi::OsString| name.to_string_lossy().into_owned();
            heads.push(FolderHead {
                path: roots.place_below(&folder.path)?.to_string(),
                names: folder.names.as_ref().map(|names| names.iter().map(text).collect()),
                typed: folder.typed,
                classes: listing.classes.iter().map(ClassHead::of).collect(),
                unmatched: listing
                    .unmatched
                    .iter()
                    .map(|(reason, files)| (*reason, (files.count, files.examples.clone())))
                    .collect(),
                folders: listing.folders.iter().map(text).collect(),
                entries: listing.entries.len() as u64,
            });
        }
        let head = serde_json::to_vec(&heads).expect("texts and numbers are JSON");
        let entries: usize = self.folders.iter().map(|(_, listing)| listing.entries.len()).sum();
        let mut bytes = Vec::with_capacity(8 + head.len() + entries * ENTRY);
        bytes.extend((head.len() as u64).to_le_bytes());
        bytes.extend(head);
        for entry in self.folders.iter().flat_map(|(_, listing)| &listing.entries) {
            bytes.extend(entry.number.to_le_bytes());
            bytes.extend(entry.size.to_le_bytes());
            bytes.extend(entry.mtime_ns.to_le_bytes());
            bytes.extend(entry.class.to_le_bytes());
        }
        Ok(bytes)
    }

    /// From [`Survey::encode`] of another machine; places become the paths of `roots`. Nothing in it is trusted: whatever
    /// it says, all its files lie below the roots.
    pub fn decode(bytes: &[u8], roots: &Roots) -> Result<Self, BadSurvey> {
        let cut = || BadSurvey("it is cut off".to_owned());
        let (length, rest) = bytes.split_first_chunk::<8>().ok_or_else(cut)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut())?;
        let (head, mut rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        let heads: Vec<FolderHead> = serde_json::from_slice(head).map_err(|error| error.to_string())?;
        let mut folders = Vec::with_capacity(heads.len());
        for head in heads {
            let length = usize::try_from(head.entries)
                .ok()
                .and_then(|count| count.checked_mul(ENTRY));
            let (columns, others) = length
                .and_then(|length| rest.split_at_checked(length))
                .ok_or_else(cut)?;
            rest = others;
            folders.push(head.folder(columns, roots)?);
        }
        if !rest.is_empty() {
            return Err(format!("{} bytes follow its end", rest.len()).into());
        }
        Ok(Self { folders })
    }
}

impl ClassHead {
    fn of(class: &Class) -> Self {
        Self {
            name: class.name(0),
            literal: class.is_literal(),
        }
    }

    fn class(&self) -> Result<Class, BadSurvey> {
        if !is_file_name(&self.name) {
            return Err(format!("{:?} is no file's name", self.name).into());
        }
        match split(&self.name) {
            Ok(found) if !self.literal => Ok(Class::new(&self.name, found)),
            Err(Unmatched::NoIndex) if self.literal => Ok(Class::literal(&self.name)),
            _ => Err(format!("{:?} is no trace's name", self.name).into()),
        }
    }
}

impl FolderHead {
    fn folder(self, columns: &[u8], roots: &Roots) -> Result<(FolderInput, Listing), BadSurvey> {
        let place = self.path.parse().map_err(|error| format!("{error}"))?;
        let path = roots.resolve(&place).map_err(|error| error.to_string())?;
        let classes = self
            .classes
            .iter()
            .map(ClassHead::class)
            .collect::<Result<Vec<_>, _>>()?;
        let (entries, _) = columns.as_chunks::<ENTRY>();
        let entries: Vec<RawEntry> = entries.iter().map(entry).collect();
        for entry in &entries {
            let class = classes.get(entry.class as usize);
            let class = class.ok_or_else(|| format!("there is no form {} of names", entry.class))?;
            // A number of more digits than its form has would be another file's name.
            if class.number_of(class.name(entry.number).as_bytes()) != Some(entry.number) {
                return Err(format!("{} is no number of its form of names", entry.number).into());
            }
        }
        let input = FolderInput {
            path,
            names: self.names.map(|names| names.into_iter().map(Into::into).collect()),
            typed: self.typed,
        };
        let examples = |(reason, (count, examples))| (reason, Examples { count, examples });
        let listing = Listing {
            classes,
            entries,
            unmatched: self.unmatched.into_iter().map(examples).collect(),
            folders: self.folders.into_iter().map(Into::into).collect(),
        };
        Ok((input, listing))
    }
}

/// The first entry of `here` that `there` has not, or has with another time.
fn unlike(here: &Listing, there: &Listing, trust_size: bool) -> Option<RawEntry> {
    let form = |class: &Class| (class.name(0), class.is_literal());
    let forms: FxHashMap<_, u32> = there.classes.iter().map(form).zip(0..).collect();
    let known: Vec<Option<u32>> = here
        .classes
        .iter()
        .map(|class| forms.get(&form(class)).copied())
        .collect();
    let theirs: FxHashMap<(u32, u64), &RawEntry> = there
        .entries
        .iter()
        .map(|entry| ((entry.class, entry.number), entry))
        .collect();
    let is_unlike = |entry: &&RawEntry| {
        let same = known[entry.class as usize].and_then(|class| theirs.get(&(class, entry.number)));
        same.is_none_or(|same| {
            !trust_size && same.size == entry.size && stamp(same).time_apart(&stamp(entry)).is_some()
        })
    };
    here.entries.iter().find(is_unlike).copied()
}

const fn stamp(entry: &RawEntry) -> Stamp {
    Stamp {
        size: Bytes(entry.size),
        mtime_ns: entry.mtime_ns,
    }
}

fn entry(bytes: &[u8; ENTRY]) -> RawEntry {
    let eight = |at: usize| -> [u8; 8] { bytes[at..at + 8].try_into().expect("eight bytes") };
    RawEntry {
        number: u64::from_le_bytes(eight(0)),
        size: u64::from_le_bytes(eight(8)),
        mtime_ns: i64::from_le_bytes(eight(16)),
        class: u32::from_le_bytes(bytes[24..].try_into().expect("four bytes")),
    }
}
