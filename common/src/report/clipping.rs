//! Rows whose smallest or largest sample lies where the converter ends.

use serde_json::{Map, Value as Json};

use crate::npy::index::IndexRecord;
use crate::plan::Element;
use crate::trc::Field;

/// What the index's volts are off a whole code, being rounded to f32.
const ROUNDING: f64 = 0.5;

/// How many rows reach an end of the converter's range.
#[derive(Clone, Debug, PartialEq)]
pub struct Clipping {
    /// MIN_VALUE and MAX_VALUE of the reference file, in codes of the array.
    limits: (f64, f64),
    /// Those that do.
    pub rows: u64,
    /// The first of them.
    pub first: Option<u64>,
}

impl Clipping {
    /// None counted yet; none where the reference file, whose header's fields these are, names no range. `element`: of the
    /// array.
    pub fn of(fields: &Map<String, Json>, element: Element) -> Option<Self> {
        let field = |field: Field| fields.get(field.name());
        let (low, high) = (field(Field::MinValue)?.as_f64()?, field(Field::MaxValue)?.as_f64()?);
        // Of 16 bits an array of 8 has the high byte, and its gain is that of a code of the array.
        let words = field(Field::CommType).and_then(Json::as_str) == Some("word");
        let scale = if words && element == Element::Int8 { 256.0 } else { 1.0 };
        (low < high).then_some(Self {
            limits: (low / scale, high / scale),
            rows: 0,
            first: None,
        })
    }

    /// Looks at a good row.
    pub fn add(&mut self, row: u64, record: &IndexRecord) {
        let (gain, offset) = (f64::from(record.gain.get()), f64::from(record.offset.get()));
        let code = |volts: f32| (f64::from(volts) + offset) / gain;
        let (a, b) = (code(record.min.get()), code(record.max.get()));
        let (low, high) = self.limits;
        // A gain below zero turns the two around.
        if a.min(b) <= low + ROUNDING || a.max(b) >= high - ROUNDING {
            self.rows += 1;
            self.first = self.first.or(Some(row));
        }
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::little_endian::F32;

    use super::*;
    use crate::status::Status;

    #[test]
    fn rows_at_either_end_are_counted_whatever_the_sign_of_the_gain() {
        for gain in [0.01_f32, -0.01] {
            let mut clipping = Clipping {
                limits: (-128.0, 127.0),
                rows: 0,
                first: None,
            };
            for (row, codes) in (5..).zip([[-100, 100], [-128, 0], [0, 127], [-127, 126], [-128, 127]]) {
                let volts = codes.map(|code: i8| f32::from(code) * gain - 0.3);
                let record = IndexRecord {
                    gain: F32::new(gain),
                    offset: F32::new(0.3),
                    min: F32::new(volts[0].min(volts[1])),
                    max: F32::new(volts[0].max(volts[1])),
                    ..IndexRecord::bad(0, 0, Status::Good)
                };
                clipping.add(row, &record);
            }
            assert_eq!((clipping.rows, clipping.first), (3, Some(6)), "{gain}");
        }
    }
}
