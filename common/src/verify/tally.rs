//! What became of the sources of one channel, file by file.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::plan::Examples;
use crate::units::Bytes;

/// Why a source should be kept although its rows agree. Of several reasons the last counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// Something other than padding stands behind its last block.
    BytesBehind,
    /// It has reserved blocks, or more trigger times than segments.
    OtherBlocks,
    /// It has the times of the sweeps that an RIS acquisition was put together of.
    RisTimes,
    /// It has a text of the user's.
    UserText,
    /// Two of its codes can become one float32 value.
    Rounded,
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
    /// It lies in a folder of the sources, and no array has a row of it.
    InNoArray,
    /// It lies there too, and is no trace.
    NoTrace,
}

impl Kept {
    /// How people are told, behind a number of files.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::BytesBehind => "with bytes behind the last block, which are in no output",
            Self::OtherBlocks => "with reserved blocks, or more trigger times than segments, which are in no output",
            Self::RisTimes => "with the times of an RIS acquisition, which are in no output",
            Self::UserText => "with a text of the user's, which is in no output",
            Self::Rounded => {
                "whose stored codes float32 cannot all tell apart, as the gain is too small or too large for it \
                 (--dtype native keeps them)"
            }
            Self::BadRows => "whose rows are bad",
            Self::MoreSegments => "with segments that are in no array",
            Self::LongerRows => "whose rows are longer than the array's",
            Self::OtherArray => "with another array, which was not converted",
            Self::Differs => "that differ or could not be compared",
            Self::InNoArray => "of which there is no row in these arrays",
            Self::NoTrace => "or folders of another kind beside them",
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
    /// Each file that is there, in no order.
    #[serde(skip)]
    pub(super) seen: Vec<Seen>,
    /// Files of which only a part has been seen.
    #[serde(skip)]
    open: BTreeMap<u32, FilePart>,
}

/// A file all of whose rows have been seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// Its line in the list.
    pub(super) number: u32,
    /// None where all that it holds is in the array.
    pub(super) kept: Option<Kept>,
    pub(super) bytes: Bytes,
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
    pub(super) fn add(&mut self, number: u32, file: FilePart) {
        if file.missing {
            self.missing.add_smallest(file.label);
            return;
        }
        let more = (file.rows < file.segments).then_some(Kept::MoreSegments);
        let (kept, bytes) = (file.kept.max(more), file.bytes);
        self.seen.push(Seen { number, kept, bytes });
        if let Some(kept) = kept {
            self.kept.entry(kept).or_default().add_smallest(file.label);
        } else {
            self.safe_files += 1;
            self.safe_bytes += bytes;
        }
    }

    /// Takes over what another part of the channel has counted; `edges` are files that may reach beyond it.
    pub(super) fn join(&mut self, mut other: Self, edges: Vec<(u32, FilePart)>) {
        self.safe_files += other.safe_files;
        self.safe_bytes += other.safe_bytes;
        self.missing.merge_smallest(other.missing);
        self.seen.append(&mut other.seen);
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
        for (number, file) in std::mem::take(&mut self.open) {
            self.add(number, file);
        }
    }
}
