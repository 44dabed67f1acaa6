//! Why the state could not be opened or written.

use std::path::{Path, PathBuf};

/// Why the coordinator's state cannot be used. Nothing of it was changed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder holds something, and no journal.
    #[error(
        "{folder}: there are files here and no journal.redb: if this is a coordinator's state, its journal is lost (put \
         it back from a backup); to begin a new one choose an empty folder as --state",
        folder = folder.display()
    )]
    Missing {
        /// The state's folder.
        folder: PathBuf,
    },
    /// A file is where the folder should be.
    #[error(
        "--state {folder}: {file} is a file, and the coordinator's records need a folder; name another one, which is made \
         if needed",
        folder = folder.display(), file = file.display()
    )]
    NoFolder {
        /// What was named as the state's folder.
        folder: PathBuf,
        /// It, or what lies above it.
        file: PathBuf,
    },
    /// There is nothing to look at.
    #[error("{folder}: no coordinator's state is here (there is no journal.redb); name the --state of a coordinator", folder = folder.display())]
    NotThere {
        /// What was named as a state's folder.
        folder: PathBuf,
    },
    /// Another process has it open.
    #[error("{path}: another coordinator uses this state; stop it first, or choose another --state", path = path.display())]
    InUse {
        /// The journal.
        path: PathBuf,
    },
    /// Not what was written.
    #[error(
        "{path}: the journal is damaged ({why}); put it back from a backup, or begin anew with an empty --state: the jobs \
         are forgotten then, finished arrays stay, and submitting a job again goes on with what it had",
        path = path.display()
    )]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It was there when the coordinator started.
    #[error(
        "{path}: somebody has removed the journal while the coordinator was running; put it back from a backup, or start \
         the coordinator with an empty --state: finished arrays stay, and submitting a job again goes on with what it had",
        path = path.display()
    )]
    Removed {
        /// The journal.
        path: PathBuf,
    },
    /// A later version of the program wrote it.
    #[error(
        "{path}: the state has version {found}, this trc2npy knows versions up to {known}: start the newer trc2npy again",
        path = path.display()
    )]
    Newer {
        /// The journal.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The newest that is known.
        known: u64,
    },
    /// The storage failed.
    #[error("{path}: {source}; look at this disk, then start the coordinator again", path = path.display())]
    Storage {
        /// What could not be read or written.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl JournalError {
    pub(super) fn new(path: &Path, error: redb::Error) -> Self {
        let path = path.to_owned();
        match error {
            redb::Error::DatabaseAlreadyOpen => Self::InUse { path },
            redb::Error::Io(source) if source.kind() != std::io::ErrorKind::InvalidData => {
                Self::Storage { path, source }
            }
            other => Self::Damaged {
                path,
                why: other.to_string(),
            },
        }
    }
}
