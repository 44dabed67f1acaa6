//! A piece of a row, or a record, as it is stored and as its source has it.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::expected::SourceFile;
use crate::npy::index::IndexRecord;
use crate::plan::Element;
use crate::trc::decode::{self, Codes, Extrema};

/// Decodes a piece of a row by the rules of the format, as the array should hold it.
pub(super) fn decode_piece(
    codes: Codes<'_>,
    element: Element,
    source: &SourceFile,
    level: Option<f64>,
    out: &mut [u8],
) -> Result<Extrema, decode::LowByteSet> {
    fn of<T: FromBytes + IntoBytes + KnownLayout + Immutable>(bytes: &mut [u8]) -> &mut [T] {
        <[T]>::mut_from_bytes(bytes).expect("the buffer is 8-byte aligned, and the piece whole elements")
    }
    let (gain, offset) = (source.header.gain(), source.header.offset());
    Ok(match (element, level) {
        (Element::Float32, None) => decode::volts(codes, gain, offset, of(out)),
        (Element::Float32, Some(level)) => decode::volts_from_level(codes, gain, level, of(out)),
        (Element::Int16, _) => decode::words(codes, of(out)),
        (Element::Int8, _) => decode::octets(codes, of(out))?,
    })
}

/// Samples of a row that differ.
#[derive(Default)]
pub(super) struct Found {
    pub(super) differing: u64,
    /// Which, what is stored, what is expected.
    pub(super) first: Option<(u64, String, String)>,
}

impl Found {
    /// Compares two pieces, the first sample of which is number `from` of its row.
    pub(super) fn compare(&mut self, from: u64, element: Element, stored: &[u8], expected: &[u8]) {
        let size = usize::try_from(element.size()).expect("one, two or four");
        let pairs = stored.chunks_exact(size).zip(expected.chunks_exact(size));
        for (i, (stored, expected)) in (from..).zip(pairs) {
            let none = |bytes: &[u8]| element == Element::Float32 && value(element, bytes).is_nan();
            // Which bits a NaN has is the processor's choice.
            if stored == expected || (none(stored) && none(expected)) {
                continue;
            }
            self.differing += 1;
            self.first
                .get_or_insert_with(|| (i, shown(element, stored), shown(element, expected)));
        }
    }
}

fn value(element: Element, bytes: &[u8]) -> f32 {
    match (element, bytes) {
        (Element::Float32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
        (Element::Int16, &[a, b]) => i16::from_le_bytes([a, b]).into(),
        (Element::Int8, &[a]) => i8::from_le_bytes([a]).into(),
        _ => f32::NAN,
    }
}

/// With all its digits: a value that differs in its last bit must look different.
fn shown(element: Element, bytes: &[u8]) -> String {
    match element {
        Element::Float32 => format!("{:?} V", value(element, bytes)),
        Element::Int16 | Element::Int8 => format!("{}", value(element, bytes)),
    }
}

/// The first sample of a piece that is neither NaN nor the smallest code, and its value.
pub(super) fn first_not_blank(element: Element, bytes: &[u8]) -> Option<(u64, String)> {
    let size = usize::try_from(element.size()).expect("one, two or four");
    let blank: &[u8] = match element {
        Element::Float32 => &f32::NAN.to_le_bytes(),
        Element::Int16 => &i16::MIN.to_le_bytes(),
        Element::Int8 => &i8::MIN.to_le_bytes(),
    };
    let found = (0..).zip(bytes.chunks_exact(size)).find(|(_, bytes)| *bytes != blank);
    found.map(|(i, bytes)| (i, shown(element, bytes)))
}

/// The first field in which two records differ: name, what is stored, what is expected.
pub(super) fn first_field(stored: &IndexRecord, expected: &IndexRecord) -> Option<(&'static str, String, String)> {
    if stored.as_bytes() == expected.as_bytes() {
        return None;
    }
    let singles = [
        ("horiz_interval", stored.horiz_interval, expected.horiz_interval),
        ("gain", stored.gain, expected.gain),
        ("offset", stored.offset, expected.offset),
        ("baseline_std", stored.baseline_std, expected.baseline_std),
        ("min", stored.min, expected.min),
        ("max", stored.max, expected.max),
    ];
    let doubles = [
        ("trigger_offset", stored.trigger_offset, expected.trigger_offset),
        ("horiz_offset", stored.horiz_offset, expected.horiz_offset),
        ("baseline", stored.baseline, expected.baseline),
    ];
    let (time, samples) = (
        (stored.time.get(), expected.time.get()),
        (stored.samples.get(), expected.samples.get()),
    );
    let mut differing = Vec::new();
    if time.0 != time.1 {
        differing.push(("time", format!("{} ns", time.0), format!("{} ns", time.1)));
    }
    for (name, a, b) in doubles {
        let (a, b) = (a.get(), b.get());
        if a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan()) {
            differing.push((name, format!("{a:?}"), format!("{b:?}")));
        }
    }
    for (name, a, b) in singles {
        let (a, b) = (a.get(), b.get());
        if a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan()) {
            differing.push((name, format!("{a:?}"), format!("{b:?}")));
        }
    }
    if samples.0 != samples.1 {
        differing.push(("samples", samples.0.to_string(), samples.1.to_string()));
    }
    differing.into_iter().next()
}
