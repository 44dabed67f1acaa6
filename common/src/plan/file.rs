//! `plan.bin`: the plan as a file. Everything that is read is checked; a damaged file is an error, never a panic.
//!
//! ```text
//! 8 bytes  magic            TRC2PLAN
//! u32      version          little-endian, as all numbers
//! u64      bytes of head
//! ...      head             JSON: options, folders, patterns, and of each channel all but its columns
//! columns  of each channel  sizes u64, mtimes i64, first rows u64, first segments u32, rows u32, layouts u32, patterns u32, indices u64;
//!                           of the files left out: patterns u32, indices u64
//! u32      CRC32C           of everything before it
//! ```
//! The plan's id is the SHA-256 of everything before the checksum.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use crc_fast::{CrcAlgorithm, Digest as Crc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zerocopy::IntoBytes as _;

use crate::channel::Channel;
use crate::options::ByteOptions;
use crate::units::Bytes;

use super::model::{
    ChannelPlan, Element, FileTable, Folder, LeftOut, NamePattern, Plan, PlanId, PlannedLayout, Reference,
    RequestSummary,
};

const MAGIC: [u8; 8] = *b"TRC2PLAN";
const VERSION: u32 = 1;
/// Magic, version, length of the head.
const OPENING: u64 = 20;
const CHECKSUM: u64 = 4;
/// Bytes of a column handled at once.
const CHUNK: usize = 64 << 10;

/// Why a plan file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// The storage failed.
    #[error("the plan file cannot be read: {0}")]
    Storage(#[from] io::Error),
    /// The file is something else.
    #[error("not a plan file of trc2npy: it begins with other bytes")]
    NotAPlan,
    /// Written by a later version of this program.
    #[error("the plan file has version {found}, this program reads up to {VERSION}: continue with the newer program")]
    Newer {
        /// Its version.
        found: u32,
    },
    /// Not what was written.
    #[error("the plan file is damaged: {0}")]
    Damaged(String),
}

fn damaged(what: impl Into<String>) -> PlanFileError {
    PlanFileError::Damaged(what.into())
}

#[derive(Serialize, Deserialize)]
struct Head {
    run: String,
    options: ByteOptions,
    request: RequestSummary,
    folders: Vec<Folder>,
    patterns: Vec<NamePattern>,
    channels: Vec<ChannelHead>,
}

#[derive(Serialize, Deserialize)]
struct ChannelHead {
    channel: Channel,
    rows: u64,
    samples: u32,
    record_samples: u32,
    first_sample: u32,
    element: Element,
    reference: Reference,
    layouts: Vec<PlannedLayout>,
    files: u64,
    left_out: u64,
}

impl Plan {
    /// Writes the plan as a file's content. Nothing of the plan is copied whole.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let mut out = Checked::new(BufWriter::with_capacity(CHUNK, to));
        self.write_body(&mut out)?;
        let crc = out.crc();
        let mut to = out.inner;
        to.write_all(&crc.to_le_bytes())?;
        to.flush()
    }

    /// The plan as a file's content.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes).expect("writing to memory cannot fail");
        bytes
    }

    /// The id of the plan as it is now.
    pub(super) fn compute_id(&self) -> PlanId {
        let mut out = Hashed {
            hash: Sha256::new(),
            inner: io::sink(),
        };
        let mut buffered = BufWriter::with_capacity(CHUNK, &mut out);
        self.write_body(&mut buffered)
            .and_then(|()| buffered.flush())
            .expect("hashing cannot fail");
        drop(buffered);
        PlanId(out.hash.finalize().into())
    }

    fn write_body(&self, out: &mut impl Write) -> io::Result<()> {
        let head = Head {
            run: self.run.clone(),
            options: self.options.clone(),
            request: self.request.clone(),
            folders: self.folders.clone(),
            patterns: self.patterns.clone(),
            channels: self
                .channels
                .iter()
                .map(|channel| ChannelHead {
                    channel: channel.channel,
                    rows: channel.rows,
                    samples: channel.samples,
                    record_samples: channel.record_samples,
                    first_sample: channel.first_sample,
                    element: channel.element,
                    reference: channel.reference.clone(),
                    layouts: channel.layouts.clone(),
                    files: channel.files.len() as u64,
                    left_out: channel.left_out.len() as u64,
                })
                .collect(),
        };
        let head = serde_json::to_vec(&head)?;
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        out.write_all(&(head.len() as u64).to_le_bytes())?;
        out.write_all(&head)?;
        for channel in self.channels.iter() {
            let files = &channel.files;
            write_column(out, &files.sizes)?;
            write_column(out, &files.mtimes)?;
            write_column(out, &files.first_rows)?;
            write_column(out, &files.first_segments)?;
            write_column(out, &files.rows)?;
            write_column(out, &files.layouts)?;
            write_column(out, &files.patterns)?;
            write_column(out, &files.indices)?;
            write_column(out, &channel.left_out.patterns)?;
            write_column(out, &channel.left_out.indices)?;
        }
        Ok(())
    }

    /// Reads a plan from a file's content.
    pub fn decode(bytes: &[u8]) -> Result<Self, PlanFileError> {
        Self::read(bytes, Bytes::from(bytes.len()))
    }

    /// Reads a plan from a file.
    pub fn read_from(path: &Path) -> Result<Self, PlanFileError> {
        let file = File::open(path)?;
        let length = Bytes(file.metadata()?.len());
        Self::read(BufReader::with_capacity(CHUNK, file), length)
    }

    /// Reads a plan of `length` bytes. Memory is taken only for what that length can hold.
    pub fn read(from: impl Read, length: Bytes) -> Result<Self, PlanFileError> {
        let mut input = Input {
            from,
            left: length.0,
            crc: new_crc(),
            hash: Sha256::new(),
        };
        let opening: [u8; 12] = input.array()?;
        if opening[..8] != MAGIC {
            return Err(PlanFileError::NotAPlan);
        }
        let version = u32::from_le_bytes([opening[8], opening[9], opening[10], opening[11]]);
        if version > VERSION {
            return Err(PlanFileError::Newer { found: version });
        }
        if version != VERSION {
            return Err(damaged(format!("version {version} was never written")));
        }
        let head_bytes = u64::from_le_bytes(input.array()?);
        let head = input.bytes(head_bytes)?;
        let head: Head = serde_json::from_slice(&head).map_err(|error| damaged(format!("its head: {error}")))?;
        let rows = |n: u64, each: u64| n.checked_mul(each);
        let columns = head.channels.iter().try_fold(0_u64, |sum, channel| {
            let files = rows(channel.files, FileTable::BYTES_PER_FILE)?;
            let left_out = rows(channel.left_out, LeftOut::BYTES_PER_FILE)?;
            sum.checked_add(files)?.checked_add(left_out)
        });
        let expected = columns
            .and_then(|columns| columns.checked_add(OPENING + CHECKSUM))
            .and_then(|all| all.checked_add(head_bytes));
        if expected != Some(length.0) {
            return Err(damaged(match expected {
                Some(expected) => format!("{expected} bytes expected, {} found", length.0),
                None => "its head names impossible counts".to_owned(),
            }));
        }
        let mut channels = Vec::with_capacity(head.channels.len());
        for channel in head.channels {
            channels.push(read_channel(&mut input, channel)?);
        }
        let id = PlanId(input.hash.clone().finalize().into());
        let found = u32::try_from(input.crc.finalize()).map_err(|_| damaged("its checksum cannot be computed"))?;
        let named = u32::from_le_bytes(input.array()?);
        if found != named {
            return Err(damaged(format!("its checksum is {found:08x}, {named:08x} was written")));
        }
        let plan = Self {
            id,
            run: head.run,
            options: head.options,
            request: head.request,
            folders: head.folders,
            patterns: head.patterns,
            channels: channels.into(),
        };
        plan.check().map_err(damaged)?;
        Ok(plan)
    }

    /// What every plan keeps to, whoever wrote it: else readers of it could leave their folders or their arrays.
    fn check(&self) -> Result<(), String> {
        for pattern in &self.patterns {
            if pattern.folder as usize >= self.folders.len() {
                return Err("a name is in a folder that is not there".to_owned());
            }
            let name = pattern.name(0);
            if pattern.width > 20 || name.contains(['/', '\\', '\0']) || name == "." || name == ".." {
                return Err(format!("{name:?} is no file's name"));
            }
        }
        let in_order = |pair: &[ChannelPlan]| pair[0].channel < pair[1].channel;
        if !self.channels.windows(2).all(in_order) {
            return Err("channels out of order".to_owned());
        }
        self.channels.iter().try_for_each(|channel| {
            self.check_channel(channel)
                .map_err(|what| format!("channel {}: {what}", channel.channel))
        })
    }

    fn check_channel(&self, channel: &ChannelPlan) -> Result<(), String> {
        let files = &channel.files;
        if channel.samples == 0 {
            return Err("rows without samples".to_owned());
        }
        if u64::from(channel.first_sample) + u64::from(channel.samples) > channel.record_samples.into() {
            return Err("rows of more samples than their records have".to_owned());
        }
        if channel.checked_bytes().is_none() {
            return Err(format!("{} rows of {} samples", channel.rows, channel.samples));
        }
        if channel.reference.pattern.0 as usize >= self.patterns.len() {
            return Err("a reference file of a name that is not there".to_owned());
        }
        if channel
            .layouts
            .iter()
            .any(|layout| layout.segments == 0 || layout.samples == 0)
        {
            return Err("a layout without segments or samples".to_owned());
        }
        let patterns = files.patterns.iter().chain(&channel.left_out.patterns);
        if patterns.copied().any(|id| id as usize >= self.patterns.len()) {
            return Err("a file of a name that is not there".to_owned());
        }
        let mut next = 0_u64;
        let mut bytes = 0_u64;
        let mut before = None;
        for i in 0..files.len() {
            let layout = channel.layouts.get(files.layouts[i] as usize);
            let Some(layout) = layout else {
                return Err("a file of a layout that is not there".to_owned());
            };
            let steps = u64::from(files.rows[i]).saturating_sub(1);
            let every = self.options.selection.rows.every.get();
            let last = steps
                .checked_mul(every)
                .and_then(|behind| behind.checked_add(files.first_segments[i].into()));
            if last.is_none_or(|last| last >= layout.segments.into()) {
                return Err(format!(
                    "a file of {} segments gives {} rows",
                    layout.segments, files.rows[i]
                ));
            }
            if files.first_rows[i] < next {
                return Err(format!("row {} is given twice", files.first_rows[i]));
            }
            let key = (self.patterns[files.patterns[i] as usize].folder, files.indices[i]);
            if before.is_some_and(|before| before >= key) {
                return Err("files out of order".to_owned());
            }
            before = Some(key);
            let end = files.first_rows[i].checked_add(u64::from(files.rows[i]));
            let sum = bytes.checked_add(files.sizes[i]);
            (next, bytes) = end.zip(sum).ok_or("impossible row numbers or sizes")?;
        }
        if next > channel.rows {
            return Err(format!("{next} rows in its files, {} in its array", channel.rows));
        }
        Ok(())
    }
}

impl ChannelPlan {
    /// Bytes of the array, where a file can be that large (offsets are signed).
    pub(super) fn checked_bytes(&self) -> Option<u64> {
        let row = u64::from(self.samples) * self.element.size();
        self.rows.checked_mul(row).filter(|&bytes| bytes < 1 << 62)
    }
}

fn read_channel(input: &mut Input<impl Read>, head: ChannelHead) -> Result<ChannelPlan, PlanFileError> {
    let n = head.files;
    Ok(ChannelPlan {
        channel: head.channel,
        rows: head.rows,
        samples: head.samples,
        record_samples: head.record_samples,
        first_sample: head.first_sample,
        element: head.element,
        reference: head.reference,
        layouts: head.layouts,
        files: FileTable {
            sizes: input.column(n)?,
            mtimes: input.column(n)?,
            first_rows: input.column(n)?,
            first_segments: input.column(n)?,
            rows: input.column(n)?,
            layouts: input.column(n)?,
            patterns: input.column(n)?,
            indices: input.column(n)?,
        },
        left_out: LeftOut {
            patterns: input.column(head.left_out)?,
            indices: input.column(head.left_out)?,
        },
    })
}

fn write_column<T: zerocopy::IntoBytes + zerocopy::Immutable>(out: &mut impl Write, column: &[T]) -> io::Result<()> {
    // Every machine this runs on is little-endian; one that is not would have to swap here and in `column`.
    const { assert!(cfg!(target_endian = "little")) };
    out.write_all(column.as_bytes())
}

fn new_crc() -> Crc {
    Crc::new(CrcAlgorithm::Crc32Iscsi)
}

/// Writes on and keeps the checksum of what was written.
struct Checked<W> {
    inner: W,
    crc: Crc,
}

impl<W: Write> Checked<W> {
    fn new(inner: W) -> Self {
        Self { inner, crc: new_crc() }
    }

    fn crc(&self) -> u32 {
        u32::try_from(self.crc.finalize()).expect("CRC32C has 32 bits")
    }
}

impl<W: Write> Write for Checked<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.crc.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes on and keeps the hash of what was written.
struct Hashed<W> {
    inner: W,
    hash: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A plan file being read: never more than `left` bytes, all of them checksummed.
struct Input<R> {
    from: R,
    left: u64,
    crc: Crc,
    hash: Sha256,
}

impl<R: Read> Input<R> {
    fn fill(&mut self, to: &mut [u8]) -> Result<(), PlanFileError> {
        let wanted = to.len() as u64;
        if wanted > self.left {
            return Err(damaged(format!("it ends {} bytes early", wanted - self.left)));
        }
        self.from.read_exact(to).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("it ends early"),
            _ => PlanFileError::Storage(error),
        })?;
        self.left -= wanted;
        for chunk in to.chunks(CHUNK) {
            self.crc.update(chunk);
            self.hash.update(chunk);
        }
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PlanFileError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn bytes(&mut self, n: u64) -> Result<Vec<u8>, PlanFileError> {
        self.column(n)
    }

    fn column<T>(&mut self, n: u64) -> Result<Vec<T>, PlanFileError>
    where
        T: zerocopy::FromBytes + zerocopy::IntoBytes + Clone,
    {
        let bytes = n.checked_mul(size_of::<T>() as u64);
        let fits = bytes.is_some_and(|bytes| bytes <= self.left);
        let n = usize::try_from(n).ok().filter(|_| fits);
        let n = n.ok_or_else(|| damaged("it is shorter than its head says"))?;
        let mut column = vec![T::new_zeroed(); n];
        self.fill(column.as_mut_slice().as_mut_bytes())?;
        Ok(column)
    }
}

#[cfg(test)]
mod tests;
