//! The settings of every channel as analysis scripts read them: one JSON object a channel, by the template's own names
//! of its enums.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::Sources;
use super::json::{from_text, to_text};
use crate::channel::Channel;
use crate::fs::{self, StorageError};
use crate::plan::read_head;
use crate::trc::{Field, Header, Timestamp, Value};
use crate::units::{Bytes, counted};

/// What a channel's first sound file says of the instrument's settings. A number that is none (NaN), or that a
/// LECROY_1_0 file has no field for, is `null`; an enum's value that the template does not name is an empty text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScopeMetadata {
    overview: Overview,
    time_resolution: TimeResolution,
    wave_resolution: WaveResolution,
    #[serde(rename = "GUI")]
    gui: Gui,
    other_information: OtherInformation,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Overview {
    instrument: String,
    /// `2019-12-05 16:40:47.620445`; empty where unknown.
    trigger_time: String,
    channel: String,
    coupling: &'static str,
    sweep: &'static str,
    /// Of a row.
    samples: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct TimeResolution {
    dt: Option<f64>,
    t_offset: Option<f64>,
    t_uncertainty: Option<f64>,
    sparsing_factor: Option<i32>,
    t_unit: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct WaveResolution {
    v_over_bit: Option<f64>,
    v_offset: Option<f64>,
    total_bits: Option<i32>,
    comm_type: Option<i32>,
    sweeps_per_acq: Option<i32>,
    v_unit: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Gui {
    fixed_vertical_gain: &'static str,
    time_base: &'static str,
    bandwidth_limit: &'static str,
    acq_vert_offset: Option<f64>,
    probe_att: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct OtherInformation {
    acq_duration: Option<f64>,
    vertical_vernier: Option<f64>,
}

impl ScopeMetadata {
    /// From the header of a file whose rows have `samples` samples.
    pub fn new(header: &Header, samples: u32) -> Self {
        let float = |field| match header.value(field) {
            Some(Value::Float(value)) => Some(value.into()),
            Some(Value::Double(value)) => Some(value),
            _ => None,
        };
        let integer = |field| match header.value(field) {
            Some(Value::Integer(value)) => Some(value),
            Some(Value::Choice { code, .. }) => Some(code.into()),
            _ => None,
        };
        let name = |field| match header.value(field) {
            Some(Value::Choice { name, .. }) => name.unwrap_or_default(),
            _ => "",
        };
        Self {
            overview: Overview {
                instrument: header.instrument(),
                trigger_time: match header.value(Field::TriggerTime) {
                    Some(Value::Time(time)) => trigger_time(&time),
                    _ => String::new(),
                },
                channel: channel(header, name(Field::WaveSource)),
                coupling: name(Field::VertCoupling),
                sweep: name(Field::RecordType),
                samples,
            },
            time_resolution: TimeResolution {
                dt: float(Field::HorizInterval),
                t_offset: float(Field::HorizOffset),
                t_uncertainty: float(Field::HorizUncertainty),
                sparsing_factor: integer(Field::SparsingFactor),
                t_unit: header.hor_unit(),
            },
            wave_resolution: WaveResolution {
                v_over_bit: float(Field::VerticalGain),
                v_offset: float(Field::VerticalOffset),
                total_bits: integer(Field::NominalBits),
                comm_type: integer(Field::CommType),
                sweeps_per_acq: integer(Field::SweepsPerAcq),
                v_unit: header.vert_unit(),
            },
            gui: Gui {
                fixed_vertical_gain: name(Field::FixedVertGain),
                time_base: name(Field::Timebase),
                bandwidth_limit: name(Field::BandwidthLimit),
                acq_vert_offset: float(Field::AcqVertOffset),
                probe_att: float(Field::ProbeAtt),
            },
            other_information: OtherInformation {
                acq_duration: float(Field::AcqDuration),
                vertical_vernier: float(Field::VerticalVernier),
            },
        }
    }
}

/// WAVE_SOURCE by its name. LECROY_1_0 has a number instead, and the same four channels.
fn channel(header: &Header, wave_source: &str) -> String {
    if header.value(Field::WaveSource).is_some() {
        return wave_source.to_owned();
    }
    let numbered = header.wave_source().filter(|channel| channel.number() <= 4);
    numbered.map_or_else(String::new, |channel| format!("CHANNEL_{}", channel.number()))
}

/// Date and time as Python's `str(datetime)` has it, microseconds cut off and left out where they are zero; empty where
/// it is no date.
fn trigger_time(time: &Timestamp) -> String {
    // The date is looked at by the calendar, the clock here: 60 s would be another minute.
    if time.nanoseconds().is_none() || !(0.0..60.0).contains(&time.seconds) {
        return String::new();
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "below 60, and below a million; cutting is meant"
    )]
    let (seconds, microseconds) = (time.seconds as u32, (time.seconds % 1.0 * 1e6) as u32);
    let Timestamp {
        minutes,
        hours,
        days,
        months,
        year,
        ..
    } = time;
    let whole = format!("{year:04}-{months:02}-{days:02} {hours:02}:{minutes:02}:{seconds:02}");
    if microseconds > 0 {
        format!("{whole}.{microseconds:06}")
    } else {
        whole
    }
}

/// The settings of a run's channels.
#[derive(Clone, Debug)]
pub struct Metadata {
    channels: Vec<(Channel, ScopeMetadata)>,
    /// Sentences for people: channels without a sound file.
    pub left_out: Vec<String>,
}

/// What became of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was written.
    Anew,
    /// It held all that already, and was not touched.
    AsItWas,
}

/// Why there is no file of settings.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// No file whose settings could be read.
    #[error("no sound file in any channel: {}", why.join("; "))]
    NoHeader {
        /// One for each channel.
        why: Vec<String>,
    },
    /// What is there holds no such objects.
    #[error(
        "{}: cannot be added to: {why}; move it away, or use --waveform-only",
        path.display()
    )]
    NotOurs {
        /// Which.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// It cannot be read or written.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Metadata {
    /// Reads the header of the first file of each channel whose header and length are sound.
    pub fn read(sources: &Sources) -> Result<Self, MetadataError> {
        let mut metadata = Self {
            channels: Vec::new(),
            left_out: Vec::new(),
        };
        for channel in sources.channels() {
            let mut trouble = None;
            let mut files = 0;
            let first = sources.files(channel).find_map(|path| {
                files += 1;
                match look(&path) {
                    Ok(found) => Some(found),
                    Err(why) => {
                        trouble.get_or_insert_with(|| format!("{}: {why}", path.display()));
                        None
                    }
                }
            });
            match first {
                Some(found) => metadata.channels.push((channel, found)),
                None => metadata.left_out.push(format!(
                    "channel {channel}: no sound file among {} ({})",
                    counted(files, "file"),
                    trouble.unwrap_or_default()
                )),
            }
        }
        if metadata.channels.is_empty() {
            let why = metadata.left_out;
            return Err(MetadataError::NoHeader { why });
        }
        Ok(metadata)
    }

    /// The channels in it.
    pub fn channels(&self) -> impl Iterator<Item = Channel> {
        self.channels.iter().map(|(channel, _)| *channel)
    }

    /// What `path` is to hold: the channels' objects, each under `C1--00000` whatever its first file is, and all else that
    /// it holds. None where it holds all that already. Fails where it cannot be added to.
    pub fn changed(&self, path: &Path) -> Result<Option<String>, MetadataError> {
        let found = match std::fs::read(path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(StorageError::new("read", path, source).into()),
        };
        let mut objects = found
            .as_deref()
            .map_or_else(|| Ok(Map::new()), |bytes| objects(path, bytes))?;
        for (channel, metadata) in &self.channels {
            let object = serde_json::to_value(metadata).expect("texts and numbers can always be written as JSON");
            objects.insert(format!("{channel}--00000"), object);
        }
        let text = to_text(&objects);
        if found.is_some_and(|bytes| bytes == text.as_bytes()) {
            return Ok(None);
        }
        if std::fs::metadata(path).is_ok_and(|found| found.permissions().readonly()) {
            return Err(MetadataError::NotOurs {
                path: path.to_owned(),
                why: "it is read-only".to_owned(),
            });
        }
        Ok(Some(text))
    }

    /// Writes [`Metadata::changed`]. A file that would not change is not touched. One that is there keeps its permissions,
    /// and a link its place.
    pub fn write(&self, path: &Path) -> Result<Written, MetadataError> {
        let Some(text) = self.changed(path)? else {
            return Ok(Written::AsItWas);
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| StorageError::new("create the folder", folder, source))?;
        }
        let there = std::fs::metadata(path).ok();
        let is_link = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
        let real = is_link.then(|| std::fs::canonicalize(path).ok()).flatten();
        fs::write_file_with(real.as_deref().unwrap_or(path), |file| {
            if let Some(there) = there {
                file.set_permissions(there.permissions())?;
            }
            fs::write_all_at(file, text.as_bytes(), 0)
        })?;
        Ok(Written::Anew)
    }
}

fn objects(path: &Path, bytes: &[u8]) -> Result<Map<String, Json>, MetadataError> {
    let not_ours = |why| MetadataError::NotOurs {
        path: path.to_owned(),
        why,
    };
    // What a program leaves that was stopped as it began to write.
    if bytes.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    match from_text(bytes) {
        Ok(Json::Object(objects)) => Ok(objects),
        Ok(_) => Err(not_ours("a JSON object expected, with one object a channel".to_owned())),
        Err(error) => Err(not_ours(format!("not JSON: {error}"))),
    }
}

fn look(path: &Path) -> Result<ScopeMetadata, String> {
    let unreadable = |error: io::Error| format!("cannot be read: {error}");
    let head = read_head(path).map_err(unreadable)?;
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    let header = Header::parse(&head).map_err(|error| error.to_string())?;
    let layout = header.layout(Bytes(size)).map_err(|error| error.to_string())?;
    header.check_scale().map_err(|error| error.to_string())?;
    Ok(ScopeMetadata::new(&header, layout.shape.samples))
}

#[cfg(test)]
mod tests;
