//! Rows of an output: their index records, and their samples as volts whatever the array holds.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::Path;

use zerocopy::IntoBytes;

use super::channel::ChannelOutput;
use crate::fs::{self, StorageError};
use crate::npy::DATA_START;
use crate::npy::index::IndexRecord;
use crate::plan::Element;
use crate::status::Status;
use crate::units::RowRange;

/// Records read at a time.
const RECORDS: usize = 1024;

/// Where the rows of a channel are read from: its array and its index, both open.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    pub(super) array: (&'a File, &'a Path),
    pub(super) index: (&'a File, &'a Path),
    pub(super) element: Element,
    pub(super) samples: u32,
}

impl ChannelOutput {
    /// Where its rows are read from.
    pub fn rows(&self) -> Rows<'_> {
        Rows {
            array: (&self.array, &self.paths.array),
            index: (&self.index, &self.paths.index),
            element: self.description.element,
            samples: self.description.samples(),
        }
    }

    /// [`Rows::each_record`]
    pub fn each_record<E: From<StorageError>>(
        &self,
        rows: RowRange,
        see: impl FnMut(u64, &IndexRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        self.rows().each_record(rows, see)
    }

    /// [`Rows::volts`]
    pub fn volts(
        &self,
        row: u64,
        record: &IndexRecord,
        samples: Range<u32>,
        into: &mut Vec<f32>,
    ) -> Result<(), StorageError> {
        self.rows().volts(row, record, samples, into)
    }
}

impl Rows<'_> {
    /// Samples of each row.
    pub const fn samples(&self) -> u32 {
        self.samples
    }

    /// What each sample is in the array.
    pub const fn element(&self) -> Element {
        self.element
    }

    /// Bytes of each row in the array.
    pub fn row_bytes(&self) -> u64 {
        u64::from(self.samples) * self.element.size()
    }

    /// Shows `see` the index record of each of these rows, in order; ends early where it fails.
    pub fn each_record<E: From<StorageError>>(
        &self,
        rows: RowRange,
        mut see: impl FnMut(u64, &IndexRecord) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut block = vec![IndexRecord::bad(0, 0, Status::Good); RECORDS];
        let mut next = rows.start;
        while next < rows.end {
            let take = usize::try_from(rows.end - next).unwrap_or(RECORDS).min(RECORDS);
            let records = &mut block[..take];
            read_exact(
                self.index.0,
                self.index.1,
                records.as_mut_bytes(),
                DATA_START + next * IndexRecord::BYTES,
            )?;
            for (row, record) in (next..).zip(records) {
                see(row, record)?;
            }
            next += take as u64;
        }
        Ok(())
    }

    /// Replaces `into` by some samples of a row in volts (the unit of the channel), its baseline taken off: of an array
    /// of codes, `gain * code - offset - baseline` with what the index says of the row. NaN where the row is bad, and
    /// where it was padded.
    pub fn volts(
        &self,
        row: u64,
        record: &IndexRecord,
        samples: Range<u32>,
        into: &mut Vec<f32>,
    ) -> Result<(), StorageError> {
        let wanted = usize::try_from(samples.end.saturating_sub(samples.start)).unwrap_or(usize::MAX);
        into.clear();
        into.resize(wanted, f32::NAN);
        if !Status::from_code(record.status).is_some_and(Status::is_good) {
            return Ok(());
        }
        let there = record.samples.get().min(self.samples).min(samples.end);
        let count = usize::try_from(there.saturating_sub(samples.start)).unwrap_or(0);
        let out = &mut into[..count];
        let size = self.element.size();
        let at = DATA_START + row * self.row_bytes() + u64::from(samples.start) * size;
        let read = |bytes: &mut [u8]| read_exact(self.array.0, self.array.1, bytes, at);
        let gain = f64::from(record.gain.get());
        let baseline = record.baseline.get();
        let below = f64::from(record.offset.get()) + if baseline.is_nan() { 0.0 } else { baseline };
        #[expect(clippy::cast_possible_truncation, reason = "volts are f32, as in arrays of volts")]
        let volts = |code: f64| (gain * code - below) as f32;
        match self.element {
            Element::Float32 => read(out.as_mut_bytes())?,
            Element::Int16 => {
                let mut codes = vec![0_i16; count];
                read(codes.as_mut_bytes())?;
                out.iter_mut()
                    .zip(codes)
                    .for_each(|(out, code)| *out = volts(code.into()));
            }
            Element::Int8 => {
                let mut codes = vec![0_i8; count];
                read(codes.as_mut_bytes())?;
                out.iter_mut()
                    .zip(codes)
                    .for_each(|(out, code)| *out = volts(code.into()));
            }
        }
        Ok(())
    }
}

/// Fills `into`; a file that ends before is an error.
pub(crate) fn read_exact(file: &File, path: &Path, into: &mut [u8], at: u64) -> Result<(), StorageError> {
    let wanted = into.len();
    let source = match fs::read_at(file, into, at) {
        Ok(found) if found == wanted => return Ok(()),
        Ok(found) => io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("it ends at byte {}, {} expected", at + found as u64, at + wanted as u64),
        ),
        Err(source) => source,
    };
    Err(StorageError::new("read", path, source))
}
