//! One range of a plan into rows of a target: the work of a thread here, and of a worker anywhere.
//!
//! Must never: change an input, write outside the range's rows, or let a file's rows be partly its samples.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::budget::BlockSizes;
use super::error::ConvertError;
use super::file::{FileFault, FileJob, Halt, Scratch};
use super::form::{Form, RowHead};
use super::freshness::{changed_since, check_unchanged, is_young};
use super::settings::Io;
use super::stages::reading;
use super::stream::{Checksum, Stream};
use super::synced::Grown;
use super::target::Target;
use super::watch::{Pulse, Watch};
use crate::fs::{self, Dir, Stamp};
use crate::npy::index::IndexRecord;
use crate::options::OnBadFile;
use crate::plan::{ChannelPlan, Element, FileEntry, Plan};
use crate::status::{Status, StatusCounts};
use crate::trc::{FieldSet, Header, Variation};
use crate::units::{Bytes, RowRange, count};

/// How often a file is tried before its storage is believed to be broken.
const TRIES: u32 = 3;
/// Before the second try; before the third four times as long.
const BACK_OFF: Duration = Duration::from_millis(100);
/// Bad files that one range remembers with their reasons; all of them are in the index.
const REMEMBERED: usize = 50;

/// What becomes of files that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// The range ends with [`ConvertError::Input`]: another machine may be able to.
    MustSucceed,
    /// Their rows are bad.
    #[default]
    MayFail,
    /// No file is opened: all rows that have one become [`Status::Quarantined`].
    GivenUp,
}

/// What is asked of a range besides its rows.
#[derive(Clone, Copy, Debug)]
pub struct RangeOptions<'p> {
    /// How input is read.
    pub io: Io,
    /// Whether a changed modification time alone is a changed file.
    pub trust_size: bool,
    /// A bad file younger than this may still be written.
    pub settle: Duration,
    /// Whether such a file is given up now instead of being reported in [`RangeDone::deferred`].
    pub last_try: bool,
    /// Rows of files that seemed to be still being written, and have been waited for.
    pub waited_for: &'p [RowRange],
    /// What becomes of files that cannot be read.
    pub reading: Reading,
    /// Shows that the work goes on, and ends it.
    pub pulse: &'p Pulse,
}

/// A bad file, with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadFile {
    /// As the file list names it.
    pub file: String,
    /// The verdict.
    pub status: Status,
    /// Expected and found.
    pub why: String,
}

/// A range, converted.
#[derive(Clone, Debug, Default)]
pub struct RangeDone {
    /// CRC32C of the rows' bytes.
    pub data: Checksum,
    /// CRC32C of the index records.
    pub index: Checksum,
    /// Header fields in which a good file differs from the channel's reference.
    pub varying: FieldSet,
    /// Its rows by their verdicts.
    pub statuses: StatusCounts,
    /// Some of the bad files with their reasons.
    pub bad: Vec<BadFile>,
    /// Files whose storage failed.
    pub unreadable: u64,
    /// The rows of files that may still be written, in order. The range must be converted again: its other rows at any
    /// time, these once their files have settled.
    pub deferred: Vec<RowRange>,
    /// Input bytes of its files.
    pub bytes_in: Bytes,
    /// Files that were not whole when they were planned, as they were when their rows were made.
    pub grown: Vec<Grown>,
}

/// A thread's means to convert ranges: buffers, and the folder it reads from.
pub struct RangeConverter<'p> {
    plan: &'p Plan,
    sizes: BlockSizes,
    scratch: Scratch,
    data: Vec<u64>,
    index: Vec<u64>,
    folder: Option<OpenFolder>,
    name: String,
    /// What the file was that was opened last.
    stamp: Option<Stamp>,
}

struct OpenFolder {
    position: u32,
    dir: Dir,
    local: bool,
}

impl<'p> RangeConverter<'p> {
    /// Buffers of these sizes.
    pub fn new(plan: &'p Plan, sizes: &BlockSizes) -> Self {
        Self {
            plan,
            sizes: *sizes,
            scratch: Scratch::new(sizes),
            data: vec![0; sizes.output.as_usize() / 8],
            index: vec![0; sizes.index.as_usize() / 8],
            folder: None,
            name: String::new(),
            stamp: None,
        }
    }

    /// Other buffers, when memory has become scarce or plenty.
    pub fn resize(&mut self, sizes: &BlockSizes) {
        if self.sizes != *sizes {
            *self = Self::new(self.plan, sizes);
        }
    }

    /// Converts `rows` of `channel` into `target`.
    pub fn convert(
        &mut self,
        channel: &ChannelPlan,
        rows: RowRange,
        target: &Target,
        options: &RangeOptions<'_>,
        watch: &Watch,
    ) -> Result<RangeDone, ConvertError> {
        let mut data = std::mem::take(&mut self.data);
        let mut index = std::mem::take(&mut self.index);
        let buffers = (&mut data[..], &mut index[..]);
        let result = match watch.listener() {
            None => self.convert_into(channel, rows, target, options, watch, buffers),
            Some(listener) => listener.hears(channel.channel, rows, || {
                self.convert_into(channel, rows, target, options, watch, buffers)
            }),
        };
        self.data = data;
        self.index = index;
        result
    }

    fn convert_into(
        &mut self,
        channel: &ChannelPlan,
        rows: RowRange,
        target: &Target,
        options: &RangeOptions<'_>,
        watch: &Watch,
        (data, index): (&mut [u64], &mut [u64]),
    ) -> Result<RangeDone, ConvertError> {
        let behind = rows.start - target.first_row;
        let mut out = Rows {
            channel,
            target,
            pulse: options.pulse,
            data: Stream::new(
                &target.data,
                target.data_start + behind * target.form.row_bytes(channel).0,
                data,
            ),
            index: Stream::new(&target.index, target.index_start + behind * IndexRecord::BYTES, index),
        };
        let mut done = RangeDone::default();
        let reference = Header::parse(&channel.reference.head)
            .expect("a plan's reference header was parsed when the plan was made or read");
        let mut variation = Variation::from(reference);
        let mut next = rows.start;
        for position in channel.files.overlapping(rows) {
            let file = channel.files.get(position);
            let wanted = file.row_range().intersection(rows);
            missing(&mut out, RowRange::new(next, wanted.start), &mut done, watch)?;
            next = wanted.end;
            let job = FileJob {
                channel,
                options: &self.plan.options,
                variation: &variation,
                file,
                position: u32::try_from(position).unwrap_or(u32::MAX),
                rows: wanted,
            };
            let deferred = done.deferred.len();
            let status = self.convert_file(&job, &mut out, options, &mut done)?;
            if let (Some(stamp), false) = (self.stamp, channel.layout(file.layout).whole) {
                let file = position as u64;
                done.grown.push(Grown { file, stamp });
            }
            variation.know(done.varying);
            done.statuses.add(status, wanted.len());
            let bytes = share_of(&file, wanted);
            done.bytes_in += bytes;
            // What will be done again is not done.
            if done.deferred.len() == deferred {
                watch.add_read(bytes);
                watch.add_rows(wanted.len(), if status.is_good() { 0 } else { wanted.len() });
            }
        }
        missing(&mut out, RowRange::new(next, rows.end), &mut done, watch)?;
        let Rows { data, index, .. } = out;
        done.data = data.finish().map_err(|source| target.array_failed(source))?;
        done.index = index.finish().map_err(|source| target.index_failed(source))?;
        watch.add_written(Bytes(done.data.len));
        Ok(done)
    }

    /// One file's rows: its samples, or, where it is bad, the mark of bad rows for all of them. Returns the verdict.
    fn convert_file(
        &mut self,
        job: &FileJob<'_>,
        out: &mut Rows<'_, '_>,
        options: &RangeOptions<'_>,
        done: &mut RangeDone,
    ) -> Result<Status, ConvertError> {
        out.data.mark();
        out.index.mark();
        self.stamp = None;
        let mut tries = 0;
        let mut io = options.io;
        let is_waited_for = |rows: RowRange| {
            let mut waited_for = options.waited_for.iter();
            waited_for.any(|waited| !waited.intersection(rows).is_empty())
        };
        let (status, why) = loop {
            if options.reading == Reading::GivenUp {
                break (Status::Quarantined, "its decoding ended the process".to_owned());
            }
            let fault = match self.try_file(job, out, options, io) {
                Ok(varying) => {
                    done.varying = done.varying.union(varying);
                    return Ok(Status::Good);
                }
                Err(fault) => fault,
            };
            out.data.rewind();
            out.index.rewind();
            match fault {
                FileFault::Bad { status, why, young } => {
                    if young && !options.last_try {
                        done.deferred.push(job.rows);
                    }
                    break if young || is_waited_for(job.rows) {
                        (Status::StillWriting, why)
                    } else {
                        (status, why)
                    };
                }
                FileFault::Mapping => io = Io::Read,
                FileFault::Short { .. } | FileFault::Storage(_) => {
                    let source = match fault {
                        FileFault::Storage(source) => source,
                        _ => std::io::ErrorKind::UnexpectedEof.into(),
                    };
                    tries += 1;
                    if tries < TRIES {
                        std::thread::sleep(BACK_OFF * 4u32.pow(tries - 1));
                        // The folder's own handle can be what went stale.
                        self.folder = None;
                        continue;
                    }
                    // What is gone for this machine alone is gone for its mapping of the folder.
                    if options.reading == Reading::MustSucceed {
                        let file = self.label(job);
                        return Err(ConvertError::Input { file, source });
                    }
                    if source.kind() == std::io::ErrorKind::NotFound {
                        return Err(ConvertError::Changed {
                            file: self.label(job),
                            change: "it is gone".to_owned(),
                        });
                    }
                    done.unreadable += 1;
                    break (Status::Unreadable, source.to_string());
                }
                FileFault::Halt(halt) => return Err(self.stop(job, halt, out.target)),
            }
        };
        let may_get_well = status == Status::StillWriting && !options.last_try;
        if self.plan.options.on_bad_file == OnBadFile::Fail && !may_get_well {
            return Err(ConvertError::BadFile {
                file: self.label(job),
                why,
            });
        }
        if done.bad.len() < REMEMBERED {
            done.bad.push(BadFile {
                file: self.label(job),
                status,
                why,
            });
        }
        out.bad(job.rows, Some(job), status)?;
        Ok(status)
    }

    fn try_file(
        &mut self,
        job: &FileJob<'_>,
        out: &mut Rows<'_, '_>,
        options: &RangeOptions<'_>,
        io: Io,
    ) -> Result<FieldSet, FileFault> {
        let pattern = &self.plan.patterns[job.file.pattern.0 as usize];
        pattern.write_name(job.file.index, &mut self.name);
        self.stamp = None;
        self.open_folder(pattern.folder)?;
        let folder = self.folder.as_ref().expect("opened above");
        let (file, local) = (reading(|| folder.dir.open_file(&self.name)), folder.local);
        let file = match file {
            Ok(file) => file,
            Err(error) if fs::held_by_writer(&error) => {
                return Err(FileFault::Bad {
                    status: Status::StillWriting,
                    why: "another program has it open for itself alone".to_owned(),
                    young: true,
                });
            }
            Err(error) => return Err(FileFault::Storage(error)),
        };
        let stamp = Stamp::of(&file).map_err(FileFault::Storage)?;
        self.stamp = Some(stamp);
        let young = || is_young(stamp, options.settle);
        let whole = job.channel.layout(job.file.layout).whole;
        let changed = changed_since(&job.file, stamp, options.trust_size);
        if let (Some(change), true) = (&changed, whole) {
            return Err(FileFault::Halt(Halt::Changed(change.clone())));
        }
        #[cfg(debug_assertions)]
        super::faults::maybe_crash(&self.name);
        let maps = io.maps(stamp.size, local);
        let result = self.scratch.decode(job, &file, stamp.size, maps, out);
        let result = result.and_then(|varying| {
            // One read sees one state of the file. In pieces two states can be mixed, and in a mapping a file that
            // lost its end gives zeros for it without any fault.
            if !self.scratch.reads_at_once(job, stamp.size) {
                check_unchanged(job, &file, stamp, whole, options)?;
            }
            Ok(varying)
        });
        match result {
            // What was cut short when planned, and is other now, is being written.
            Err(FileFault::Bad { status, why, .. }) => Err(FileFault::Bad {
                status,
                why,
                young: changed.is_some() || young(),
            }),
            Err(FileFault::Short { at }) => match Stamp::of(&file) {
                Ok(now) if now.size < stamp.size && whole => Err(FileFault::Halt(Halt::Changed(format!(
                    "it shrank from {} to {} bytes while it was read",
                    count(stamp.size.0),
                    count(now.size.0)
                )))),
                Ok(now) if now.size < stamp.size => Err(FileFault::Bad {
                    status: Status::Truncated,
                    why: format!(
                        "cut short: {} bytes expected, {} found",
                        count(stamp.size.0),
                        count(now.size.0)
                    ),
                    young: true,
                }),
                Ok(_) => Err(FileFault::Storage(std::io::Error::other(format!(
                    "the storage ended the file at byte {at} of {}",
                    stamp.size.0
                )))),
                Err(error) => Err(FileFault::Storage(error)),
            },
            other => other,
        }
    }

    fn open_folder(&mut self, position: u32) -> Result<(), FileFault> {
        if self.folder.as_ref().is_none_or(|open| open.position != position) {
            let path = &self.plan.folders[position as usize].path;
            let dir = Dir::open(path).map_err(FileFault::Storage)?;
            let local = fs::kind(path).is_ok_and(|kind| !kind.network);
            self.folder = Some(OpenFolder { position, dir, local });
        }
        Ok(())
    }

    fn label(&self, job: &FileJob<'_>) -> String {
        let mut label = String::new();
        self.plan
            .file_label(job.channel, Bytes(job.position.into()).as_usize(), &mut label);
        label
    }

    fn stop(&self, job: &FileJob<'_>, halt: Halt, target: &Target) -> ConvertError {
        let file = self.label(job);
        match halt {
            Halt::Changed(change) => ConvertError::Changed { file, change },
            Halt::OtherLayout { planned, found } => ConvertError::OtherLayout { file, planned, found },
            Halt::Mixed { fields } => ConvertError::Mixed { file, fields },
            Halt::Revoked => ConvertError::Revoked,
            Halt::NotEightBit => ConvertError::NotEightBit { file },
            Halt::WriteArray(source) => target.array_failed(source),
            Halt::WriteIndex(source) => target.index_failed(source),
        }
    }
}

/// The rows of a range as they are written: array and index side by side.
pub(super) struct Rows<'c, 't> {
    pub(super) channel: &'c ChannelPlan,
    target: &'t Target,
    pulse: &'c Pulse,
    pub(super) data: Stream<'t>,
    pub(super) index: Stream<'t>,
}

impl Rows<'_, '_> {
    /// What stands for a row here.
    pub(super) const fn form(&self) -> Form {
        self.target.form
    }

    /// What stands before the samples of a row.
    pub(super) fn open_row(&mut self, head: RowHead) -> std::io::Result<()> {
        match self.form() {
            Form::Values => Ok(()),
            Form::Octets | Form::Words => self.data.repeat(head, 1),
        }
    }

    /// What stands behind the samples of a row, which are `samples`: elements of no value (NaN, or the smallest code).
    pub(super) fn close_row(&mut self, samples: u32) -> std::io::Result<()> {
        let count = u64::from(self.channel.samples - samples);
        match (self.form().width(), self.channel.element) {
            (Some(width), _) => {
                let behind = RowHead::BYTES + u64::from(samples) * width.bytes() as u64;
                self.data.repeat(0_u8, self.form().row_bytes(self.channel).0 - behind)
            }
            (None, Element::Float32) => self.data.repeat(f32::NAN, count),
            (None, Element::Int16) => self.data.repeat(i16::MIN, count),
            (None, Element::Int8) => self.data.repeat(i8::MIN, count),
        }
    }

    /// Shows that so many bytes have been gone through; fails where the range is to end.
    pub(super) fn alive(&self, bytes: Bytes) -> Result<(), FileFault> {
        self.pulse.beat(bytes);
        if self.pulse.revoked() {
            return Err(FileFault::Halt(Halt::Revoked));
        }
        Ok(())
    }

    /// One index record.
    pub(super) fn record(&mut self, record: IndexRecord) -> std::io::Result<()> {
        self.index.repeat(record, 1)
    }

    /// Rows that hold nothing, and why.
    fn bad(&mut self, rows: RowRange, job: Option<&FileJob<'_>>, status: Status) -> Result<(), ConvertError> {
        for row in rows.start..rows.end {
            if self.alive(self.channel.row_bytes()).is_err() {
                return Err(ConvertError::Revoked);
            }
            self.open_row(RowHead::NONE)
                .and_then(|()| self.close_row(0))
                .map_err(|source| self.target.array_failed(source))?;
            let (file, segment) = job.map_or((u32::MAX, 0), |job| (job.position, job.segment(row)));
            self.record(IndexRecord::bad(file, segment, status))
                .map_err(|source| self.target.index_failed(source))?;
        }
        Ok(())
    }
}

/// What the rows take of their file; all of them together take all of it.
fn share_of(file: &FileEntry, rows: RowRange) -> Bytes {
    let before = |row: u64| {
        let share = u128::from(file.size.0) * u128::from(row - file.first_row) / u128::from(file.rows.max(1));
        Bytes(u64::try_from(share).unwrap_or(file.size.0))
    };
    before(rows.end).saturating_sub(before(rows.start))
}

fn missing(out: &mut Rows<'_, '_>, rows: RowRange, done: &mut RangeDone, watch: &Watch) -> Result<(), ConvertError> {
    if rows.is_empty() {
        return Ok(());
    }
    out.bad(rows, None, Status::Missing)?;
    done.statuses.add(Status::Missing, rows.len());
    watch.add_rows(rows.len(), rows.len());
    Ok(())
}
