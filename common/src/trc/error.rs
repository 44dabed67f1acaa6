//! Why a file cannot be decoded. The file's name is the caller's to add.

use std::fmt;

use super::{Field, WaveArray};
use crate::status::Status;
use crate::units::Bytes;

/// A verdict on a file's bytes. What the caller does next follows from [`FormatError::status`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// `WAVEDESC` begins nowhere in the first 64 bytes.
    #[error(
        "not a LeCroy waveform: WAVEDESC expected in the first 64 bytes, not found in the {} that were read",
        Grouped::bytes(*found)
    )]
    NotWaveform {
        /// Bytes that were looked at.
        found: Bytes,
    },
    /// Fewer bytes in the file than its blocks name.
    #[error(
        "cut short: {} expected, {} found (the file ends inside {})",
        Grouped::bytes(*expected),
        Grouped(found.0),
        block_name(*block)
    )]
    Truncated {
        /// The end of the last block, from the file's first byte on.
        expected: Bytes,
        /// The file's size.
        found: Bytes,
        /// The length field of the block in which the file ends.
        block: Field,
    },
    /// COMM_ORDER is neither of its two values.
    #[error(
        "malformed header: COMM_ORDER must be the bytes 00 00 or 01 00, found {:02x} {:02x}",
        found[0],
        found[1]
    )]
    UnknownOrder {
        /// The field's bytes.
        found: [u8; 2],
    },
    /// COMM_TYPE is neither of its two values.
    #[error("malformed header: COMM_TYPE must be 0 (8-bit samples) or 1 (16-bit samples), found {found}")]
    UnknownWidth {
        /// The field's value.
        found: i16,
    },
    /// The descriptor claims to be shorter than its own fields.
    #[error("malformed header: WAVE_DESCRIPTOR must be at least {least} (bytes), found {found}")]
    ShortDescriptor {
        /// The field's value.
        found: i32,
        /// What the fields of its family take.
        least: usize,
    },
    /// A length or a count below zero.
    #[error("malformed header: {field} must not be negative, found {value}")]
    Negative {
        /// The field.
        field: Field,
        /// Its value.
        value: i32,
    },
    /// The samples end inside a 16-bit word.
    #[error("malformed header: {} must be whole 16-bit samples, found {} bytes", array.field(), Grouped(*bytes))]
    HalfSample {
        /// Which samples.
        array: WaveArray,
        /// Their bytes.
        bytes: u64,
    },
    /// There is no sample.
    #[error("malformed header: WAVE_ARRAY_1 is 0: the file holds no samples")]
    NoSamples,
    /// The second array is asked for, and there is none.
    #[error("no second array: WAVE_ARRAY_2 is 0 (it comes with extrema and complex records; --array 1 is the first)")]
    NoSecondArray,
    /// A gain or an offset that makes no sample a number.
    #[error("malformed header: {field} must be a number, found {value}")]
    NotFinite {
        /// The field.
        field: Field,
        /// Its value, as it is shown.
        value: Unscaled,
    },
    /// The segments are not of one length.
    #[error(
        "malformed header: {} samples ({}) do not divide evenly into {} segments (SUBARRAY_COUNT)",
        Grouped(*samples),
        array.field(),
        Grouped(u64::from(*segments))
    )]
    Uneven {
        /// Which samples.
        array: WaveArray,
        /// How many in the file.
        samples: u64,
        /// SUBARRAY_COUNT.
        segments: u32,
    },
}

/// The block whose length the field holds, as people call it.
fn block_name(field: Field) -> String {
    match field {
        Field::WaveDescriptor => "WAVEDESC".to_owned(),
        other => format!("the block of {other}"),
    }
}

impl FormatError {
    /// The verdict as the index holds it.
    pub const fn status(&self) -> Status {
        match self {
            Self::NotWaveform { .. } => Status::NotWaveform,
            Self::Truncated { .. } => Status::Truncated,
            Self::UnknownOrder { .. }
            | Self::UnknownWidth { .. }
            | Self::ShortDescriptor { .. }
            | Self::Negative { .. }
            | Self::HalfSample { .. }
            | Self::NoSamples
            | Self::NoSecondArray
            | Self::NotFinite { .. }
            | Self::Uneven { .. } => Status::Malformed,
        }
    }
}

/// What a gain or an offset is that is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unscaled {
    /// Not even infinite.
    NaN,
    /// Beyond all numbers, on either side.
    Infinite,
}

impl fmt::Display for Unscaled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NaN => "NaN",
            Self::Infinite => "infinity",
        })
    }
}

/// A number as people read it: `10,361`.
struct Grouped(u64);

impl Grouped {
    fn bytes(bytes: Bytes) -> impl fmt::Display {
        fmt::from_fn(move |f| {
            let unit = if bytes.0 == 1 { "byte" } else { "bytes" };
            write!(f, "{} {unit}", Self(bytes.0))
        })
    }
}

impl fmt::Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                f.write_str(",")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_was_expected_and_found() {
        let error = FormatError::Truncated {
            expected: Bytes(10_361),
            found: Bytes(8_192),
            block: Field::WaveArray1,
        };
        assert_eq!(
            error.to_string(),
            "cut short: 10,361 bytes expected, 8,192 found (the file ends inside the block of WAVE_ARRAY_1)"
        );
        let in_descriptor = FormatError::Truncated {
            expected: Bytes(346),
            found: Bytes(8),
            block: Field::WaveDescriptor,
        };
        assert!(in_descriptor.to_string().ends_with("(the file ends inside WAVEDESC)"));
        assert_eq!(
            FormatError::Uneven {
                array: WaveArray::First,
                samples: 1_000_001,
                segments: 20
            }
            .to_string(),
            "malformed header: 1,000,001 samples (WAVE_ARRAY_1) do not divide evenly into 20 segments (SUBARRAY_COUNT)"
        );
        assert_eq!(Grouped(0).to_string(), "0");
        assert_eq!(Grouped(999).to_string(), "999");
        assert_eq!(Grouped(u64::MAX).to_string(), "18,446,744,073,709,551,615");
    }
}
