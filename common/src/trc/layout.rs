//! Where the blocks behind the descriptor lie, from its lengths, checked against the file's real size.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::{ByteOrder, Field, FormatError, Header};
use crate::units::Bytes;

/// Bytes of one TRIGTIME entry: two doubles.
const TRIGTIME_ENTRY: u64 = 16;

/// The blocks in the order in which they stand in the file, each named by the field that holds its length. LECROY_1_0
/// has the same order and lacks some of them.
const BLOCKS: [Field; 10] = [
    Field::WaveDescriptor,
    Field::UserText,
    Field::ResDesc1,
    Field::TrigtimeArray,
    Field::RisTimeArray,
    Field::ResArray1,
    Field::WaveArray1,
    Field::WaveArray2,
    Field::ResArray2,
    Field::ResArray3,
];

/// Which of the two arrays that a file can hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WaveArray {
    /// WAVE_ARRAY_1.
    #[default]
    #[serde(rename = "1")]
    First,
    /// WAVE_ARRAY_2: of extrema the floor, of complex records the imaginary part.
    #[serde(rename = "2")]
    Second,
}

impl WaveArray {
    /// The field that holds its length.
    pub const fn field(self) -> Field {
        match self {
            Self::First => Field::WaveArray1,
            Self::Second => Field::WaveArray2,
        }
    }
}

/// The rows of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Shape {
    /// Segments, at least 1; each is a row.
    pub segments: u32,
    /// Samples in each segment, at least 1.
    pub samples: u32,
}

/// WAVE_ARRAY_COUNT does not name the number of samples that the array holds; the latter rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CountMismatch {
    /// WAVE_ARRAY_COUNT.
    pub named: i32,
    /// Samples by the array's length.
    pub found: u32,
}

impl fmt::Display for CountMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { named, found } = self;
        write!(
            f,
            "WAVE_ARRAY_COUNT names {named} samples, WAVE_ARRAY_1 holds {found}; all {found} are used"
        )
    }
}

/// Where a file's blocks lie. Every range is inside the file. Offsets count from the file's first byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Rows and samples.
    pub shape: Shape,
    /// The array that was asked for: all segments, one behind the other.
    pub data: Range<u64>,
    /// The TRIGTIME entries that belong to segments, whole ones only.
    pub trigtime: Option<Range<u64>>,
    /// Segments of a sequence that have no TRIGTIME entry of their own ([`Header::time_without_entry`]). A single
    /// sweep needs none.
    pub missing_times: u32,
    /// Bytes of WAVE_ARRAY_2; 0: there is none.
    pub second_array: Bytes,
    /// Where the last block ends. Bytes behind it are padding.
    pub end: u64,
    /// Set where WAVE_ARRAY_COUNT is wrong.
    pub count_mismatch: Option<CountMismatch>,
}

impl Layout {
    /// Where segment `k`'s TRIGTIME entry lies; none where it has none.
    pub fn time_entry(&self, k: u32) -> Option<Range<u64>> {
        let block = self.trigtime.as_ref()?;
        let start = block.start + u64::from(k) * TRIGTIME_ENTRY;
        (start < block.end).then(|| start..start + TRIGTIME_ENTRY)
    }

    /// Where segment `k`'s samples lie. `k` must be below the number of segments.
    pub fn segment(&self, k: u32) -> Range<u64> {
        let bytes = (self.data.end - self.data.start) / u64::from(self.shape.segments);
        let start = self.data.start + u64::from(k) * bytes;
        start..start + bytes
    }
}

impl Header {
    /// Rows and samples of the first array as the header claims them; the file's size is not looked at.
    ///
    /// Fails where a length or count is negative, there is no sample, or the segments would differ in length.
    pub fn shape(&self) -> Result<Shape, FormatError> {
        self.shape_of(WaveArray::First)
    }

    /// [`Header::shape`] of either array.
    pub fn shape_of(&self, array: WaveArray) -> Result<Shape, FormatError> {
        let bytes = self.length(array.field())?;
        // Some models write 0 for a single sweep.
        let segments = self.length(Field::SubarrayCount)?.max(1);
        let width = u32::try_from(self.width().bytes()).expect("one or two");
        if !bytes.is_multiple_of(width) {
            return Err(FormatError::HalfSample {
                array,
                bytes: bytes.into(),
            });
        }
        let samples = bytes / width;
        if samples == 0 {
            return Err(match array {
                WaveArray::First => FormatError::NoSamples,
                WaveArray::Second => FormatError::NoSecondArray,
            });
        }
        if !samples.is_multiple_of(segments) {
            return Err(FormatError::Uneven {
                array,
                samples: samples.into(),
                segments,
            });
        }
        Ok(Shape {
            segments,
            samples: samples / segments,
        })
    }

    /// The blocks that are not empty, in the order in which they stand in the file, each by the field that holds its
    /// length; from the file's first byte on, as the header claims it. Fails where a length is negative.
    pub fn blocks(&self) -> Result<Vec<(Field, Range<u64>)>, FormatError> {
        let mut end = self.start() as u64;
        let mut blocks = Vec::with_capacity(BLOCKS.len());
        for field in BLOCKS {
            let start = end;
            end += u64::from(self.length(field)?);
            if end > start {
                blocks.push((field, start..end));
            }
        }
        Ok(blocks)
    }

    /// Where the blocks lie in a file of `file_size`; its rows are those of the first array.
    ///
    /// Fails as [`Header::shape`] does, where any block's length is negative, and where the file ends before the last
    /// block: also where only a block behind the samples is cut, since such a file was not written to its end.
    /// Bytes behind the last block are no error.
    pub fn layout(&self, file_size: Bytes) -> Result<Layout, FormatError> {
        self.layout_of(WaveArray::First, file_size)
    }

    /// [`Header::layout`] with the rows of either array.
    pub fn layout_of(&self, array: WaveArray, file_size: Bytes) -> Result<Layout, FormatError> {
        let shape = self.shape_of(array)?;
        let mut end = self.start() as u64;
        let mut cut = None;
        let mut ranges = [0..0, 0..0, 0..0];
        for field in BLOCKS {
            let start = end;
            end += u64::from(self.length(field)?);
            if cut.is_none() && end > file_size.0 {
                cut = Some(field);
            }
            match field {
                Field::TrigtimeArray => ranges[0] = start..end,
                Field::WaveArray1 => ranges[1] = start..end,
                Field::WaveArray2 => ranges[2] = start..end,
                _ => {}
            }
        }
        if let Some(block) = cut {
            return Err(FormatError::Truncated {
                expected: Bytes(end),
                found: file_size,
                block,
            });
        }
        let [times, first, second] = ranges;
        let second_array = Bytes(second.end - second.start);
        let entries = ((times.end - times.start) / TRIGTIME_ENTRY).min(shape.segments.into());
        let found = shape.segments * shape.samples;
        let named = self.integer(Field::WaveArrayCount);
        Ok(Layout {
            shape,
            data: match array {
                WaveArray::First => first,
                WaveArray::Second => second,
            },
            trigtime: (entries > 0).then(|| times.start..times.start + entries * TRIGTIME_ENTRY),
            missing_times: match shape.segments {
                1 => 0,
                segments => segments - u32::try_from(entries).expect("at most the number of segments"),
            },
            second_array,
            end,
            count_mismatch: (i64::from(named) != i64::from(found)).then_some(CountMismatch { named, found }),
        })
    }

    /// [`Header::layout_of`] of a file whose samples are numbers ([`Header::check_scale`]): what every reader of samples
    /// asks for.
    pub fn decodable(&self, array: WaveArray, file_size: Bytes) -> Result<Layout, FormatError> {
        let layout = self.layout_of(array, file_size)?;
        self.check_scale()?;
        Ok(layout)
    }

    fn length(&self, field: Field) -> Result<u32, FormatError> {
        let value = self.integer(field);
        u32::try_from(value).map_err(|_| FormatError::Negative { field, value })
    }
}

/// One segment's entry in TRIGTIME.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SegmentTime {
    /// Seconds since the first segment's trigger.
    pub time: f64,
    /// Seconds from the segment's own trigger to its first sample.
    pub offset: f64,
}

/// The entries of a TRIGTIME block ([`Layout::trigtime`]), in the order of the segments. A cut last entry is left out.
pub fn segment_times(trigtime: &[u8], order: ByteOrder) -> impl ExactSizeIterator<Item = SegmentTime> + '_ {
    let (halves, _) = trigtime.as_chunks::<8>();
    halves
        .as_chunks::<2>()
        .0
        .iter()
        .map(move |&[time, offset]| SegmentTime {
            time: order.f64(time),
            offset: order.f64(offset),
        })
}
