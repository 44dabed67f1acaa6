//! A failure of the storage, told so that a user knows what to do.

use std::io;
use std::path::{Path, PathBuf};

/// What could not be done, to which file, why, and what helps.
#[derive(Debug, thiserror::Error)]
#[error("could not {action} {path}: {source}{advice}", path = path.display(), advice = advice(source))]
pub struct StorageError {
    /// `write`, `read the journal`.
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// The system's reason.
    pub source: io::Error,
}

impl StorageError {
    /// A failure to `action` `path`.
    pub fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// What helps, for the reasons that users meet.
fn advice(source: &io::Error) -> &'static str {
    const ADVICE: [(io::ErrorKind, &str); 7] = [
        (
            io::ErrorKind::StorageFull,
            "; the disk is full: make room and give the same command again, which goes on from here",
        ),
        (
            io::ErrorKind::QuotaExceeded,
            "; your quota is used up: make room and give the same command again, which goes on from here",
        ),
        (
            io::ErrorKind::PermissionDenied,
            "; you lack the right: check the folder's owner, or choose another --out",
        ),
        (
            io::ErrorKind::ReadOnlyFilesystem,
            "; it cannot be written to: choose another --out",
        ),
        (io::ErrorKind::NotFound, "; it is not there: check the path"),
        (
            io::ErrorKind::StaleNetworkFileHandle,
            "; the file server was restarted: give the same command again",
        ),
        (io::ErrorKind::NotADirectory, "; a part of the path is a file"),
    ];
    ADVICE
        .iter()
        .find(|(kind, _)| *kind == source.kind())
        .map_or("", |(_, text)| text)
}
