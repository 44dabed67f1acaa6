//! The mark of rows that are made, for whoever grants no leases and so does not know the names of shards.
//!
//! `C1/000000000000-000000001000.made` says which shard of these rows is the one. Its name follows from the rows alone:
//! several that make the same rows leave shards of their own, and the last one's mark stays. A mark says where to look and
//! nothing more: what it names counts once it was looked at.

use std::fmt;
use std::path::{Path, PathBuf};

use super::name::{Lease, ShardName, must_be_synced};
use crate::channel::Channel;
use crate::fs::{self, StorageError};
use crate::units::RowRange;

/// Begins the name of the folder for the shards of a batch system's tasks; the command's key follows.
pub(crate) const SHARES: &str = "shares-";
/// Ends the name of a mark.
pub(crate) const MADE: &str = "made";

/// Rows of a channel that a mark can be left for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Of which channel.
    pub channel: Channel,
    /// Which rows.
    pub rows: RowRange,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { channel, rows } = self;
        write!(f, "{channel}/{:012}-{:012}", rows.start, rows.end)
    }
}

impl Mark {
    /// A shard of these rows that nobody else makes, on whichever machine.
    pub fn new_shard(self) -> ShardName {
        self.shard(Lease {
            epoch: 1,
            attempt: fastrand::u64(..),
        })
    }

    const fn shard(self, lease: Lease) -> ShardName {
        ShardName {
            channel: self.channel,
            rows: self.rows,
            lease,
        }
    }

    fn path(self, job: &Path) -> PathBuf {
        job.join(format!("{self}.{MADE}"))
    }

    /// Says that the shard of this lease holds the rows; it is whole already. `maker`: the machine that has made it.
    pub fn leave(self, job: &Path, lease: Lease, maker: &str) -> Result<(), StorageError> {
        let path = self.path(job);
        let unnamed = job.join(format!("{self}.{MADE}.{lease}.part"));
        let text = format!("{lease} {}\n", maker.replace(char::is_control, ""));
        // It is worth as much as what it names.
        let synced = must_be_synced(job);
        let written = if synced {
            fs::write_synced(&unnamed, text.as_bytes())
        } else {
            fs::write_unsynced(&unnamed, text.as_bytes())
        };
        let named = written.and_then(|()| {
            fs::replace(&unnamed, &path).map_err(|source| StorageError::new("write", &path, source))?;
            let folder = path.parent().filter(|_| synced);
            folder.map_or(Ok(()), |folder| {
                fs::sync_dir(folder).map_err(|source| StorageError::new("bring to the disk the folder", folder, source))
            })
        });
        named.inspect_err(|_| {
            // Whatever stays goes with the folder of the job.
            let _ = std::fs::remove_file(&unnamed);
        })
    }

    /// The shard that is said to hold the rows, and its maker; none where nobody has said so, or not in words that can be
    /// read.
    pub fn find(self, job: &Path) -> Option<(ShardName, String)> {
        let text = std::fs::read_to_string(self.path(job)).ok()?;
        let (lease, maker) = text.strip_suffix('\n')?.split_once(' ')?;
        Some((self.shard(lease.parse().ok()?), maker.to_owned()))
    }

    /// Takes the mark away: the rows are to be made again.
    pub fn withdraw(self, job: &Path) -> Result<(), StorageError> {
        fs::remove_file(&self.path(job))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_that_make_the_same_rows_is_the_one() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("C1")).unwrap();
        let mark = Mark {
            channel: "C1".parse().unwrap(),
            rows: RowRange::new(5, 60),
        };
        assert_eq!(mark.find(dir.path()), None);
        let (first, second) = (mark.new_shard(), mark.new_shard());
        assert_ne!(first, second);
        for shard in [first, second] {
            mark.leave(dir.path(), shard.lease, "node 7").unwrap();
            assert_eq!(mark.find(dir.path()), Some((shard, "node 7".to_owned())));
        }
        assert_eq!(std::fs::read_dir(dir.path().join("C1")).unwrap().count(), 1);
        for torn in ["", "e1.a7 n", "e1.a7\n", "e01.a7 n\n"] {
            std::fs::write(mark.path(dir.path()), torn).unwrap();
            assert_eq!(mark.find(dir.path()), None, "{torn:?}");
        }
        mark.withdraw(dir.path()).unwrap();
        mark.withdraw(dir.path()).unwrap();
        assert_eq!(std::fs::read_dir(dir.path().join("C1")).unwrap().count(), 0);
    }
}
