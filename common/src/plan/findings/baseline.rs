//! A baseline that a channel's rows are too short for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::units::count;

/// What was asked for, and what there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoBaseline {
    /// The channel.
    pub channel: Channel,
    /// Samples of the baseline.
    pub points: u32,
    /// Samples of a row.
    pub samples: u32,
}

impl fmt::Display for NoBaseline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            channel,
            points,
            samples,
        } = *self;
        write!(
            f,
            "channel {channel}: no baseline is taken off: it is to be the first {} samples, and a row has {}",
            count(points.into()),
            count(samples.into())
        )
    }
}
