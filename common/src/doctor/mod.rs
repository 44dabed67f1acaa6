//! Whether a long run will go well on a machine: facts in, findings out.
//!
//! Nothing here looks at anything but [`look`](Facts::look), which asks `resources` and `fs`. Nothing is mended.

mod clock;
mod judge;
mod look;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::Serialize;

pub use clock::{Clock, Exchange};
pub use judge::judge;

use crate::fs::{FsKind, Space, StorageError};
use crate::resources::{Machine, OpenFiles, WholeMemory, WindowsSettings};
use crate::units::Bytes;

/// What a finding means for a long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It would be slow, or at risk.
    Note,
    /// It would fail, or give nothing.
    Bad,
}

impl Verdict {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Bad => "bad",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub what: &'static str,
    /// What was found.
    pub found: String,
    /// What that means.
    pub verdict: Verdict,
    /// What to do, in a line; none where nothing is to be done.
    pub advice: Option<String>,
}

/// The folder that arrays are to be written to.
#[derive(Debug)]
pub struct Folder {
    /// As it was named.
    pub path: PathBuf,
    /// The folder in which it would be made, where it is not there yet.
    pub made_in: Option<PathBuf>,
    /// Its file system; none where the system does not tell.
    pub kind: Option<FsKind>,
    /// The room on it; none where the system does not tell.
    pub space: Option<Space>,
    /// Whether a file can be written there.
    pub writable: Result<(), StorageError>,
    /// Whether two files there can have the same blocks; none where that could not be tried.
    pub shares_blocks: Option<bool>,
}

/// What the arrays of runs take.
#[derive(Clone, Copy, Debug)]
pub struct Need {
    /// How many runs there are.
    pub runs: u64,
    /// All that is to be written.
    pub bytes: Bytes,
    /// The largest single file.
    pub largest: Bytes,
}

/// Runs that are to be converted.
#[derive(Clone, Debug)]
pub enum Planned {
    /// None were named.
    Nothing,
    /// What they take.
    Runs(Need),
    /// They cannot be converted: why.
    Refused(String),
}

/// All that is judged.
#[derive(Debug)]
pub struct Facts {
    /// What this process may use.
    pub machine: Machine,
    /// What the machine has; none where the system does not tell.
    pub whole: Option<WholeMemory>,
    /// How many files may be open; none where there is no limit of that kind.
    pub open_files: Option<OpenFiles>,
    /// Where the arrays go.
    pub folder: Folder,
    /// What is to be converted.
    pub planned: Planned,
    /// The coordinator's clock.
    pub clock: Clock,
    /// Settings of Windows; none elsewhere.
    pub windows: Option<WindowsSettings>,
}
