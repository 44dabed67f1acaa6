//! Why a conversion ended without its result.

use std::io;
use std::path::PathBuf;

use super::budget::MemoryShort;
use crate::fs::{LockError, StorageError};
use crate::plan::{PlanError, PlanFileError};
use crate::roots::RootError;
use crate::trc::FieldSet;
use crate::units::count;

/// What stopped a conversion. Whatever was converted before is kept, and the same command goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The inputs cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Another process works on the same output.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The output's storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The saved plan cannot be read.
    #[error("{path}: {source}; remove the folder {folder} to start anew", path = path.display(), folder = folder.display())]
    PlanFile {
        /// The plan file.
        path: PathBuf,
        /// The folder of the unfinished conversion.
        folder: PathBuf,
        /// What is wrong with it.
        source: PlanFileError,
    },
    /// Not enough memory allowed to work at all.
    #[error("{}", .0.told("--memory-limit"))]
    MemoryLimit(MemoryShort),
    /// The output does not fit.
    #[error(
        "{out}: {needed} are needed, {available} are free; make room, or choose another --out (--dtype native takes half of float32 or less)",
        out = out.display()
    )]
    NoSpace {
        /// The output folder.
        out: PathBuf,
        /// Bytes still to be written.
        needed: crate::units::Bytes,
        /// Bytes free.
        available: crate::units::Bytes,
    },
    /// A file of the output's name is there, and not from this conversion.
    #[error(
        "{path} is there already and was not made by this command; choose another --out or --name, or add --overwrite to \
         replace it (it is kept until the new one is whole)",
        path = path.display()
    )]
    Exists {
        /// The file in the way.
        path: PathBuf,
    },
    /// A file that the same command made has changed since.
    #[error(
        "{path} is not as this command left it ({} bytes, now {}); move it away, or add --overwrite to replace it",
        count(*left), count(*found), path = path.display()
    )]
    NotAsLeft {
        /// The file in the way.
        path: PathBuf,
        /// Bytes it had.
        left: u64,
        /// Bytes it has.
        found: u64,
    },
    /// A folder has the name of an output.
    #[error(
        "{path} is a folder, and a file is to get this name; remove it, or choose another --out or --name",
        path = path.display()
    )]
    Folder {
        /// The folder in the way.
        path: PathBuf,
    },
    /// A file of the output's name is open in a way that keeps it from being replaced.
    #[error(
        "{path} is open in another program, and could not be replaced at the end: close it there (Jupyter, a viewer) and \
         give the same command again",
        path = path.display()
    )]
    Held {
        /// The final name.
        path: PathBuf,
    },
    /// Another conversion into the same files was interrupted.
    #[error(
        "another command writes the same files and is not finished: {command}\n(its state is in {state}); give it again \
         to finish it, choose another --out or --name, or add --overwrite to drop it",
        state = state.display()
    )]
    Unfinished {
        /// The folder of its state.
        state: PathBuf,
        /// How it was given.
        command: String,
    },
    /// An input is not what it was when planned.
    #[error(
        "{file}: {change} since the conversion was planned; put the planned file back, or add --overwrite to start anew with the files as they are"
    )]
    Changed {
        /// The input.
        file: String,
        /// What changed.
        change: String,
    },
    /// Inputs are not what they were when planned.
    #[error("{changes}; put the planned files back, or add --overwrite to start anew with the files as they are")]
    Inputs {
        /// Which files, and how.
        changes: String,
    },
    /// A good file holds other rows than it was taken to hold.
    #[error(
        "{file}: planned layout wrong: {planned} expected, {found} found; run again with --probe all, which looks at every file before"
    )]
    OtherLayout {
        /// The input.
        file: String,
        /// What the plan says.
        planned: String,
        /// What the file says.
        found: String,
    },
    /// Sample interval, units or record type changed inside a channel.
    #[error(
        "{file}: other {fields} than in the channel's first file: rows of one array would not share their axes; \
         run again with --probe all to see every file where they change, or with --mixed warn to go on"
    )]
    Mixed {
        /// The input.
        file: String,
        /// Which fields.
        fields: String,
    },
    /// `--on-bad-file fail`.
    #[error("{file}: {why} (--on-bad-file fail stops here; without it the rows become NaN and the run goes on)")]
    BadFile {
        /// The input.
        file: String,
        /// The verdict.
        why: String,
    },
    /// `--dtype int8` and samples that need 16 bits.
    #[error("{file}: a 16-bit sample whose low byte is not zero does not fit --dtype int8; use --dtype int16")]
    NotEightBit {
        /// The input.
        file: String,
    },
    /// A file could not be read, and bad rows are not to be made of it.
    #[error("{file}: could not be read: {source}; check that this machine may read the folder, and its storage")]
    Input {
        /// The input.
        file: String,
        /// The system's reason.
        source: io::Error,
    },
    /// A range was asked to end before all of its rows were made.
    #[error("stopped before all rows of the range were made")]
    Revoked,
    /// The storage of the inputs fails too often for the result to mean anything.
    #[error(
        "{files} files could not be read, the last of them {last}; more than {allowed} of a run is a storage problem: \
         mend it and give the same command again, which goes on from here"
    )]
    Unreadable {
        /// How many.
        files: u64,
        /// How many are let pass.
        allowed: u64,
        /// The last one and its error.
        last: String,
    },
    /// The inputs cannot be told to other machines.
    #[error(transparent)]
    Root(#[from] RootError),
    /// Rows are missing that were to be there.
    #[error("{out}: {missing} rows are not made yet; nothing was published", out = out.display())]
    Incomplete {
        /// The output folder.
        out: PathBuf,
        /// How many.
        missing: u64,
    },
    /// A job that had begun has nothing in its output folder: most likely the folder is another one now.
    #[error(
        "{}: nothing of the job is there any more: {}",
        out.display(),
        if *is_used {
            "another conversion has had this folder since, and has removed what was unfinished there; cancel the job, and submit \
             it again if it is still wanted"
        } else {
            "see whether the share is connected and the root mapped to it; if the folder was removed, cancel the job and submit \
             it again"
        }
    )]
    Vanished {
        /// The output folder.
        out: PathBuf,
        /// Whether there are arrays, finished or not, that are not the job's.
        is_used: bool,
    },
    /// A finished array could not get its name.
    #[error(
        "{path} could not be replaced: {source}; the new one is whole and kept as {kept}: close what has the old one open (Jupyter, a viewer) and give the same command again",
        path = path.display(), kept = kept.display()
    )]
    Replace {
        /// The final name.
        path: PathBuf,
        /// Where the finished data are.
        kept: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

impl From<MemoryShort> for ConvertError {
    fn from(short: MemoryShort) -> Self {
        Self::MemoryLimit(short)
    }
}

impl ConvertError {
    /// Whether the same command would fail again, however often it is given: the inputs do not suit what was asked.
    pub const fn is_hopeless(&self) -> bool {
        matches!(
            self,
            Self::OtherLayout { .. } | Self::Mixed { .. } | Self::BadFile { .. } | Self::NotEightBit { .. }
        )
    }

    /// Whether a file was there and this process had no right to read it.
    pub(crate) fn is_denied(&self) -> bool {
        matches!(self, Self::Input { source, .. } if source.kind() == io::ErrorKind::PermissionDenied)
    }

    /// Whether it is about this run's inputs, so that other runs of the same call can still be converted.
    pub(super) const fn is_of_one_run(&self) -> bool {
        self.is_hopeless() || matches!(self, Self::Changed { .. } | Self::Unreadable { .. })
    }

    /// 2 where the command must be given differently, 1 elsewhere.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Plan(error) if error.is_usage() => 2,
            Self::MemoryLimit(_) => 2,
            _ => 1,
        }
    }
}

/// The names of fields, for a message.
pub(super) fn field_names(fields: FieldSet) -> String {
    fields
        .iter()
        .map(|field| field.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}
