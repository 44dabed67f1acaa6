//! The index: one record a row, which says what the row is and whether it can be trusted.

use zerocopy::little_endian::{F32, F64, I64, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::status::Status;

/// One row of `…index.npy`, as it lies in the file.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct IndexRecord {
    /// When the row was triggered, in ns since 1970 of the instrument's local time; `i64::MIN` (NaT) where unknown.
    pub time: I64,
    /// From the trigger of the file's first segment to this one's, in s; `time` holds it already.
    pub trigger_offset: F64,
    /// The time of the row's first sample relative to its trigger, in s.
    pub horiz_offset: F64,
    /// What was taken off the row, in V.
    pub baseline: F64,
    /// From one sample to the next, in s.
    pub horiz_interval: F32,
    /// V per code.
    pub gain: F32,
    /// V, taken off gain times code.
    pub offset: F32,
    /// The standard deviation over the baseline's samples, in V.
    pub baseline_std: F32,
    /// The smallest sample, in V, before the baseline is taken off.
    pub min: F32,
    /// The largest sample, in V, before the baseline is taken off.
    pub max: F32,
    /// The row's file, as a line of the list of files.
    pub file: U32,
    /// The segment of that file.
    pub segment: U32,
    /// How many samples of the row are data.
    pub samples: U32,
    /// The verdict: [`Status::code`].
    pub status: u8,
    /// Zeros; makes the records a multiple of 8 bytes.
    pub padding: [u8; 3],
}

/// The record's fields as NumPy names and types them, in the order of the bytes.
const DESCR: &str = "[('time', '<M8[ns]'), ('trigger_offset', '<f8'), ('horiz_offset', '<f8'), ('baseline', '<f8'), \
                     ('horiz_interval', '<f4'), ('gain', '<f4'), ('offset', '<f4'), ('baseline_std', '<f4'), \
                     ('min', '<f4'), ('max', '<f4'), ('file', '<u4'), ('segment', '<u4'), ('samples', '<u4'), \
                     ('status', '|u1'), ('', '|V3')]";

impl IndexRecord {
    /// The length of a record in bytes.
    pub const BYTES: u64 = 72;

    /// The record of a row without data: no time, no numbers, only where it should have come from and why it is bad.
    pub fn bad(file: u32, segment: u32, status: Status) -> Self {
        Self {
            time: I64::new(i64::MIN),
            trigger_offset: F64::new(f64::NAN),
            horiz_offset: F64::new(f64::NAN),
            baseline: F64::new(f64::NAN),
            horiz_interval: F32::new(f32::NAN),
            gain: F32::new(f32::NAN),
            offset: F32::new(f32::NAN),
            baseline_std: F32::new(f32::NAN),
            min: F32::new(f32::NAN),
            max: F32::new(f32::NAN),
            file: U32::new(file),
            segment: U32::new(segment),
            samples: U32::new(0),
            status: status.code(),
            padding: [0; 3],
        }
    }
}

const _: () = assert!(size_of::<IndexRecord>() as u64 == IndexRecord::BYTES);

/// The first [`DATA_START`](super::DATA_START) bytes of an index of `rows` records.
pub fn header(rows: u64) -> Vec<u8> {
    header_of(super::DATA_START, rows)
}

/// The same of another length: [`super::header_of`].
pub fn header_of(length: u64, rows: u64) -> Vec<u8> {
    super::header_of(length, DESCR, &[rows])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_lie_where_the_descr_says() {
        let mut record = IndexRecord::bad(0x0102_0304, 7, Status::Truncated);
        record.time = I64::new(-2);
        record.gain = F32::new(1.5);
        record.samples = U32::new(9);
        let bytes = record.as_bytes();
        assert_eq!(bytes.len(), 72);
        assert_eq!(bytes[..8], (-2_i64).to_le_bytes());
        assert_eq!(bytes[36..40], 1.5_f32.to_le_bytes());
        assert_eq!(bytes[56..60], [4, 3, 2, 1]);
        assert_eq!(bytes[60..72], [7, 0, 0, 0, 9, 0, 0, 0, 3, 0, 0, 0]);
        assert_eq!(IndexRecord::read_from_bytes(bytes).unwrap().as_bytes(), bytes);
    }

    #[test]
    fn a_bad_row_has_no_numbers() {
        let record = IndexRecord::bad(1, 2, Status::Missing);
        assert_eq!(record.time.get(), i64::MIN);
        assert!(record.baseline.get().is_nan() && record.max.get().is_nan());
        assert_eq!(
            (record.file.get(), record.segment.get(), record.samples.get()),
            (1, 2, 0)
        );
        assert_eq!(Status::from_code(record.status), Some(Status::Missing));
    }

    #[test]
    fn the_fields_of_the_header_add_up_to_a_record() {
        let text = String::from_utf8(header(3)[10..].to_vec()).unwrap();
        let sizes: u64 = text
            .split("', '")
            .skip(1)
            .map(|rest| rest[..rest.find('\'').unwrap()].trim_end_matches("[ns]"))
            .map(|kind| kind[2..].parse::<u64>().unwrap())
            .sum();
        assert_eq!(sizes, IndexRecord::BYTES);
        assert!(text.contains("'shape': (3,), }"), "{text}");
    }
}
