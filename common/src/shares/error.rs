//! Why a step over shares failed, in sentences for people.

use std::path::PathBuf;

use super::file::ShareFileError;
use crate::convert::ConvertError;
use crate::fs::{LockError, StorageError};
use crate::plan::PlanError;
use crate::shard::ShardError;

/// Why a step failed. What was made before is kept.
#[derive(Debug, thiserror::Error)]
pub enum ShareError {
    /// As `convert` says it.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// The plan file is none, or not what was written.
    #[error("{}: {source}", path.display())]
    File {
        /// The plan file.
        path: PathBuf,
        /// What is wrong with it.
        source: ShareFileError,
    },
    /// A plan would replace something else.
    #[error(
        "{}: there is something else of this name, which is no plan; name another file for the plan (--out is the folder \
         for the arrays)",
        path.display()
    )]
    NotReplaced {
        /// What is there.
        path: PathBuf,
    },
    /// A plan that was to be kept is another command's.
    #[error(
        "{}: is a plan of other inputs, another --out or other options than are asked for now; plan into another file, or \
         without --keep to replace it",
        path.display()
    )]
    OtherPlan {
        /// The plan file.
        path: PathBuf,
    },
    /// What the plan speaks of cannot be named relative to a folder that all of it lies in.
    #[error(
        "{}: cannot be written into a plan that other machines read: its name is not one that every system can open, or not \
         Unicode; rename it",
        path.display()
    )]
    Unnameable {
        /// The file or folder.
        path: PathBuf,
    },
    /// Nothing of what was planned is here.
    #[error(
        "{}: nothing that was planned is where this plan says ({}): see that this machine has the storage mounted where it \
         was when it was planned, or in the same place beside the plan; where it has, another command has taken the folder: \
         plan again",
        plan.display(), looked.join("; ")
    )]
    Elsewhere {
        /// The plan file.
        plan: PathBuf,
        /// Where it was looked for.
        looked: Vec<String>,
    },
    /// The run is not worked on by this plan any more.
    #[error("{}: {why}; plan it again", out.display())]
    Gone {
        /// The run's output folder.
        out: PathBuf,
        /// What became of it.
        why: String,
    },
    /// A task has found that the inputs do not suit what was asked.
    #[error("{why}\n(found while making a share; what was made for this plan is of no use: plan again)")]
    Hopeless {
        /// The task's sentence.
        why: String,
    },
    /// An input is not what it was when planned.
    #[error(
        "{file}: {change} since the conversion was planned; put the planned file back, or plan again with --overwrite to \
         start anew with the files as they are"
    )]
    Changed {
        /// The input.
        file: String,
        /// What changed.
        change: String,
    },
    /// A shard could not be made.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// What was waited for did not come in time.
    #[error("{missing}\nwaited for {waited:?}, and no longer (--timeout)")]
    TimedOut {
        /// What is missing.
        missing: super::gather::Missing,
        /// How long it was waited for.
        waited: std::time::Duration,
    },
}

impl From<PlanError> for ShareError {
    fn from(error: PlanError) -> Self {
        Self::Convert(error.into())
    }
}

impl From<StorageError> for ShareError {
    fn from(error: StorageError) -> Self {
        Self::Convert(error.into())
    }
}

impl ShareError {
    /// Whether another process has the output folder, and may be done with it soon.
    pub const fn is_in_use(&self) -> bool {
        matches!(self, Self::Convert(ConvertError::Lock(LockError::Held { .. })))
    }

    /// 2 where the command must be given differently, 1 elsewhere.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Convert(error) => error.exit_code(),
            Self::NotReplaced { .. } | Self::Unnameable { .. } => 2,
            _ => 1,
        }
    }
}
