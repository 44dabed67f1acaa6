//! Some rows of a channel: their checksums, their index records, and their samples against the sources.

mod samples;

use std::io;

use crc_fast::{CrcAlgorithm, Digest};
use zerocopy::IntoBytes;

use super::Open;
use super::blocks::{BLOCK, Block, Cursor};
use super::compare::first_field;
use super::difference::{Difference, What};
use super::expected::{self, RowSeen, Source, SourceFile};
use super::lossless::Lossless;
use super::tally::{FilePart, Kept, Tally};
use crate::convert::{Checksum, Watch};
use crate::fs::StorageError;
use crate::npy::DATA_START;
use crate::npy::index::IndexRecord;
use crate::options::Ragged;
use crate::outputs::{Lines, read_exact};
use crate::plan::Examples;
use crate::status::{Status, StatusCounts};
use crate::trc::decode::MedianFinder;
use crate::trc::{FieldSet, Variation, WaveArray};
use crate::units::{Bytes, RowRange, count};

/// What was found in some rows.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Of the array's bytes.
    pub(super) data: Checksum,
    /// Of the index's.
    pub(super) index: Checksum,
    /// Whether all of both could be read.
    pub(super) readable: bool,
    pub(super) statuses: StatusCounts,
    /// Rows that were compared with a source.
    pub(super) compared: u64,
    pub(super) differences: Examples<Difference>,
    /// Header fields in which a good file differs from the channel's reference.
    pub(super) varying: FieldSet,
    pub(super) tally: Tally,
    /// The first and the last file, which other rows may belong to as well.
    pub(super) edges: Vec<(u32, FilePart)>,
}

/// A thread's buffers.
pub(super) struct Worker {
    array: Block,
    source: Block,
    /// What a piece of a row should be.
    expected: Vec<u64>,
    median: MedianFinder,
}

impl Worker {
    pub(super) fn new() -> Self {
        Self {
            array: Block::new(),
            source: Block::new(),
            expected: vec![0; BLOCK / 8],
            median: MedianFinder::new(),
        }
    }

    /// Goes through `rows`.
    pub(super) fn go_through(&mut self, channel: &Open, rows: RowRange, watch: &Watch) -> Done {
        let what = &channel.output.description;
        let part = |row: u64| DATA_START + row * what.row_bytes();
        let mut pass = Pass {
            channel,
            cursor: Cursor::new(&channel.output.array, &mut self.array, part(rows.start)..part(rows.end)),
            source: &mut self.source,
            expected: &mut self.expected,
            median: &mut self.median,
            lines: channel.output.list.lines_of(),
            variation: channel.reference.clone().map(Variation::from),
            lossless: Lossless::default(),
            before: None,
            open: None,
            done: Done::default(),
        };
        let result = pass.rows(rows, watch);
        pass.close();
        let mut done = pass.done;
        done.readable = result.is_ok();
        if let Err(Stopped { row, error }) = result {
            done.differences.add_smallest(Difference {
                row,
                sample: None,
                file: file_name(&error.path),
                source: None,
                what: What::Unreadable { why: error.to_string() },
            });
        }
        done
    }
}

/// Why some rows could not be gone through to their end.
struct Stopped {
    row: Option<u64>,
    error: StorageError,
}

impl From<StorageError> for Stopped {
    fn from(error: StorageError) -> Self {
        Self { row: None, error }
    }
}

fn file_name(path: &std::path::Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The source whose rows are being gone through.
struct OpenSource {
    number: u32,
    part: FilePart,
    source: Source,
    /// Whether it is the first of these rows.
    edge: bool,
    /// Whether rows before these belong to it too.
    continued: bool,
}

/// One way through some rows.
struct Pass<'p> {
    channel: &'p Open,
    cursor: Cursor<'p>,
    source: &'p mut Block,
    expected: &'p mut [u64],
    median: &'p mut MedianFinder,
    lines: Lines<'p>,
    variation: Option<Variation>,
    lossless: Lossless,
    /// File and segment of the last row that has them.
    before: Option<(u32, u32)>,
    open: Option<OpenSource>,
    done: Done,
}

impl Pass<'_> {
    fn rows(&mut self, rows: RowRange, watch: &Watch) -> Result<(), Stopped> {
        let output = &self.channel.output;
        self.before = self.last_before(rows.start)?;
        let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
        let row_bytes = Bytes(output.description.row_bytes());
        output.each_record::<Stopped>(rows, |row, record| {
            digest.update(record.as_bytes());
            self.row(row, record).map_err(|source| Stopped {
                row: Some(row),
                error: StorageError::new("read", &output.paths.array, source),
            })?;
            let bad = record.status != Status::Good.code();
            watch.add_rows(1, u64::from(bad));
            watch.add_read(row_bytes);
            Ok(())
        })?;
        self.done.index = Checksum::from(&digest);
        self.done.data = self.cursor.checksum();
        Ok(())
    }

    /// File and segment of the row before `start`: order is to be judged across parts.
    fn last_before(&self, start: u64) -> Result<Option<(u32, u32)>, StorageError> {
        let Some(row) = start.checked_sub(1) else {
            return Ok(None);
        };
        let output = &self.channel.output;
        let mut record = IndexRecord::bad(0, 0, Status::Good);
        let at = DATA_START + row * IndexRecord::BYTES;
        read_exact(&output.index, &output.paths.index, record.as_mut_bytes(), at)?;
        // A missing event has none; no file has rows on both sides of one.
        let is_missing = record.status == Status::Missing.code();
        Ok((!is_missing).then(|| (record.file.get(), record.segment.get())))
    }

    /// One row. Fails only where the array cannot be read.
    fn row(&mut self, row: u64, record: &IndexRecord) -> io::Result<()> {
        let what = &self.channel.output.description;
        let width = what.row_bytes();
        let continued = self.before.is_some_and(|(file, _)| file == record.file.get());
        let status = match self.check_record(record) {
            Ok(status) => status,
            Err(why) => {
                self.differs(row, None, true, What::Record { why });
                return self.cursor.pass(width);
            }
        };
        self.done.statuses.add(status, 1);
        let asked = self.channel.sources.is_some() && self.channel.share.chooses(row, what.rows());
        if status == Status::Missing {
            return self.blank(row, u64::from(what.samples()), 0);
        }
        if !asked {
            return match status {
                Status::Good => self.cursor.pass(width),
                _ => self.blank(row, u64::from(what.samples()), 0),
            };
        }
        self.done.compared += 1;
        self.turn_to(record.file.get(), continued);
        if let Some(open) = &mut self.open {
            open.part.rows += 1;
        }
        // Out of its place, so that the row's work can borrow the rest; it is put back below.
        let Some(open) = self.open.take() else {
            return self.cursor.pass(width);
        };
        let (kept, result) = match (&open.source, status) {
            (Source::Absent(why), _) => {
                // Once a file, and not once more in the part where its other rows are.
                if !open.part.missing && !open.continued {
                    self.differs(row, Some(&open.part.label), false, What::Source { why: why.clone() });
                }
                (None, self.cursor.pass(width))
            }
            (Source::Good(source), Status::Good) => {
                let before = self.done.differences.count;
                let result = self.good_row(row, record, source, &open.part.label);
                let differs = self.done.differences.count > before;
                let baseline = what.options.baseline.points > 0;
                let keeps = self.lossless.keeps(what.element, &source.header, baseline);
                let kept = match (differs, keeps) {
                    (true, _) => Some(Kept::Differs),
                    (false, false) => Some(Kept::Rounded),
                    (false, true) => None,
                };
                (kept, result)
            }
            (source, _) => {
                let agrees = self.judge(row, status, source, &open.part.label);
                let kept = if agrees { Kept::BadRows } else { Kept::Differs };
                let result = match status {
                    Status::Good => self.cursor.pass(width),
                    _ => self.blank(row, u64::from(what.samples()), 0),
                };
                (Some(kept), result)
            }
        };
        let mut open = open;
        open.part.missing |= matches!(open.source, Source::Absent(_));
        open.part.kept = open.part.kept.max(kept);
        self.open = Some(open);
        result
    }

    /// What a record says of itself; the verdict where it can be believed.
    fn check_record(&mut self, record: &IndexRecord) -> Result<Status, String> {
        let Some(status) = Status::from_code(record.status) else {
            return Err(format!("its status is {}, which means nothing", record.status));
        };
        let (file, segment) = (record.file.get(), record.segment.get());
        let blank = match status {
            Status::Good => None,
            Status::Missing => Some(IndexRecord::bad(u32::MAX, 0, status)),
            _ => Some(IndexRecord::bad(file, segment, status)),
        };
        if blank.is_some_and(|blank| blank.as_bytes() != record.as_bytes()) {
            return Err(format!(
                "its status is {}, and yet its record holds numbers",
                status.describe()
            ));
        }
        if record.padding != [0; 3] {
            return Err("the last three bytes of its record are not zeros".to_owned());
        }
        if status == Status::Missing {
            return Ok(status);
        }
        let lines = self.channel.output.list.lines();
        if u64::from(file) >= lines {
            return Err(format!("its file is number {file}, and the list has {}", count(lines)));
        }
        if self.before.is_some_and(|before| before >= (file, segment)) {
            return Err(format!(
                "file {file}, segment {segment} is not behind that of the row before it"
            ));
        }
        self.before = Some((file, segment));
        let width = self.channel.output.description.samples();
        // Of a record that is padded, what is taken can lie behind its end.
        let least = u32::from(self.channel.output.description.options.ragged != Ragged::Pad);
        if status.is_good() && !(least..=width).contains(&record.samples.get()) {
            return Err(format!(
                "it has {} samples, and the array {width}",
                record.samples.get()
            ));
        }
        Ok(status)
    }

    /// Opens the source of a line, unless it is open already.
    fn turn_to(&mut self, number: u32, continued: bool) {
        if self.open.as_ref().is_some_and(|open| open.number == number) {
            return;
        }
        let edge = self.open.is_none();
        self.put_away(false);
        let Some(sources) = &self.channel.sources else { return };
        let (label, source) = match self.lines.get(number.into()) {
            Ok(line) => {
                let line = line.unwrap_or_default();
                let array = self.channel.output.description.options.selection.array;
                (line.to_owned(), expected::open(sources, line, array))
            }
            Err(error) => (number.to_string(), Source::Absent(error.to_string())),
        };
        self.source.clear();
        let mut part = FilePart {
            label,
            rows: 0,
            segments: 1,
            bytes: Bytes(0),
            missing: false,
            kept: None,
        };
        match &source {
            Source::Good(source) => {
                part.segments = source.layout.shape.segments.into();
                part.bytes = source.size;
                let what = &self.channel.output.description;
                let taken = what.first_sample..what.first_sample + what.samples();
                let is_second = what.options.selection.array == WaveArray::Second;
                if is_second || source.layout.second_array > Bytes(0) {
                    part.kept = Some(Kept::OtherArray);
                } else if taken.start > 0 || source.layout.shape.samples > taken.end {
                    part.kept = Some(Kept::LongerRows);
                } else {
                    part.kept = source.beside_samples();
                }
            }
            Source::Bad { size, .. } => part.bytes = *size,
            Source::Absent(_) => {}
        }
        self.open = Some(OpenSource {
            number,
            part,
            source,
            edge,
            continued,
        });
    }

    /// Counts the source whose rows are done. The first and the last of a part may have others elsewhere.
    fn put_away(&mut self, last: bool) {
        let Some(open) = self.open.take() else { return };
        if open.edge || last {
            self.done.edges.push((open.number, open.part));
        } else {
            self.done.tally.add(open.number, open.part);
        }
    }

    fn close(&mut self) {
        self.put_away(true);
    }

    /// A row that is good, and whose source is whole.
    fn good_row(&mut self, row: u64, record: &IndexRecord, source: &SourceFile, label: &str) -> io::Result<()> {
        let what = &self.channel.output.description;
        let shape = source.layout.shape;
        let (segment, width, whole) = (record.segment.get(), what.samples(), what.whole_record());
        let cuts = matches!(what.options.ragged, Ragged::Truncate);
        let pads = matches!(what.options.ragged, Ragged::Pad);
        let fits = shape.samples == whole || (shape.samples > whole && cuts) || (shape.samples < whole && pads);
        let other = if segment >= shape.segments {
            Some(format!(
                "has {} segments, and this row is number {segment}",
                shape.segments
            ))
        } else if !fits {
            Some(format!(
                "has records of {} samples, {whole} are expected",
                shape.samples
            ))
        } else {
            None
        };
        if let Some(found) = other {
            let stored = Status::Good.describe();
            self.differs(row, Some(label), true, What::Verdict { stored, found });
            return self.cursor.pass(what.row_bytes());
        }
        if let Some(variation) = &mut self.variation {
            let new = variation.new_in(&source.header);
            variation.know(new);
            self.done.varying = self.done.varying.union(new);
        }
        let first = what.first_sample;
        let taken = first..shape.samples.min(first + width).max(first);
        let samples = taken.end - taken.start;
        let level = source.level(self.source, self.median, segment, what);
        let time = source.time(segment);
        let (level, time) = match (level, time) {
            (Ok(level), Ok(time)) => (level, time),
            (Err(error), _) | (_, Err(error)) => return self.unreadable(row, label, &error, what.row_bytes()),
        };
        let before = self.done.differences.count;
        let extrema = match self.samples(row, source, segment, taken, level.map(|level| level.code), label)? {
            Ok(extrema) => extrema,
            // The rest of the row has been passed over.
            Err(error) => return self.unreadable(row, label, &error, 0),
        };
        self.blank(row, u64::from(width - samples), u64::from(samples))?;
        let seen = RowSeen {
            extrema,
            samples,
            first,
            element: what.element,
        };
        let expected = source.record(record, time, level, seen);
        // Where samples differ, so do the fields that are made from them.
        let samples_agree = self.done.differences.count == before;
        if let Some((field, stored, expected)) = first_field(record, &expected).filter(|_| samples_agree) {
            let field = field.to_owned();
            self.differs(
                row,
                Some(label),
                true,
                What::Field {
                    field,
                    stored,
                    expected,
                },
            );
        }
        Ok(())
    }

    fn unreadable(&mut self, row: u64, label: &str, error: &io::Error, pass: u64) -> io::Result<()> {
        let why = expected::unreadable(error);
        self.differs(row, Some(label), false, What::Source { why });
        self.cursor.pass(pass)
    }

    /// Whether a source deserves the verdict that its row has; a difference where not.
    fn judge(&mut self, row: u64, stored: Status, source: &Source, label: &str) -> bool {
        let what = &self.channel.output.description;
        let found = match source {
            Source::Good(source) => {
                let other = source.layout.shape.samples != what.whole_record() && what.options.ragged == Ragged::Bad;
                if other && stored == Status::OtherLength {
                    return true;
                }
                "is whole and can be read (convert again to have its rows)".to_owned()
            }
            Source::Bad { error, .. } => {
                let same = error.status() == stored;
                // Nobody can tell now what the storage and the instrument were doing then.
                let untold = [Status::StillWriting, Status::Unreadable, Status::Quarantined];
                if same || untold.contains(&stored) {
                    return true;
                }
                format!("is {error}")
            }
            Source::Absent(_) => return true,
        };
        let stored = stored.describe();
        self.differs(row, Some(label), true, What::Verdict { stored, found });
        false
    }

    /// Notes a difference of a row, in the index or in the array.
    fn differs(&mut self, row: u64, source: Option<&str>, in_index: bool, what: What) {
        self.differs_at(row, None, source, in_index, what);
    }

    fn differs_at(&mut self, row: u64, sample: Option<u64>, source: Option<&str>, in_index: bool, what: What) {
        let paths = &self.channel.output.paths;
        let path = if in_index { &paths.index } else { &paths.array };
        self.done.differences.add_smallest(Difference {
            row: Some(row),
            sample,
            file: file_name(path),
            source: source.map(ToOwned::to_owned),
            what,
        });
    }
}
