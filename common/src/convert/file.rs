//! One file: its header against the plan, its segments into rows.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;

use super::budget::BlockSizes;
use super::error::field_names;
use super::form::{Form, RowHead};
use super::input::{Input, ReadFault};
use super::range::Rows;
use crate::npy::index::IndexRecord;
use crate::options::{Baseline, BaselineMethod, ByteOptions, Mixed, Ragged};
use crate::plan::{ChannelPlan, Element, FileEntry};
use crate::status::Status;
use crate::trc::decode::{self, Codes, Extrema, LevelSums, MedianFinder};
use crate::trc::{self, FieldSet, Header, Layout, SampleWidth, SegmentTime, Variation};
use crate::units::{Bytes, RowRange, counted};

/// TRIGTIME entries read at a time.
const TIMES_AT_ONCE: u64 = TIMES_BLOCK as u64 / TIME_BYTES;
const TIME_BYTES: u64 = 16;
const TIMES_BLOCK: usize = 256 * 16;

/// Which rows of which file, and what they are held against.
pub(super) struct FileJob<'p> {
    pub(super) channel: &'p ChannelPlan,
    pub(super) options: &'p ByteOptions,
    pub(super) variation: &'p Variation,
    pub(super) file: FileEntry,
    /// In the file list.
    pub(super) position: u32,
    pub(super) rows: RowRange,
}

impl FileJob<'_> {
    /// The segment that is a row of the file.
    pub(super) fn segment(&self, row: u64) -> u32 {
        self.file.segment(row, self.options.selection.rows.every)
    }

    fn baseline(&self) -> Baseline {
        self.channel.baseline(self.options)
    }

    /// Whether so few samples of each record are taken that whatever lies between them is better not read.
    fn takes_little(&self) -> bool {
        u64::from(self.channel.samples) * 2 < u64::from(self.channel.record_samples)
    }
}

/// Why a file's rows were not made.
#[derive(Debug)]
pub(super) enum FileFault {
    /// A verdict on its bytes. `young`: it may still be written.
    Bad { status: Status, why: String, young: bool },
    /// Storage: worth another try.
    Storage(io::Error),
    /// It ended before the size it was opened with.
    Short { at: u64 },
    /// Its mapping failed: read it instead.
    Mapping,
    /// The run cannot go on.
    Halt(Halt),
}

/// What no other try can mend.
#[derive(Debug)]
pub(super) enum Halt {
    Changed(String),
    OtherLayout { planned: String, found: String },
    Mixed { fields: String },
    NotEightBit,
    WriteArray(io::Error),
    WriteIndex(io::Error),
    Revoked,
}

impl From<ReadFault> for FileFault {
    fn from(fault: ReadFault) -> Self {
        match fault {
            ReadFault::Io(error) => Self::Storage(error),
            ReadFault::Short { at } => Self::Short { at },
            ReadFault::Mapping => Self::Mapping,
        }
    }
}

impl From<trc::FormatError> for FileFault {
    fn from(error: trc::FormatError) -> Self {
        Self::Bad {
            status: error.status(),
            why: error.to_string(),
            young: false,
        }
    }
}

/// What could not be written is the end of the run, never a verdict on the input.
fn written<T>(result: io::Result<T>) -> Result<T, FileFault> {
    result.map_err(|error| FileFault::Halt(Halt::WriteArray(error)))
}

/// A thread's buffers for reading.
pub(super) struct Scratch {
    block: Vec<u8>,
    window: Bytes,
    median: MedianFinder,
}

impl Scratch {
    pub(super) fn new(sizes: &BlockSizes) -> Self {
        Self {
            block: vec![0; sizes.input.as_usize()],
            window: sizes.window,
            median: MedianFinder::new(),
        }
    }

    /// Whether a file of this size is brought in by a single read.
    pub(super) fn reads_at_once(&self, job: &FileJob<'_>, size: Bytes) -> bool {
        size.as_usize() <= self.block.len() && !job.takes_little()
    }

    /// Decodes the job's rows from an open file of `size`; returns the fields that are found to vary.
    pub(super) fn decode(
        &mut self,
        job: &FileJob<'_>,
        file: &File,
        size: Bytes,
        maps: bool,
        out: &mut Rows<'_, '_>,
    ) -> Result<FieldSet, FileFault> {
        let small = self.reads_at_once(job, size);
        let mut input = if maps && !small {
            Input::mapped(file, self.window)
        } else {
            Input::read(file, &mut self.block)
        };
        // The header is parsed from a private copy of its bytes: a buffer that was read into, never a mapping.
        let header = if small {
            let whole = input.block(0..size.0, size.0)?;
            Header::parse(&whole[..whole.len().min(trc::HEAD_BYTES)])?
        } else {
            let mut head = [0; trc::HEAD_BYTES];
            let head_bytes = trc::HEAD_BYTES.min(size.as_usize());
            input.copy(0, &mut head[..head_bytes])?;
            Header::parse(&head[..head_bytes])?
        };
        let layout = header.decodable(job.options.selection.array, size)?;
        check_layout(job, &header, &layout)?;
        check_room(out, &header)?;
        let varying = job.variation.new_in(&header);
        check_mixed(job, varying)?;
        let mut segments = Segments {
            job,
            header: &header,
            layout: &layout,
            input,
            median: &mut self.median,
        };
        segments.decode(out)?;
        segments.input.check()?;
        Ok(varying)
    }
}

fn check_layout(job: &FileJob<'_>, header: &Header, layout: &Layout) -> Result<(), FileFault> {
    let planned = job.channel.layout(job.file.layout);
    let shape = layout.shape;
    let native_width = planned.width.is_none_or(|width| width == header.width());
    if shape.segments != planned.segments || shape.samples != planned.samples || !native_width {
        let tell = |segments: u32, samples: u32, width: Option<SampleWidth>| {
            let bits = width.map_or(String::new(), |width| format!(" of {} bits", width.bytes() * 8));
            format!(
                "{} of {}{bits}",
                counted(segments.into(), "segment"),
                counted(samples.into(), "sample")
            )
        };
        return Err(FileFault::Halt(Halt::OtherLayout {
            planned: tell(planned.segments, planned.samples, planned.width),
            found: tell(shape.segments, shape.samples, Some(header.width())),
        }));
    }
    if shape.samples != job.channel.record_samples && job.options.ragged == Ragged::Bad {
        return Err(FileFault::Bad {
            status: Status::OtherLength,
            why: format!(
                "other length: {} samples expected, {} found",
                job.channel.record_samples, shape.samples
            ),
            young: false,
        });
    }
    Ok(())
}

/// A range with files of 16 bits is never given rows for 8: their values would be others.
fn check_room(out: &Rows<'_, '_>, header: &Header) -> Result<(), FileFault> {
    if out.form() == Form::Octets && header.width() == SampleWidth::Sixteen {
        return Err(FileFault::Halt(Halt::OtherLayout {
            planned: "samples of 8 bits".to_owned(),
            found: "samples of 16 bits".to_owned(),
        }));
    }
    Ok(())
}

fn check_mixed(job: &FileJob<'_>, varying: FieldSet) -> Result<(), FileFault> {
    let mixed = varying.intersection(FieldSet::AXES);
    if mixed.is_empty() || job.options.mixed == Mixed::Warn {
        return Ok(());
    }
    Err(FileFault::Halt(Halt::Mixed {
        fields: field_names(mixed),
    }))
}

/// The segments of one file on their way into rows.
struct Segments<'s, 'p, 'b> {
    job: &'s FileJob<'p>,
    header: &'s Header,
    layout: &'s Layout,
    input: Input<'b>,
    median: &'s mut MedianFinder,
}

impl Segments<'_, '_, '_> {
    fn decode(&mut self, out: &mut Rows<'_, '_>) -> Result<(), FileFault> {
        let job = self.job;
        // Whole rows that follow one another are read on without a stop.
        let last = job.segment(job.rows.end - 1);
        let ahead = if job.takes_little() || job.options.selection.rows.every > NonZeroU64::MIN {
            0
        } else {
            self.layout.segment(last).end
        };
        let mut times = Times::default();
        for row in job.rows.start..job.rows.end {
            let k = job.segment(row);
            let time = times.of(k, self.layout, self.header, &self.input)?;
            self.row(k, time, ahead, out)?;
        }
        Ok(())
    }

    fn row(&mut self, k: u32, time: SegmentTime, ahead: u64, out: &mut Rows<'_, '_>) -> Result<(), FileFault> {
        let header = self.header;
        let channel = self.job.channel;
        let stored = self.layout.segment(k);
        let width = header.width().bytes() as u64;
        let place = |sample: u32| stored.start + u64::from(sample) * width;
        let baseline = self.job.baseline();
        let level = if baseline.points == 0 {
            None
        } else {
            Some(self.level(stored.start..place(baseline.points), ahead)?)
        };
        let taken = channel.taken(self.layout.shape.samples);
        let samples = taken.end - taken.start;
        let range = place(taken.start)..place(taken.end);
        let level_code = level.map(|level| level.code);
        let head = RowHead::new(header.gain(), header.offset(), level_code, samples);
        written(out.open_row(head))?;
        let mut extrema: Option<Extrema> = None;
        let mut at = range.start;
        while at < range.end {
            let bytes = self.input.block(at..range.end, ahead)?;
            let codes = Codes {
                bytes,
                width: header.width(),
                order: header.order(),
            };
            at += bytes.len() as u64;
            out.alive(Bytes::from(bytes.len()))?;
            let found = write_codes(codes, header, level_code, out)?;
            extrema = Some(extrema.map_or(found, |so_far| so_far.merge(found)));
        }
        written(out.close_row(samples))?;
        out.record(self.record(k, time, samples, level, extrema))
            .map_err(|error| FileFault::Halt(Halt::WriteIndex(error)))
    }

    /// The level of the first samples, in codes.
    fn level(&mut self, range: std::ops::Range<u64>, ahead: u64) -> Result<Level, FileFault> {
        let mut sums = LevelSums::new();
        let median = self.job.baseline().method == BaselineMethod::Median;
        if median {
            self.median.clear();
        }
        let mut at = range.start;
        while at < range.end {
            let bytes = self.input.block(at..range.end, ahead)?;
            let codes = Codes {
                bytes,
                width: self.header.width(),
                order: self.header.order(),
            };
            at += bytes.len() as u64;
            sums.add(codes);
            if median {
                self.median.add(codes);
            }
        }
        let code = if median { self.median.median() } else { sums.mean() };
        Ok(Level {
            code,
            deviation: sums.deviation(),
        })
    }

    fn record(
        &self,
        k: u32,
        time: SegmentTime,
        samples: u32,
        level: Option<Level>,
        extrema: Option<Extrema>,
    ) -> IndexRecord {
        let (gain, offset) = (self.header.gain(), self.header.offset());
        let volts = |code: i16| gain * f32::from(code) - offset;
        let (min, max) = extrema.map_or((f32::NAN, f32::NAN), |extrema| {
            in_order(volts(extrema.min), volts(extrema.max))
        });
        // A code of an int8 array is the high byte of a stored word: the gain that belongs to it is 256 times as large.
        let widened = self.job.channel.element == Element::Int8 && self.header.width() == SampleWidth::Sixteen;
        IndexRecord {
            time: trc::row_time(self.header.trigger_time(), time.time)
                .unwrap_or(i64::MIN)
                .into(),
            trigger_offset: time.time.into(),
            horiz_offset: self.first_sample_at(time.offset).into(),
            baseline: level
                .map_or(f64::NAN, |level| f64::from(gain) * level.code - f64::from(offset))
                .into(),
            horiz_interval: self.header.horiz_interval().into(),
            gain: if widened { gain * 256.0 } else { gain }.into(),
            offset: offset.into(),
            #[expect(clippy::cast_possible_truncation, reason = "the column is f32")]
            baseline_std: level
                .map_or(f32::NAN, |level| (f64::from(gain).abs() * level.deviation) as f32)
                .into(),
            min: min.into(),
            max: max.into(),
            file: self.job.position.into(),
            segment: k.into(),
            samples: samples.into(),
            status: Status::Good.code(),
            padding: [0; 3],
        }
    }

    /// Where the row's first sample lies, when its record's first lies at `record`.
    fn first_sample_at(&self, record: f64) -> f64 {
        match self.job.channel.first_sample {
            // Adding nothing would make a zero of a negative zero.
            0 => record,
            first => record + f64::from(first) * f64::from(self.header.horiz_interval()),
        }
    }
}

/// The smaller and the larger; none where one of them is no number, since then the row holds such. (`f32::min` hides
/// it, and may choose either of the two zeros.)
fn in_order(a: f32, b: f32) -> (f32, f32) {
    if a.is_nan() || b.is_nan() {
        (f32::NAN, f32::NAN)
    } else if b < a {
        (b, a)
    } else {
        (a, b)
    }
}

/// The baseline of one row, in codes.
#[derive(Clone, Copy)]
struct Level {
    code: f64,
    deviation: f64,
}

/// Decodes a piece of a row into the array's stream, or leaves its codes there.
fn write_codes(
    mut codes: Codes<'_>,
    header: &Header,
    level: Option<f64>,
    out: &mut Rows<'_, '_>,
) -> Result<Extrema, FileFault> {
    let (gain, offset) = (header.gain(), header.offset());
    let mut extrema: Option<Extrema> = None;
    while !codes.bytes.is_empty() {
        let count = codes.len();
        let (taken, found) = match (out.form().width(), out.channel.element) {
            (None, Element::Float32) => {
                let room = written(out.data.room::<f32>(count))?;
                let piece = codes.slice(0..room.len());
                (room.len(), decode::volts_of(piece, gain, offset, level, room))
            }
            (None, Element::Int16) | (Some(SampleWidth::Sixteen), _) => {
                let room = written(out.data.room::<i16>(count))?;
                (room.len(), decode::words(codes.slice(0..room.len()), room))
            }
            (None, Element::Int8) | (Some(SampleWidth::Eight), _) => {
                let room = written(out.data.room::<i8>(count))?;
                let found =
                    decode::octets(codes.slice(0..room.len()), room).map_err(|_| FileFault::Halt(Halt::NotEightBit))?;
                (room.len(), found)
            }
        };
        extrema = Some(extrema.map_or(found, |so_far| so_far.merge(found)));
        codes.bytes = &codes.bytes[taken * codes.width.bytes()..];
    }
    Ok(extrema.expect("an input block holds at least one sample"))
}

/// TRIGTIME entries, read some at a time: a sequence can have millions.
#[derive(Default)]
struct Times {
    first: u64,
    entries: Vec<SegmentTime>,
}

impl Times {
    fn of(&mut self, k: u32, layout: &Layout, header: &Header, input: &Input<'_>) -> Result<SegmentTime, FileFault> {
        let Some(block) = &layout.trigtime else {
            return Ok(header.time_without_entry(k));
        };
        let k64 = u64::from(k);
        let there = (block.end - block.start) / TIME_BYTES;
        if k64 >= there {
            return Ok(header.time_without_entry(k));
        }
        if k64 < self.first || k64 >= self.first + self.entries.len() as u64 {
            let mut bytes = [0; TIMES_BLOCK];
            let take = (there - k64).min(TIMES_AT_ONCE) * TIME_BYTES;
            let bytes = &mut bytes[..Bytes(take).as_usize()];
            input.copy(block.start + k64 * TIME_BYTES, bytes)?;
            self.entries.clear();
            self.entries.extend(trc::segment_times(bytes, header.order()));
            self.first = k64;
        }
        Ok(self.entries[Bytes(k64 - self.first).as_usize()])
    }
}
