//! One table of the descriptor's fields: name, place and kind in each family. Everything else follows from it.

use std::fmt;
use std::iter;
use std::sync::LazyLock;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};

use super::Family;
use super::enums::{self, Names};
use Kind::{Double, Enum, Float, Long, Text, Time, Word};

/// How a field's bytes are to be read.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Enum(Names),
    Word,
    Long,
    Float,
    Double,
    /// NUL-padded Latin-1 of this many bytes.
    Text(usize),
    Time,
}

/// Where a field stands in the descriptor.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) at: usize,
    pub(super) kind: Kind,
}

impl Place {
    pub(super) const fn bytes(self) -> usize {
        match self.kind {
            Enum(_) | Word => 2,
            Long | Float => 4,
            Double => 8,
            Text(bytes) => bytes,
            Time => 16,
        }
    }
}

struct Row {
    name: &'static str,
    two_x: Option<Place>,
    one_zero: Option<Place>,
}

#[expect(clippy::unnecessary_wraps, reason = "the table reads `at(..)` beside `None`")]
const fn at(at: usize, kind: Kind) -> Option<Place> {
    Some(Place { at, kind })
}

macro_rules! fields {
    ($($variant:ident $name:literal: $two_x:expr, $one_zero:expr;)*) => {
        /// A field of the descriptor, named as the template names it. The order is that of LECROY_2_3.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Field {
            $(#[doc = concat!("`", $name, "`")] $variant,)*
        }

        impl Field {
            /// Every field that any family has.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];
        }

        const TABLE: &[Row] = &[$(Row { name: $name, two_x: $two_x, one_zero: $one_zero }),*];
    };
}

const STRING: Kind = Text(16);
const UNIT: Kind = Text(48);

// Offsets: the instrument's templates LECROY_2_2 / LECROY_2_3, and LECROY_1_0.
fields! {
    DescriptorName "DESCRIPTOR_NAME": at(0, STRING), at(0, STRING);
    TemplateName "TEMPLATE_NAME": at(16, STRING), at(16, STRING);
    CommType "COMM_TYPE": at(32, Enum(enums::COMM_TYPE)), at(32, Enum(enums::COMM_TYPE));
    CommOrder "COMM_ORDER": at(34, Enum(enums::COMM_ORDER)), at(34, Enum(enums::COMM_ORDER));
    WaveDescriptor "WAVE_DESCRIPTOR": at(36, Long), at(36, Long);
    UserText "USER_TEXT": at(40, Long), at(40, Long);
    ResDesc1 "RES_DESC1": at(44, Long), None;
    TrigtimeArray "TRIGTIME_ARRAY": at(48, Long), at(44, Long);
    RisTimeArray "RIS_TIME_ARRAY": at(52, Long), None;
    ResArray1 "RES_ARRAY1": at(56, Long), None;
    WaveArray1 "WAVE_ARRAY_1": at(60, Long), at(48, Long);
    WaveArray2 "WAVE_ARRAY_2": at(64, Long), at(52, Long);
    ResArray2 "RES_ARRAY2": at(68, Long), None;
    ResArray3 "RES_ARRAY3": at(72, Long), None;
    InstrumentName "INSTRUMENT_NAME": at(76, STRING), at(56, STRING);
    InstrumentNumber "INSTRUMENT_NUMBER": at(92, Long), at(72, Long);
    TraceLabel "TRACE_LABEL": at(96, STRING), at(76, STRING);
    Reserved1 "RESERVED1": at(112, Word), None;
    Reserved2 "RESERVED2": at(114, Word), None;
    WaveArrayCount "WAVE_ARRAY_COUNT": at(116, Long), at(92, Long);
    PntsPerScreen "PNTS_PER_SCREEN": at(120, Long), at(96, Long);
    FirstValidPnt "FIRST_VALID_PNT": at(124, Long), at(100, Long);
    LastValidPnt "LAST_VALID_PNT": at(128, Long), at(104, Long);
    FirstPoint "FIRST_POINT": at(132, Long), None;
    SparsingFactor "SPARSING_FACTOR": at(136, Long), None;
    SegmentIndex "SEGMENT_INDEX": at(140, Long), None;
    SubarrayCount "SUBARRAY_COUNT": at(144, Long), at(108, Long);
    SweepsPerAcq "SWEEPS_PER_ACQ": at(148, Long), at(116, Long);
    PointsPerPair "POINTS_PER_PAIR": at(152, Word), None;
    PairOffset "PAIR_OFFSET": at(154, Word), None;
    VerticalGain "VERTICAL_GAIN": at(156, Float), at(120, Float);
    VerticalOffset "VERTICAL_OFFSET": at(160, Float), at(124, Float);
    MaxValue "MAX_VALUE": at(164, Float), at(128, Word);
    MinValue "MIN_VALUE": at(168, Float), at(130, Word);
    NominalBits "NOMINAL_BITS": at(172, Word), at(132, Word);
    NomSubarrayCount "NOM_SUBARRAY_COUNT": at(174, Word), at(112, Long);
    HorizInterval "HORIZ_INTERVAL": at(176, Float), at(134, Float);
    HorizOffset "HORIZ_OFFSET": at(180, Double), at(138, Double);
    PixelOffset "PIXEL_OFFSET": at(188, Double), at(146, Double);
    VertUnit "VERTUNIT": at(196, UNIT), at(154, UNIT);
    HorUnit "HORUNIT": at(244, UNIT), at(202, UNIT);
    HorizUncertainty "HORIZ_UNCERTAINTY": at(292, Float), None;
    TriggerTime "TRIGGER_TIME": at(296, Time), at(250, Time);
    AcqDuration "ACQ_DURATION": at(312, Float), at(266, Float);
    RecordType "RECORD_TYPE": at(316, Enum(enums::RECORD_TYPE)), at(270, Enum(enums::RECORD_TYPE_1_0));
    ProcessingDone "PROCESSING_DONE": at(318, Enum(enums::PROCESSING_DONE)), at(272, Enum(enums::PROCESSING_DONE_1_0));
    Reserved5 "RESERVED5": at(320, Word), None;
    RisSweeps "RIS_SWEEPS": at(322, Word), None;
    Timebase "TIMEBASE": at(324, Enum(enums::TIMEBASE)), at(274, Enum(enums::TIMEBASE));
    VertCoupling "VERT_COUPLING": at(326, Enum(enums::VERT_COUPLING)), at(276, Enum(enums::VERT_COUPLING));
    ProbeAtt "PROBE_ATT": at(328, Float), at(278, Float);
    FixedVertGain "FIXED_VERT_GAIN": at(332, Enum(enums::FIXED_VERT_GAIN)), at(282, Enum(enums::FIXED_VERT_GAIN));
    BandwidthLimit "BANDWIDTH_LIMIT": at(334, Enum(enums::BANDWIDTH_LIMIT)), at(284, Enum(enums::BANDWIDTH_LIMIT));
    VerticalVernier "VERTICAL_VERNIER": at(336, Float), at(286, Float);
    AcqVertOffset "ACQ_VERT_OFFSET": at(340, Float), at(290, Float);
    WaveSource "WAVE_SOURCE": at(344, Enum(enums::WAVE_SOURCE)), None;
    WaveSrcPlugin "WAVE_SRC_PLUGIN": None, at(294, Enum(enums::UNNAMED));
    WaveSrcChannel "WAVE_SRC_CHANNEL": None, at(296, Enum(enums::UNNAMED));
}

impl Field {
    /// The name in the template: `VERTICAL_GAIN`.
    pub fn name(self) -> &'static str {
        TABLE[self as usize].name
    }

    /// The field of a template's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| field.name() == name)
    }

    /// The field that has the descriptor's byte `at`.
    pub(super) fn at(family: Family, at: usize) -> Option<Self> {
        static TABLES: LazyLock<[ByteTable; 2]> = LazyLock::new(|| [Family::TwoX, Family::OneZero].map(byte_table));
        TABLES[family as usize].get(at).copied().flatten()
    }

    /// Where it stands in a descriptor of `family`; nowhere where that family does not have it.
    pub(super) fn place(self, family: Family) -> Option<Place> {
        let row = &TABLE[self as usize];
        match family {
            Family::TwoX => row.two_x,
            Family::OneZero => row.one_zero,
        }
    }
}

/// For each byte of a descriptor its field.
type ByteTable = [Option<Field>; Family::TwoX.descriptor_bytes()];

fn byte_table(family: Family) -> ByteTable {
    let mut table = [None; _];
    for &field in Field::ALL {
        if let Some(place) = field.place(family) {
            table[place.at..place.at + place.bytes()].fill(Some(field));
        }
    }
    table
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        Self::from_name(&name).ok_or_else(|| D::Error::custom(format_args!("not a field of WAVEDESC: {name:?}")))
    }
}

/// Some of the descriptor's fields, for example those that vary over a run. Serialised as a list of names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldSet(u128);

const _: () = assert!(TABLE.len() <= 128, "one bit for each field");

impl FieldSet {
    /// No field.
    pub const EMPTY: Self = Self(0);
    /// Every field that any family has.
    pub const ALL: Self = Self((1 << Field::ALL.len()) - 1);

    /// Rows of one array that differ in one of these do not share their axes.
    pub const AXES: Self = Self::EMPTY
        .with(Field::HorizInterval)
        .with(Field::VertUnit)
        .with(Field::HorUnit)
        .with(Field::RecordType);

    /// These may change inside a channel, and people should know.
    pub const SETTINGS: Self = Self::EMPTY
        .with(Field::VerticalGain)
        .with(Field::VerticalOffset)
        .with(Field::VertCoupling)
        .with(Field::BandwidthLimit)
        .with(Field::ProbeAtt);

    /// Adds a field.
    pub fn insert(&mut self, field: Field) {
        *self = self.with(field);
    }

    /// With one field more.
    #[must_use]
    pub const fn with(self, field: Field) -> Self {
        Self(self.0 | 1 << field as u8)
    }

    /// Whether the field is one of them.
    pub const fn contains(self, field: Field) -> bool {
        self.0 & (1 << field as u8) != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// The fields of either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The fields that `other` has not.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The fields of both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The fields, in the descriptor's order.
    pub fn iter(self) -> impl Iterator<Item = Field> {
        let mut left = self.0;
        iter::from_fn(move || {
            let lowest = Field::ALL.get(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(*lowest)
        })
    }
}

impl FromIterator<Field> for FieldSet {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> Self {
        let mut set = Self::EMPTY;
        fields.into_iter().for_each(|field| set.insert(field));
        set
    }
}

impl Serialize for FieldSet {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for FieldSet {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Vec::<Field>::deserialize(from)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_family_neither_overlap_nor_leave_the_descriptor() {
        for (family, gaps, end) in [(Family::TwoX, 0, 346), (Family::OneZero, 0, 298)] {
            let mut places: Vec<(Place, Field)> = Field::ALL
                .iter()
                .filter_map(|&field| field.place(family).map(|place| (place, field)))
                .collect();
            places.sort_by_key(|(place, _)| place.at);
            let mut unused = 0;
            let mut next = 0;
            for (place, field) in places {
                assert!(place.at >= next, "{family:?} {field} overlaps the field before it");
                unused += place.at - next;
                next = place.at + place.bytes();
            }
            assert_eq!((unused, next), (gaps, end), "{family:?}");
            assert!(next <= family.descriptor_bytes());
        }
    }

    #[test]
    fn names_and_fields_agree() {
        for &field in Field::ALL {
            assert_eq!(Field::from_name(field.name()), Some(field));
        }
        assert_eq!(Field::from_name("GAIN"), None);
    }

    #[test]
    fn sets_are_written_as_names_and_read_back() {
        let set: FieldSet = [Field::WaveSource, Field::TriggerTime, Field::WaveSrcChannel]
            .into_iter()
            .collect();
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(text, r#"["TRIGGER_TIME","WAVE_SOURCE","WAVE_SRC_CHANNEL"]"#);
        assert_eq!(serde_json::from_str::<FieldSet>(&text).unwrap(), set);
        assert!(serde_json::from_str::<FieldSet>(r#"["NOTHING"]"#).is_err());
        assert!(set.contains(Field::TriggerTime) && !set.contains(Field::HorizOffset));
        assert_eq!(set.len(), 3);
        assert_eq!(set.intersection(FieldSet::EMPTY), FieldSet::EMPTY);
    }
}
