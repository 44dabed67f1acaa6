//! A file of a shard: opened by its name, its header checked, read piece by piece.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use super::error::StitchError;
use crate::convert::Checksum;
use crate::fs::{self, StorageError};
use crate::shard::Header;

/// An array's or an index's file of a shard.
pub(super) struct Source<'p> {
    pub(super) path: &'p Path,
    pub(super) file: File,
    length: u64,
}

impl<'p> Source<'p> {
    /// Opens a file that is to have this header, and as many bytes as belong to it. `patience`: how long it may take to be
    /// seen here. Its header is compared in `buffer`.
    pub(super) fn open(
        path: &'p Path,
        header: &Header,
        patience: Duration,
        buffer: &mut [u8],
    ) -> Result<Self, StitchError> {
        let (file, length) = open(path, Some(header.len() + header.payload), patience)?;
        let source = Self { path, file, length };
        let found = &mut buffer[..header.bytes.len()];
        source.read(0, found)?;
        if *found != header.bytes {
            return Err(source.damaged("its header is not the one that was written".to_owned()));
        }
        Ok(source)
    }

    /// Fills `into` from byte `at` on.
    pub(super) fn read(&self, at: u64, into: &mut [u8]) -> Result<(), StitchError> {
        match fs::read_at(&self.file, into, at) {
            Ok(found) if found == into.len() => Ok(()),
            Ok(found) => Err(StitchError::WrongLength {
                path: self.path.to_owned(),
                expected: self.length,
                found: at + found as u64,
            }),
            Err(source) => Err(unreadable(self.path, source)),
        }
    }

    /// Whether what was read is what was written.
    pub(super) fn check(&self, found: Checksum, expected: Checksum) -> Result<(), StitchError> {
        if found == expected {
            return Ok(());
        }
        Err(StitchError::WrongChecksum {
            path: self.path.to_owned(),
            expected: expected.crc,
            found: found.crc,
        })
    }

    pub(super) fn damaged(&self, why: String) -> StitchError {
        StitchError::Damaged {
            path: self.path.to_owned(),
            why,
        }
    }
}

/// Opens a file of a shard, with its length; one that is to have a certain length may have grown to it a moment late.
pub(super) fn open(path: &Path, expected: Option<u64>, patience: Duration) -> Result<(File, u64), StitchError> {
    let open = || {
        let failed = |source| unreadable(path, source);
        let file = File::open(path).map_err(failed)?;
        let found = file.metadata().map_err(failed)?.len();
        match expected {
            Some(expected) if expected != found => Err(StitchError::WrongLength {
                path: path.to_owned(),
                expected,
                found,
            }),
            _ => Ok((file, found)),
        }
    };
    let kind = |error: &StitchError| match error {
        StitchError::Missing { .. } => ErrorKind::NotFound,
        StitchError::WrongLength { expected, found, .. } if found < expected => ErrorKind::UnexpectedEof,
        StitchError::Unreadable(error) => error.source_kind(),
        _ => ErrorKind::Other,
    };
    fs::once_seen(patience, open, kind)
}

pub(super) fn unreadable(path: &Path, source: std::io::Error) -> StitchError {
    if source.kind() == ErrorKind::NotFound {
        return StitchError::Missing { path: path.to_owned() };
    }
    StitchError::Unreadable(StorageError::new("read the shard", path, source))
}
