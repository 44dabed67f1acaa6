//! Rows of codes into rows of values, at their place in the array.

use crc_fast::{CrcAlgorithm, Digest};
use zerocopy::FromBytes;

use super::error::StitchError;
use super::source::Source;
use crate::convert::{Checksum, Form, RowHead, Stream, SyncedRange, Target};
use crate::fs::StorageError;
use crate::plan::ChannelPlan;
use crate::trc::ByteOrder;
use crate::trc::decode::{self, Codes};
use crate::units::Bytes;

/// Codes that are made into values at a time, at most: they and their values stay near the processor.
const CODES: usize = 64 << 10;
/// Words of values that are written at a time.
const WORDS: usize = (1 << 20) / 8;

/// Brings the rows of `range`, which the shard holds as codes behind `start` bytes of header, to their place. Returns the
/// checksum of the values, once that of the codes is found to be the one that was written.
///
/// A `form` of values is a mistake of the caller.
pub(super) fn unpack(
    source: Source<'_>,
    (channel, form): (&ChannelPlan, Form),
    (range, start): (&SyncedRange, u64),
    target: &Target,
    buffer: &mut [u8],
) -> Result<Checksum, StitchError> {
    let width = form.width().expect("values are not unpacked");
    let behind = (range.rows.start - target.first_row) * channel.row_bytes().0;
    let failed = |source| StitchError::Output(StorageError::new("write", &target.data_path, source));
    let mut values = vec![0; WORDS];
    let mut out = Stream::new(&target.data, target.data_start + behind, &mut values).in_turn(&target.turn);
    let mut packed = Packed {
        source,
        at: start,
        end: start + range.data_len,
        buffer,
        next: 0,
        filled: 0,
        sum: Digest::new(CrcAlgorithm::Crc32Iscsi),
    };
    let row_bytes = form.row_bytes(channel).as_usize();
    for row in range.rows.start..range.rows.end {
        let head = packed.take(size_of::<RowHead>())?;
        let head = RowHead::read_from_bytes(head).expect("as many bytes as it has");
        let samples = head.samples.get();
        if samples > channel.samples {
            let why = format!("row {row} has {samples} samples, and room for {}", channel.samples);
            return Err(packed.source.damaged(why));
        }
        let level = Some(head.level.get()).filter(|level| !level.is_nan());
        let mut left = row_bytes - size_of::<RowHead>();
        let mut codes = samples as usize * width.bytes();
        while codes > 0 {
            let bytes = packed.take(codes.min(CODES))?;
            (left, codes) = (left - bytes.len(), codes - bytes.len());
            let mut codes = Codes {
                bytes,
                width,
                order: ByteOrder::Little,
            };
            while !codes.is_empty() {
                let room = out.room::<f32>(codes.len()).map_err(failed)?;
                let piece = codes.slice(0..room.len());
                decode::volts_of(piece, head.gain.get(), head.offset.get(), level, room);
                let taken = room.len();
                codes = codes.slice(taken..codes.len());
            }
        }
        out.repeat(f32::NAN, u64::from(channel.samples - samples))
            .map_err(failed)?;
        while left > 0 {
            left -= packed.take(left.min(CODES))?.len();
        }
        // A row's values are checksummed here, while they are near.
        out.mark();
    }
    let found = Checksum::from(&packed.sum);
    packed.source.check(found, range.data())?;
    out.finish().map_err(failed)
}

/// The bytes behind a shard's header, one after the other, with their checksum.
struct Packed<'s, 'b> {
    source: Source<'s>,
    /// What is read next, and where they end.
    at: u64,
    end: u64,
    buffer: &'b mut [u8],
    /// What is taken next of what was read.
    next: usize,
    filled: usize,
    sum: Digest,
}

impl Packed<'_, '_> {
    /// The next `count` bytes, which fit the buffer.
    fn take(&mut self, count: usize) -> Result<&[u8], StitchError> {
        if self.filled - self.next < count {
            self.buffer.copy_within(self.next..self.filled, 0);
            (self.filled, self.next) = (self.filled - self.next, 0);
            let room = (self.buffer.len() - self.filled) as u64;
            let read = Bytes(room.min(self.end - self.at)).as_usize();
            let into = &mut self.buffer[self.filled..self.filled + read];
            self.source.read(self.at, into)?;
            self.sum.update(into);
            self.at += read as u64;
            self.filled += read;
        }
        let taken = self.next..self.next + count;
        self.next = taken.end;
        Ok(&self.buffer[taken])
    }
}
