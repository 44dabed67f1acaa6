//! A real network file system: MooseFS, whose server is one machine of a network, mounted on each of its machines.
#![expect(clippy::print_stderr, reason = "what is left out is told")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::lan::Lan;
use crate::process::{poll, usable};

/// The machine that has the disk.
const SERVER: usize = 0;
/// What Debian's package keeps for a new file system.
const EMPTY: &str = "/var/lib/mfs/metadata.mfs.empty";

/// The file system and its mounts, with the clients' caches as users have them. All of it is gone when this is dropped;
/// end the processes that use it before.
#[derive(Debug)]
pub struct Moose {
    lan: Lan,
    machines: usize,
    folder: TempDir,
}

impl Moose {
    /// Mounted on so many machines; none where this machine cannot have it, which is told.
    pub fn new(machines: usize) -> Option<Self> {
        let programs = [("mfsmaster", "-v"), ("mfschunkserver", "-v"), ("mfsmount", "-V")];
        if programs.iter().any(|(program, version)| !usable(program, [version])) || !Path::new(EMPTY).exists() {
            eprintln!("LEFT OUT: MooseFS is not here (Debian: moosefs-master moosefs-chunkserver moosefs-client)");
            return None;
        }
        let lan = Lan::new(machines)?;
        let folder = tempfile::tempdir().ok()?;
        let moose = Self { lan, machines, folder };
        match moose.start() {
            Ok(()) => Some(moose),
            Err(why) => {
                eprintln!("LEFT OUT: MooseFS does not start here: {why}");
                None
            }
        }
    }

    fn start(&self) -> Result<(), String> {
        let told = |error: std::io::Error| error.to_string();
        let address = self.lan.address(SERVER);
        for name in ["data", "chunks", "chunkserver"] {
            fs::create_dir(self.path(name)).map_err(told)?;
        }
        fs::copy(EMPTY, self.path("data/metadata.mfs")).map_err(told)?;
        let shown = |name: &str| self.path(name).display().to_string();
        let common = "WORKING_USER = root\nWORKING_GROUP = root\nLOCK_MEMORY = 0\n";
        let files = [
            ("exports.cfg", "* / rw,alldirs,admin,maproot=0:0\n".to_owned()),
            ("disks.cfg", format!("{}\n", shown("chunks"))),
            (
                "master.cfg",
                format!(
                    "{common}DATA_PATH = {}\nEXPORTS_FILENAME = {}\nMATOML_LISTEN_HOST = {address}\nMATOCS_LISTEN_HOST = \
                     {address}\nMATOCL_LISTEN_HOST = {address}\n",
                    shown("data"),
                    shown("exports.cfg")
                ),
            ),
            (
                "chunkserver.cfg",
                format!(
                    "{common}DATA_PATH = {}\nHDD_CONF_FILENAME = {}\nMASTER_HOST = {address}\nCSSERV_LISTEN_HOST = \
                     {address}\nHDD_LEAVE_SPACE_DEFAULT = 256MiB\n",
                    shown("chunkserver"),
                    shown("disks.cfg")
                ),
            ),
        ];
        for (name, text) in files {
            fs::write(self.path(name), text).map_err(told)?;
        }
        self.run(SERVER, &["mfsmaster", "-c", &shown("master.cfg"), "start"])?;
        self.run(SERVER, &["mfschunkserver", "-c", &shown("chunkserver.cfg"), "start"])?;
        for machine in 0..self.machines {
            let mount = self.mount(machine);
            fs::create_dir(&mount).map_err(told)?;
            let mount = mount.display().to_string();
            self.run(machine, &["timeout", "30", "mfsmount", &mount, "-H", &address])?;
        }
        // Before the server of the chunks has announced itself nothing can be written.
        poll("MooseFS to take a file", || {
            fs::write(self.mount(SERVER).join("ready"), "x").ok()
        });
        Ok(())
    }

    fn run(&self, machine: usize, words: &[&str]) -> Result<(), String> {
        let place = format!("--net={}", self.lan.namespace(machine).display());
        let output = Command::new("nsenter")
            .arg(place)
            .args(words)
            .output()
            .map_err(|error| format!("nsenter: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("{words:?}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where a machine sees it.
    pub fn mount(&self, machine: usize) -> PathBuf {
        self.path(&format!("mount-{machine}"))
    }

    /// The network, whose cables are the file system's as well.
    pub const fn lan(&self) -> &Lan {
        &self.lan
    }
}

impl Drop for Moose {
    fn drop(&mut self) {
        for machine in 0..self.machines {
            // What hangs must not keep the test from ending.
            let _ = Command::new("umount").arg("--lazy").arg(self.mount(machine)).output();
        }
        for (program, settings) in [("mfschunkserver", "chunkserver.cfg"), ("mfsmaster", "master.cfg")] {
            let settings = self.path(settings).display().to_string();
            let _ = self.run(SERVER, &["timeout", "30", program, "-c", &settings, "stop"]);
        }
    }
}
