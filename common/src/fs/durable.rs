//! Changes that survive a power cut.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::StorageError;

/// Brings a file's bytes to the disk.
pub fn sync_data(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// Brings a folder's names to the disk.
#[cfg(unix)]
pub fn sync_dir(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        // Some network file systems have no such call for folders: they keep names durable by themselves.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        other => other,
    }
}

/// Brings a folder's names to the disk: NTFS journals them by itself, and a folder cannot be opened for it.
#[cfg(not(unix))]
pub fn sync_dir(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Gives a file its name, in place of what had it before; durable on return.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    rename_patiently(from, to)?;
    to.parent().map_or(Ok(()), sync_dir)
}

#[cfg(not(windows))]
fn rename_patiently(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::rename(from, to)
}

/// A virus scanner or indexer holds new files for some seconds.
#[cfg(windows)]
fn rename_patiently(from: &Path, to: &Path) -> io::Result<()> {
    use std::time::{Duration, Instant};
    /// ERROR_ACCESS_DENIED, ERROR_SHARING_VIOLATION, ERROR_LOCK_VIOLATION.
    const PASSING: [i32; 3] = [5, 32, 33];
    let end = Instant::now() + Duration::from_secs(10);
    loop {
        match std::fs::rename(from, to) {
            Err(error) if Instant::now() < end && error.raw_os_error().is_some_and(|code| PASSING.contains(&code)) => {
                std::thread::sleep(Duration::from_millis(100));
            }
            other => return other,
        }
    }
}

/// Writes a small file whole: it has its old content or the new one, whatever happens.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let beside = PathBuf::from(name);
    let write = || -> io::Result<()> {
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        sync_data(&file)?;
        drop(file);
        rename(&beside, path)
    };
    write().map_err(|source| StorageError::new("write", path, source))
}
