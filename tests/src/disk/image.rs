//! A disk whose power can be cut.
#![expect(clippy::print_stderr, reason = "what is left out is told")]

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::tools::run_python;

/// What a power cut leaves: the file system takes nothing any more, and what it has not yet written to its disk is lost
/// (`FS_IOC_SHUTDOWN` without a flush of the log, as the file systems' own tests do it).
const CUT: &str = r"
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))
";

/// A file system in a file; gone when dropped.
#[derive(Debug)]
pub struct Disk {
    folder: TempDir,
}

impl Disk {
    /// Of so many bytes, made by a program such as `mkfs.ext4` with these options; none where this machine cannot have
    /// one, which is told.
    ///
    /// # Panics
    /// Where there can be no temporary folder.
    pub fn mount(maker: &[&str], bytes: u64) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let disk = Self { folder };
        let image = File::create(disk.image()).and_then(|image| image.set_len(bytes));
        image.expect("a file as long as a disk");
        std::fs::create_dir(disk.path()).expect("a place to mount it");
        let (program, options) = maker.split_first().expect("a program");
        let made = run(Command::new(program).args(options).arg(disk.image()));
        match made.and_then(|()| disk.plug_in()) {
            Ok(()) => Some(disk),
            Err(why) => {
                eprintln!("left out: {program} cannot make a disk that can be mounted here: {why}");
                None
            }
        }
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("disk")
    }

    fn plug_in(&self) -> Result<(), String> {
        run(Command::new("mount")
            .args(["-o", "loop"])
            .arg(self.image())
            .arg(self.path()))
    }

    /// Everything that is written comes to the disk.
    ///
    /// # Panics
    /// Where that fails, as the following do.
    pub fn settle(&self) {
        run(Command::new("sync").arg("-f").arg(self.path())).expect("synced");
    }

    /// Cuts its power. From now on everybody gets errors of it.
    pub fn cut(&self) {
        run_python(CUT, [self.path()]);
    }

    /// Mounts it again after a cut, once no process has it open any more.
    pub fn come_back(&self) {
        run(Command::new("umount").arg(self.path())).expect("nobody has it open");
        self.plug_in().expect("mounted again");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Detached at once: a test that fails may have left something open on it.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
