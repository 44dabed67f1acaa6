//! The value of one field, for people and for JSON.

use std::fmt;

use serde::ser::{Serialize, Serializer};

use super::enums;
use super::fields::{Kind, Place};
use super::{ByteOrder, Timestamp};

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A word or a long.
    Integer(i32),
    /// An enum. In JSON its name, or the bare number where no template names it.
    Choice {
        /// The number in the file.
        code: i16,
        /// Its name in the template.
        name: Option<&'static str>,
    },
    /// A float.
    Float(f32),
    /// A double.
    Double(f64),
    /// A string or a unit, read as Latin-1 up to its first NUL.
    Text(String),
    /// A timestamp. In JSON `null` where all zeros.
    Time(Timestamp),
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Integer(value) => to.serialize_i32(*value),
            Self::Choice { code, name: None } => to.serialize_i16(*code),
            Self::Choice { name: Some(name), .. } => to.serialize_str(name),
            Self::Float(value) => to.serialize_f32(*value),
            Self::Double(value) => to.serialize_f64(*value),
            Self::Text(text) => to.serialize_str(text),
            Self::Time(time) if time.is_unset() => to.serialize_none(),
            Self::Time(time) => to.collect_str(time),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Choice { code, name: None } => write!(f, "{code}"),
            Self::Choice { name: Some(name), .. } => f.write_str(name),
            Self::Float(value) => write!(f, "{value:?}"),
            Self::Double(value) => write!(f, "{value:?}"),
            Self::Text(text) => f.write_str(text),
            Self::Time(time) => write!(f, "{time}"),
        }
    }
}

/// A field's value without a copy of its text: what accessors and comparisons work on.
#[derive(Clone, Copy)]
pub(super) enum Raw<'a> {
    Integer(i32),
    Choice(i16, enums::Names),
    Float(f32),
    Double(f64),
    Text(&'a [u8]),
    Time(Timestamp),
}

impl<'a> Raw<'a> {
    /// Reads a field from a descriptor's bytes; none where they end before it.
    pub(super) fn read(descriptor: &'a [u8], place: Place, order: ByteOrder) -> Option<Self> {
        let bytes = descriptor.get(place.at..place.at + place.bytes())?;
        Some(match place.kind {
            Kind::Enum(names) => Self::Choice(order.i16(*bytes.first_chunk()?), names),
            Kind::Word => Self::Integer(order.i16(*bytes.first_chunk()?).into()),
            Kind::Long => Self::Integer(order.i32(*bytes.first_chunk()?)),
            Kind::Float => Self::Float(order.f32(*bytes.first_chunk()?)),
            Kind::Double => Self::Double(order.f64(*bytes.first_chunk()?)),
            Kind::Text(_) => {
                let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
                Self::Text(&bytes[..end])
            }
            Kind::Time => {
                let [minutes, hours, days, months, year @ ..] = *bytes[8..].first_chunk::<6>()?;
                Self::Time(Timestamp {
                    seconds: order.f64(*bytes.first_chunk()?),
                    minutes: minutes.cast_signed(),
                    hours: hours.cast_signed(),
                    days: days.cast_signed(),
                    months: months.cast_signed(),
                    year: order.i16(year),
                })
            }
        })
    }

    pub(super) fn value(self) -> Value {
        match self {
            Self::Integer(value) => Value::Integer(value),
            Self::Choice(code, names) => Value::Choice {
                code,
                name: enums::name(names, code),
            },
            Self::Float(value) => Value::Float(value),
            Self::Double(value) => Value::Double(value),
            Self::Text(bytes) => Value::Text(latin_1(bytes)),
            Self::Time(time) => Value::Time(time),
        }
    }

    /// Whether two files say the same here. Numbers are compared as numbers, whatever their widths: the families
    /// store some of them differently, and every one of them fits an f64.
    #[expect(clippy::float_cmp, reason = "asks whether two files hold the same number")]
    pub(super) fn same(self, other: Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Time(a), Self::Time(b)) => a.same(&b),
            _ => match (self.number(), other.number()) {
                (Some(a), Some(b)) => a == b || a.to_bits() == b.to_bits(),
                _ => false,
            },
        }
    }

    fn number(self) -> Option<f64> {
        match self {
            Self::Integer(value) => Some(value.into()),
            Self::Choice(code, _) => Some(code.into()),
            Self::Float(value) => Some(value.into()),
            Self::Double(value) => Some(value),
            Self::Text(_) | Self::Time(_) => None,
        }
    }
}

/// Text as the instruments write it: every byte is a character, so that none can fail.
pub(super) fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_reads_well() {
        let time = Timestamp {
            seconds: 0.0,
            minutes: 0,
            hours: 0,
            days: 0,
            months: 0,
            year: 0,
        };
        for (value, json) in [
            (Value::Integer(-3), "-3"),
            (
                Value::Choice {
                    code: 4,
                    name: Some("AC,_1MOhm"),
                },
                r#""AC,_1MOhm""#,
            ),
            (Value::Choice { code: 99, name: None }, "99"),
            (Value::Float(0.000_124_995), "0.000124995"),
            (Value::Float(f32::NAN), "null"),
            (Value::Double(-3.5e-7), "-3.5e-7"),
            (Value::Text(latin_1(b"\xb5V")), r#""µV""#),
            (Value::Time(time), "null"),
            (
                Value::Time(Timestamp {
                    days: 9,
                    months: 11,
                    year: 2022,
                    ..time
                }),
                r#""2022-11-09T00:00:00""#,
            ),
        ] {
            assert_eq!(serde_json::to_string(&value).unwrap(), json, "{value:?}");
        }
    }
}
