//! JSON as Python's `json.dumps(value, indent=2)` writes it: ASCII, two blanks a level, floats by `repr`; and what other
//! programs have written, read so that no number of it changes.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::Value as Json;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// How a text begins, written as JSON, that stands for a number as it was spelled: no program writes such a one.
const WRITTEN: &str = "\"\\u0000number ";

/// Reads JSON, Python's too, in which NaN and infinities are numbers. Numbers are kept as they are spelled, of whatever
/// size, for [`to_text`] alone to write.
pub(super) fn from_text(bytes: &[u8]) -> Result<Json, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut plain = String::with_capacity(rest.len());
    while let Some(c) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
        let end = if c == '"' {
            end_of_string(rest)
        } else if is_word(c) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else {
            c.len_utf8()
        };
        let (word, behind) = rest.split_at(end);
        if is_word(c) && is_number(word) {
            plain.extend([WRITTEN, word, "\""]);
        } else {
            plain.push_str(word);
        }
        rest = behind;
    }
    serde_json::from_str(&plain).map_err(|error| error.to_string())
}

/// Where a string ends that the text begins with; with the text, where it has no end.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

fn is_number(word: &str) -> bool {
    let is_name = matches!(word, "true" | "false" | "null");
    let python = matches!(word, "NaN" | "Infinity" | "-Infinity");
    python || (!is_name && serde_json::from_str::<IgnoredAny>(word).is_ok())
}

/// The text. What has no JSON form (NaN, infinities) is `null`, where Python would write what other readers refuse.
pub fn to_text(value: &impl Serialize) -> String {
    let text = formatted(value);
    let mut parts = text.split(WRITTEN);
    let mut spelled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, behind) = part.split_once('"').unwrap_or((part, ""));
        spelled.extend([number, behind]);
    }
    spelled
}

fn formatted(value: &impl Serialize) -> String {
    let mut bytes = Vec::new();
    let formatter = Python(PrettyFormatter::with_indent(b"  "));
    value
        .serialize(&mut Serializer::with_formatter(&mut bytes, formatter))
        .expect("maps of this module have texts as keys, and memory takes any text");
    String::from_utf8(bytes).expect("the formatter writes ASCII")
}

struct Python(PrettyFormatter<'static>);

impl Formatter for Python {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(repr(value).as_bytes())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut text = String::with_capacity(fragment.len());
        let mut units = [0; 2];
        for c in fragment.chars() {
            if (' '..='~').contains(&c) {
                text.push(c);
            } else {
                // Above 16 bits: a surrogate pair, as JSON has it.
                for unit in c.encode_utf16(&mut units) {
                    write!(text, "\\u{unit:04x}").expect("a String takes any text");
                }
            }
        }
        writer.write_all(text.as_bytes())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }
    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }
    fn begin_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }
    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }
    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }
    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }
    fn begin_object_key<W: ?Sized + io::Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }
    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }
    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// A finite number as Python's `repr` has it: the fewest digits that give it back; with an exponent below 1e-4 and from
/// 1e16 on. Source: `float_repr_style` in CPython's `pystrtod.c`.
fn repr(value: f64) -> String {
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').expect("this form has an exponent");
    let exponent: i32 = exponent.parse().expect("which is a whole number");
    if (-4..16).contains(&exponent) {
        let full = value.to_string();
        return if full.contains('.') { full } else { full + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected texts: CPython 3.11.
    #[test]
    fn floats_read_as_python_writes_them() {
        for (value, text) in [
            (f64::from(2e-8_f32), "1.999999987845058e-08"),
            (f64::from(0.000_25_f32), "0.0002500000118743628"),
            (-0.002_000_011_229_099_625, "-0.002000011229099625"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (1e15, "1000000000000000.0"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1.5e16, "1.5e+16"),
            (1e-4, "0.0001"),
            (9.999e-5, "9.999e-05"),
            (1e-5, "1e-05"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (-1e100, "-1e+100"),
        ] {
            assert_eq!(repr(value), text);
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), value.to_bits());
        }
    }

    #[test]
    fn numbers_that_were_read_are_written_as_they_were() {
        let text = "{\n  \"a\": NaN,\n  \"b\": [\n    -Infinity,\n    12345678901234567890123456789,\n    1E5,\n    -0.0,\n    1e999\n  ],\n  \
                    \"1.5 \\\" NaN\": true,\n  \"c\": \"-1\"\n}";
        assert_eq!(to_text(&from_text(text.as_bytes()).unwrap()), text);
        let with_mark = ["\u{feff}".as_bytes(), text.as_bytes()].concat();
        assert_eq!(to_text(&from_text(&with_mark).unwrap()), text);
        for wrong in ["{\"a\": 1", "{\"a\": nan}", "{\"a\": 01}", "{\"a\": \"", "", "{'a': 1}"] {
            assert!(from_text(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert!(from_text(b"{\"a\": \"\xff\"}").is_err());
    }

    #[test]
    fn texts_are_ascii_and_levels_two_blanks() {
        let value = serde_json::json!({"µ\"\n\u{7f}😀": [1, -0.5], "empty": {}, "none": f64::NAN});
        assert_eq!(
            to_text(&value),
            "{\n  \"\\u00b5\\\"\\n\\u007f\\ud83d\\ude00\": [\n    1,\n    -0.5\n  ],\n  \"empty\": {},\n  \"none\": null\n}"
        );
    }
}
