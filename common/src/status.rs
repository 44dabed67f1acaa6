//! The verdict on one row, as the index's `status` column holds it.

use serde::{Deserialize, Serialize};

/// Whether a row is good (0) and, if not, why. The numbers are part of the output format: never reuse one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Status {
    /// Samples read whole, decoded and written.
    #[default]
    Good = 0,
    /// This channel has no file (or segment) for an event that another channel recorded.
    Missing = 1,
    /// No `WAVEDESC` where one must stand.
    NotWaveform = 2,
    /// Fewer bytes in the file than its blocks name.
    Truncated = 3,
    /// Lengths or enums that contradict each other or the file: negative, uneven, unknown sample width or order.
    Malformed = 4,
    /// Another number of samples than the channel's rows have (`--ragged bad`).
    OtherLength = 5,
    /// The storage failed to deliver the bytes, again and again.
    Unreadable = 6,
    /// Still being written by the instrument when the run ended.
    StillWriting = 7,
}

impl Status {
    /// Every verdict, in the order of its number.
    pub const ALL: [Self; 8] = [
        Self::Good,
        Self::Missing,
        Self::NotWaveform,
        Self::Truncated,
        Self::Malformed,
        Self::OtherLength,
        Self::Unreadable,
        Self::StillWriting,
    ];

    /// The verdict of a number in the index.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// The number in the index.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// Whether the row's samples can be trusted.
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Good)
    }

    /// How people are told.
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Missing => "missing",
            Self::NotWaveform => "not a LeCroy waveform",
            Self::Truncated => "cut short",
            Self::Malformed => "malformed header",
            Self::OtherLength => "other length",
            Self::Unreadable => "unreadable",
            Self::StillWriting => "still being written",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_verdicts_agree() {
        for (code, status) in (0..).zip(Status::ALL) {
            assert_eq!(status.code(), code);
            assert_eq!(Status::from_code(code), Some(status));
        }
        assert_eq!(Status::from_code(8), None);
    }
}
