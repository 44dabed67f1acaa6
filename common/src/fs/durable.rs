//! Writes and renames that a power failure does not undo.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::{StorageError, write_all_at};

/// Returns once the file's bytes and its length are on the storage.
pub fn sync_data(file: &File) -> io::Result<()> {
    file.sync_data()
}

/// Returns once the folder's list of names is on the storage. File systems that cannot do this for folders are let
/// pass.
#[cfg(unix)]
pub fn sync_dir(path: &Path) -> io::Result<()> {
    match File::open(path)?.sync_all() {
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// Windows has no such call: NTFS journals the names by itself. Only looks whether the folder is there.
#[cfg(windows)]
pub fn sync_dir(path: &Path) -> io::Result<()> {
    std::fs::metadata(path).map(drop)
}

/// The folder that holds `path`; `.` for a bare name.
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Renames a file, replacing what stands at `to`, and returns once the new name is on the storage. On Windows waits up
/// to 10 s for a virus scanner or viewer that holds one of the two files.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    replace(from, to)?;
    sync_dir(folder_of(to))?;
    if folder_of(from) != folder_of(to) {
        sync_dir(folder_of(from))?;
    }
    Ok(())
}

/// The same, without waiting for the storage: [`sync_dir`] of the folder does that for all its names.
pub fn replace(from: &Path, to: &Path) -> io::Result<()> {
    // A folder stays in the way, however long one waits.
    if to.is_dir() {
        return std::fs::rename(from, to);
    }
    patiently(|| std::fs::rename(from, to))
}

/// Removes a file, if it is there. On Windows waits as [`rename`] does.
pub fn remove_file(path: &Path) -> Result<(), StorageError> {
    match patiently(|| std::fs::remove_file(path)) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(StorageError::new("remove", path, source)),
        _ => Ok(()),
    }
}

/// What is held does not matter to names here.
#[cfg(unix)]
fn patiently(act: impl Fn() -> io::Result<()>) -> io::Result<()> {
    act()
}

/// Tries again for 10 s what fails because another program holds a file: virus scanners and indexers open what is new.
#[cfg(windows)]
fn patiently(act: impl Fn() -> io::Result<()>) -> io::Result<()> {
    use std::time::{Duration, Instant};

    use windows_sys::Win32::Foundation::ERROR_USER_MAPPED_FILE;
    let held = |error: &io::Error| {
        error.kind() == io::ErrorKind::PermissionDenied
            || super::held_by_writer(error)
            || error.raw_os_error() == i32::try_from(ERROR_USER_MAPPED_FILE).ok()
    };
    let patience = Instant::now() + Duration::from_secs(10);
    loop {
        match act() {
            Err(error) if held(&error) && Instant::now() < patience => std::thread::sleep(Duration::from_millis(50)),
            result => return result,
        }
    }
}

/// Writes a file under a name that nobody reads yet, and returns once its bytes are on the storage.
pub fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let written = File::create(path).and_then(|file| write_all_at(&file, bytes, 0).and_then(|()| sync_data(&file)));
    written.map_err(|source| StorageError::new("write", path, source))
}

/// Writes a file under a name that nobody reads yet. What a power failure leaves of it is open.
pub fn write_unsynced(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    std::fs::write(path, bytes).map_err(|source| StorageError::new("write", path, source))
}

/// A name beside `path` that no other writer of this machine uses.
fn temporary_beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(
        ".{}.{}.tmp",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    ));
    folder_of(path).join(name)
}

/// Writes a whole file: it holds either what it held before or all of `bytes`, also after a power failure.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    write_file_with(path, |file| write_all_at(file, bytes, 0))
}

/// The same for content that is written piece by piece, by `write` into an empty file.
pub fn write_file_with(path: &Path, write: impl FnOnce(&File) -> io::Result<()>) -> Result<(), StorageError> {
    let temporary = temporary_beside(path);
    let written = File::create_new(&temporary)
        .and_then(|file| write(&file).and_then(|()| sync_data(&file)))
        .and_then(|()| rename(&temporary, path));
    written.map_err(|error| {
        // The first error is the one to report; a leftover is named like no output and does no harm.
        let _ = std::fs::remove_file(&temporary);
        StorageError::new("write", path, error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        write_file(&path, b"a longer first text").unwrap();
        write_file(&path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_cleans_up_and_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taken");
        std::fs::create_dir(&path).unwrap();
        let error = write_file(&path, b"text").unwrap_err();
        assert_eq!((error.action, error.path.as_path()), ("write", path.as_path()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let error = write_file(&folder.path().join("none/file"), b"text").unwrap_err();
        assert_eq!(error.source_kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_rename_between_folders_replaces_the_target() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("sub/b"));
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        std::fs::write(&from, b"new").unwrap();
        std::fs::write(&to, b"old").unwrap();
        rename(&from, &to).unwrap();
        assert!(!from.exists());
        assert_eq!(std::fs::read(&to).unwrap(), b"new");
    }

    #[test]
    fn a_bare_name_lies_in_the_current_folder() {
        assert_eq!(folder_of(Path::new("C1.npy")), Path::new("."));
        assert_eq!(folder_of(Path::new("out/C1.npy")), Path::new("out"));
    }
}
