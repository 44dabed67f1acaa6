//! The `.trc` format: bytes in, values out. Opens no file, allocates nothing from a length it has not checked, and
//! never panics, whatever the bytes are.
//!
//! - [`Header`]: finding and reading the descriptor (WAVEDESC), from a private copy of its bytes
//! - [`Variation`]: which fields differ from a first file's, over many files
//! - [`Field`], [`Value`], [`FieldSet`]: every field of the descriptor from one table
//! - [`Layout`]: where the blocks behind the descriptor lie, checked against the file's size
//! - [`decode`]: codes into volts, words, octets, and the level of a baseline

pub mod decode;
mod enums;
mod error;
mod fields;
mod header;
mod layout;
mod time;
mod value;
mod variation;

use serde::{Deserialize, Serialize};

pub use error::{FormatError, Unscaled};
pub use fields::{Field, FieldSet};
pub use header::Header;
pub use layout::{CountMismatch, Layout, SegmentTime, Shape, WaveArray, segment_times};
pub use time::{Timestamp, row_time};
pub use value::Value;
pub use variation::Variation;

/// How much of a file's beginning [`Header::parse`] wants to see: any prefix and all fixed bytes of a descriptor fit.
pub const HEAD_BYTES: usize = 512;

/// Bits of a stored sample (COMM_TYPE).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SampleWidth {
    /// Signed bytes.
    #[serde(rename = "8")]
    Eight,
    /// Signed 16-bit words.
    #[serde(rename = "16")]
    Sixteen,
}

impl SampleWidth {
    /// Bytes of a stored sample.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Eight => 1,
            Self::Sixteen => 2,
        }
    }
}

/// Order of the bytes in every number of the file (COMM_ORDER).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ByteOrder {
    /// The lowest byte first (LOFIRST).
    Little,
    /// The highest byte first (HIFIRST).
    Big,
}

impl ByteOrder {
    fn i16(self, bytes: [u8; 2]) -> i16 {
        match self {
            Self::Little => i16::from_le_bytes(bytes),
            Self::Big => i16::from_be_bytes(bytes),
        }
    }

    fn i32(self, bytes: [u8; 4]) -> i32 {
        match self {
            Self::Little => i32::from_le_bytes(bytes),
            Self::Big => i32::from_be_bytes(bytes),
        }
    }

    fn f32(self, bytes: [u8; 4]) -> f32 {
        match self {
            Self::Little => f32::from_le_bytes(bytes),
            Self::Big => f32::from_be_bytes(bytes),
        }
    }

    fn f64(self, bytes: [u8; 8]) -> f64 {
        match self {
            Self::Little => f64::from_le_bytes(bytes),
            Self::Big => f64::from_be_bytes(bytes),
        }
    }
}

/// Which of the two forms of the descriptor a file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Family {
    /// LECROY_2_2, LECROY_2_3 and every template name that is not LECROY_1_0: 346 bytes.
    #[serde(rename = "2.x")]
    TwoX,
    /// LECROY_1_0 (LeCroy 7200 and its time): 320 bytes, no reserved blocks, no RIS array.
    #[serde(rename = "1.0")]
    OneZero,
}

impl Family {
    /// Bytes that the descriptor has at least (the length in the file can be larger, and rules).
    pub const fn descriptor_bytes(self) -> usize {
        match self {
            Self::TwoX => 346,
            Self::OneZero => 320,
        }
    }
}

#[cfg(test)]
mod tests;
