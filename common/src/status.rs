//! The verdict on one row, as the index's `status` column holds it.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

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
    /// Decoding its file ended the process, several times: nobody opened it again.
    Quarantined = 8,
}

impl Status {
    /// Every verdict, in the order of its number.
    pub const ALL: [Self; 9] = [
        Self::Good,
        Self::Missing,
        Self::NotWaveform,
        Self::Truncated,
        Self::Malformed,
        Self::OtherLength,
        Self::Unreadable,
        Self::StillWriting,
        Self::Quarantined,
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
            Self::Quarantined => "crashed the decoder",
        }
    }
}

/// How many rows have each verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct StatusCounts([u64; Status::ALL.len()]);

impl<'de> Deserialize<'de> for StatusCounts {
    /// Reads what a version wrote that knew fewer verdicts, too.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let known = Vec::<u64>::deserialize(from)?;
        let mut counts = Self::default();
        let room = counts.0.get_mut(..known.len());
        let room = room.ok_or_else(|| D::Error::invalid_length(known.len(), &"a count for each verdict"))?;
        room.copy_from_slice(&known);
        Ok(counts)
    }
}

impl StatusCounts {
    /// Counts `rows` more.
    pub fn add(&mut self, status: Status, rows: u64) {
        self.0[usize::from(status.code())] += rows;
    }

    /// Counts all of `other` too.
    pub fn add_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(all, more)| *all += more);
    }

    /// The verdicts that occur, with their rows.
    pub fn all(&self) -> impl Iterator<Item = (Status, u64)> {
        let counted = Status::ALL.into_iter().zip(self.0);
        counted.filter(|(_, rows)| *rows > 0)
    }

    /// The verdicts that are not good and occur, with their rows.
    pub fn bad(&self) -> impl Iterator<Item = (Status, u64)> {
        self.all().filter(|(status, _)| !status.is_good())
    }

    /// Rows that are not good.
    pub fn bad_rows(&self) -> u64 {
        self.bad().map(|(_, rows)| rows).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_rows_are_all_but_the_good_ones() {
        let mut counts = StatusCounts::default();
        counts.add(Status::Good, 100);
        counts.add(Status::StillWriting, 2);
        let mut all = StatusCounts::default();
        all.add(Status::Truncated, 3);
        all.add_all(&counts);
        assert_eq!(all.bad_rows(), 5);
        let bad: Vec<_> = all.bad().collect();
        assert_eq!(bad, [(Status::Truncated, 3), (Status::StillWriting, 2)]);
        assert_eq!(serde_json::to_string(&counts).unwrap(), "[100,0,0,0,0,0,0,2,0]");
    }

    #[test]
    fn counts_of_a_version_with_fewer_verdicts_are_read() {
        let counts: StatusCounts = serde_json::from_str("[100,0,0,0,0,0,0,2]").unwrap();
        assert_eq!(
            counts.all().collect::<Vec<_>>(),
            [(Status::Good, 100), (Status::StillWriting, 2)]
        );
        assert!(serde_json::from_str::<StatusCounts>("[0,0,0,0,0,0,0,0,0,1]").is_err());
    }

    #[test]
    fn numbers_and_verdicts_agree() {
        for (code, status) in (0..).zip(Status::ALL) {
            assert_eq!(status.code(), code);
            assert_eq!(Status::from_code(code), Some(status));
        }
        assert_eq!(Status::from_code(9), None);
    }
}
