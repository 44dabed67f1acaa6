//! Codes into values: volts, words, octets, and the level of a baseline.
//!
//! Every function takes whole samples, as few or as many at a time as the caller has: the results do not depend on
//! where a row is cut into pieces. Nothing here uses a fused multiply-add, so that numpy finds the same bits.

mod kernels;
mod level;

#[cfg(test)]
mod tests;

use std::ops::Range;

pub use level::{LevelSums, MedianFinder};

use super::{ByteOrder, SampleWidth};

/// Stored samples, as they lie in the file.
#[derive(Clone, Copy, Debug)]
pub struct Codes<'a> {
    /// The bytes of whole samples; of any alignment.
    pub bytes: &'a [u8],
    /// Bits of a sample.
    pub width: SampleWidth,
    /// Order of a 16-bit sample's bytes.
    pub order: ByteOrder,
}

impl Codes<'_> {
    /// How many samples. A cut last one is left out.
    pub const fn len(&self) -> usize {
        self.bytes.len() / self.width.bytes()
    }

    /// Whether there is no sample.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Some of the samples.
    ///
    /// # Panics
    /// If there are fewer.
    #[must_use]
    pub fn slice(&self, samples: Range<usize>) -> Self {
        let width = self.width.bytes();
        Self {
            bytes: &self.bytes[samples.start * width..samples.end * width],
            ..*self
        }
    }
}

/// The smallest and the largest stored code (a 16-bit sample's is that of the whole word).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extrema {
    /// The smallest.
    pub min: i16,
    /// The largest.
    pub max: i16,
}

impl Extrema {
    /// Those of no sample: the neutral element of [`Extrema::merge`].
    pub const NONE: Self = Self {
        min: i16::MAX,
        max: i16::MIN,
    };

    /// Those of both.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        Self {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }
}

impl Default for Extrema {
    fn default() -> Self {
        Self::NONE
    }
}

/// A 16-bit sample that does not fit a byte: its low byte is not zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sample {code} does not fit int8: its low byte is not zero (use int16 or native instead)")]
pub struct LowByteSet {
    /// Its place among the codes that were given.
    pub position: usize,
    /// The sample.
    pub code: i16,
}

/// `gain * code - offset` in f32 with one rounding for each operation: bit for bit numpy's
/// `np.float32(gain) * codes - np.float32(offset)`.
///
/// # Panics
/// If `out` has not one element for each sample; so do the other functions here.
pub fn volts(codes: Codes<'_>, gain: f32, offset: f32, out: &mut [f32]) -> Extrema {
    assert_eq!(codes.len(), out.len(), "one value for each sample");
    kernels::volts(codes, gain, offset, out)
}

/// `gain * (code - level)` in f64, then rounded to f32. `level` is in codes.
pub fn volts_from_level(codes: Codes<'_>, gain: f32, level: f64, out: &mut [f32]) -> Extrema {
    assert_eq!(codes.len(), out.len(), "one value for each sample");
    kernels::volts_from_level(codes, gain.into(), level, out)
}

/// [`volts_from_level`] where a baseline is taken off, else [`volts`].
pub fn volts_of(codes: Codes<'_>, gain: f32, offset: f32, level: Option<f64>, out: &mut [f32]) -> Extrema {
    match level {
        None => volts(codes, gain, offset, out),
        Some(level) => volts_from_level(codes, gain, level, out),
    }
}

/// The codes as stored, 8-bit ones widened.
pub fn words(codes: Codes<'_>, out: &mut [i16]) -> Extrema {
    assert_eq!(codes.len(), out.len(), "one value for each sample");
    kernels::words(codes, out)
}

/// 8-bit codes as stored; of 16-bit codes the high byte. Fails at the first sample whose low byte is not zero; `out`
/// then holds nothing of use.
pub fn octets(codes: Codes<'_>, out: &mut [i8]) -> Result<Extrema, LowByteSet> {
    assert_eq!(codes.len(), out.len(), "one value for each sample");
    let (extrema, low_bits) = kernels::octets(codes, out);
    if low_bits == 0 {
        return Ok(extrema);
    }
    Err(kernels::first_low_byte(codes).expect("some low byte was set"))
}
