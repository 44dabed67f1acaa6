//! `C1--Trace.json`: what its array holds, typed; written by a conversion and read back here.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value as Json};

use super::error::Problem;
use super::seal::{self, Seal, sealed};
use crate::channel::Channel;
use crate::convert::Checksum;
use crate::npy;
use crate::options::ByteOptions;
use crate::plan::Element;
use crate::trc::{FieldSet, Header};
use crate::units::Bytes;

/// The first form: neither the JSON nor the list of files has a checksum.
const UNSEALED: &str = "trc2npy channel 1";
const FORMAT: &str = "trc2npy channel 2";

/// A channel's JSON. Holds nothing of the machine, the day or the way it was made. The order of its keys is part of the
/// format: the same inputs give the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Description {
    pub(crate) format: String,
    /// Of the program that wrote it.
    pub version: String,
    /// The run's name.
    pub run: String,
    /// Which channel.
    pub channel: Channel,
    /// Rows, and samples of each.
    pub shape: (u64, u32),
    /// What the array holds.
    #[serde(rename = "dtype", with = "descr")]
    pub element: Element,
    /// The unit of the array's values: VERTUNIT, or `code`.
    pub unit: String,
    /// Samples of a whole record; version 0.1.0, which took all of them, does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record_samples: Option<u32>,
    /// The sample of a record with which its row begins.
    #[serde(default)]
    pub first_sample: u32,
    /// HORIZ_INTERVAL of the reference file.
    #[serde(deserialize_with = "number_or_nan")]
    pub sample_interval: f64,
    /// HORUNIT.
    pub sample_interval_unit: String,
    /// INSTRUMENT_NAME.
    pub instrument: String,
    /// The options that decide about bytes.
    pub options: ByteOptions,
    /// The array's elements.
    pub data: Part,
    /// The index's records.
    pub index: Part,
    /// The list of files; none in JSONs of the first form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<ListPart>,
    /// The file whose header stands for the channel, as the list shows it.
    pub reference_file: String,
    /// All fields of that header.
    pub fields: Map<String, Json>,
    /// In which of them good files differ from it.
    pub varying_fields: FieldSet,
}

/// Where the data of an NPY file lie, and their checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Where they begin, in bytes.
    pub offset: u64,
    /// How many there are.
    pub bytes: u64,
    /// CRC32C in eight hexadecimal digits.
    pub crc32c: String,
}

/// What the list of files holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPart {
    /// Lines, one a file.
    pub lines: u64,
    /// Bytes of the whole file.
    pub bytes: u64,
    /// CRC32C of the whole file in eight hexadecimal digits.
    pub crc32c: String,
}

impl From<Checksum> for Part {
    fn from(whole: Checksum) -> Self {
        Self {
            offset: npy::DATA_START,
            bytes: whole.len,
            crc32c: digits(whole),
        }
    }
}

impl ListPart {
    /// The part of a list of so many lines.
    pub fn new(lines: u64, whole: Checksum) -> Self {
        Self {
            lines,
            bytes: whole.len,
            crc32c: digits(whole),
        }
    }
}

/// A checksum as it stands in a JSON.
pub(super) fn digits(checksum: Checksum) -> String {
    format!("{:08x}", checksum.crc)
}

impl Description {
    /// The name of the form that this program writes.
    pub(crate) fn format() -> String {
        FORMAT.to_owned()
    }

    /// The unit of an array's values.
    pub(crate) fn unit_of(element: Element, reference: &Header) -> String {
        match element {
            Element::Float32 => reference.vert_unit(),
            Element::Int16 | Element::Int8 => "code".to_owned(),
        }
    }

    /// All fields of a header.
    pub(crate) fn fields_of(header: &Header) -> Map<String, Json> {
        let fields = header.fields();
        fields
            .map(|(field, value)| (field.to_string(), serde_json::to_value(value).unwrap_or(Json::Null)))
            .collect()
    }

    /// The file's content, with its own checksum at the end.
    pub fn encode(&self) -> Vec<u8> {
        sealed(self)
    }

    /// Reads a file's content. What can be read and is not what was written comes back as a problem beside it.
    pub fn decode(text: &[u8]) -> Result<(Self, Option<Problem>), Problem> {
        let seal = match seal::check(text) {
            Seal::Broken { written, found } => Some(Problem::Checksum { written, found }),
            Seal::Intact | Seal::Absent => None,
        };
        let read = serde_json::from_slice::<Self>(text).map_err(|error| match &seal {
            Some(_) => Problem::Changed(format!("damaged, and cannot be read any more: {error}")),
            None => Problem::Changed(format!("not the JSON of a channel: {error}")),
        })?;
        let sealed = read.is_sealed();
        if !sealed && read.format != UNSEALED {
            return Err(Problem::Changed(format!(
                "its format is {:?}, this program reads {FORMAT:?}: use the program that wrote it",
                read.format
            )));
        }
        read.check()?;
        let torn = sealed && seal::check(text) == Seal::Absent;
        let problem = seal.or_else(|| {
            (torn || sealed != read.files.is_some())
                .then(|| Problem::Changed("damaged: its own checksum, which stands at its end, is gone".to_owned()))
        });
        Ok((read, problem))
    }

    /// Whether the JSON and the list of files have checksums.
    pub fn is_sealed(&self) -> bool {
        self.format == FORMAT
    }

    /// Rows of the array.
    pub fn rows(&self) -> u64 {
        self.shape.0
    }

    /// Samples of each row.
    pub fn samples(&self) -> u32 {
        self.shape.1
    }

    /// Samples of a whole record, of which a row can be a part.
    pub fn whole_record(&self) -> u32 {
        self.record_samples.unwrap_or_else(|| self.samples())
    }

    /// Bytes of one row in the array.
    pub fn row_bytes(&self) -> u64 {
        u64::from(self.samples()) * self.element.size()
    }

    /// Bytes of the array's file.
    pub fn array_bytes(&self) -> Bytes {
        Bytes(npy::DATA_START + self.data.bytes)
    }

    /// What no reader may take for granted.
    fn check(&self) -> Result<(), Problem> {
        let expected = |part: &Part, bytes: Option<u64>| {
            part.offset == npy::DATA_START && bytes.is_some_and(|bytes| bytes == part.bytes && bytes < 1 << 62)
        };
        let data = expected(&self.data, self.rows().checked_mul(self.row_bytes()));
        let index = expected(&self.index, self.rows().checked_mul(npy::index::IndexRecord::BYTES));
        let last = self.first_sample.checked_add(self.samples());
        if last.is_none_or(|last| last > self.whole_record()) {
            return Err(Problem::Changed(format!(
                "its rows begin at sample {} and have {}, of records of {}",
                self.first_sample,
                self.samples(),
                self.whole_record()
            )));
        }
        if data && index && self.samples() > 0 {
            return Ok(());
        }
        Err(Problem::Changed(format!(
            "its shape ({}, {}) does not agree with the {} bytes of data and {} of index that it names",
            self.rows(),
            self.samples(),
            self.data.bytes,
            self.index.bytes
        )))
    }
}

/// An element as numpy writes it.
mod descr {
    use super::{Deserialize, Deserializer, Element, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(super) fn serialize<S: Serializer>(element: &Element, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(element.descr())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Element, D::Error> {
        let text = String::deserialize(from)?;
        let all = [Element::Float32, Element::Int16, Element::Int8];
        all.into_iter()
            .find(|element| element.descr() == text)
            .ok_or_else(|| serde::de::Error::custom(format_args!("{text:?} is no type of an array")))
    }
}

/// JSON has no NaN: a broken interval is written as `null`.
fn number_or_nan<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> Description {
        let part = |bytes| Part {
            offset: 4096,
            bytes,
            crc32c: "0123abcd".to_owned(),
        };
        Description {
            format: Description::format(),
            version: "0.1.0".to_owned(),
            run: "r005".to_owned(),
            channel: "C1".parse().unwrap(),
            shape: (3, 5),
            element: Element::Int16,
            unit: "code".to_owned(),
            record_samples: Some(9),
            first_sample: 4,
            sample_interval: f64::NAN,
            sample_interval_unit: "S".to_owned(),
            instrument: "L".to_owned(),
            options: ByteOptions::default(),
            data: part(30),
            index: part(216),
            files: Some(ListPart {
                lines: 3,
                bytes: 9,
                crc32c: "00000000".to_owned(),
            }),
            reference_file: "r005/a".to_owned(),
            fields: Map::new(),
            varying_fields: FieldSet::ALL,
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let written = description();
        let (read, problem) = Description::decode(&written.encode()).unwrap();
        assert!(problem.is_none() && read.sample_interval.is_nan() && read.is_sealed());
        let plain = |one: &Description| serde_json::to_string(one).unwrap();
        assert_eq!(plain(&read), plain(&written));
    }

    #[test]
    fn numbers_that_contradict_each_other_are_refused_however_they_are_sealed() {
        type Change = fn(&mut Description);
        let changes: [Change; 7] = [
            |one| one.shape = (3, 6),
            |one| one.shape = (u64::MAX, 5),
            |one| one.shape = (0, 0),
            |one| one.first_sample = 5,
            |one| one.data.offset = 0,
            |one| one.index.bytes = 0,
            |one| one.format = "trc2npy channel 3".to_owned(),
        ];
        for (i, change) in changes.iter().enumerate() {
            let mut one = description();
            change(&mut one);
            assert!(Description::decode(&one.encode()).is_err(), "change {i}");
        }
    }
}
