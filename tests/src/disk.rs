//! A file system that is soon full.
#![expect(clippy::print_stderr, reason = "what is left out is told")]

mod image;

pub use image::Disk;

use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A small file system in memory; gone when dropped.
#[derive(Debug)]
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Of so many bytes; none where this machine lets nobody mount one, which is told.
    ///
    /// # Panics
    /// Where there can be no temporary folder.
    pub fn mount(bytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let size = format!("size={bytes}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "trc2npy-test"])
            .arg(folder.path())
            .output();
        let why = match mounted {
            Ok(output) if output.status.success() => return Some(Self { folder }),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        eprintln!("left out: no small disk can be mounted here: {why}");
        None
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A folder on it that is not there yet.
    pub fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn others(&self) -> PathBuf {
        self.folder.path().join("of-others")
    }

    /// Somebody else's file takes all the room but so many bytes.
    ///
    /// # Panics
    /// Where there is less.
    pub fn fill(&self, left: u64) {
        let mut file = File::create(self.others()).expect("a file on the small disk");
        let block = [1; 4096];
        let written = loop {
            match file.write(&block) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => {
                    break file.metadata().expect("its length").len();
                }
                Err(error) => panic!("{error}"),
            }
        };
        file.set_len(written.checked_sub(left).expect("so much was free"))
            .expect("cut");
    }

    /// Removes it again.
    ///
    /// # Panics
    /// Where it is not there.
    pub fn make_room(&self) {
        fs::remove_file(self.others()).expect("removed");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Detached at once: a test that fails may have left something open on it.
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}
