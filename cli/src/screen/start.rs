//! The block at the start: what there is, and what was chosen from it.

use std::path::{Path, PathBuf};

use trc2npy_common::convert::{Io, Settings};
use trc2npy_common::fs;
use trc2npy_common::resources::Machine;

use super::text::{counted, facts};

/// What the block tells of.
pub(crate) struct Start<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) settings: &'a Settings,
    /// Folders, files or patterns as typed.
    pub(crate) inputs: &'a [PathBuf],
    /// As typed, perhaps with `{run}`.
    pub(crate) out: &'a Path,
    /// Whether the user set them.
    pub(crate) threads_asked: bool,
    pub(crate) memory_asked: bool,
}

impl Start<'_> {
    /// The block. Costs a few system calls; nothing here waits.
    pub(crate) fn block(&self) -> String {
        let Self { machine, settings, .. } = self;
        let why = |asked: bool, otherwise: &str| {
            if asked {
                "as asked".to_owned()
            } else {
                otherwise.to_owned()
            }
        };
        facts([
            (
                "machine",
                format!(
                    "{}, {}, {} of {} memory free",
                    machine.cpu,
                    counted(machine.physical_cores as u64, "core"),
                    machine.memory_available,
                    machine.memory_total
                ),
            ),
            ("input", self.input()),
            ("output", self.output()),
            (
                "threads",
                format!("{} ({})", settings.threads, why(self.threads_asked, "physical cores")),
            ),
            (
                "memory",
                format!(
                    "at most {} ({}), less from {:.0} % in use on",
                    settings.memory_limit,
                    why(self.memory_asked, "a quarter of what is free, 4.3 GB at most"),
                    settings.memory_threshold * 100.0
                ),
            ),
            ("reading", self.reading()),
            ("writing", self.writing()),
        ])
    }

    fn input(&self) -> String {
        let Some(first) = self.inputs.first() else {
            return "-".to_owned();
        };
        let more = match self.inputs.len() - 1 {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        format!("{}{more}{}", first.display(), on(first))
    }

    fn output(&self) -> String {
        let free = fs::space(self.out)
            .map(|space| format!(", {} of {} free", space.available, space.total))
            .unwrap_or_default();
        format!("{}{}{free}", self.out.display(), on(self.out))
    }

    fn reading(&self) -> String {
        let network = self
            .inputs
            .first()
            .is_some_and(|input| fs::kind(input).is_ok_and(|kind| kind.network));
        match self.settings.io {
            Io::Mmap => "every file mapped (as asked)".to_owned(),
            Io::Read => "every file read (as asked)".to_owned(),
            Io::Auto if network => "every file read (a network file system)".to_owned(),
            Io::Auto if cfg!(windows) => "every file read (Windows)".to_owned(),
            Io::Auto => format!(
                "files from {} up mapped, smaller ones read (a local disk)",
                Io::MAP_FROM
            ),
        }
    }

    fn writing(&self) -> String {
        let sync = format!("synced every {}", self.settings.sync_every);
        match self.settings.range_size {
            Some(size) => format!("in ranges of {size}, {sync}"),
            None => sync,
        }
    }
}

/// `, on ext4`; also for what is not there yet.
fn on(path: &Path) -> String {
    match fs::kind(path) {
        Ok(kind) if kind.network => format!(", on {} (network)", kind.name),
        Ok(kind) => format!(", on {}", kind.name),
        Err(_) => String::new(),
    }
}
