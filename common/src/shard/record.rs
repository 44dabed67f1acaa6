//! What a shard's JSON says, and how long its headers are.

use serde::{Deserialize, Serialize};

use super::name::{Lease, ShardName};
use crate::convert::{Checksum, Form, SyncedRange};
use crate::npy;
use crate::npy::index::{self, IndexRecord};
use crate::plan::{ChannelPlan, PlanId};
use crate::units::RowRange;

/// A whole shard: by which plan it was made, by whom, and what it holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShardRecord {
    /// The portable plan.
    pub plan: PlanId,
    /// Whose it is.
    pub lease: Lease,
    /// What it holds of its rows. The checksum and the length of [`ShardRecord::range`] are those of what it holds.
    #[serde(default, skip_serializing_if = "is_values")]
    pub form: Form,
    /// Its channel and rows, checksums, verdicts.
    #[serde(flatten)]
    pub range: SyncedRange,
}

impl ShardRecord {
    /// The record of the same rows as values, which have this checksum.
    pub(crate) const fn hold(&mut self, values: Checksum) {
        self.form = Form::Values;
        self.range.data_crc = values.crc;
        self.range.data_len = values.len;
    }

    /// The shard's name.
    pub const fn name(&self) -> ShardName {
        ShardName {
            channel: self.range.channel,
            rows: self.range.rows,
            lease: self.lease,
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_values(form: &Form) -> bool {
    *form == Form::Values
}

/// What stands before a shard's elements.
pub(crate) struct Header {
    pub(crate) bytes: Vec<u8>,
    /// Bytes of the elements behind it.
    pub(crate) payload: u64,
    /// Where the first of them lies in the array that they are for.
    pub(crate) place: u64,
}

/// The headers of array and index of the rows of a channel.
pub(crate) struct Headers {
    pub(crate) data: Header,
    pub(crate) index: Header,
}

impl Headers {
    pub(crate) fn of(channel: &ChannelPlan, rows: RowRange, form: Form) -> Self {
        let (shape, descr) = form.shape(channel, rows.len());
        Self {
            data: Header::new(form.row_bytes(channel).0, rows, |length| {
                npy::header_of(length, &descr, &shape)
            }),
            index: Header::new(IndexRecord::BYTES, rows, |length| index::header_of(length, rows.len())),
        }
    }
}

impl Header {
    /// So long that the elements lie as they will in the array, counted from the beginning of a page: whole pages of
    /// both can then be one block of the disk.
    fn new(row_bytes: u64, rows: RowRange, header: impl Fn(u64) -> Vec<u8>) -> Self {
        let before = rows.start * row_bytes;
        Self {
            bytes: header(npy::DATA_START + before % npy::DATA_START),
            payload: rows.len() * row_bytes,
            place: npy::DATA_START + before,
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }
}
