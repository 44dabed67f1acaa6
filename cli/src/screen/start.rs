//! The block at the start: what there is, and what was chosen from it.

use std::cmp::Ordering;
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
                format!("{}, {}", machine.cpu, counted(machine.physical_cores as u64, "core")),
            ),
            (
                "memory",
                format!("{} of {} free", machine.memory_available, machine.memory_total),
            ),
            ("input", self.input()),
            ("output", self.output()),
            (
                "threads",
                format!("{} ({})", settings.threads, why(self.threads_asked, "physical cores")),
            ),
            (
                "limit",
                format!(
                    "at most {} of memory ({}), less from {:.0} % in use on",
                    settings.memory_limit,
                    why(self.memory_asked, self.memory_reason()),
                    settings.memory_threshold * 100.0
                ),
            ),
            ("reading", self.reading()),
            ("writing", self.writing()),
        ])
    }

    /// Where the default comes from; its bounds are no share of anything.
    fn memory_reason(&self) -> &'static str {
        let quarter = self.machine.memory_available.0 / 4;
        match self.settings.memory_limit.0.cmp(&quarter) {
            Ordering::Equal => "a quarter of what is free",
            Ordering::Less => "more gains nothing",
            Ordering::Greater => "less would be slow",
        }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use trc2npy_common::convert::{NameTemplate, Overwrite};
    use trc2npy_common::resources::default_memory_limit;
    use trc2npy_common::units::Bytes;

    use super::*;

    fn block(free: Bytes, asked: Option<Bytes>) -> String {
        let machine = Machine {
            cpu: "13th Gen Intel(R) Core(TM) i7-13700".to_owned(),
            physical_cores: 16,
            usable_cores: 16,
            memory_total: Bytes::gib(64),
            memory_available: free,
        };
        let settings = Settings {
            threads: 16,
            memory_limit: asked.unwrap_or_else(|| default_memory_limit(&machine)),
            memory_threshold: 0.85,
            io: Io::Auto,
            range_size: None,
            sync_every: Bytes::gib(1),
            settle: Duration::from_secs(10),
            overwrite: Overwrite::Never,
            trust_size: false,
            name: NameTemplate::default(),
        };
        let start = Start {
            machine: &machine,
            settings: &settings,
            inputs: &["r005".into(), "r005-2".into()],
            out: Path::new("npy/{run}"),
            threads_asked: false,
            memory_asked: asked.is_some(),
        };
        start.block()
    }

    #[test]
    fn the_memory_limit_says_where_it_comes_from() {
        for (free, asked, reason) in [
            (
                Bytes::gib(8),
                None,
                "at most 2.1 GB of memory (a quarter of what is free)",
            ),
            (Bytes::gib(60), None, "at most 4.3 GB of memory (more gains nothing)"),
            (Bytes::mib(100), None, "at most 67.1 MB of memory (less would be slow)"),
            (
                Bytes::gib(8),
                Some(Bytes::gib(1)),
                "at most 1.1 GB of memory (as asked)",
            ),
        ] {
            let text = block(free, asked);
            assert!(text.contains(reason), "{reason} is not in\n{text}");
        }
    }

    #[test]
    fn the_block_fits_eighty_columns() {
        let text = block(Bytes::gib(60), None);
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{} columns: {line}", line.chars().count());
        }
        for part in [
            "r005 and 1 more, on ",
            "npy/{run}, on ",
            "16 (physical cores)",
            "synced every 1.1 GB",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }
}
