//! Real network file systems: the server is one machine of a network, and each of its machines has a mount of its own, with
//! the client's caches as users have them.
#![expect(clippy::print_stderr, reason = "what is left out is told")]

mod gluster;
mod moose;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::lan::Lan;
use crate::process::poll;

pub use gluster::Gluster;
pub use moose::Moose;

/// The machine that has the disk.
const SERVER: usize = 0;
/// Its pieces are started by programs that go on in the background.
const IN_TIME: [&str; 2] = ["timeout", "30"];

/// A file system that a machine of a network gives to the others.
pub trait FileSystem {
    /// As people know it.
    fn name(&self) -> &'static str;

    /// The packages that this machine lacks for it, in Debian's names.
    fn missing(&self) -> Option<&'static str>;

    /// Starts it on the machine that has the disk.
    fn serve(&self, place: &Place) -> Result<(), String>;

    /// Mounts it on a machine.
    fn mount(&self, place: &Place, machine: usize) -> Result<(), String>;

    /// Ends what [`serve`](Self::serve) has started, and the clients that [`mount`](Self::mount) has.
    fn stop(&self, place: &Place);
}

/// The network that a file system is on, and the folder that holds all that it needs.
#[derive(Debug)]
pub struct Place {
    lan: Lan,
    machines: usize,
    folder: TempDir,
}

impl Place {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn shown(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn server(&self) -> String {
        self.lan.address(SERVER)
    }

    fn mounted(&self, machine: usize) -> PathBuf {
        self.path(&mount_of(machine))
    }

    fn write(&self, name: &str, text: &str) -> Result<(), String> {
        fs::write(self.path(name), text).map_err(|error| format!("{name}: {error}"))
    }

    fn make(&self, name: &str) -> Result<(), String> {
        fs::create_dir(self.path(name)).map_err(|error| format!("{name}: {error}"))
    }

    /// Runs a program on a machine; it has to end well, and soon.
    fn run(&self, machine: usize, words: &[&str]) -> Result<(), String> {
        let namespace = format!("--net={}", self.lan.namespace(machine).display());
        let output = Command::new("nsenter")
            .arg(namespace)
            .args(IN_TIME)
            .args(words)
            .output()
            .map_err(|error| format!("nsenter: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let [said, error] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        Err(format!("{words:?}: {said}{error}"))
    }
}

fn mount_of(machine: usize) -> String {
    format!("mount-{machine}")
}

/// A file system and its mounts. All of it is gone when this is dropped; end the processes that use it before.
pub struct NetworkDisk {
    place: Place,
    file_system: &'static dyn FileSystem,
}

impl NetworkDisk {
    /// Mounted on so many machines; none where this machine cannot have it, which is told.
    pub fn new(file_system: &'static dyn FileSystem, machines: usize) -> Option<Self> {
        let name = file_system.name();
        if let Some(packages) = file_system.missing() {
            eprintln!("LEFT OUT: {name} is not here (Debian: {packages})");
            return None;
        }
        let lan = Lan::new(machines)?;
        let folder = tempfile::tempdir().ok()?;
        let place = Place { lan, machines, folder };
        let disk = Self { place, file_system };
        match disk.start() {
            Ok(()) => Some(disk),
            Err(why) => {
                eprintln!("LEFT OUT: {name} does not start here: {why}");
                None
            }
        }
    }

    fn start(&self) -> Result<(), String> {
        self.file_system.serve(&self.place)?;
        for machine in 0..self.place.machines {
            self.place.make(&mount_of(machine))?;
            self.file_system.mount(&self.place, machine)?;
        }
        // Before its pieces have found each other nothing can be written.
        poll("the network's disk to take a file", || {
            fs::write(self.mount(SERVER).join("ready"), "x").ok()
        });
        Ok(())
    }

    /// Where a machine sees it.
    pub fn mount(&self, machine: usize) -> PathBuf {
        self.place.mounted(machine)
    }

    /// The network, whose cables are the file system's as well.
    pub const fn lan(&self) -> &Lan {
        &self.place.lan
    }
}

impl Drop for NetworkDisk {
    fn drop(&mut self) {
        for machine in 0..self.place.machines {
            // What hangs must not keep the test from ending.
            let _ = Command::new("umount").arg("--lazy").arg(self.mount(machine)).output();
        }
        self.file_system.stop(&self.place);
    }
}
