//! Names and units of what the core speaks of.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use trc2npy_common::shard;

/// Monotonic milliseconds since the coordinator's process began; never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// So many seconds.
    pub const fn seconds(n: u64) -> Self {
        Self(n * 1000)
    }

    /// `self - earlier`, or nothing where that would be negative.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

/// Whole milliseconds of it.
impl From<Duration> for Millis {
    fn from(time: Duration) -> Self {
        Self(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }
}

impl Add for Millis {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Millis {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.since(other)
    }
}

/// A submitted conversion of one run. Numbered by the coordinator from 1 on, over all its restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One connection of a worker. A worker that comes back has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// Position of a channel in its job's plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelIndex(pub u16);

/// How often the coordinator's state was opened. Higher in each start, so that what an earlier one granted is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u32);

/// A lease: the `attempt`-th that was granted in its epoch. Its shard's files carry both numbers in their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId {
    /// In which it was granted.
    pub epoch: Epoch,
    /// Counts all leases of the epoch from 1 on.
    pub attempt: u64,
}

/// As it stands in the names of the shard's files.
impl From<LeaseId> for shard::Lease {
    fn from(lease: LeaseId) -> Self {
        Self {
            epoch: lease.epoch.0,
            attempt: lease.attempt,
        }
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        shard::Lease::from(*self).fmt(f)
    }
}
