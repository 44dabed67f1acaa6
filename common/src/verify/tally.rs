//! What became of the sources, file by file, without a list of them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::plan::Examples;
use crate::units::Bytes;

/// Why a source should be kept although its rows agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// Its rows are bad: what it holds is nowhere else.
    BadRows,
    /// Not all of its segments have rows.
    MoreSegments,
    /// Its rows were cut to the length of the array's.
    LongerRows,
    /// It has another array, which was not converted.
    OtherArray,
    /// It differs from what is stored, or could not be compared.
    Differs,
}

impl Kept {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::BadRows,
        Self::MoreSegments,
        Self::LongerRows,
        Self::OtherArray,
        Self::Differs,
    ];

    /// How people are told, behind a number of files.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::BadRows => "whose rows are bad",
            Self::MoreSegments => "with segments that are in no array",
            Self::LongerRows => "whose rows are longer than the array's",
            Self::OtherArray => "with another array, which was not converted",
            Self::Differs => "that differ or could not be compared",
        }
    }
}

/// The sources of one channel.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Files all of whose samples are in the array.
    pub safe_files: u64,
    /// Their bytes.
    pub safe_bytes: Bytes,
    /// Files that hold more than the array does.
    pub kept: BTreeMap<Kept, Examples<String>>,
    /// Files that are not there or cannot be read.
    pub missing: Examples<String>,
    /// Files of which only a part has been seen.
    #[serde(skip)]
    open: BTreeMap<u32, FilePart>,
}

/// What some rows of a file say of it.
#[derive(Clone, Debug)]
pub(super) struct FilePart {
    pub(super) label: String,
    pub(super) rows: u64,
    pub(super) segments: u64,
    pub(super) bytes: Bytes,
    pub(super) missing: bool,
    pub(super) kept: Option<Kept>,
}

impl FilePart {
    fn join(&mut self, other: &Self) {
        self.rows += other.rows;
        self.missing |= other.missing;
        self.kept = self.kept.max(other.kept);
    }
}

impl Tally {
    /// Counts a file of which all rows have been seen.
    pub(super) fn add(&mut self, file: FilePart) {
        let more = (file.rows < file.segments).then_some(Kept::MoreSegments);
        if file.missing {
            self.missing.add_smallest(file.label);
        } else if let Some(kept) = file.kept.or(more) {
            self.kept.entry(kept).or_default().add_smallest(file.label);
        } else {
            self.safe_files += 1;
            self.safe_bytes += file.bytes;
        }
    }

    /// Takes over what another part of the channel has counted; `edges` are files that may reach beyond it.
    pub(super) fn join(&mut self, other: Self, edges: Vec<(u32, FilePart)>) {
        self.safe_files += other.safe_files;
        self.safe_bytes += other.safe_bytes;
        self.missing.merge_smallest(other.missing);
        for (kept, files) in other.kept {
            self.kept.entry(kept).or_default().merge_smallest(files);
        }
        for (number, part) in edges {
            match self.open.get_mut(&number) {
                Some(known) => known.join(&part),
                None => {
                    self.open.insert(number, part);
                }
            }
        }
    }

    /// All parts are there.
    pub(super) fn close(&mut self) {
        for (_, file) in std::mem::take(&mut self.open) {
            self.add(file);
        }
    }

    /// Files that were looked at.
    pub fn files(&self) -> u64 {
        let kept: u64 = self.kept.values().map(|files| files.count).sum();
        self.safe_files + kept + self.missing.count
    }
}
