//! Where a channel's rows go: its own two files, or a shard's.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use super::error::ConvertError;
use super::form::Form;
use super::stream::Turn;
use crate::fs::{self, StorageError};

/// Where the rows of a channel go: the array and its index, both open for positioned writes.
#[derive(Debug)]
pub struct Target {
    /// The array's file.
    pub data: File,
    /// Where it lies, for messages.
    pub data_path: PathBuf,
    /// The index's file.
    pub index: File,
    /// Where it lies, for messages.
    pub index_path: PathBuf,
    /// Where row `first_row` begins in the array's file.
    pub data_start: u64,
    /// Where the record of row `first_row` begins in the index's file.
    pub index_start: u64,
    /// The row at both starts.
    pub first_row: u64,
    /// What stands for a row in the array's file.
    pub form: Form,
    /// For threads that bring shards into the array.
    pub(crate) turn: Turn,
}

impl Target {
    /// Brings what was written to the disk.
    pub(crate) fn sync(&self) -> Result<(), StorageError> {
        for (file, path) in [(&self.data, &self.data_path), (&self.index, &self.index_path)] {
            fs::sync_data(file).map_err(|source| StorageError::new("bring to the disk", path, source))?;
        }
        Ok(())
    }

    pub(super) fn array_failed(&self, source: std::io::Error) -> ConvertError {
        StorageError::new("write the array", &self.data_path, source).into()
    }

    pub(super) fn index_failed(&self, source: std::io::Error) -> ConvertError {
        StorageError::new("write the index", &self.index_path, source).into()
    }
}

/// Opens or makes a file of `length` that begins with `header`.
pub(crate) fn prepare(path: &Path, header: &[u8], length: u64) -> Result<File, StorageError> {
    let failed = |source| StorageError::new("write", path, source);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(failed)?;
    fs::allow_holes(&file);
    file.set_len(length).map_err(failed)?;
    fs::write_all_at(&file, header, 0).map_err(failed)?;
    Ok(file)
}
