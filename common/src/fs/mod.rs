//! What differs between file systems and operating systems, each call with its Windows twin.
//!
//! Inputs are opened read-only here and nowhere else.

mod durable;
mod error;
mod lock;
mod place;
mod positioned;

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::time::SystemTime;

pub use durable::{rename, sync_data, sync_dir, write_file};
pub use error::StorageError;
pub use lock::{Lock, LockError, Owner};
pub use place::{FsKind, Space, allocated, kind, space};
pub use positioned::{read_at, write_all_at};

use crate::units::Bytes;

/// An open folder, from which files are opened by name without walking the path anew for each.
#[derive(Debug)]
pub struct Dir {
    #[cfg(unix)]
    handle: rustix::fd::OwnedFd,
    #[cfg(not(unix))]
    path: std::path::PathBuf,
}

impl Dir {
    /// Opens a folder.
    #[cfg(unix)]
    pub fn open(path: &Path) -> io::Result<Self> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self {
            handle: rustix::fs::open(path, flags, Mode::empty())?,
        })
    }

    /// Opens a folder.
    #[cfg(not(unix))]
    pub fn open(path: &Path) -> io::Result<Self> {
        std::fs::metadata(path)?;
        Ok(Self { path: path.to_owned() })
    }

    /// Opens one of its files, read-only.
    #[cfg(unix)]
    pub fn open_file(&self, name: &str) -> io::Result<File> {
        use rustix::fs::{Mode, OFlags};
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        Ok(rustix::fs::openat(&self.handle, name, flags, Mode::empty())?.into())
    }

    /// Opens one of its files, read-only.
    #[cfg(not(unix))]
    pub fn open_file(&self, name: &str) -> io::Result<File> {
        File::open(self.path.join(name))
    }
}

/// Whether a file could not be opened because its writer keeps it for itself (Windows).
pub fn held_by_writer(error: &io::Error) -> bool {
    /// ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION.
    const HELD: [i32; 2] = [32, 33];
    cfg!(windows) && error.raw_os_error().is_some_and(|code| HELD.contains(&code))
}

/// What tells that a file has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its size.
    pub size: Bytes,
    /// Its time of last modification, nanoseconds since 1970, UTC.
    pub mtime_ns: i64,
}

impl Stamp {
    /// The stamp of an open file.
    pub fn of(file: &File) -> io::Result<Self> {
        Ok(Self::from_metadata(&file.metadata()?))
    }

    /// The stamp in a file's metadata.
    pub fn from_metadata(metadata: &Metadata) -> Self {
        let mtime_ns = metadata
            .modified()
            .map_or(0, |time| match time.duration_since(SystemTime::UNIX_EPOCH) {
                Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
                Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
            });
        Self {
            size: Bytes(metadata.len()),
            mtime_ns,
        }
    }
}
