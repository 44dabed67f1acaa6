//! One writer for one output folder, also where the file server's locks do not hold.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Stamp, StorageError, is_unlinked, write_all_at, write_file};
use crate::resources;

const TOUCH_EVERY: Duration = Duration::from_secs(15);
/// Four touches missed: the owner is gone, not slow.
const FRESH_NS: i64 = 60_000_000_000;

/// Who holds a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The machine's name.
    pub host: String,
    /// The process on that machine.
    pub pid: u32,
    /// Another after each start of the machine: a process of an earlier start is dead, whatever its number.
    pub boot_id: String,
}

impl Owner {
    fn this_process() -> Self {
        Self {
            host: resources::host_name(),
            pid: std::process::id(),
            boot_id: boot_id(),
        }
    }
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_or_else(
        // Other systems tell no more than when they started.
        |_| sysinfo::System::boot_time().unwrap_or_default().to_string(),
        |text| text.trim().to_owned(),
    )
}

/// Why a folder could not be locked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another run works in the folder.
    #[error("{} is in use by {}: wait until that run ends or stop it, then run again (a run on another machine that \
             crashed counts as gone after one minute)", dir.display(), who(owner.as_ref()))]
    Held {
        /// The folder.
        dir: PathBuf,
        /// Who holds it, where that could be read.
        owner: Option<Owner>,
    },
    /// The lock's files could not be used.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

fn who(owner: Option<&Owner>) -> String {
    owner.map_or_else(
        || "another run".to_owned(),
        |owner| format!("process {} on {}", owner.pid, owner.host),
    )
}

/// The right to write into a folder; given back when dropped.
#[derive(Debug)]
pub struct Lock {
    /// Closing it ends the system's lock.
    file: File,
    owner_path: PathBuf,
    stop: Option<Sender<()>>,
    toucher: Option<JoinHandle<()>>,
}

impl Lock {
    /// Whether the folder was removed from under it, or the lock's file.
    pub fn is_removed(&self) -> bool {
        is_unlinked(&self.file)
    }

    /// Locks the folder `dir`, which exists, for this process; does not wait.
    pub fn acquire(dir: &Path) -> Result<Self, LockError> {
        let path = dir.join("lock");
        let owner_path = dir.join("owner.json");
        let storage = |error| StorageError::new("lock", &path, error);
        let held = |owner| LockError::Held {
            dir: dir.to_owned(),
            owner,
        };
        let file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(storage)?;
        let exclusive = match file.try_lock() {
            Ok(()) => true,
            Err(TryLockError::WouldBlock) => return Err(held(read_owner(&owner_path))),
            // Some network file systems have no locks: the owner file alone must do.
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => false,
            Err(TryLockError::Error(error)) => return Err(storage(error).into()),
        };
        let me = Owner::this_process();
        if let (Some(owner), Ok(touched)) = (read_owner(&owner_path), std::fs::metadata(&owner_path)) {
            // Written rather than set: both times then come from the file server's clock, whatever ours says.
            write_all_at(&file, b"locked\n", 0).map_err(storage)?;
            let now = Stamp::of(&file).map_err(storage)?.mtime_ns;
            let age = now.saturating_sub(Stamp::from_metadata(&touched).mtime_ns);
            if age < FRESH_NS && counts(&owner, &me, exclusive) {
                return Err(held(Some(owner)));
            }
        }
        let text = serde_json::to_vec(&me).expect("two strings and a number");
        write_file(&owner_path, &text)?;
        let (stop, ended) = channel::<()>();
        let refreshed = owner_path.clone();
        let toucher = std::thread::Builder::new()
            .name("lock".to_owned())
            .spawn(move || {
                while ended.recv_timeout(TOUCH_EVERY) == Err(RecvTimeoutError::Timeout) {
                    // A touch that fails is tried again; three in a row may fail before the lock looks abandoned.
                    let _ = File::options()
                        .write(true)
                        .open(&refreshed)
                        .and_then(|file| write_all_at(&file, &text, 0));
                }
            })
            .map_err(storage)?;
        Ok(Self {
            file,
            owner_path,
            stop: Some(stop),
            toucher: Some(toucher),
        })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(toucher) = self.toucher.take() {
            // It cannot panic, and a lock that ends has nobody to tell.
            let _ = toucher.join();
        }
        // One left behind is ignored here, and elsewhere after a minute.
        let _ = std::fs::remove_file(&self.owner_path);
    }
}

fn read_owner(path: &Path) -> Option<Owner> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

/// Whether an owner file touched a short time ago stands for a living run. `exclusive`: the system's lock was had.
fn counts(owner: &Owner, me: &Owner, exclusive: bool) -> bool {
    if owner.host == me.host {
        // A living run here would hold the system's lock, where there is one.
        !exclusive && owner.boot_id == me.boot_id
    } else {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn foreign() -> Owner {
        Owner {
            host: "a-machine-of-another-name".to_owned(),
            pid: 4711,
            boot_id: "b".to_owned(),
        }
    }

    fn leave(dir: &Path, owner: &Owner, age: Duration) {
        let path = dir.join("owner.json");
        std::fs::write(&path, serde_json::to_vec(owner).unwrap()).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - age).unwrap();
    }

    #[test]
    fn the_second_is_told_who_holds_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::acquire(folder.path()).unwrap();
        let error = Lock::acquire(folder.path()).unwrap_err();
        let LockError::Held { owner: Some(owner), .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(*owner, Owner::this_process());
        let text = error.to_string();
        assert!(
            text.contains(&format!("process {} on {}", owner.pid, owner.host)),
            "{text}"
        );
        drop(lock);
        drop(Lock::acquire(folder.path()).unwrap());
        assert!(!folder.path().join("owner.json").exists());
    }

    #[test]
    fn another_machine_counts_for_a_minute() {
        let folder = tempfile::tempdir().unwrap();
        leave(folder.path(), &foreign(), Duration::from_secs(5));
        let error = Lock::acquire(folder.path()).unwrap_err();
        assert!(
            matches!(&error, LockError::Held { owner: Some(owner), .. } if *owner == foreign()),
            "{error}"
        );
        leave(folder.path(), &foreign(), Duration::from_mins(2));
        Lock::acquire(folder.path()).unwrap();
    }

    #[test]
    fn a_dead_run_of_this_machine_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        leave(folder.path(), &Owner::this_process(), Duration::ZERO);
        Lock::acquire(folder.path()).unwrap();
    }

    #[test]
    fn without_locks_of_the_system_the_owner_file_decides() {
        let me = Owner::this_process();
        let before = Owner {
            boot_id: "earlier".to_owned(),
            ..me.clone()
        };
        assert!(counts(&me, &me, false));
        assert!(!counts(&before, &me, false));
        assert!(counts(&foreign(), &me, true));
    }

    #[test]
    fn a_folder_that_is_not_there_is_a_storage_error() {
        let folder = tempfile::tempdir().unwrap();
        let error = Lock::acquire(&folder.path().join("none")).unwrap_err();
        assert!(matches!(error, LockError::Storage(_)), "{error}");
    }
}
