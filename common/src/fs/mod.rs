//! What differs between file systems and operating systems, each call with its Windows twin.

mod durable;
mod error;
mod holes;
mod lock;
mod patience;
mod positioned;
mod probe;
mod share;
mod volume;

use std::ffi::OsStr;
#[cfg(windows)]
use std::ffi::OsString;
use std::fs::{DirEntry, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

pub use durable::{
    remove_file, rename, replace, sync_data, sync_dir, write_file, write_file_with, write_synced, write_unsynced,
};
pub use error::StorageError;
pub(crate) use holes::allow_holes;
pub use lock::{Lock, LockError, Owner};
pub use patience::once_seen;
pub use positioned::{read_at, write_all_at};
pub use probe::{can_share_blocks, can_write, takes_blocks};
pub use share::share_blocks;
pub use volume::{FsKind, Shortage, Space, allocated, kind, nearest_existing, shortage, space};

use crate::units::Bytes;

/// Where a path really is: absolute, links followed. On Windows it begins with `\\?\`, and is to be compared with such
/// paths alone.
#[cfg(unix)]
pub fn real(path: &Path) -> io::Result<PathBuf> {
    std::fs::canonicalize(path)
}

/// Where a path really is: absolute, links followed, as the disk has its case. Begins with `\\?\`, and is to be compared
/// with such paths alone. Drives whose driver cannot say it (RAM disks, encrypted containers) are believed as they are named.
#[cfg(windows)]
pub fn real(path: &Path) -> io::Result<PathBuf> {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound, PermissionDenied};
    let error = match std::fs::canonicalize(path) {
        Err(error)
            if !matches!(
                error.kind(),
                NotFound | NotADirectory | InvalidFilename | PermissionDenied
            ) =>
        {
            error
        }
        known => return known,
    };
    std::fs::metadata(path).map_err(|_| error)?;
    std::path::absolute(path).map(|absolute| unlimited(&absolute))
}

/// An absolute path in the form that has no limit to its length.
#[cfg(windows)]
fn unlimited(absolute: &Path) -> PathBuf {
    let text = absolute.as_os_str();
    let form = match absolute.to_str() {
        Some(text) if text.starts_with(r"\\?\") || text.starts_with(r"\\.\") => return absolute.to_owned(),
        Some(text) if text.starts_with(r"\\") => return PathBuf::from(format!(r"\\?\UNC\{}", &text[2..])),
        _ => r"\\?\",
    };
    let mut long = OsString::from(form);
    long.push(text);
    long.into()
}

/// An open folder. Files are opened relative to it, which spares a network file system the walk down the path.
#[derive(Debug)]
pub struct Dir {
    #[cfg(unix)]
    handle: rustix::fd::OwnedFd,
    #[cfg(windows)]
    path: PathBuf,
}

#[cfg(unix)]
impl Dir {
    /// Opens a folder; an error where there is none, or it is no folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        use rustix::fs::{CWD, Mode, OFlags, openat};
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = rustix::io::retry_on_intr(|| openat(CWD, path, flags, Mode::empty()))?;
        Ok(Self { handle })
    }

    /// Opens a file of the folder for reading.
    pub fn open_file(&self, name: &str) -> io::Result<File> {
        use rustix::fs::{Mode, OFlags, openat};
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::io::retry_on_intr(|| openat(&self.handle, name, flags, Mode::empty()))?;
        Ok(file.into())
    }

    /// What the folder says of one of its entries, which has this name; with `follow`, of what a link leads to.
    ///
    /// The entry's own `metadata` goes through the handle that the folder is being read by: two threads that ask
    /// thousands of times through one handle wait for each other, so each opens the folder for itself.
    pub fn look(&self, _: &DirEntry, name: &OsStr, follow: bool) -> io::Result<Look> {
        use rustix::fs::{AtFlags, FileType, statat};
        let flags = if follow {
            AtFlags::empty()
        } else {
            AtFlags::SYMLINK_NOFOLLOW
        };
        let stat = rustix::io::retry_on_intr(|| statat(&self.handle, name, flags))?;
        Ok(Look {
            is_file: FileType::from_raw_mode(stat.st_mode).is_file(),
            stamp: Stamp::from_stat(&stat),
        })
    }
}

#[cfg(windows)]
impl Dir {
    /// Opens a folder; an error where there is none, or it is no folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        if !std::fs::metadata(path)?.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        Ok(Self { path: path.to_owned() })
    }

    /// Opens a file of the folder for reading.
    pub fn open_file(&self, name: &str) -> io::Result<File> {
        File::open(self.path.join(name))
    }

    /// What the folder says of one of its entries, which has this name; with `follow`, of what a link leads to. Without,
    /// it costs nothing: the listing has brought it along.
    pub fn look(&self, entry: &DirEntry, name: &OsStr, follow: bool) -> io::Result<Look> {
        let metadata = if follow {
            std::fs::metadata(self.path.join(name))
        } else {
            entry.metadata()
        };
        metadata.map(|metadata| Look::from(&metadata))
    }
}

/// What a folder says of an entry.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Whether it is a regular file.
    pub is_file: bool,
    /// Its size and time.
    pub stamp: Stamp,
}

impl From<&Metadata> for Look {
    fn from(metadata: &Metadata) -> Self {
        Self {
            is_file: metadata.is_file(),
            stamp: Stamp::from_metadata(metadata),
        }
    }
}

/// What tells one state of a file from a later one without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The file's length.
    pub size: Bytes,
    /// When it was last written, in ns since 1970; 0 where the file system does not say.
    pub mtime_ns: i64,
}

/// FAT and some file servers keep modification times in steps of two seconds: times no further apart are the same.
const TIME_STEP_NS: u64 = 2_000_000_000;

impl Stamp {
    /// How far two modification times are apart, in ns; none where they count as the same.
    pub const fn time_apart(&self, other: &Self) -> Option<u64> {
        let apart = self.mtime_ns.abs_diff(other.mtime_ns);
        if apart > TIME_STEP_NS { Some(apart) } else { None }
    }

    /// The stamp of an open file.
    #[cfg(unix)]
    pub fn of(file: &File) -> io::Result<Self> {
        // Cheaper than `File::metadata`, whose `statx` walks the empty path: this runs once for every input file.
        Ok(Self::from_stat(&rustix::fs::fstat(file)?))
    }

    #[cfg(unix)]
    fn from_stat(stat: &rustix::fs::Stat) -> Self {
        #[allow(clippy::useless_conversion, reason = "the fields' types differ between systems")]
        let (seconds, nanos) = (
            i64::try_from(stat.st_mtime).unwrap_or_default(),
            i64::try_from(stat.st_mtime_nsec).unwrap_or_default(),
        );
        Self {
            size: Bytes(u64::try_from(stat.st_size).unwrap_or_default()),
            mtime_ns: seconds.saturating_mul(1_000_000_000).saturating_add(nanos),
        }
    }

    /// The stamp of an open file.
    #[cfg(not(unix))]
    pub fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::from_metadata(&metadata))
    }

    /// The stamp in metadata that were read already.
    pub fn from_metadata(metadata: &Metadata) -> Self {
        let mtime_ns = metadata
            .modified()
            .map_or(0, |time| match time.duration_since(UNIX_EPOCH) {
                Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
                Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
            });
        Self {
            size: Bytes(metadata.len()),
            mtime_ns,
        }
    }
}

/// Whether an open file has no name any more: somebody has removed it.
#[cfg(unix)]
pub fn is_unlinked(file: &File) -> bool {
    rustix::fs::fstat(file).is_ok_and(|stat| stat.st_nlink == 0)
}

/// Whether an open file has no name any more. Windows keeps the name of what is open.
#[cfg(windows)]
pub fn is_unlinked(_: &File) -> bool {
    false
}

/// Whether an open or a read failed because another program holds the file. Only Windows knows such locks.
#[cfg(windows)]
pub fn held_by_writer(error: &io::Error) -> bool {
    use windows_sys::Win32::Foundation::{ERROR_LOCK_VIOLATION, ERROR_SHARING_VIOLATION};
    error
        .raw_os_error()
        .and_then(|code| u32::try_from(code).ok())
        .is_some_and(|code| code == ERROR_SHARING_VIOLATION || code == ERROR_LOCK_VIOLATION)
}

/// Whether an open or a read failed because another program holds the file. Only Windows knows such locks.
#[cfg(unix)]
pub fn held_by_writer(_: &io::Error) -> bool {
    false
}

/// Whether a program holds the file in a way that keeps it from being replaced. On Windows that is what Jupyter does
/// with an array that it has mapped.
#[cfg(windows)]
pub fn cannot_be_replaced(path: &Path) -> bool {
    use std::os::windows::fs::OpenOptionsExt;
    use windows_sys::Win32::Storage::FileSystem::{DELETE, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE};
    let mut as_if_to_delete = File::options();
    as_if_to_delete
        .access_mode(DELETE)
        .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE);
    as_if_to_delete.open(path).is_err_and(|error| held_by_writer(&error))
}

/// Whether a program holds the file in a way that keeps it from being replaced. On Unix nothing does: who has the old
/// file open keeps seeing it.
#[cfg(unix)]
pub fn cannot_be_replaced(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_folder_opens_its_files_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.trc");
        std::fs::write(&path, b"abc").unwrap();
        let dir = Dir::open(folder.path()).unwrap();
        let file = dir.open_file("a.trc").unwrap();
        assert_eq!(Stamp::of(&file).unwrap().size, Bytes(3));
        assert_eq!(dir.open_file("b.trc").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(Dir::open(&path).unwrap_err().kind(), io::ErrorKind::NotADirectory);
    }

    #[test]
    fn a_stamp_holds_times_before_and_after_1970() {
        let file = tempfile::tempfile().unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_700_000_000))
            .unwrap();
        assert_eq!(Stamp::of(&file).unwrap().mtime_ns, 1_700_000_000_000_000_000);
        file.set_modified(UNIX_EPOCH - Duration::from_secs(5)).unwrap();
        let stamp = Stamp::from_metadata(&file.metadata().unwrap());
        assert_eq!(stamp.mtime_ns, -5_000_000_000);
    }

    #[cfg(windows)]
    #[test]
    fn every_absolute_path_has_an_unlimited_form() {
        for (path, form) in [
            (r"D:\lab\r005", r"\\?\D:\lab\r005"),
            (r"\\nas\lab\r005", r"\\?\UNC\nas\lab\r005"),
            (r"\\?\D:\lab", r"\\?\D:\lab"),
        ] {
            assert_eq!(unlimited(Path::new(path)), Path::new(form));
        }
        let folder = tempfile::tempdir().unwrap();
        let named = unlimited(&std::path::absolute(folder.path()).unwrap());
        assert_eq!(
            real(folder.path()).unwrap().components().next(),
            named.components().next()
        );
    }

    #[test]
    fn a_removed_file_has_no_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!is_unlinked(file.as_file()));
        let (file, path) = file.into_parts();
        drop(path);
        assert_eq!(is_unlinked(&file), cfg!(unix));
    }

    #[test]
    fn only_windows_blames_another_writer() {
        for code in [32, 33] {
            assert_eq!(held_by_writer(&io::Error::from_raw_os_error(code)), cfg!(windows));
        }
        assert!(!held_by_writer(&io::ErrorKind::NotFound.into()));
    }

    #[test]
    fn only_windows_keeps_an_open_file_from_being_replaced() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!cannot_be_replaced(&file.path().with_extension("none")));
        let mut options = File::options();
        options.read(true);
        #[cfg(windows)]
        std::os::windows::fs::OpenOptionsExt::share_mode(&mut options, 3);
        let opened_as_python_does = options.open(file.path()).unwrap();
        assert_eq!(cannot_be_replaced(file.path()), cfg!(windows));
        drop(opened_as_python_does);
    }
}
