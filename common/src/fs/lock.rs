//! One process at a time for an output folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::StorageError;

/// How often the holder shows that it lives.
const REFRESH: Duration = Duration::from_secs(15);
/// After this a holder on another machine counts as gone.
const STALE: Duration = Duration::from_secs(60);

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The machine's name.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Tells one start of the machine from another, where the system says.
    pub boot: Option<String>,
}

impl Owner {
    fn this_process() -> Self {
        Self {
            host: sysinfo::System::host_name().unwrap_or_else(|_| "this machine".to_owned()),
            pid: std::process::id(),
            boot: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
                .ok()
                .map(|id| id.trim().to_owned()),
        }
    }
}

/// Why a lock was not got.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error(
        "{folder} is in use by another trc2npy{who}; wait for it to end, or stop it",
        folder = folder.display(),
        who = owner.as_ref().map_or(String::new(), |owner| format!(" (process {} on {})", owner.pid, owner.host))
    )]
    Held {
        /// The locked folder.
        folder: PathBuf,
        /// The other process, where it could be read.
        owner: Option<Owner>,
    },
    /// The lock files cannot be made.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A held lock; given back when dropped, or when the process ends in whatever way.
///
/// The system's file lock decides among the processes of one machine. Some network file systems keep such locks for
/// each machine alone: there the owner file, touched every 15 s, keeps other machines out.
#[derive(Debug)]
pub struct Lock {
    owner_path: PathBuf,
    stop: Option<mpsc::Sender<()>>,
    refresher: Option<JoinHandle<()>>,
    _file: File,
}

impl Lock {
    /// Takes the lock of an existing folder, without waiting.
    pub fn acquire(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join("lock");
        let owner_path = folder.join("owner.json");
        let failed = |source| StorageError::new("open the lock", &path, source);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        let held = || LockError::Held {
            folder: folder.to_owned(),
            owner: read_owner(&owner_path),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held()),
            // No locks on this file system: the owner file alone decides.
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => return Err(failed(error).into()),
        }
        let me = Owner::this_process();
        if read_owner(&owner_path).is_some_and(|owner| owner.host != me.host) && is_fresh(&owner_path) {
            return Err(held());
        }
        let text = serde_json::to_vec(&me).expect("an owner is plain text and a number");
        super::write_file(&owner_path, &text)?;
        let (stop, stopped) = mpsc::channel();
        let refreshed = owner_path.clone();
        let refresher = std::thread::spawn(move || {
            while stopped.recv_timeout(REFRESH) == Err(mpsc::RecvTimeoutError::Timeout) {
                touch(&refreshed, &text);
            }
        });
        Ok(Self {
            owner_path,
            stop: Some(stop),
            refresher: Some(refresher),
            _file: file,
        })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(refresher) = self.refresher.take() {
            // It only sleeps and writes: it cannot have panicked in a way that matters here.
            drop(refresher.join());
        }
        // A file left behind is harmless: it names this process, and goes stale.
        drop(std::fs::remove_file(&self.owner_path));
    }
}

/// Writing again moves the modification time by the server's clock, where setting it would use ours.
fn touch(path: &Path, text: &[u8]) {
    let written = OpenOptions::new().write(true).open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text)
    });
    // A refresh that fails once is made up for by the next.
    drop(written);
}

fn read_owner(path: &Path) -> Option<Owner> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn is_fresh(path: &Path) -> bool {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    modified.is_ok_and(|time| SystemTime::now().duration_since(time).map_or(true, |age| age < STALE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_and_told_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::acquire(folder.path()).unwrap();
        let error = Lock::acquire(folder.path()).unwrap_err();
        assert!(
            error.to_string().contains(&format!("process {}", std::process::id())),
            "{error}"
        );
        drop(first);
        assert!(!folder.path().join("owner.json").exists());
        Lock::acquire(folder.path()).unwrap();
    }

    #[test]
    fn a_living_owner_on_another_machine_keeps_us_out_and_a_dead_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("owner.json");
        let other = Owner {
            host: "another-pc".into(),
            pid: 7,
            boot: None,
        };
        std::fs::write(&path, serde_json::to_vec(&other).unwrap()).unwrap();
        let error = Lock::acquire(folder.path()).unwrap_err();
        assert!(error.to_string().contains("process 7 on another-pc"), "{error}");
        let long_ago = SystemTime::now() - 2 * STALE;
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
        Lock::acquire(folder.path()).unwrap();
    }
}
