//! The index: one record a row, what is known of it besides its samples.

use zerocopy::little_endian::{F32, F64, I64, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::status::Status;

/// NaT, numpy's time that is not known.
const NOT_A_TIME: i64 = i64::MIN;

/// One row of `C1--Trace.index.npy`.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub struct IndexRecord {
    /// When the row was triggered: ns since 1970 of the instrument's own clock; NaT where unknown.
    pub time: I64,
    /// Seconds from the file's first trigger to this row's.
    pub trigger_offset: F64,
    /// Seconds from this row's trigger to its first sample.
    pub horiz_offset: F64,
    /// Level of the baseline window in volts; NaN without `--baseline`.
    pub baseline: F64,
    /// Seconds from one sample to the next.
    pub horiz_interval: F32,
    /// Volts a code of the array (before the conversion to volts, where it holds those).
    pub gain: F32,
    /// Volts taken off `gain * code`.
    pub offset: F32,
    /// Standard deviation in the baseline window in volts; NaN without `--baseline`.
    pub baseline_std: F32,
    /// Smallest sample in volts, before the baseline is taken off.
    pub min: F32,
    /// Largest sample in volts, before the baseline is taken off.
    pub max: F32,
    /// Line of the file list, from 0; 2^32 - 1 where there is no file.
    pub file: U32,
    /// Segment of the file, from 0.
    pub segment: U32,
    /// Samples of the row that come from the file.
    pub samples: U32,
    /// [`Status`]; 0 is good.
    pub status: u8,
    /// Zero.
    pub padding: [u8; 3],
}

const _: () = assert!(
    size_of::<IndexRecord>() == 72,
    "the record's size is part of the format"
);

impl IndexRecord {
    /// Bytes of a record.
    pub const BYTES: u64 = 72;

    /// A row that holds nothing.
    pub fn bad(file: u32, segment: u32, status: Status) -> Self {
        let (none, none_wide) = (F32::new(f32::NAN), F64::new(f64::NAN));
        Self {
            time: I64::new(NOT_A_TIME),
            trigger_offset: none_wide,
            horiz_offset: none_wide,
            baseline: none_wide,
            horiz_interval: none,
            gain: none,
            offset: none,
            baseline_std: none,
            min: none,
            max: none,
            file: U32::new(file),
            segment: U32::new(segment),
            samples: U32::new(0),
            status: status.code(),
            padding: [0; 3],
        }
    }
}

/// The header of an index of `rows` records.
pub fn header(rows: u64) -> Vec<u8> {
    let descr = "[('time', '<M8[ns]'), ('trigger_offset', '<f8'), ('horiz_offset', '<f8'), ('baseline', '<f8'), \
                 ('horiz_interval', '<f4'), ('gain', '<f4'), ('offset', '<f4'), ('baseline_std', '<f4'), \
                 ('min', '<f4'), ('max', '<f4'), ('file', '<u4'), ('segment', '<u4'), ('samples', '<u4'), \
                 ('status', '|u1'), ('', '|V3')]";
    super::header(descr, &[rows])
}
