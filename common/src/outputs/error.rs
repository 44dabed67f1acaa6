//! Why an output cannot be opened, or is not what was written.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::fs::StorageError;

/// Why outputs cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no finished conversion.
    #[error("{}: no finished conversion of trc2npy (C1--Trace.npy with its .index.npy, .json and .files.txt); {there}", path.display())]
    None {
        /// The folder or file that was named.
        path: PathBuf,
        /// What is there instead, or what to do.
        there: String,
    },
    /// One of its files is not what was written.
    #[error("{}: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: Problem,
    },
}

impl OutputError {
    pub(super) fn damaged(path: &Path, problem: Problem) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            problem,
        }
    }
}

/// What is wrong with one file. Its name is the caller's to add.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[serde(tag = "problem", rename_all = "kebab-case")]
pub enum Problem {
    /// It is not there.
    #[error("missing; the other files of this conversion are there (convert again)")]
    Missing,
    /// Another length.
    #[error("{expected} bytes expected, {found} found")]
    Length {
        /// As the JSON says.
        expected: u64,
        /// The file's.
        found: u64,
    },
    /// The first page is another one.
    #[error(
        "its NPY header differs from the one that was written, first at byte {at} ({expected:02x} expected, {found:02x} found)"
    )]
    Header {
        /// The first byte that differs.
        at: usize,
        /// As it was written.
        expected: u8,
        /// As it is.
        found: u8,
    },
    /// The bytes are other ones.
    #[error("CRC32C {written} was written, {found} is found: its bytes have changed")]
    Checksum {
        /// As it was written.
        written: String,
        /// That of the bytes.
        found: String,
    },
    /// Something else.
    #[error("{0}")]
    #[serde(rename = "other")]
    Changed(String),
}
