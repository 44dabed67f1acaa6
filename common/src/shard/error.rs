//! Why a shard was not made, by what is to be done next.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::fs::StorageError;
use crate::units::RowRange;

/// Why a shard was not made. Nothing of it is left.
#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    /// The folder in which it was to be left is not there: nobody waits for it.
    #[error("the job is over: its folder {} is not there any more", folder.display())]
    JobOver {
        /// The folder.
        folder: PathBuf,
    },
    /// Some of its files may still be written: these rows once they have settled, the others at any time.
    #[error("some of the files seem to be still being written")]
    StillWriting(Vec<RowRange>),
    /// It could not be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl ShardError {
    /// What a failure in the folder of a job means.
    pub(super) fn of(job: &Path, error: StorageError) -> Self {
        let gone = matches!(
            error.source_kind(),
            ErrorKind::NotFound | ErrorKind::StaleNetworkFileHandle
        );
        // The file server may only just not be there.
        if gone && std::fs::metadata(job).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Self::JobOver { folder: job.to_owned() };
        }
        Self::Storage(error)
    }
}
