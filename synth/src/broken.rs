//! What can be wrong with a file.

use std::fmt;
use std::str::FromStr;

use crate::catalog::Refusal;
use crate::trace::TraceFile;

/// A way in which a file is no good. Where not said otherwise, the file keeps its size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Broken {
    /// Not written at all (a run lacks it).
    Missing,
    /// Cut in the middle of its samples: the file is shorter than its blocks.
    Truncated,
    /// No byte of it.
    Empty,
    /// No descriptor: other bytes throughout.
    NotWaveform,
    /// USER_TEXT is -1.
    NegativeLength,
    /// More segments named than the samples can be divided among.
    UnevenSegments,
    /// COMM_TYPE is neither 0 nor 1.
    UnknownWidth,
    /// COMM_ORDER is neither 0 nor 1.
    UnknownOrder,
    /// A whole and valid file, with half the samples in each segment.
    OtherLength,
}

/// A kind of broken file whose name is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a kind of broken file: {found:?} (one of {}; with a number of files: truncated:3)",
    Broken::names()
)]
pub struct BadBroken {
    found: String,
}

impl BadBroken {
    pub(crate) fn of(text: &str) -> Self {
        Self { found: text.to_owned() }
    }
}

impl Broken {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Missing,
        Self::Truncated,
        Self::Empty,
        Self::NotWaveform,
        Self::NegativeLength,
        Self::UnevenSegments,
        Self::UnknownWidth,
        Self::UnknownOrder,
        Self::OtherLength,
    ];

    /// As it is written on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Truncated => "truncated",
            Self::Empty => "empty",
            Self::NotWaveform => "garbage",
            Self::NegativeLength => "negative-length",
            Self::UnevenSegments => "uneven-segments",
            Self::UnknownWidth => "unknown-width",
            Self::UnknownOrder => "unknown-order",
            Self::OtherLength => "other-length",
        }
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The file, broken; nothing where it is not to be written at all.
    pub fn apply(self, file: &TraceFile) -> Option<Vec<u8>> {
        let start = file.descriptor_start();
        let over = |bytes: &mut Vec<u8>, at: usize, value: &[u8]| {
            bytes[start + at..start + at + value.len()].copy_from_slice(value);
        };
        let mut bytes = file.to_bytes();
        match self {
            Self::Missing => return None,
            Self::Truncated => {
                let samples = file.bits.bytes() * file.sample_count();
                let behind = file.trailing.len()
                    + file.res_array3.len()
                    + file.res_array2.len()
                    + file.bits.bytes() * file.second_array.len();
                bytes.truncate(bytes.len() - behind - samples.div_ceil(2));
            }
            Self::Empty => bytes.clear(),
            Self::NotWaveform => {
                for (byte, noise) in bytes.iter_mut().zip((0..=u8::MAX).cycle()) {
                    *byte = noise.wrapping_mul(97).wrapping_add(13);
                }
            }
            Self::NegativeLength => over(&mut bytes, 40, &[0xff; 4]),
            Self::UnevenSegments => {
                let samples = file.sample_count();
                let uneven = (2..=samples + 1)
                    .find(|n| !samples.is_multiple_of(*n))
                    .expect("samples + 1 divides no samples");
                let changed = TraceFile {
                    subarray_count: i32::try_from(uneven).ok(),
                    ..file.clone()
                };
                changed.write_into(&mut bytes);
            }
            Self::UnknownWidth => over(&mut bytes, 32, &[7, 7]),
            Self::UnknownOrder => over(&mut bytes, 34, &[0, 1]),
            Self::OtherLength => {
                let mut shorter = file.clone();
                for segment in &mut shorter.segments {
                    let half = segment.codes.len() / 2;
                    segment.codes.truncate(half.max(1));
                }
                shorter.write_into(&mut bytes);
            }
        }
        Some(bytes)
    }

    /// What a reader must say of it; none where the file is whole, or not there.
    pub const fn refusal(self) -> Option<Refusal> {
        match self {
            Self::Missing | Self::OtherLength => None,
            Self::Truncated => Some(Refusal::Truncated),
            Self::Empty | Self::NotWaveform => Some(Refusal::NotWaveform),
            Self::NegativeLength | Self::UnevenSegments | Self::UnknownWidth | Self::UnknownOrder => {
                Some(Refusal::Malformed)
            }
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Broken {
    type Err = BadBroken;

    fn from_str(text: &str) -> Result<Self, BadBroken> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| BadBroken::of(text))
    }
}
