//! Why there is no picture.

use std::path::PathBuf;

use super::{MOST_PANELS, MOST_TRACES};
use crate::channel::Channel;
use crate::fs::StorageError;
use crate::outputs::OutputError;
use crate::plan::PlanError;
use crate::selection::{NoWindow, RowSelection};
use crate::units::{count, counted};

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// An array cannot be opened.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The `.trc` files cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// More channels than a picture holds.
    #[error(
        "{panels} channels for one picture, which holds at most {MOST_PANELS}; choose some with --channels, or name fewer runs"
    )]
    TooManyPanels {
        /// Over all runs.
        panels: usize,
    },
    /// More rows than a picture holds.
    #[error(
        "{} for one picture, which holds at most {}; choose fewer with --rows, or every so many of them with --every",
        counted(*rows, "row"),
        count(MOST_TRACES)
    )]
    TooManyRows {
        /// Over all channels.
        rows: u64,
    },
    /// The rows asked for are not there.
    #[error("{}: {asked} takes none of its {}; choose a smaller start", path.display(), counted(*rows, "row"))]
    NoSuchRows {
        /// The array.
        path: PathBuf,
        /// As asked.
        asked: RowSelection,
        /// As found.
        rows: u64,
    },
    /// The samples asked for are not there.
    #[error("{}: {why}", path.display())]
    NoSamples {
        /// The array.
        path: PathBuf,
        /// What was asked for and what is there.
        why: NoWindow,
    },
    /// A channel without an array.
    #[error("no array of channel {channel}; there {}", there(found))]
    NoSuchChannel {
        /// As asked.
        channel: Channel,
        /// As found.
        found: Vec<Channel>,
    },
    /// No row is good.
    #[error(
        "nothing to draw: {} bad{} (--rows chooses others, where there are more)",
        if *rows == 1 { "the row is".to_owned() } else { format!("all {} are", counted(*rows, "row")) },
        first.as_ref().map(|first| format!(" ({first})")).unwrap_or_default()
    )]
    AllBad {
        /// How many.
        rows: u64,
        /// The first, and why.
        first: Option<String>,
    },
    /// Channels whose horizontal axes have nothing in common.
    #[error(
        "channel {} lies along {:?} and channel {} along {:?}: they share no axis; choose with --channels",
        channels[0], units[0], channels[1], units[1]
    )]
    Axes {
        /// Two of them.
        channels: [Channel; 2],
        /// Their units.
        units: [String; 2],
    },
}

fn there(found: &[Channel]) -> String {
    let names: Vec<String> = found.iter().map(ToString::to_string).collect();
    let is = if names.len() == 1 { "is" } else { "are" };
    format!("{is} {}", names.join(", "))
}

impl PreviewError {
    /// Whether what was asked for is at fault, and not what is there.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Plan(error) => error.is_usage(),
            Self::Storage(_) | Self::Output(_) | Self::AllBad { .. } => false,
            _ => true,
        }
    }
}
