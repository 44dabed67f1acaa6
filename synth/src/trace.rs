//! One `.trc` file as its writer sees it.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;
use std::str::FromStr;

use jiff::civil::DateTime;

use crate::descriptor;

/// TEMPLATE_NAME, and with it the descriptor's form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Template {
    /// `LECROY_1_0`, the descriptor of 320 bytes.
    Lecroy1_0,
    /// `LECROY_2_2`.
    Lecroy2_2,
    /// `LECROY_2_3`.
    Lecroy2_3,
    /// Another name over the descriptor of 346 bytes (`WAVEACE`); at most 16 Latin-1 bytes are written.
    Other(String),
}

impl Template {
    /// The name in the file.
    pub fn name(&self) -> &str {
        match self {
            Self::Lecroy1_0 => "LECROY_1_0",
            Self::Lecroy2_2 => "LECROY_2_2",
            Self::Lecroy2_3 => "LECROY_2_3",
            Self::Other(name) => name,
        }
    }
}

/// A choice whose name is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a {what}: {found:?} ({known})")]
pub struct BadChoice {
    what: &'static str,
    found: String,
    known: &'static str,
}

impl FromStr for Template {
    type Err = BadChoice;

    /// Reads a template's name; any other name of 1 to 16 printable ASCII characters is taken as it is.
    fn from_str(text: &str) -> Result<Self, BadChoice> {
        let known = [Self::Lecroy1_0, Self::Lecroy2_2, Self::Lecroy2_3];
        if let Some(template) = known.into_iter().find(|known| known.name().eq_ignore_ascii_case(text)) {
            return Ok(template);
        }
        if (1..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Ok(Self::Other(text.to_owned()));
        }
        Err(BadChoice {
            what: "template name",
            found: text.to_owned(),
            known: "LECROY_2_3, LECROY_2_2, LECROY_1_0, or another name of at most 16 ASCII characters",
        })
    }
}

/// COMM_ORDER.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ByteOrder {
    /// LOFIRST, as PC-based instruments write.
    #[default]
    Little,
    /// HIFIRST.
    Big,
}

impl FromStr for ByteOrder {
    type Err = BadChoice;

    fn from_str(text: &str) -> Result<Self, BadChoice> {
        match text.to_ascii_lowercase().as_str() {
            "le" | "little" => Ok(Self::Little),
            "be" | "big" => Ok(Self::Big),
            _ => Err(BadChoice {
                what: "byte order",
                found: text.to_owned(),
                known: "le or be",
            }),
        }
    }
}

/// COMM_TYPE: how a sample is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bits {
    /// A signed byte.
    Eight,
    /// A signed 16-bit word.
    #[default]
    Sixteen,
}

impl Bits {
    /// Bytes of one sample.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Eight => 1,
            Self::Sixteen => 2,
        }
    }
}

impl FromStr for Bits {
    type Err = BadChoice;

    fn from_str(text: &str) -> Result<Self, BadChoice> {
        match text {
            "8" => Ok(Self::Eight),
            "16" => Ok(Self::Sixteen),
            _ => Err(BadChoice {
                what: "sample width",
                found: text.to_owned(),
                known: "8 or 16",
            }),
        }
    }
}

/// What stands before the descriptor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Prefix {
    /// Nothing: the descriptor opens the file.
    #[default]
    None,
    /// An IEEE 488.2 block header: `#`, one digit, and that many (1 to 9) digits of the payload's length. Where the
    /// length needs more digits, its lowest ones are written: a reader must not lean on them.
    Block {
        /// How many digits.
        digits: u8,
    },
    /// The head of a remote-control answer (`C1:WF ALL,`) and a block header of nine digits.
    Answer(String),
    /// Any bytes.
    Raw(Vec<u8>),
}

impl Prefix {
    /// The bytes before a descriptor and blocks of `payload` bytes.
    pub(crate) fn to_bytes(&self, payload: usize) -> Vec<u8> {
        let block = |digits: u8| {
            assert!(
                (1..=9).contains(&digits),
                "a block header has 1 to 9 digits, not {digits}"
            );
            let length = payload % 10_usize.pow(u32::from(digits));
            format!("#{digits}{length:0width$}", width = usize::from(digits))
        };
        match self {
            Self::None => Vec::new(),
            Self::Block { digits } => block(*digits).into_bytes(),
            Self::Answer(head) => format!("{head}{}", block(9)).into_bytes(),
            Self::Raw(bytes) => bytes.clone(),
        }
    }
}

/// TRIGGER_TIME, field by field: it can hold what is no date.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TriggerTime {
    /// Seconds and their fraction, 0 to below 60.
    pub seconds: f64,
    /// 0 to 59.
    pub minutes: i8,
    /// 0 to 23.
    pub hours: i8,
    /// 1 to 31.
    pub days: i8,
    /// 1 to 12.
    pub months: i8,
    /// All four digits.
    pub year: i16,
}

impl From<DateTime> for TriggerTime {
    fn from(at: DateTime) -> Self {
        Self {
            seconds: f64::from(at.second()) + f64::from(at.subsec_nanosecond()) / 1e9,
            minutes: at.minute(),
            hours: at.hour(),
            days: at.day(),
            months: at.month(),
            year: at.year(),
        }
    }
}

/// One trigger of a sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segment {
    /// Seconds since the file's first trigger.
    pub time: f64,
    /// Seconds from this trigger to the segment's first sample.
    pub offset: f64,
    /// The samples. Every segment has as many as the first.
    pub codes: Vec<i16>,
}

/// One file, field by field. Start from [`TraceFile::single`] or [`TraceFile::sequence`] and change what matters:
///
/// ```
/// use trc2npy_synth::{ByteOrder, TraceFile};
/// let file = TraceFile { order: ByteOrder::Big, gain: -0.5, ..TraceFile::single(vec![1, -2, 3]) };
/// assert_eq!(file.to_bytes().len(), 346 + 3 * 2);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TraceFile {
    /// TEMPLATE_NAME and the descriptor's form.
    pub template: Template,
    /// Byte order of everything.
    pub order: ByteOrder,
    /// Width of a sample.
    pub bits: Bits,
    /// What stands before the descriptor.
    pub prefix: Prefix,
    /// Zero bytes at the descriptor's end, counted in its length field.
    pub descriptor_extra: usize,

    /// WAVE_ARRAY_1 and the content of TRIGTIME. One segment: an ordinary sweep.
    pub segments: Vec<Segment>,
    /// Whether the TRIGTIME block is written.
    pub trigtime: bool,
    /// USERTEXT.
    pub user_text: Vec<u8>,
    /// RES_DESC1 (not in LECROY_1_0).
    pub res_desc1: Vec<u8>,
    /// RISTIME (not in LECROY_1_0): one number for each sweep; its length is RIS_SWEEPS.
    pub ris_time: Vec<f64>,
    /// RES_ARRAY1 (not in LECROY_1_0).
    pub res_array1: Vec<u8>,
    /// WAVE_ARRAY_2.
    pub second_array: Vec<i16>,
    /// RES_ARRAY2 (not in LECROY_1_0).
    pub res_array2: Vec<u8>,
    /// RES_ARRAY3 (not in LECROY_1_0).
    pub res_array3: Vec<u8>,
    /// Bytes behind the last block, in no length field.
    pub trailing: Vec<u8>,

    /// INSTRUMENT_NAME, Latin-1, at most 16 bytes.
    pub instrument: Vec<u8>,
    /// INSTRUMENT_NUMBER.
    pub serial: i32,
    /// TRACE_LABEL, Latin-1, at most 16 bytes.
    pub trace_label: Vec<u8>,
    /// WAVE_ARRAY_COUNT; the true number of samples where none.
    pub wave_array_count: Option<i32>,
    /// SUBARRAY_COUNT; the true number of segments where none.
    pub subarray_count: Option<i32>,
    /// NOM_SUBARRAY_COUNT; the true number of segments where none.
    pub nominal_segments: Option<i16>,
    /// SWEEPS_PER_ACQ.
    pub sweeps: i32,
    /// VERTICAL_GAIN: vertical units a code.
    pub gain: f32,
    /// VERTICAL_OFFSET, which is subtracted.
    pub offset: f32,
    /// NOMINAL_BITS: resolution of the converter.
    pub nominal_bits: i16,
    /// HORIZ_INTERVAL: seconds between samples.
    pub horiz_interval: f32,
    /// HORIZ_OFFSET: seconds from the trigger to the first sample.
    pub horiz_offset: f64,
    /// VERTUNIT, Latin-1, at most 48 bytes.
    pub vert_unit: Vec<u8>,
    /// HORUNIT, Latin-1, at most 48 bytes.
    pub hor_unit: Vec<u8>,
    /// TRIGGER_TIME.
    pub trigger_time: TriggerTime,
    /// RECORD_TYPE.
    pub record_type: i16,
    /// PROCESSING_DONE.
    pub processing_done: i16,
    /// TIMEBASE.
    pub timebase: i16,
    /// VERT_COUPLING.
    pub coupling: i16,
    /// PROBE_ATT.
    pub probe: f32,
    /// FIXED_VERT_GAIN.
    pub fixed_vert_gain: i16,
    /// BANDWIDTH_LIMIT.
    pub bandwidth_limit: i16,
    /// WAVE_SOURCE, 0 for channel 1 (LECROY_1_0: written as WAVE_SRC_CHANNEL, one higher).
    pub wave_source: i16,

    /// Bytes laid over the finished descriptor and blocks, at offsets from the descriptor's start: deliberate mistakes.
    pub overrides: Vec<(usize, Vec<u8>)>,
}

impl TraceFile {
    /// An ordinary sweep.
    pub fn single(codes: Vec<i16>) -> Self {
        Self::new(
            vec![Segment {
                time: 0.0,
                offset: -1e-7,
                codes,
            }],
            false,
        )
    }

    /// A sequence, with a TRIGTIME array. HORIZ_OFFSET is segment 0's, as real files have it.
    pub fn sequence(segments: Vec<Segment>) -> Self {
        Self::new(segments, true)
    }

    fn new(segments: Vec<Segment>, trigtime: bool) -> Self {
        Self {
            template: Template::Lecroy2_3,
            order: ByteOrder::Little,
            bits: Bits::Sixteen,
            prefix: Prefix::None,
            descriptor_extra: 0,
            horiz_offset: segments.first().map_or(0.0, |first| first.offset),
            segments,
            trigtime,
            user_text: Vec::new(),
            res_desc1: Vec::new(),
            ris_time: Vec::new(),
            res_array1: Vec::new(),
            second_array: Vec::new(),
            res_array2: Vec::new(),
            res_array3: Vec::new(),
            trailing: Vec::new(),
            instrument: b"LECROYSYNTH".to_vec(),
            serial: 4711,
            trace_label: Vec::new(),
            wave_array_count: None,
            subarray_count: None,
            nominal_segments: None,
            sweeps: 1,
            gain: 1.25e-5,
            offset: -0.05,
            nominal_bits: 12,
            horiz_interval: 1e-9,
            vert_unit: b"V".to_vec(),
            hor_unit: b"S".to_vec(),
            trigger_time: TriggerTime {
                seconds: 52.112_417_11,
                minutes: 23,
                hours: 9,
                days: 9,
                months: 11,
                year: 2022,
            },
            record_type: 0,
            processing_done: 0,
            timebase: 9,
            coupling: 0,
            probe: 1.0,
            fixed_vert_gain: 14,
            bandwidth_limit: 0,
            wave_source: 0,
            overrides: Vec::new(),
        }
    }

    /// Samples of all segments together.
    pub fn sample_count(&self) -> usize {
        self.segments.iter().map(|segment| segment.codes.len()).sum()
    }

    /// Bytes before the descriptor.
    pub fn descriptor_start(&self) -> usize {
        self.prefix.to_bytes(0).len()
    }

    /// The file.
    ///
    /// # Panics
    /// On what no file can hold: a code beyond eight bits in an 8-bit file, a text beyond its field, a block that
    /// LECROY_1_0 does not have, an override behind the end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write_into(&mut out);
        out
    }

    /// As [`TraceFile::to_bytes`], into a buffer that keeps its memory from file to file.
    pub fn write_into(&self, out: &mut Vec<u8>) {
        let blocks = descriptor::Blocks::of(self);
        let prefix = self.prefix.to_bytes(blocks.total());
        out.clear();
        out.reserve(prefix.len() + blocks.total() + self.trailing.len());
        out.extend_from_slice(&prefix);
        descriptor::write(self, &blocks, out);
        out.extend_from_slice(&self.user_text);
        out.extend_from_slice(&self.res_desc1);
        if self.trigtime {
            for segment in &self.segments {
                self.put_f64(segment.time, out);
                self.put_f64(segment.offset, out);
            }
        }
        for &time in &self.ris_time {
            self.put_f64(time, out);
        }
        out.extend_from_slice(&self.res_array1);
        for segment in &self.segments {
            self.put_codes(&segment.codes, out);
        }
        self.put_codes(&self.second_array, out);
        out.extend_from_slice(&self.res_array2);
        out.extend_from_slice(&self.res_array3);
        for (at, bytes) in &self.overrides {
            let at = prefix.len() + at;
            out[at..at + bytes.len()].copy_from_slice(bytes);
        }
        out.extend_from_slice(&self.trailing);
    }

    /// Writes the file. An existing one is only replaced where `overwrite` says so.
    pub fn write_to(&self, path: &Path, overwrite: bool) -> io::Result<()> {
        write_file(path, &self.to_bytes(), overwrite)
    }

    fn put_f64(&self, value: f64, out: &mut Vec<u8>) {
        out.extend_from_slice(&match self.order {
            ByteOrder::Little => value.to_le_bytes(),
            ByteOrder::Big => value.to_be_bytes(),
        });
    }

    fn put_codes(&self, codes: &[i16], out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + codes.len() * self.bits.bytes(), 0);
        let bytes = &mut out[start..];
        match (self.bits, self.order) {
            (Bits::Eight, _) => {
                for (byte, &code) in bytes.iter_mut().zip(codes) {
                    *byte = i8::try_from(code)
                        .unwrap_or_else(|_| panic!("code {code} does not fit eight bits"))
                        .to_ne_bytes()[0];
                }
            }
            (Bits::Sixteen, ByteOrder::Little) => {
                for (pair, code) in bytes.chunks_exact_mut(2).zip(codes) {
                    pair.copy_from_slice(&code.to_le_bytes());
                }
            }
            (Bits::Sixteen, ByteOrder::Big) => {
                for (pair, code) in bytes.chunks_exact_mut(2).zip(codes) {
                    pair.copy_from_slice(&code.to_be_bytes());
                }
            }
        }
    }
}

/// Writes `bytes` to `path`; an existing file is only replaced where `overwrite` says so.
pub(crate) fn write_file(path: &Path, bytes: &[u8], overwrite: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    if overwrite {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(path)?.write_all(bytes)
}

#[cfg(test)]
mod tests;
