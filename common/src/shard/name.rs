//! What the files of a shard are called.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::channel::Channel;
use crate::fs::{self, StorageError};
use crate::units::RowRange;

/// Who made a shard: the `attempt`-th lease of an epoch. No two leases of a job have both numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lease {
    /// How often the state of whoever grants leases was opened.
    pub epoch: u32,
    /// Counts the leases of the epoch.
    pub attempt: u64,
}

impl fmt::Display for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}.a{}", self.epoch, self.attempt)
    }
}

/// A text that is no lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a lease: {0:?} (for example e1.a7)")]
pub struct BadLease(String);

impl FromStr for Lease {
    type Err = BadLease;

    fn from_str(text: &str) -> Result<Self, BadLease> {
        let parts = || {
            let (epoch, attempt) = text.strip_prefix('e')?.split_once(".a")?;
            let lease = Self {
                epoch: epoch.parse().ok()?,
                attempt: attempt.parse().ok()?,
            };
            // One lease, one text: `e01` and `e+1` are none.
            (lease.to_string() == text).then_some(lease)
        };
        parts().ok_or_else(|| BadLease(text.to_owned()))
    }
}

impl Serialize for Lease {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Lease {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The files of a shard, in the order in which they get their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The rows.
    Data,
    /// Their index records.
    Index,
    /// What both hold: the mark of a whole shard.
    Record,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Data, Self::Index, Self::Record];

    const fn ending(self) -> &'static str {
        match self {
            Self::Data => "npy",
            Self::Index => "index.npy",
            Self::Record => "json",
        }
    }
}

/// Which rows a shard holds, and whose it is: `C1/000000000000-000000001000.e1.a7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardName {
    /// Of which channel.
    pub channel: Channel,
    /// Which rows.
    pub rows: RowRange,
    /// Who made it.
    pub lease: Lease,
}

impl fmt::Display for ShardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { channel, rows, lease } = self;
        write!(f, "{channel}/{:012}-{:012}.{lease}", rows.start, rows.end)
    }
}

impl ShardName {
    /// Where one of its files lies, below the folder of its job.
    pub fn path(&self, job: &Path, part: Part) -> PathBuf {
        job.join(format!("{self}.{}", part.ending()))
    }

    /// Where it is written before it is whole.
    pub(super) fn unfinished(&self, job: &Path, part: Part) -> PathBuf {
        job.join(format!("{self}.{}.part", part.ending()))
    }
}

/// Removes whatever there is of a shard, finished or not.
pub fn discard(job: &Path, name: &ShardName) -> Result<(), StorageError> {
    // The mark goes first: what it vouches for must not go before.
    for part in Part::ALL.into_iter().rev() {
        for path in [name.path(job, part), name.unfinished(job, part)] {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Whether a shard below `job` counts as made only once it is on the disk.
///
/// Over a network it must be: only the sync tells of bytes that the server could not take, and only then does another
/// machine see them all. On a file system of this machine whoever lands the shard sees every byte at once, looks at each
/// of them, and has the array synced before a row counts; then the shard goes, and most of it never needs to reach the
/// disk. A power cut before that costs shards, whose rows are made again.
pub(super) fn must_be_synced(job: &Path) -> bool {
    !fs::kind(job).is_ok_and(|kind| kind.local)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_channel_rows_and_lease() {
        let name = ShardName {
            channel: "C1".parse().unwrap(),
            rows: RowRange::new(0, 1000),
            lease: "e1.a7".parse().unwrap(),
        };
        let job = Path::new("out/.trc2npy/key/job-3");
        for (part, path) in [
            (Part::Data, "C1/000000000000-000000001000.e1.a7.npy"),
            (Part::Index, "C1/000000000000-000000001000.e1.a7.index.npy"),
            (Part::Record, "C1/000000000000-000000001000.e1.a7.json"),
        ] {
            assert_eq!(name.path(job, part), job.join(path));
        }
    }

    #[test]
    fn a_lease_has_one_text() {
        let lease = Lease {
            epoch: 3,
            attempt: 12_000_000_000,
        };
        assert_eq!(lease.to_string().parse(), Ok(lease));
        for other in ["", "e1", "e1.7", "e01.a7", "e1.a+7", "e1.a7.npy", "a7.e1", "e-1.a7"] {
            assert!(other.parse::<Lease>().is_err(), "{other}");
        }
    }

    #[test]
    fn nothing_is_left_of_what_is_discarded_and_all_else_stays() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("C1")).unwrap();
        let name = |attempt| ShardName {
            channel: "C1".parse().unwrap(),
            rows: RowRange::new(5, 6),
            lease: Lease { epoch: 1, attempt },
        };
        for name in [name(1), name(2)] {
            for part in Part::ALL {
                std::fs::write(name.path(dir.path(), part), b"x").unwrap();
                std::fs::write(name.unfinished(dir.path(), part), b"x").unwrap();
            }
        }
        discard(dir.path(), &name(1)).unwrap();
        discard(dir.path(), &name(1)).unwrap();
        let left = std::fs::read_dir(dir.path().join("C1")).unwrap();
        let left: Vec<String> = left
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(left.len(), 6);
        assert!(left.iter().all(|name| name.contains(".e1.a2.")), "{left:?}");
    }
}
