//! One `.trc` file: every field of its header, where its blocks lie, when its rows were recorded, and what is odd.

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::fs::{self, StorageError};
use crate::trc::{self, Field, FormatError, HEAD_BYTES, Header, Layout, Shape, Value};
use crate::units::{Bytes, count, counted};

/// Segments that are shown from each end.
const ENDS: u32 = 5;
const TIME_BYTES: u64 = 16;

/// What a file holds.
#[derive(Clone, Debug, Serialize)]
pub struct TraceReport {
    /// The file.
    pub path: PathBuf,
    /// Its size.
    pub bytes: Bytes,
    /// Why it cannot be converted; none where it can.
    pub error: Option<String>,
    /// Where WAVEDESC begins.
    pub descriptor_at: Option<u64>,
    /// Rows and samples, as far as the header can be believed.
    pub shape: Option<Shape>,
    /// When its first row was triggered, in ns since 1970 of the instrument's local time.
    pub trigger_ns: Option<i64>,
    /// Every field of the header, in its order.
    pub fields: Vec<FieldReport>,
    /// Its blocks.
    pub blocks: Vec<Block>,
    /// When its segments were recorded; none of a single sweep.
    pub segments: Option<Segments>,
    /// What someone should know.
    pub warnings: Vec<String>,
}

/// A field of the header.
#[derive(Clone, Debug, Serialize)]
pub struct FieldReport {
    /// Its name in the template.
    pub field: Field,
    /// What it holds.
    pub value: Value,
    /// The unit; none of texts and pure numbers.
    pub unit: Option<String>,
}

/// A block of the file.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Block {
    /// The field that holds its length.
    pub block: Field,
    /// Its first byte.
    pub offset: u64,
    /// Its length, as the header names it.
    pub bytes: u64,
    /// How many of them are in the file.
    pub present: u64,
}

/// The segments of a sequence.
#[derive(Clone, Debug, Serialize)]
pub struct Segments {
    /// How many.
    pub count: u32,
    /// The first and the last of them.
    pub ends: Vec<SegmentReport>,
}

/// One segment.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SegmentReport {
    /// Counted from 0.
    pub segment: u32,
    /// Seconds from the first segment's trigger to this one's.
    pub since_first: f64,
    /// Seconds from its trigger to its first sample.
    pub offset: f64,
}

impl TraceReport {
    /// Reads a file's header and the times of its segments. What is wrong with its bytes is in the report.
    pub fn read(path: &Path) -> Result<Self, StorageError> {
        let failed = |source| StorageError::new("read", path, source);
        let file = File::open(path).map_err(failed)?;
        let bytes = Bytes(file.metadata().map_err(failed)?.len());
        let mut head = [0; HEAD_BYTES];
        let found = fs::read_at(&file, &mut head, 0).map_err(failed)?;
        let mut report = Self {
            path: path.to_owned(),
            bytes,
            error: None,
            descriptor_at: None,
            shape: None,
            trigger_ns: None,
            fields: Vec::new(),
            blocks: Vec::new(),
            segments: None,
            warnings: Vec::new(),
        };
        match Header::parse(&head[..found]) {
            Ok(header) => report.describe(&header, &file).map_err(failed)?,
            Err(error) => report.error = Some(error.to_string()),
        }
        Ok(report)
    }

    /// The value of one field of a file's header; none where it has no such field.
    pub fn field(path: &Path, field: Field) -> Result<Result<Option<Value>, FormatError>, StorageError> {
        let failed = |source| StorageError::new("read", path, source);
        let file = File::open(path).map_err(failed)?;
        let mut head = [0; HEAD_BYTES];
        let found = fs::read_at(&file, &mut head, 0).map_err(failed)?;
        Ok(Header::parse(&head[..found]).map(|header| header.value(field)))
    }

    fn describe(&mut self, header: &Header, file: &File) -> std::io::Result<()> {
        self.descriptor_at = Some(header.start() as u64);
        self.trigger_ns = header.trigger_time();
        self.fields = header
            .fields()
            .map(|(field, value)| FieldReport {
                field,
                value,
                unit: unit(field, header),
            })
            .collect();
        let size = self.bytes.0;
        for (block, range) in header.blocks().unwrap_or_default() {
            self.blocks.push(Block {
                block,
                offset: range.start,
                bytes: range.end - range.start,
                present: range.end.min(size).saturating_sub(range.start),
            });
        }
        self.shape = header.shape().ok();
        let layout = header.layout(self.bytes);
        self.error = header.check_scale().err().map(|error| error.to_string());
        match layout {
            Ok(layout) => {
                self.segments = segments(header, &layout, file)?;
                self.warn(header, &layout);
            }
            Err(error) => self.error = Some(error.to_string()),
        }
        Ok(())
    }

    fn warn(&mut self, header: &Header, layout: &Layout) {
        let warnings = &mut self.warnings;
        warnings.extend(layout.count_mismatch.map(|mismatch| mismatch.to_string()));
        if layout.missing_times > 0 {
            warnings.push(format!(
                "{} of {} have no entry in TRIGTIME_ARRAY: when they were recorded is unknown",
                counted(layout.missing_times.into(), "segment"),
                count(layout.shape.segments.into())
            ));
        }
        if layout.second_array > Bytes(0) {
            warnings.push(format!(
                "a second array of {} (WAVE_ARRAY_2), which convert takes by --array 2",
                layout.second_array
            ));
        }
        let behind = self.bytes.0 - layout.end;
        if behind > 0 {
            warnings.push(format!(
                "{} behind the last block, which nothing names",
                counted(behind, "byte")
            ));
        }
        if let Some(Value::Integer(asked)) = header.value(Field::NomSubarrayCount)
            && i64::from(asked) > i64::from(layout.shape.segments)
        {
            warnings.push(format!(
                "stopped early: {} asked for (NOM_SUBARRAY_COUNT), {} recorded",
                counted(u64::from(asked.unsigned_abs()), "segment"),
                count(layout.shape.segments.into())
            ));
        }
        if header.trigger_time().is_none() {
            warnings.push("TRIGGER_TIME is no date: its rows will have no time".to_owned());
        }
        if header.sweeps() > 1 {
            warnings.push(format!("an average of {} sweeps (SWEEPS_PER_ACQ)", header.sweeps()));
        }
        for (field, value) in header.fields() {
            // LECROY_1_0's sources have no names in any template.
            let unnamed = matches!(field, Field::WaveSrcPlugin | Field::WaveSrcChannel);
            if let (Value::Choice { code, name: None }, false) = (value, unnamed) {
                warnings.push(format!("{field} is {code}, which no template names"));
            }
        }
    }
}

fn segments(header: &Header, layout: &Layout, file: &File) -> std::io::Result<Option<Segments>> {
    let number = layout.shape.segments;
    if number == 1 {
        return Ok(None);
    }
    let mut ends = Vec::new();
    for segment in (0..number).filter(|segment| *segment < ENDS || number - *segment <= ENDS) {
        let mut time = header.time_without_entry(segment);
        if let Some(block) = &layout.trigtime {
            let at = block.start + u64::from(segment) * TIME_BYTES;
            let mut entry = [0; 16];
            if at + TIME_BYTES <= block.end && fs::read_at(file, &mut entry, at)? == entry.len() {
                time = trc::segment_times(&entry, header.order()).next().unwrap_or(time);
            }
        }
        ends.push(SegmentReport {
            segment,
            since_first: time.time,
            offset: time.offset,
        });
    }
    Ok(Some(Segments { count: number, ends }))
}

/// The instruments write `S` for the second, which is the siemens everywhere else.
pub fn second(unit: &str) -> &str {
    if unit == "S" { "s" } else { unit }
}

/// In what a field counts.
fn unit(field: Field, header: &Header) -> Option<String> {
    let vertical = || header.vert_unit();
    let horizontal = || second(&header.hor_unit()).to_owned();
    let unit = match field {
        Field::WaveDescriptor
        | Field::UserText
        | Field::ResDesc1
        | Field::TrigtimeArray
        | Field::RisTimeArray
        | Field::ResArray1
        | Field::WaveArray1
        | Field::WaveArray2
        | Field::ResArray2
        | Field::ResArray3 => "bytes".to_owned(),
        Field::WaveArrayCount | Field::PntsPerScreen => "samples".to_owned(),
        Field::SubarrayCount | Field::NomSubarrayCount => "segments".to_owned(),
        Field::SweepsPerAcq | Field::RisSweeps => "sweeps".to_owned(),
        Field::NominalBits => "bits".to_owned(),
        Field::MaxValue | Field::MinValue => "codes".to_owned(),
        Field::VerticalGain => format!("{}/code", vertical()),
        Field::VerticalOffset | Field::AcqVertOffset => vertical(),
        Field::HorizInterval | Field::HorizOffset | Field::PixelOffset | Field::HorizUncertainty => horizontal(),
        Field::AcqDuration => "s".to_owned(),
        _ => return None,
    };
    Some(unit)
}
