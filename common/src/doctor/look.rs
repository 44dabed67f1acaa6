//! The facts of this machine.

use std::path::Path;

use super::{Clock, Facts, Folder, Planned};
use crate::fs;
use crate::resources::{Machine, open_files, whole_memory, windows_settings};
use crate::units::Bytes;

impl Facts {
    /// Looks at this machine, and at a folder that need not exist yet. Two small files are made there for a moment, or in
    /// the nearest folder above it that exists. Runs and a coordinator are left to the caller.
    pub fn look(folder: &Path) -> Self {
        Self {
            machine: Machine::detect(),
            whole: whole_memory(),
            open_files: open_files(),
            folder: Folder::look(folder),
            planned: Planned::Nothing,
            clock: Clock::NotAsked,
            windows: windows_settings(folder),
        }
    }
}

impl Folder {
    fn look(path: &Path) -> Self {
        let existing = fs::nearest_existing(path).unwrap_or_else(|_| path.to_owned());
        Self {
            path: path.to_owned(),
            made_in: (!path.exists()).then(|| existing.clone()),
            kind: fs::kind(path).ok(),
            // What has no size, as /proc, is no disk.
            space: fs::space(path).ok().filter(|space| space.total > Bytes(0)),
            writable: fs::can_write(&existing),
            shares_blocks: fs::can_share_blocks(&existing).ok(),
        }
    }
}
