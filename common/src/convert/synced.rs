//! What is remembered of a converted range whose bytes are on the disk: in a journal, or beside a shard.

use serde::{Deserialize, Serialize};

use super::range::{BadFile, RangeDone};
use super::stream::Checksum;
use crate::channel::Channel;
use crate::fs::Stamp;
use crate::status::StatusCounts;
use crate::trc::FieldSet;
use crate::units::{Bytes, RowRange};

/// A converted range whose bytes are synced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SyncedRange {
    /// Of which channel.
    pub channel: Channel,
    /// Which rows.
    pub rows: RowRange,
    /// CRC32C of the rows' bytes.
    pub data_crc: u32,
    /// How many bytes these are.
    pub data_len: u64,
    /// CRC32C of their index records.
    pub index_crc: u32,
    /// How many bytes these are.
    pub index_len: u64,
    /// Header fields in which a good file differs from the channel's reference.
    pub varying: FieldSet,
    /// The rows by their verdicts.
    pub statuses: StatusCounts,
    /// Files whose storage failed.
    pub unreadable: u64,
    /// Input bytes of its files.
    pub bytes_in: Bytes,
    /// Some of the bad files with their reasons.
    pub bad: Vec<BadFile>,
    /// Files that may have grown since they were planned, as they were when the rows were made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grown: Vec<Grown>,
}

/// A file of a channel, and what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grown {
    /// Its position in the channel's files.
    pub file: u64,
    /// What tells whether it is still the same.
    #[serde(flatten)]
    pub stamp: Stamp,
}

impl SyncedRange {
    /// What became of `rows`, once their bytes are synced.
    pub(crate) fn new(channel: Channel, rows: RowRange, done: RangeDone) -> Self {
        Self {
            channel,
            rows,
            data_crc: done.data.crc,
            data_len: done.data.len,
            index_crc: done.index.crc,
            index_len: done.index.len,
            varying: done.varying,
            statuses: done.statuses,
            unreadable: done.unreadable,
            bytes_in: done.bytes_in,
            bad: done.bad,
            grown: done.grown,
        }
    }

    /// The checksum of the rows' bytes.
    pub const fn data(&self) -> Checksum {
        Checksum {
            crc: self.data_crc,
            len: self.data_len,
        }
    }

    /// The checksum of the index records.
    pub const fn index(&self) -> Checksum {
        Checksum {
            crc: self.index_crc,
            len: self.index_len,
        }
    }
}
