//! The loops over samples. Plain and safe: the compiler turns them into vector code, once for each instruction set
//! below; which one runs is found once when a kernel is first called.

#![expect(
    clippy::inline_always,
    reason = "a loop runs with the instruction set of the function it is inlined into, and only there"
)]

use multiversion::multiversion;

use super::{Codes, Extrema, LowByteSet};
use crate::trc::{ByteOrder, SampleWidth};

/// Samples that are decoded before they are looked at again for their extrema: both looks stay in the nearest cache,
/// and two simple loops make better code than one that does everything.
const BLOCK: usize = 4096;

/// How a stored sample becomes a code.
pub(super) trait Stored {
    type Raw: Copy;
    fn raw(bytes: &[u8]) -> &[Self::Raw];
    fn code(raw: Self::Raw) -> i16;
}

pub(super) struct Octet;
pub(super) struct LittleWord;
pub(super) struct BigWord;

impl Stored for Octet {
    type Raw = u8;
    #[inline(always)]
    fn raw(bytes: &[u8]) -> &[u8] {
        bytes
    }
    #[inline(always)]
    fn code(raw: u8) -> i16 {
        raw.cast_signed().into()
    }
}

impl Stored for LittleWord {
    type Raw = [u8; 2];
    #[inline(always)]
    fn raw(bytes: &[u8]) -> &[[u8; 2]] {
        bytes.as_chunks().0
    }
    #[inline(always)]
    fn code(raw: [u8; 2]) -> i16 {
        i16::from_le_bytes(raw)
    }
}

impl Stored for BigWord {
    type Raw = [u8; 2];
    #[inline(always)]
    fn raw(bytes: &[u8]) -> &[[u8; 2]] {
        bytes.as_chunks().0
    }
    #[inline(always)]
    fn code(raw: [u8; 2]) -> i16 {
        i16::from_be_bytes(raw)
    }
}

/// Calls a function that is generic over [`Stored`] for the form that the codes have.
macro_rules! by_form {
    ($codes:expr, $function:ident($($argument:expr),*)) => {
        match ($codes.width, $codes.order) {
            (SampleWidth::Eight, _) => $function(Octet, $codes.bytes $(, $argument)*),
            (SampleWidth::Sixteen, ByteOrder::Little) => $function(LittleWord, $codes.bytes $(, $argument)*),
            (SampleWidth::Sixteen, ByteOrder::Big) => $function(BigWord, $codes.bytes $(, $argument)*),
        }
    };
}
pub(super) use by_form;

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn volts(codes: Codes, gain: f32, offset: f32, out: &mut [f32]) -> Extrema {
    by_form!(codes, map(out, |code| gain * f32::from(code) - offset))
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the one rounding to f32 that the value rule asks for"
)]
pub(super) fn volts_from_level(codes: Codes, gain: f64, level: f64, out: &mut [f32]) -> Extrema {
    by_form!(codes, map(out, |code| (gain * (f64::from(code) - level)) as f32))
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn words(codes: Codes, out: &mut [i16]) -> Extrema {
    by_form!(codes, map(out, |code| code))
}

/// Also all low bytes of 16-bit codes, ORed.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn octets(codes: Codes, out: &mut [i8]) -> (Extrema, i16) {
    match codes.width {
        SampleWidth::Eight => (
            map(Octet, codes.bytes, out, |code| code.to_le_bytes()[0].cast_signed()),
            0,
        ),
        SampleWidth::Sixteen => {
            let extrema = by_form!(codes, map(out, |code| code.to_be_bytes()[0].cast_signed()));
            (extrema, by_form!(codes, low_bits()))
        }
    }
}

/// The first 16-bit code whose low byte is not zero.
pub(super) fn first_low_byte(codes: Codes<'_>) -> Option<LowByteSet> {
    let (words, _) = codes.bytes.as_chunks();
    words
        .iter()
        .map(|&word| codes.order.i16(word))
        .enumerate()
        .find(|(_, code)| code & 0xff != 0)
        .map(|(position, code)| LowByteSet { position, code })
}

#[inline(always)]
fn low_bits<S: Stored>(_: S, bytes: &[u8]) -> i16 {
    S::raw(bytes).iter().fold(0, |bits, &raw| bits | S::code(raw)) & 0xff
}

#[inline(always)]
fn map<S: Stored, T>(_: S, bytes: &[u8], out: &mut [T], value: impl Fn(i16) -> T) -> Extrema {
    let mut extrema = Extrema::NONE;
    for (raw, out) in S::raw(bytes).chunks(BLOCK).zip(out.chunks_mut(BLOCK)) {
        for (out, &raw) in out.iter_mut().zip(raw) {
            *out = value(S::code(raw));
        }
        for &raw in raw {
            let code = S::code(raw);
            extrema.min = extrema.min.min(code);
            extrema.max = extrema.max.max(code);
        }
    }
    extrema
}
