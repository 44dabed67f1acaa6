//! What a source holds, by the format's code: its rows' samples and index records.

use std::fs::File;
use std::io;
use std::ops::Range;

use super::blocks::Block;
use super::folders::SourceFolders;
use super::tally::Kept;
use crate::fs;
use crate::npy::index::IndexRecord;
use crate::options::BaselineMethod;
use crate::outputs::Description;
use crate::plan::Element;
use crate::status::Status;
use crate::trc::decode::{Codes, Extrema, LevelSums, MedianFinder};
use crate::trc::{self, Field, FormatError, HEAD_BYTES, Header, Layout, SampleWidth, SegmentTime, WaveArray};
use crate::units::Bytes;

/// A source that was looked for.
pub(super) enum Source {
    /// Its bytes bear its header out.
    Good(Box<SourceFile>),
    /// It is no whole waveform.
    Bad {
        /// Why.
        error: FormatError,
        /// Its header, where that can be read.
        header: Option<Box<Header>>,
        size: Bytes,
    },
    /// It is not there, or cannot be read.
    Absent(String),
}

/// An open source.
pub(super) struct SourceFile {
    file: File,
    pub(super) header: Header,
    pub(super) layout: Layout,
    pub(super) size: Bytes,
}

/// Opens the source of a line.
pub(super) fn open(sources: &SourceFolders, line: &str, array: WaveArray) -> Source {
    let path = match sources.path_of(line) {
        Ok(path) => path,
        Err(why) => return Source::Absent(why),
    };
    match try_open(&path, array) {
        Ok(source) => source,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Source::Absent(format!("the source is missing: {}", path.display()))
        }
        Err(error) => Source::Absent(unreadable(&error)),
    }
}

/// How a failed read of a source is told.
pub(super) fn unreadable(error: &io::Error) -> String {
    format!("the source cannot be read: {error}")
}

fn try_open(path: &std::path::Path, array: WaveArray) -> io::Result<Source> {
    let file = File::open(path)?;
    let size = Bytes(file.metadata()?.len());
    let mut head = [0; HEAD_BYTES];
    let found = fs::read_at(&file, &mut head, 0)?;
    let header = match Header::parse(&head[..found]) {
        Ok(header) => header,
        Err(error) => {
            return Ok(Source::Bad {
                error,
                header: None,
                size,
            });
        }
    };
    Ok(match header.decodable(array, size) {
        Ok(layout) => Source::Good(Box::new(SourceFile {
            file,
            header,
            layout,
            size,
        })),
        Err(error) => Source::Bad {
            error,
            header: Some(Box::new(header)),
            size,
        },
    })
}

/// Bytes behind the last block that are looked at: padding is short.
const PADDING: u64 = 64 << 10;

/// The level of a row's first samples, in codes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    pub(super) code: f64,
    pub(super) deviation: f64,
}

impl SourceFile {
    /// What the file holds beside samples, header and times of segments, and no output does; the gravest of it.
    pub(super) fn beside_samples(&self) -> Option<Kept> {
        let times = u64::from(self.layout.shape.segments) * 16;
        let blocks = self.header.blocks().unwrap_or_default();
        let in_blocks = blocks.iter().filter_map(|(field, place)| match field {
            Field::UserText => Some(Kept::UserText),
            Field::RisTimeArray => Some(Kept::RisTimes),
            Field::ResDesc1 | Field::ResArray1 | Field::ResArray2 | Field::ResArray3 => Some(Kept::OtherBlocks),
            Field::TrigtimeArray if place.end - place.start > times => Some(Kept::OtherBlocks),
            _ => None,
        });
        let behind = (!self.ends_in_padding()).then_some(Kept::BytesBehind);
        in_blocks.chain(behind).max()
    }

    /// Whether nothing stands behind the last block but zeros and ends of lines.
    fn ends_in_padding(&self) -> bool {
        let behind = self.size.0 - self.layout.end;
        if behind == 0 {
            return true;
        }
        let mut bytes = vec![0; usize::try_from(behind.min(PADDING)).unwrap_or(0)];
        let found = fs::read_at(&self.file, &mut bytes, self.layout.end);
        behind <= PADDING
            && found.is_ok_and(|found| found == bytes.len())
            && bytes.iter().all(|byte| matches!(byte, 0 | b'\r' | b'\n'))
    }

    /// Where some samples of a segment lie.
    pub(super) fn place(&self, segment: u32, samples: Range<u32>) -> Range<u64> {
        let start = self.layout.segment(segment).start;
        let place = |sample: u32| start + u64::from(sample) * self.header.width().bytes() as u64;
        place(samples.start)..place(samples.end)
    }

    /// Codes from `want.start` on, at least one and at most up to `want.end`.
    pub(super) fn codes<'b>(&self, block: &'b mut Block, want: Range<u64>) -> io::Result<Codes<'b>> {
        // What follows in the file is what will be asked for next.
        let ahead = self.layout.data.end;
        Ok(Codes {
            bytes: block.get(&self.file, want, ahead)?,
            width: self.header.width(),
            order: self.header.order(),
        })
    }

    /// The level over the first `points` samples.
    pub(super) fn level(
        &self,
        block: &mut Block,
        median: &mut MedianFinder,
        segment: u32,
        what: &Description,
    ) -> io::Result<Option<Level>> {
        let baseline = what.options.baseline;
        if baseline.points == 0 {
            return Ok(None);
        }
        let by_median = baseline.method == BaselineMethod::Median;
        let mut sums = LevelSums::new();
        median.clear();
        let mut left = self.place(segment, 0..baseline.points);
        while !left.is_empty() {
            let codes = self.codes(block, left.clone())?;
            left.start += codes.bytes.len() as u64;
            sums.add(codes);
            if by_median {
                median.add(codes);
            }
        }
        Ok(Some(Level {
            code: if by_median { median.median() } else { sums.mean() },
            deviation: sums.deviation(),
        }))
    }

    /// When a segment was acquired.
    pub(super) fn time(&self, segment: u32) -> io::Result<SegmentTime> {
        let Some(at) = self.layout.time_entry(segment) else {
            return Ok(self.header.time_without_entry(segment));
        };
        let mut entry = [0; 16];
        if fs::read_at(&self.file, &mut entry, at.start)? < entry.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(trc::segment_times(&entry, self.header.order())
            .next()
            .unwrap_or_else(|| self.header.time_without_entry(segment)))
    }

    /// The index record of a good row, as README's table defines it.
    pub(super) fn record(
        &self,
        stored: &IndexRecord,
        time: SegmentTime,
        level: Option<Level>,
        row: RowSeen,
    ) -> IndexRecord {
        let (gain, offset) = (self.header.gain(), self.header.offset());
        let ends = [row.extrema.min, row.extrema.max].map(|code| gain * f32::from(code) - offset);
        // A negative gain turns them round; what is no number has no order.
        let (min, max) = match ends {
            _ if row.samples == 0 => (f32::NAN, f32::NAN),
            [a, b] if a.is_nan() || b.is_nan() => (f32::NAN, f32::NAN),
            [a, b] if b < a => (b, a),
            [a, b] => (a, b),
        };
        // A code of an int8 array that comes from a 16-bit file is the high byte.
        let per_code = match (row.element, self.header.width()) {
            (Element::Int8, SampleWidth::Sixteen) => gain * 256.0,
            _ => gain,
        };
        let baseline = level.map_or(f64::NAN, |level| f64::from(gain) * level.code - f64::from(offset));
        #[expect(clippy::cast_possible_truncation, reason = "the column is f32")]
        let baseline_std = level.map_or(f32::NAN, |level| (f64::from(gain).abs() * level.deviation) as f32);
        let first_at = match row.first {
            0 => time.offset,
            first => time.offset + f64::from(first) * f64::from(self.header.horiz_interval()),
        };
        let since_1970 = trc::row_time(self.header.trigger_time(), time.time);
        IndexRecord {
            time: since_1970.unwrap_or(i64::MIN).into(),
            trigger_offset: time.time.into(),
            horiz_offset: first_at.into(),
            baseline: baseline.into(),
            horiz_interval: self.header.horiz_interval().into(),
            gain: per_code.into(),
            offset: offset.into(),
            baseline_std: baseline_std.into(),
            min: min.into(),
            max: max.into(),
            // These two say where to look, and were held against the list.
            file: stored.file,
            segment: stored.segment,
            samples: row.samples.into(),
            status: Status::Good.code(),
            padding: [0; 3],
        }
    }
}

/// What was seen of a row's samples.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowSeen {
    pub(super) extrema: Extrema,
    pub(super) samples: u32,
    /// The first of them in its record.
    pub(super) first: u32,
    pub(super) element: Element,
}
