//! Finding the descriptor and reading its fields.

use super::error::Unscaled;
use super::value::{Raw, latin_1};
use super::{ByteOrder, Family, Field, FieldSet, FormatError, SampleWidth, SegmentTime, Timestamp, Value};
use crate::channel::Channel;
use crate::units::Bytes;

const MARK: &[u8] = b"WAVEDESC";
/// The descriptor must begin in this many bytes: block headers and remote-control prefixes are shorter.
const SEARCHED: usize = 64;
pub(super) const FIXED_BYTES: usize = Family::TwoX.descriptor_bytes();
/// Here the first fields end that must be known before any other: template, type, order and length.
const LEADING_BYTES: usize = 40;

/// The descriptor (WAVEDESC) of one file: a private copy of its fixed bytes, so that a file which changes under the
/// reader cannot change what was checked. Holds no heap memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    bytes: [u8; FIXED_BYTES],
    start: u8,
    order: ByteOrder,
    width: SampleWidth,
    family: Family,
}

impl Header {
    /// Finds and reads the descriptor in a file's first [`super::HEAD_BYTES`] bytes (all bytes of a shorter file).
    ///
    /// Fails where no descriptor begins in the first 64 bytes, where the bytes end inside it, and where its byte
    /// order, sample width or own length is one that the format does not have. The lengths of the other blocks are
    /// checked by [`Header::layout`].
    pub fn parse(head: &[u8]) -> Result<Self, FormatError> {
        let found = Bytes::from(head.len());
        let searched = &head[..head.len().min(SEARCHED + MARK.len() - 1)];
        let start = searched
            .windows(MARK.len())
            .position(|window| window == MARK)
            .ok_or(FormatError::NotWaveform {
                found: Bytes::from(searched.len().min(SEARCHED)),
            })?;
        let present = &head[start..];
        let cut_short = |expected: usize| FormatError::Truncated {
            expected: Bytes::from(start + expected),
            found,
            block: Field::WaveDescriptor,
        };
        let leading: [u8; LEADING_BYTES] = *present.first_chunk().ok_or_else(|| cut_short(FIXED_BYTES))?;

        let order = match [leading[34], leading[35]] {
            [0, 0] => ByteOrder::Big,
            [1, 0] => ByteOrder::Little,
            found => return Err(FormatError::UnknownOrder { found }),
        };
        let width = match order.i16([leading[32], leading[33]]) {
            0 => SampleWidth::Eight,
            1 => SampleWidth::Sixteen,
            found => return Err(FormatError::UnknownWidth { found }),
        };
        let length = order.i32([leading[36], leading[37], leading[38], leading[39]]);
        let family = family(&leading[16..32], length);
        let fixed = family.descriptor_bytes();
        if usize::try_from(length).map_or(true, |length| length < fixed) {
            return Err(FormatError::ShortDescriptor {
                found: length,
                least: fixed,
            });
        }
        let mut bytes = [0; FIXED_BYTES];
        let copied = present.len().min(fixed);
        bytes[..copied].copy_from_slice(&present[..copied]);
        let header = Self {
            bytes,
            start: u8::try_from(start).expect("the search ends at 64"),
            order,
            width,
            family,
        };
        if copied == fixed {
            return Ok(header);
        }
        // All lengths may be there although the descriptor's end is not: then the whole file's size is known.
        let lengths_end = Field::InstrumentName
            .place(family)
            .map_or(fixed, |behind_the_lengths| behind_the_lengths.at);
        let by_all_lengths = (copied >= lengths_end).then(|| header.layout(found).err()).flatten();
        Err(by_all_lengths.unwrap_or_else(|| cut_short(fixed)))
    }

    /// Where WAVEDESC begins in the file, in bytes.
    pub fn start(&self) -> usize {
        self.start.into()
    }

    /// Order of the bytes in the file's numbers.
    pub const fn order(&self) -> ByteOrder {
        self.order
    }

    /// Bits of a stored sample.
    pub const fn width(&self) -> SampleWidth {
        self.width
    }

    /// The form of the descriptor.
    pub const fn family(&self) -> Family {
        self.family
    }

    /// TEMPLATE_NAME, for example `LECROY_2_3`.
    pub fn template(&self) -> String {
        self.text(Field::TemplateName)
    }

    /// INSTRUMENT_NAME.
    pub fn instrument(&self) -> String {
        self.text(Field::InstrumentName)
    }

    /// INSTRUMENT_NUMBER, the serial number.
    pub fn instrument_number(&self) -> i32 {
        self.integer(Field::InstrumentNumber)
    }

    /// VERTUNIT, the unit of `gain * code - offset`; mostly `V`.
    pub fn vert_unit(&self) -> String {
        self.text(Field::VertUnit)
    }

    /// HORUNIT, the unit of the horizontal axis; mostly `S`.
    pub fn hor_unit(&self) -> String {
        self.text(Field::HorUnit)
    }

    /// VERTICAL_GAIN: VERTUNIT per code.
    pub fn gain(&self) -> f32 {
        self.float(Field::VerticalGain)
    }

    /// VERTICAL_OFFSET: the value is `gain * code - offset`.
    pub fn offset(&self) -> f32 {
        self.float(Field::VerticalOffset)
    }

    /// Fails where gain or offset is no number: every sample of the file would be none either.
    pub fn check_scale(&self) -> Result<(), FormatError> {
        let scale = [
            (Field::VerticalGain, self.gain()),
            (Field::VerticalOffset, self.offset()),
        ];
        match scale.into_iter().find(|(_, value)| !value.is_finite()) {
            Some((field, value)) => Err(FormatError::NotFinite {
                field,
                value: if value.is_nan() {
                    Unscaled::NaN
                } else {
                    Unscaled::Infinite
                },
            }),
            None => Ok(()),
        }
    }

    /// HORIZ_INTERVAL: seconds (HORUNIT) from one sample to the next.
    pub fn horiz_interval(&self) -> f32 {
        self.float(Field::HorizInterval)
    }

    /// HORIZ_OFFSET: seconds from the trigger to the first sample.
    pub fn horiz_offset(&self) -> f64 {
        match self.raw(Field::HorizOffset) {
            Some(Raw::Double(value)) => value,
            _ => 0.0,
        }
    }

    /// RECORD_TYPE as its number; [`Header::value`] gives the name.
    pub fn record_type(&self) -> i16 {
        match self.raw(Field::RecordType) {
            Some(Raw::Choice(code, _)) => code,
            _ => 0,
        }
    }

    /// SWEEPS_PER_ACQ: above 1 for averages, which no other field betrays.
    pub fn sweeps(&self) -> i32 {
        self.integer(Field::SweepsPerAcq)
    }

    /// The channel that the header names (WAVE_SOURCE, LECROY_1_0: WAVE_SRC_CHANNEL), for files whose name has none.
    /// Instruments are known to write a wrong one; the file's name goes before it.
    pub fn wave_source(&self) -> Option<Channel> {
        let (field, first) = match self.family {
            Family::TwoX => (Field::WaveSource, 0),
            Family::OneZero => (Field::WaveSrcChannel, 1),
        };
        let Some(Raw::Choice(code, _)) = self.raw(field) else {
            return None;
        };
        let number = code.checked_sub(first)?;
        (0..8)
            .contains(&number)
            .then(|| Channel::new('C', u8::try_from(number + 1).ok()?))
            .flatten()
    }

    /// TRIGGER_TIME: nanoseconds since 1970 of the instrument's own local time. None where it is all zeros or no date.
    pub fn trigger_time(&self) -> Option<i64> {
        match self.raw(Field::TriggerTime) {
            Some(Raw::Time(time)) => Timestamp::nanoseconds(&time),
            _ => None,
        }
    }

    /// What stands for segment `k` where the file has no TRIGTIME entry for it: the first segment lies at the
    /// trigger itself, when a later one was acquired nobody knows (NaN).
    pub fn time_without_entry(&self, k: u32) -> SegmentTime {
        SegmentTime {
            time: if k == 0 { 0.0 } else { f64::NAN },
            offset: self.horiz_offset(),
        }
    }

    /// The value of one field; none where this family has no such field.
    pub fn value(&self, field: Field) -> Option<Value> {
        self.raw(field).map(Raw::value)
    }

    /// All fields that this family has, in the descriptor's order.
    pub fn fields(&self) -> impl Iterator<Item = (Field, Value)> + '_ {
        Field::ALL
            .iter()
            .filter_map(|&field| self.value(field).map(|value| (field, value)))
    }

    /// The fields whose values differ; a field that only one of the two has is among them. [`super::Variation`] is
    /// faster over many files.
    pub fn differing(&self, other: &Self) -> FieldSet {
        let differs = |field: &Field| match (self.raw(*field), other.raw(*field)) {
            (Some(a), Some(b)) => !a.same(b),
            (None, None) => false,
            _ => true,
        };
        Field::ALL.iter().copied().filter(differs).collect()
    }

    /// The fixed bytes as they stand in the file.
    pub(super) fn bytes(&self) -> &[u8; FIXED_BYTES] {
        &self.bytes
    }

    /// A word or a long; 0 where this family has no such field, which is what its absence means in every use.
    pub(super) fn integer(&self, field: Field) -> i32 {
        match self.raw(field) {
            Some(Raw::Integer(value)) => value,
            _ => 0,
        }
    }

    fn float(&self, field: Field) -> f32 {
        match self.raw(field) {
            Some(Raw::Float(value)) => value,
            _ => 0.0,
        }
    }

    fn text(&self, field: Field) -> String {
        match self.raw(field) {
            Some(Raw::Text(bytes)) => latin_1(bytes),
            _ => String::new(),
        }
    }

    fn raw(&self, field: Field) -> Option<Raw<'_>> {
        Raw::read(&self.bytes, field.place(self.family)?, self.order)
    }
}

/// The family of a template name: LECROY_1_0 by its name, also where only its end says so and the length is that of a
/// LECROY_1_0 descriptor; every other name is read as the 346-byte form.
fn family(template: &[u8], length: i32) -> Family {
    let says = |name: &[u8]| template.windows(name.len()).any(|window| window == name);
    if template.starts_with(b"LECROY_1_0") || (length == 320 && says(b"1_0")) {
        Family::OneZero
    } else {
        Family::TwoX
    }
}
