//! What a shard holds of a row: its values, or the codes that they are made of and what makes values of them.
//!
//! Values in volts are two to four times as many bytes as the codes. Where the array cannot have a shard's blocks for its
//! own, these bytes are written twice and read once between the file and the array, over a lab's network in the worst
//! case; codes are made into values when they are brought to their places, by the same arithmetic.

use serde::{Deserialize, Serialize};
use zerocopy::little_endian::{F32, F64, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::plan::{ChannelPlan, Element};
use crate::trc::SampleWidth;
use crate::units::{Bytes, RowRange};

/// What stands in a row's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// The elements of the array.
    #[default]
    Values,
    /// A [`RowHead`] and 8-bit codes.
    Octets,
    /// A [`RowHead`] and 16-bit codes; 8-bit ones are widened.
    Words,
}

/// What stands before the codes of a row, and makes values of them.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(crate) struct RowHead {
    /// The baseline, in codes; NaN where none is taken off.
    pub(crate) level: F64,
    /// V per code.
    pub(crate) gain: F32,
    /// V, taken off gain times code where no baseline is.
    pub(crate) offset: F32,
    /// How many codes follow that are samples; all other elements of the row have no value.
    pub(crate) samples: U32,
    /// Zeros; makes it a multiple of 8 bytes.
    pub(crate) padding: [u8; 4],
}

impl RowHead {
    pub(crate) const BYTES: u64 = 24;

    /// That of a row without samples.
    pub(crate) const NONE: Self = Self {
        level: F64::ZERO,
        gain: F32::ZERO,
        offset: F32::ZERO,
        samples: U32::ZERO,
        padding: [0; 4],
    };

    pub(crate) const fn new(gain: f32, offset: f32, level: Option<f64>, samples: u32) -> Self {
        Self {
            level: F64::new(match level {
                Some(level) => level,
                None => f64::NAN,
            }),
            gain: F32::new(gain),
            offset: F32::new(offset),
            samples: U32::new(samples),
            padding: [0; 4],
        }
    }
}

const _: () = assert!(size_of::<RowHead>() as u64 == RowHead::BYTES);

impl Form {
    /// The form in which `rows` of a channel take the fewest bytes: codes only where values are made of them, and where that
    /// spares a third.
    pub fn smallest(channel: &ChannelPlan, rows: RowRange) -> Self {
        let codes = Self::codes(channel, rows);
        let spares = codes.row_bytes(channel).0 * 3 <= channel.row_bytes().0 * 2;
        if spares { codes } else { Self::Values }
    }

    /// Codes, where values are made of them: of 8 bits only where all files of `rows` are known to have such.
    fn codes(channel: &ChannelPlan, rows: RowRange) -> Self {
        let is_octets = |at: usize| channel.layout(channel.files.get(at).layout).width == Some(SampleWidth::Eight);
        match channel.element {
            Element::Float32 if channel.files.overlapping(rows).all(is_octets) => Self::Octets,
            Element::Float32 => Self::Words,
            Element::Int16 | Element::Int8 => Self::Values,
        }
    }

    /// How the codes are stored; none where values are.
    pub(crate) const fn width(self) -> Option<SampleWidth> {
        match self {
            Self::Values => None,
            Self::Octets => Some(SampleWidth::Eight),
            Self::Words => Some(SampleWidth::Sixteen),
        }
    }

    /// Bytes of a row; of codes a multiple of 8.
    pub(crate) fn row_bytes(self, channel: &ChannelPlan) -> Bytes {
        self.width().map_or(channel.row_bytes(), |width| {
            let codes = u64::from(channel.samples) * width.bytes() as u64;
            Bytes(RowHead::BYTES + codes.next_multiple_of(8))
        })
    }

    /// The shape and the element type of the shard's NPY file.
    pub(crate) fn shape(self, channel: &ChannelPlan, rows: u64) -> (Vec<u64>, String) {
        let samples = channel.samples;
        let Some(width) = self.width() else {
            return (vec![rows, samples.into()], format!("'{}'", channel.element.descr()));
        };
        let code = match width {
            SampleWidth::Eight => "|i1",
            SampleWidth::Sixteen => "<i2",
        };
        let taken = u64::from(samples) * width.bytes() as u64;
        let rest = match taken.next_multiple_of(8) - taken {
            0 => String::new(),
            rest => format!(", ('', '|V{rest}')"),
        };
        let descr = format!(
            "[('level', '<f8'), ('gain', '<f4'), ('offset', '<f4'), ('samples', '<u4'), ('', '|V4'), \
             ('codes', '{code}', ({samples},)){rest}]"
        );
        (vec![rows], descr)
    }
}
