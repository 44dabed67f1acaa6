//! What a selection took of a channel.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::units::{count, counted};

/// Rows (`--rows`, `--every`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedRows {
    /// The channel.
    pub channel: Channel,
    /// As asked.
    pub selection: String,
    /// Rows taken.
    pub rows: u64,
    /// Rows that there are.
    pub of: u64,
    /// Whether the selection ends behind the last of them.
    pub beyond: bool,
}

impl fmt::Display for SelectedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { channel, selection, .. } = self;
        let (rows, of) = (count(self.rows), counted(self.of, "row"));
        if self.beyond {
            write!(f, "channel {channel} has only {of}: {selection} takes {rows} of them")
        } else {
            write!(f, "channel {channel}: {selection} takes {rows} of {of}")
        }
    }
}

/// Samples of each record (`--samples`, `--time`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedSamples {
    /// The channel.
    pub channel: Channel,
    /// The first taken.
    pub first: u32,
    /// How many are taken.
    pub samples: u32,
    /// Samples of a record.
    pub of: u32,
}

impl fmt::Display for SelectedSamples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { channel, first, .. } = self;
        let (end, of) = (first + self.samples, counted(self.of.into(), "sample"));
        write!(f, "channel {channel}: rows are samples {first}:{end} of {of}")
    }
}
