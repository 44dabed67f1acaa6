//! The plan as it is held in memory.

mod files;

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::channel::Channel;
use crate::options::{Baseline, ByteOptions};
use crate::trc::SampleWidth;
use crate::units::{Bytes, RowRange};

pub use files::{FileEntry, FileTable, LeftOut};

/// Names a plan by the SHA-256 of its file's content; two plans of one id make the same bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlanId(pub [u8; 32]);

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that is no plan id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a plan id: {0:?} (64 hexadecimal digits expected)")]
pub struct BadPlanId(String);

impl FromStr for PlanId {
    type Err = BadPlanId;

    fn from_str(text: &str) -> Result<Self, BadPlanId> {
        let bad = || BadPlanId(text.to_owned());
        let mut id = [0; 32];
        if text.len() != 2 * id.len() || !text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(bad());
        }
        for (at, byte) in id.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| bad())?;
        }
        Ok(Self(id))
    }
}

impl Serialize for PlanId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PlanId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

impl fmt::Debug for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlanId({self})")
    }
}

/// One run: its channels, their rows, and the file behind each row. Row numbers never change once it exists.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Hash of everything below.
    pub id: PlanId,
    /// The run's name: its first folder without a trailing `-2`, `-3`.
    pub run: String,
    /// What the outputs hold.
    pub options: ByteOptions,
    /// What was asked for.
    pub request: RequestSummary,
    /// The run's folders in row order.
    pub folders: Vec<Folder>,
    /// The forms of file names that occur, each in one folder.
    pub patterns: Vec<NamePattern>,
    /// In the order of [`Channel`]. Shared by all copies of the plan, also those with other paths: this is all of it that
    /// is large.
    pub channels: Arc<[ChannelPlan]>,
}

/// What the user asked for, as far as it chooses inputs: to list them again, and to tell people of an unfinished run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestSummary {
    /// As typed.
    pub inputs: Vec<String>,
    /// The folder in which they were typed.
    pub working_folder: PathBuf,
    /// `--recursive`
    pub recursive: bool,
    /// `--join`
    pub join: bool,
    /// `--channels`; all where there are none.
    pub channels: Option<Vec<Channel>>,
    /// `--stem`
    pub stem: Option<String>,
    /// `--probe`
    pub probe: Probe,
}

/// `--probe`: which headers are opened while planning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Probe {
    /// Up to three of each (channel, folder, size), and some spread over the run.
    #[default]
    Sample,
    /// All of them.
    All,
}

/// A folder of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folder {
    /// How this machine opens it.
    pub path: PathBuf,
    /// Relative to the run's parent, `/` between parts: what the file list shows (`r005-2`).
    pub label: String,
}

/// All names of one folder that differ in their index alone: `prefix` + zero-padded index + `suffix`.
///
/// A file that the user named and whose name has no index (`pulse.trc`) is a pattern of its own, of width 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamePattern {
    /// Position in [`Plan::folders`].
    pub folder: u32,
    /// `C1--Trace--`
    pub prefix: String,
    /// Digits the index is padded to; wider indices are written out (`99999`, `100000`). 0: there is no index in the name.
    pub width: u8,
    /// `.trc`
    pub suffix: String,
}

impl NamePattern {
    /// Replaces `name` by the file name of `index`.
    pub fn write_name(&self, index: u64, name: &mut String) {
        name.clear();
        name.push_str(&self.prefix);
        if self.width > 0 {
            push_padded(name, index, usize::from(self.width));
        }
        name.push_str(&self.suffix);
    }

    /// The file name of `index`.
    pub fn name(&self, index: u64) -> String {
        let mut name = String::new();
        self.write_name(index, &mut name);
        name
    }
}

/// Appends `number` with at least `width` digits. Much faster than a format string, and asked for every file.
fn push_padded(text: &mut String, mut number: u64, width: usize) {
    // A u64 has at most 20 digits; `Plan::check` lets no pattern ask for more.
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while number > 0 || start == digits.len() {
        start -= 1;
        digits[start] = b'0' + u8::try_from(number % 10).expect("a digit");
        number /= 10;
    }
    let start = start.min(digits.len().saturating_sub(width));
    text.extend(digits[start..].iter().map(|&digit| char::from(digit)));
}

/// Position in [`Plan::patterns`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PatternId(pub u32);

/// Position in [`ChannelPlan::layouts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LayoutId(pub u32);

/// What one element of the output array is: [`crate::options::Dtype`] with `native` resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Element {
    /// Volts, `<f4`.
    Float32,
    /// Codes, `<i2`.
    Int16,
    /// Codes, `|i1`.
    Int8,
}

impl Element {
    /// Bytes of one element.
    pub const fn size(self) -> u64 {
        match self {
            Self::Float32 => 4,
            Self::Int16 => 2,
            Self::Int8 => 1,
        }
    }

    /// numpy's name of the type.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Float32 => "float32",
            Self::Int16 => "int16",
            Self::Int8 => "int8",
        }
    }

    /// The NPY type string.
    pub const fn descr(self) -> &'static str {
        match self {
            Self::Float32 => "<f4",
            Self::Int16 => "<i2",
            Self::Int8 => "|i1",
        }
    }
}

impl Plan {
    /// Whether both make the same bytes of the same files, however they were asked for.
    pub fn does_the_same(&self, other: &Self) -> bool {
        self.run == other.run
            && self.options == other.options
            && self.folders == other.folders
            && self.patterns == other.patterns
            && self.channels == other.channels
    }

    /// Whether both give rows to the same files and leave out the same ones; a file that was bad can have become whole.
    pub fn has_the_rows_of(&self, other: &Self) -> bool {
        let same = |(a, b): (&ChannelPlan, &ChannelPlan)| {
            (a.channel, a.rows, a.samples) == (b.channel, b.rows, b.samples) && a.left_out == b.left_out
        };
        self.channels.len() == other.channels.len() && self.channels.iter().zip(other.channels.iter()).all(same)
    }

    /// The folder of a form of names.
    pub fn folder_of(&self, pattern: PatternId) -> &Folder {
        &self.folders[self.patterns[pattern.0 as usize].folder as usize]
    }

    /// Replaces `out` by the path of a channel's `i`-th file.
    pub fn file_path(&self, channel: &ChannelPlan, i: usize, out: &mut PathBuf) {
        let file = channel.files.get(i);
        out.clear();
        out.push(&self.folder_of(file.pattern).path);
        out.push(self.patterns[file.pattern.0 as usize].name(file.index));
    }

    /// Replaces `out` by a channel's `i`-th file as the file list shows it: relative to the run's parent, `/` between
    /// parts, control characters and backslashes escaped.
    pub fn file_label(&self, channel: &ChannelPlan, i: usize, out: &mut String) {
        let file = channel.files.get(i);
        self.label(file.pattern, file.index, out);
    }

    /// The label of the file that stands for a channel.
    pub fn reference_label(&self, channel: &ChannelPlan) -> String {
        let mut label = String::new();
        self.label(channel.reference.pattern, channel.reference.index, &mut label);
        label
    }

    fn label(&self, pattern: PatternId, index: u64, out: &mut String) {
        let mut name = std::mem::take(out);
        self.patterns[pattern.0 as usize].write_name(index, &mut name);
        let label = &self.folder_of(pattern).label;
        // The name's buffer is reused where nothing needs escaping, which is to say always.
        if !needs_escape(label) && !needs_escape(&name) {
            name.insert(0, '/');
            name.insert_str(0, label);
            *out = name;
            return;
        }
        for c in label.chars().chain(['/']).chain(name.chars()) {
            if c.is_control() || c == '\\' {
                out.extend(c.escape_default());
            } else {
                out.push(c);
            }
        }
    }

    /// Files of all channels.
    pub fn files(&self) -> u64 {
        self.channels.iter().map(|channel| channel.files.len() as u64).sum()
    }

    /// Bytes of all files of all channels.
    pub fn input_bytes(&self) -> Bytes {
        self.channels.iter().map(|channel| channel.files.total_size()).sum()
    }

    /// Bytes that the finished outputs take: arrays, indices, file lists, and an allowance for the JSON files.
    pub fn output_bytes(&self) -> Bytes {
        self.channels
            .iter()
            .map(|channel| self.channel_output_bytes(channel))
            .sum()
    }

    fn channel_output_bytes(&self, channel: &ChannelPlan) -> Bytes {
        /// Header of each of the two arrays.
        const HEADER: u64 = 4096;
        /// One record of the index.
        const RECORD: u64 = 72;
        /// The channel's JSON and its share of the report.
        const JSON: u64 = 64 << 10;
        let label = |file: FileEntry| {
            let pattern = &self.patterns[file.pattern.0 as usize];
            let digits = usize::from(pattern.width).max(20);
            self.folder_of(file.pattern).label.len() + pattern.prefix.len() + digits + pattern.suffix.len() + 2
        };
        let longest = channel.files.iter().next().map_or(0, label) as u64;
        let list = longest * channel.files.len() as u64;
        channel.data_bytes() + Bytes(RECORD) * channel.rows + Bytes(2 * HEADER + list + JSON)
    }

    /// Bytes of memory that the plan takes.
    pub fn memory_bytes(&self) -> Bytes {
        let columns = |channel: &ChannelPlan| {
            Bytes(FileTable::BYTES_PER_FILE) * channel.files.len() as u64
                + Bytes(LeftOut::BYTES_PER_FILE) * channel.left_out.len() as u64
        };
        self.channels.iter().map(columns).sum()
    }
}

fn needs_escape(text: &str) -> bool {
    text.chars().any(|c| c.is_control() || c == '\\')
}

/// One channel of a run: the shape of its array and its files in row order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelPlan {
    /// Which channel.
    pub channel: Channel,
    /// Rows of the array, those of missing events included.
    pub rows: u64,
    /// Samples a row of the array has.
    pub samples: u32,
    /// Samples that a whole record of the channel has.
    pub record_samples: u32,
    /// The sample of a record with which its row begins.
    pub first_sample: u32,
    /// What the array holds.
    pub element: Element,
    /// The file whose header stands for the channel.
    pub reference: Reference,
    /// What files of one (folder, size) are taken to hold.
    pub layouts: Vec<PlannedLayout>,
    /// In row order. Rows that no file covers are missing events.
    pub files: FileTable,
    /// Files that were seen and get no row: of incomplete events (`--events complete`), bad ones (`--on-bad-file skip`).
    pub left_out: LeftOut,
}

impl ChannelPlan {
    /// Bytes of one row in the output array.
    pub fn row_bytes(&self) -> Bytes {
        Bytes(u64::from(self.samples) * self.element.size())
    }

    /// What is taken off its rows: as asked, or nothing where they are too short for that
    /// ([`super::LongBaseline::Leave`]).
    pub fn baseline(&self, options: &ByteOptions) -> Baseline {
        if options.baseline.points < self.record_samples {
            options.baseline
        } else {
            Baseline::default()
        }
    }

    /// Which samples of a record of so many are samples of its row: a short one can end before or inside of those taken.
    pub fn taken(&self, record: u32) -> Range<u32> {
        let end = record.min(self.first_sample + self.samples);
        self.first_sample..end.max(self.first_sample)
    }

    /// Bytes of the output array, without its header.
    pub fn data_bytes(&self) -> Bytes {
        self.row_bytes() * self.rows
    }

    /// All rows.
    pub fn all_rows(&self) -> RowRange {
        RowRange::new(0, self.rows)
    }

    /// What the file is taken to hold.
    pub fn layout(&self, id: LayoutId) -> &PlannedLayout {
        &self.layouts[id.0 as usize]
    }
}

/// The first file of a channel whose header parses and whose bytes bear it out (where there is none: whose header
/// parses), with that header. That of the whole channel, whichever of its rows are taken: the file can be without any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The form of its name, and its folder.
    pub pattern: PatternId,
    /// The number in its name.
    pub index: u64,
    /// The file's first bytes ([`crate::trc::HEAD_BYTES`], or all of a shorter file).
    pub head: Vec<u8>,
}

/// What files of one (channel, folder, size) are taken to hold; conversion checks each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlannedLayout {
    /// Segments in the file.
    pub segments: u32,
    /// Samples in each segment.
    pub samples: u32,
    /// Bits of a stored sample; none where no header of these files could be read, and the two
    /// numbers above are those of the channel's commonest files.
    pub width: Option<SampleWidth>,
    /// Whether such a file held all that its header names. One that did not may be written to its end later.
    pub whole: bool,
}

#[cfg(test)]
mod tests;
