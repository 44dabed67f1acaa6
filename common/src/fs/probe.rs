//! What a folder allows, found out by trying. What is written for that is removed again.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::{StorageError, kind, share_blocks, write_all_at};

/// The largest cluster of the file systems that share blocks (ReFS), so that it is whole blocks on all of them.
const WHOLE_BLOCKS: usize = 64 << 10;

/// A small file that goes away with this value.
struct Trial {
    path: PathBuf,
    /// None only while it is being dropped: Windows removes no open file.
    file: Option<File>,
}

impl Trial {
    fn create(folder: &Path) -> Result<Self, StorageError> {
        let name = format!(".trc2npy-trial.{}.{:016x}.tmp", std::process::id(), fastrand::u64(..));
        let path = folder.join(name);
        // The folder is what people know; the file's name they have never heard of.
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(|source| StorageError::new("write into", folder, source))?;
        Ok(Self { path, file: Some(file) })
    }

    fn file(&self) -> io::Result<&File> {
        self.file.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        drop(self.file.take());
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Makes a small file in `folder`, writes to it and removes it. An error says why that cannot be.
pub fn can_write(folder: &Path) -> Result<(), StorageError> {
    let trial = Trial::create(folder)?;
    let written = trial.file().and_then(|file| write_all_at(file, b"trc2npy", 0));
    written.map_err(|source| StorageError::new("write into", folder, source))
}

/// Whether two files in `folder` can have the same blocks, as [`share_blocks`] lets them. An error where not even small
/// files can be written.
pub fn can_share_blocks(folder: &Path) -> Result<bool, StorageError> {
    let failed = |source| StorageError::new("write into", folder, source);
    let (from, to) = (Trial::create(folder)?, Trial::create(folder)?);
    let (from, to) = (from.file().map_err(failed)?, to.file().map_err(failed)?);
    write_all_at(from, &vec![1; WHOLE_BLOCKS], 0).map_err(failed)?;
    // Windows shares no blocks beyond the end of a file.
    to.set_len(WHOLE_BLOCKS as u64).map_err(failed)?;
    Ok(share_blocks(from, 0, to, 0, WHOLE_BLOCKS as u64).is_ok())
}

/// Whether files in `folder` can and should have each other's blocks. Not over a network: there a client that has part of a
/// file in memory and a server that puts blocks into it are too easily of two minds. Not where it cannot be tried.
pub fn takes_blocks(folder: &Path) -> bool {
    kind(folder).is_ok_and(|kind| !kind.network) && can_share_blocks(folder).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_leave_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        can_write(folder.path()).unwrap();
        can_share_blocks(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_takes_no_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("nowhere");
        let told = can_write(&nowhere).unwrap_err();
        assert_eq!(told.path, nowhere);
        assert!(told.to_string().starts_with("could not write into "), "{told}");
        assert!(can_share_blocks(&nowhere).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn memory_shares_no_blocks() {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        assert!(!can_share_blocks(folder.path()).unwrap());
    }
}
