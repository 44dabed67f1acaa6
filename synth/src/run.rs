//! A whole run: many files of pulses, as an instrument would have saved them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use fastrand::Rng;
use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use rayon::prelude::*;

use crate::broken::{BadBroken, Broken};
use crate::name::NameTemplate;
use crate::pulse::{Event, Source};
use crate::trace::{Bits, ByteOrder, Prefix, Segment, Template, TraceFile, TriggerTime, write_file};

/// So many files of the run that are broken in one way (`truncated:3`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad {
    /// In which way.
    pub kind: Broken,
    /// How many.
    pub files: u32,
}

impl FromStr for Bad {
    type Err = BadBroken;

    /// Reads `truncated:3`; without a number, one file.
    fn from_str(text: &str) -> Result<Self, BadBroken> {
        let (kind, files) = match text.split_once(':') {
            Some((kind, number)) => (kind, number.parse().map_err(|_| BadBroken::of(text))?),
            None => (text, 1),
        };
        Ok(Self {
            kind: kind.parse()?,
            files,
        })
    }
}

/// A run of pulses. The same spec gives the same bytes, in whatever order the files are written.
#[derive(Clone, Debug)]
pub struct RunSpec {
    /// Files of each channel.
    pub files: u64,
    /// Samples of each segment.
    pub samples: usize,
    /// Numbers of the channels, each once.
    pub channels: Vec<u8>,
    /// Segments of each file: above 1, sequence mode.
    pub segments: usize,
    /// Width of a sample.
    pub bits: Bits,
    /// Resolution of the converter, 1 to 16: lower bits of the codes are zero (8 with 16-bit storage: every low byte is zero).
    pub adc_bits: u8,
    /// Byte order.
    pub order: ByteOrder,
    /// TEMPLATE_NAME, and with it the descriptor's form.
    pub template: Template,
    /// What stands before the descriptor.
    pub prefix: Prefix,
    /// Bytes of user text.
    pub user_text: usize,
    /// Sweeps in the RIS array; 0: none.
    pub ris: usize,
    /// Seconds between samples.
    pub horiz_interval: f32,
    /// What the files are called.
    pub name: NameTemplate,
    /// Index of the first file.
    pub start: u64,
    /// What all randomness comes from.
    pub seed: u64,
    /// Broken files, strewn over the run.
    pub bad: Vec<Bad>,
    /// Whether existing files are replaced.
    pub overwrite: bool,
}

/// Why a run was not written, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What was asked for cannot be written; nothing was.
    #[error("cannot make such a run: {0}")]
    Spec(String),
    /// A file of this name is there and overwriting was not asked for.
    #[error("{}: exists already (choose an empty folder, another --start, or --overwrite)", .0.display())]
    Exists(PathBuf),
    /// The folder or a file could not be written.
    #[error("{}: cannot be written: {error}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// The caller wanted no more files.
    #[error("stopped before all files were written")]
    Stopped,
}

/// A file that has just been written.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    /// Its size in bytes.
    pub bytes: u64,
}

/// What belongs to one channel of the run.
struct ChannelFiles {
    number: u8,
    /// A file without its samples and times.
    model: TraceFile,
    /// What is wrong with which file, by position in the run.
    broken: BTreeMap<u64, Broken>,
}

/// Memory of one thread, kept from file to file.
struct Buffers {
    file: TraceFile,
    bytes: Vec<u8>,
}

impl RunSpec {
    /// A run of two-byte samples in channel 1, as the instruments of the lab write it.
    pub fn new(files: u64, samples: usize) -> Self {
        Self {
            files,
            samples,
            channels: vec![1],
            segments: 1,
            bits: Bits::Sixteen,
            adc_bits: 12,
            order: ByteOrder::Little,
            template: Template::Lecroy2_3,
            prefix: Prefix::None,
            user_text: 0,
            ris: 0,
            horiz_interval: 1e-9,
            name: NameTemplate::trace(),
            start: 0,
            seed: 1,
            bad: Vec::new(),
            overwrite: false,
        }
    }

    /// Files of all channels together, those that will be left out included.
    pub fn file_count(&self) -> u64 {
        self.files * self.channels.len() as u64
    }

    /// Bytes of all files together, none broken.
    pub fn total_bytes(&self) -> u64 {
        let model = self.model(1);
        let around = model.to_bytes().len() as u64;
        let per_segment = self.samples * self.bits.bytes() + if model.trigtime { 16 } else { 0 };
        self.file_count() * (around + per_segment as u64 * self.segments as u64)
    }

    /// Path of a channel's file in `folder`; `position` counts from 0.
    pub fn path(&self, folder: &Path, channel: u8, position: u64) -> PathBuf {
        folder.join(self.name.name(channel, self.start + position))
    }

    /// What is wrong with which files: (channel, position) to kind. The first file of each channel is never touched.
    pub fn broken_files(&self) -> Result<BTreeMap<(u8, u64), Broken>, RunError> {
        let wanted: u64 = self.bad.iter().map(|bad| u64::from(bad.files)).sum();
        let choice = self.files.saturating_sub(1) * self.channels.len() as u64;
        if wanted > choice {
            return Err(RunError::Spec(format!(
                "{wanted} broken files are asked for, and only {choice} can be broken (the first of each channel stays whole)"
            )));
        }
        let mut random = Rng::with_seed(self.seed ^ 0xbad_f11e5);
        let mut broken = BTreeMap::new();
        for bad in &self.bad {
            for _ in 0..bad.files {
                loop {
                    let channel = self.channels[random.usize(..self.channels.len())];
                    let place = (channel, random.u64(1..self.files));
                    if let std::collections::btree_map::Entry::Vacant(free) = broken.entry(place) {
                        free.insert(bad.kind);
                        break;
                    }
                }
            }
        }
        Ok(broken)
    }

    /// Writes the run into `folder`, which is made if it is not there, on all of rayon's threads. `each` is called for
    /// every file, from any thread, and can stop the run.
    pub fn write(&self, folder: &Path, each: &(dyn Fn(Written) -> ControlFlow<()> + Sync)) -> Result<(), RunError> {
        self.check()?;
        let broken = self.broken_files()?;
        let channels: Vec<ChannelFiles> = self
            .channels
            .iter()
            .map(|&number| ChannelFiles {
                number,
                model: self.model(number),
                broken: broken
                    .iter()
                    .filter(|((channel, _), _)| *channel == number)
                    .map(|(&(_, position), &kind)| (position, kind))
                    .collect(),
            })
            .collect();
        fs::create_dir_all(folder).map_err(|error| RunError::Io {
            path: folder.to_owned(),
            error,
        })?;
        for channel in &channels {
            (0..self.files).into_par_iter().try_for_each_init(
                || Buffers {
                    file: channel.model.clone(),
                    bytes: Vec::new(),
                },
                |buffers, position| {
                    let written = self.write_one(folder, channel, position, buffers)?;
                    match each(written) {
                        ControlFlow::Continue(()) => Ok(()),
                        ControlFlow::Break(()) => Err(RunError::Stopped),
                    }
                },
            )?;
        }
        Ok(())
    }

    /// The file at `position` of `channel`, whole.
    pub fn file(&self, channel: u8, position: u64) -> TraceFile {
        let mut file = self.model(channel);
        self.fill(channel, position, &mut file);
        file
    }

    fn check(&self) -> Result<(), RunError> {
        let refuse = |why: String| Err(RunError::Spec(why));
        if self.files == 0 || self.samples == 0 || self.segments == 0 || self.channels.is_empty() {
            return refuse("it needs at least one file, sample, segment and channel".into());
        }
        let mut channels = self.channels.clone();
        channels.sort_unstable();
        channels.dedup();
        if channels.len() != self.channels.len() || channels.contains(&0) {
            return refuse("channels are different numbers from 1 on".into());
        }
        if self.channels.len() > 1 && !self.name.names_channel() {
            return refuse("with several channels the file name needs {c}".into());
        }
        if !(1..=16).contains(&self.adc_bits) {
            return refuse(format!("a converter of {} bits (1 to 16 are possible)", self.adc_bits));
        }
        if !(self.horiz_interval.is_finite() && self.horiz_interval > 0.0) {
            return refuse(format!("a sample interval of {} s", self.horiz_interval));
        }
        if self.template == Template::Lecroy1_0 && self.ris > 0 {
            return refuse("LECROY_1_0 has no RIS array".into());
        }
        let blocks = [
            self.samples
                .saturating_mul(self.segments)
                .saturating_mul(self.bits.bytes()),
            self.segments.saturating_mul(16),
            self.user_text,
            self.ris.saturating_mul(8),
        ];
        if let Some(large) = blocks.into_iter().find(|&bytes| i32::try_from(bytes).is_err()) {
            return refuse(format!(
                "a block of {large} bytes in one file; the format's lengths end at {}",
                i32::MAX
            ));
        }
        if self.start.checked_add(self.files).is_none() {
            return refuse("the file's index leaves 64 bits".into());
        }
        Ok(())
    }

    /// A file of the channel, without samples and times.
    fn model(&self, channel: u8) -> TraceFile {
        let mut model = if self.segments > 1 {
            TraceFile::sequence(Vec::new())
        } else {
            TraceFile::single(Vec::new())
        };
        model.segments.clear();
        model.template = self.template.clone();
        model.order = self.order;
        model.bits = self.bits;
        model.prefix = self.prefix.clone();
        model.user_text = (b' '..=b'~').cycle().take(self.user_text).collect();
        model.horiz_interval = self.horiz_interval;
        model.nominal_bits = i16::from(self.adc_bits);
        // The volts of a code follow its unit: 8-bit storage keeps the upper byte alone.
        let unit = match self.bits {
            Bits::Eight => 256.0,
            Bits::Sixteen => 1.0,
        };
        model.gain = 1.25e-5 * unit * f32::from(channel);
        model.offset = -0.25 * f32::from(channel);
        model.wave_source = i16::from(channel) - 1;
        model.ris_time = (0..self.ris).map(|sweep| sweep as f64 * 1e-11).collect();
        model
    }

    /// Gives `file` the samples and times of a position.
    fn fill(&self, channel: u8, position: u64, file: &mut TraceFile) {
        const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;
        let event_seed = self.seed.wrapping_add(position.wrapping_mul(STRIDE));
        // Channels share the event (time, height) and differ in noise.
        let mut event_random = Rng::with_seed(event_seed);
        let mut noise = Rng::with_seed(event_seed ^ (u64::from(channel) << 56) ^ 0x5eed);
        let interval = f64::from(self.horiz_interval);
        let before = -interval * (self.samples / 5) as f64;
        file.trigger_time = trigger_time(position, &mut event_random);
        file.segments.resize_with(self.segments, Segment::default);
        let source = Source {
            adc_bits: self.adc_bits,
            eight: self.bits == Bits::Eight,
        };
        let share = 2.0 / (1.0 + f32::from(channel));
        let mut since_first = 0.0;
        for (k, segment) in file.segments.iter_mut().enumerate() {
            if k > 0 {
                since_first += 1e-4 + 1e-3 * event_random.f64();
            }
            segment.time = since_first;
            // The trigger lies anywhere between two samples.
            segment.offset = before - interval * event_random.f64();
            let event = Event::draw(self.samples, &mut event_random);
            source.record(event, share, self.samples, &mut noise, &mut segment.codes);
        }
        file.horiz_offset = file.segments[0].offset;
    }

    fn write_one(
        &self,
        folder: &Path,
        channel: &ChannelFiles,
        position: u64,
        buffers: &mut Buffers,
    ) -> Result<Written, RunError> {
        self.fill(channel.number, position, &mut buffers.file);
        let broken = channel.broken.get(&position);
        if let Some(kind) = broken {
            match kind.apply(&buffers.file) {
                Some(bytes) => buffers.bytes = bytes,
                None => return Ok(Written { bytes: 0 }),
            }
        } else {
            buffers.file.write_into(&mut buffers.bytes);
        }
        let path = self.path(folder, channel.number, position);
        write_file(&path, &buffers.bytes, self.overwrite).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => RunError::Exists(path),
            _ => RunError::Io { path, error },
        })?;
        Ok(Written {
            bytes: buffers.bytes.len() as u64,
        })
    }
}

/// The files' triggers follow one another every 10 to 15 ms.
fn trigger_time(position: u64, random: &mut Rng) -> TriggerTime {
    const FIRST: DateTime = date(2024, 3, 1).at(10, 0, 0, 0);
    let nanoseconds = position.wrapping_mul(10_000_000).wrapping_add(random.u64(..5_000_000));
    // Ten million files are twenty-eight hours; the calendar's end is out of reach.
    let at = i64::try_from(nanoseconds)
        .ok()
        .and_then(|ns| FIRST.checked_add(SignedDuration::from_nanos(ns)).ok())
        .unwrap_or(FIRST);
    at.into()
}

#[cfg(test)]
mod tests;
