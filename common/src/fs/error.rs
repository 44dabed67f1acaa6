//! What people are told when storage fails.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A file or folder that could not be used: what was tried, where, why, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{}; {}", self.found(), self.advice())]
pub struct StorageError {
    /// What was tried, as it follows "could not": `write`, `open`.
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

impl StorageError {
    /// The failure of `action` on `path`.
    pub fn new(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self {
            action,
            path: path.to_owned(),
            source,
        }
    }

    /// What was found, without what to do about it.
    pub fn found(&self) -> String {
        format!(
            "could not {} {}: {}",
            self.action,
            self.path.display(),
            reason(&self.source)
        )
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        advice(self.source.kind())
    }

    /// The kind of the operating system's error.
    pub fn source_kind(&self) -> ErrorKind {
        self.source.kind()
    }
}

/// Kinds whose cause people can act on: the kind, the reason in plain words, what to do.
const KNOWN: [(ErrorKind, &str, &str); 13] = [
    (
        ErrorKind::NotFound,
        "it does not exist",
        "check the path, and that the drive is mounted",
    ),
    (
        ErrorKind::PermissionDenied,
        "access denied",
        "check its permissions and that no other program holds it",
    ),
    (
        ErrorKind::StorageFull,
        "the disk is full",
        "free some space or choose another output folder, then run again",
    ),
    (
        ErrorKind::QuotaExceeded,
        "the disk quota is used up",
        "free some space or ask for a larger quota, then run again",
    ),
    (
        ErrorKind::FileTooLarge,
        "the file system does not hold files this large, or this program may not write them",
        "choose an output folder on another file system, or raise the limit (ulimit -f)",
    ),
    (
        ErrorKind::ReadOnlyFilesystem,
        "the file system is read-only",
        "choose another folder or mount it writable",
    ),
    (
        ErrorKind::AlreadyExists,
        "it exists already",
        "remove it or choose another name",
    ),
    (ErrorKind::NotADirectory, "it is not a folder", "name a folder instead"),
    (ErrorKind::IsADirectory, "it is a folder", "name a file instead"),
    (
        ErrorKind::InvalidFilename,
        "the file system does not allow this name, or not one so long",
        "choose a shorter or plainer name",
    ),
    (
        ErrorKind::StaleNetworkFileHandle,
        "the file server no longer knows it",
        "mount the share again, then run again",
    ),
    (
        ErrorKind::TimedOut,
        "the storage did not answer in time",
        "check the network and the file server, then run again",
    ),
    (
        ErrorKind::CrossesDevices,
        "the two names lie on different file systems",
        "keep temporary files and output in one folder",
    ),
];

fn reason(error: &io::Error) -> String {
    let known = KNOWN.iter().find(|(kind, ..)| *kind == error.kind());
    known.map_or_else(|| error.to_string(), |(_, reason, _)| (*reason).to_owned())
}

fn advice(kind: ErrorKind) -> &'static str {
    let known = KNOWN.iter().find(|(known, ..)| *known == kind);
    known.map_or(
        "check the drive or its network connection, then run again",
        |(.., advice)| advice,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_what_where_why_and_what_to_do() {
        let full = StorageError::new("write", Path::new("out/C1.npy"), ErrorKind::StorageFull.into());
        assert_eq!(
            full.to_string(),
            "could not write out/C1.npy: the disk is full; free some space or choose another output folder, then run again"
        );
        assert_eq!(full.to_string(), format!("{}; {}", full.found(), full.advice()));
        assert_eq!(full.source_kind(), ErrorKind::StorageFull);
    }

    #[test]
    fn an_unknown_cause_keeps_the_words_of_the_system() {
        let odd = StorageError::new("read", Path::new("a.trc"), io::Error::other("sector 7 is gone"));
        assert!(odd.to_string().contains("sector 7 is gone; check the drive"), "{odd}");
    }
}
