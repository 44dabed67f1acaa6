//! Why a shard did not get into its array, by what is to be done next.

use std::path::PathBuf;

use crate::fs::StorageError;
use crate::shard::ShardName;

/// Why a shard did not get into its array.
#[derive(Debug, thiserror::Error)]
pub enum StitchError {
    /// One of its files is not there.
    #[error("{}: the shard is not there", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file has more or fewer bytes than it must.
    #[error("{}: {expected} bytes expected, {found} found", path.display())]
    WrongLength {
        /// The file.
        path: PathBuf,
        /// As its rows need.
        expected: u64,
        /// As it has.
        found: u64,
    },
    /// Its bytes are not those that were written.
    #[error("{}: damaged: CRC32C {expected:08x} expected, {found:08x} found", path.display())]
    WrongChecksum {
        /// The file.
        path: PathBuf,
        /// As its JSON says.
        expected: u32,
        /// As it is.
        found: u32,
    },
    /// Its JSON or a header is not as it was written.
    #[error("{}: damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It is of another plan, or of other rows.
    #[error("{}: {what}: {expected} expected, {found} found", path.display())]
    Foreign {
        /// Its JSON.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// As it should be.
        expected: String,
        /// As it is.
        found: String,
    },
    /// The plan has no such rows.
    #[error("{name}: the plan has no such rows")]
    Unplanned {
        /// The shard.
        name: ShardName,
    },
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(StorageError),
    /// The array cannot be written.
    #[error(transparent)]
    Output(StorageError),
    /// The run is published or given up: nothing more is taken.
    #[error("the run is over: its arrays take no more rows")]
    Over,
}

impl StitchError {
    /// Whether another shard of the same rows may do: the fault is this one's, and not the array's.
    pub const fn is_of_the_shard(&self) -> bool {
        !matches!(self, Self::Output(_) | Self::Over)
    }
}
