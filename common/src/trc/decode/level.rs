//! The level of a baseline: exact sums for the mean and the deviation, an exact median, over pieces of any size.

#![expect(
    clippy::inline_always,
    reason = "a loop runs with the instruction set of the function it is inlined into, and only there"
)]

use multiversion::multiversion;

use super::Codes;
use super::kernels::{BigWord, LittleWord, Octet, Stored, by_form};
use crate::trc::{ByteOrder, SampleWidth};

/// Exact sums over codes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelSums {
    count: u64,
    sum: i64,
    squares: u128,
}

impl LevelSums {
    /// Sums over no code.
    pub const fn new() -> Self {
        Self {
            count: 0,
            sum: 0,
            squares: 0,
        }
    }

    /// Adds codes. Nothing overflows below 2^47 of them.
    pub fn add(&mut self, codes: Codes<'_>) {
        for bytes in codes.bytes.chunks(PIECE * codes.width.bytes()) {
            let (sum, squares) = sums(Codes { bytes, ..codes });
            self.sum += i64::from(sum);
            self.squares += u128::from(squares);
        }
        self.count += codes.len() as u64;
    }

    /// How many codes.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Their mean, in codes: the exact sum, divided in f64. NaN of no codes.
    pub fn mean(&self) -> f64 {
        self.sum as f64 / self.count as f64
    }

    /// Their deviation from the mean, in codes (of a population: divided by the number of codes). NaN of no codes.
    ///
    /// The variance is exact until it is made an f64, so that a large level costs a small deviation no digits.
    pub fn deviation(&self) -> f64 {
        let count = u128::from(self.count);
        let sum = u128::from(self.sum.unsigned_abs());
        // Never negative (Cauchy and Schwarz). Each product is below 2^126 for 2^47 codes.
        let variance_times_count_squared = count * self.squares - sum * sum;
        (variance_times_count_squared as f64).sqrt() / self.count as f64
    }
}

/// Samples whose sum fits an i32, and the sum of their squares a u64 by far.
const PIECE: usize = 1 << 15;

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn sums(codes: Codes) -> (i32, u64) {
    by_form!(codes, sums_of())
}

#[inline(always)]
fn sums_of<S: Stored>(_: S, bytes: &[u8]) -> (i32, u64) {
    S::raw(bytes).iter().fold((0, 0), |(sum, squares), &raw| {
        let code = i32::from(S::code(raw));
        (sum + code, squares + u64::from((code * code).unsigned_abs()))
    })
}

/// The exact median of codes that come in pieces: selected from the codes themselves while they are few, from a count
/// of each code when they are many. Keeps its memory (64 KiB, at most 320 KiB) from one row to the next.
#[derive(Clone, Debug, Default)]
pub struct MedianFinder {
    few: Vec<i16>,
    /// How often each code came, by its distance from `i16::MIN`; empty until there were many, else in use when
    /// `counted` is not 0.
    counts: Vec<u32>,
    counted: u64,
}

/// Beyond this a count of each code costs less than selecting.
const FEW: usize = 1 << 15;

impl MedianFinder {
    /// A finder that has seen no code.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all codes, for the next row.
    pub fn clear(&mut self) {
        self.few.clear();
        if self.counted > 0 {
            self.counts.fill(0);
            self.counted = 0;
        }
    }

    /// Adds codes, at most 2^32 - 1 in all (a file's samples are fewer than 2^31).
    pub fn add(&mut self, codes: Codes<'_>) {
        if self.counted == 0 && self.few.len() + codes.len() <= FEW {
            let start = self.few.len();
            self.few.resize(start + codes.len(), 0);
            super::words(codes, &mut self.few[start..]);
            return;
        }
        self.counts.resize(1 << 16, 0);
        for code in self.few.drain(..) {
            self.counts[place(code)] += 1;
            self.counted += 1;
        }
        by_form!(codes, count(&mut self.counts));
        self.counted += codes.len() as u64;
    }

    /// The middle code, or the mean of the two middle ones; NaN of no codes.
    pub fn median(&mut self) -> f64 {
        let (below, above) = if self.counted == 0 { self.select() } else { self.walk() };
        match (below, above) {
            (Some(below), Some(above)) => f64::midpoint(below.into(), above.into()),
            _ => f64::NAN,
        }
    }

    fn select(&mut self) -> (Option<i16>, Option<i16>) {
        let count = self.few.len();
        if count == 0 {
            return (None, None);
        }
        let (lower, middle, _) = self.few.select_nth_unstable(count / 2);
        let above = *middle;
        let below = match count % 2 {
            0 => lower.iter().copied().max(),
            _ => Some(above),
        };
        (below, Some(above))
    }

    fn walk(&self) -> (Option<i16>, Option<i16>) {
        (self.ranked((self.counted - 1) / 2), self.ranked(self.counted / 2))
    }

    /// The code that has `rank` codes before it in order.
    fn ranked(&self, rank: u64) -> Option<i16> {
        let mut seen = 0;
        (i16::MIN..=i16::MAX).zip(&self.counts).find_map(|(code, &count)| {
            seen += u64::from(count);
            (seen > rank).then_some(code)
        })
    }
}

/// Where a code's count stands: the order of places is the order of codes.
fn place(code: i16) -> usize {
    usize::from(code.cast_unsigned() ^ 0x8000)
}

#[inline(always)]
fn count<S: Stored>(_: S, bytes: &[u8], counts: &mut [u32]) {
    for &raw in S::raw(bytes) {
        counts[place(S::code(raw))] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_file_of_the_most_extreme_codes_overflows_nothing() {
        let bytes = i16::MIN.to_le_bytes().repeat(PIECE + 1);
        let codes = Codes {
            bytes: &bytes,
            width: SampleWidth::Sixteen,
            order: ByteOrder::Little,
        };
        // 2^31 codes came before.
        let mut sums = LevelSums {
            count: 1 << 31,
            sum: -(1 << 46),
            squares: 1 << 61,
        };
        sums.add(codes);
        assert_eq!(sums.count(), (1 << 31) + PIECE as u64 + 1);
        assert_eq!(sums.mean().to_bits(), f64::from(i16::MIN).to_bits());
        assert_eq!(sums.deviation().to_bits(), 0);
    }

    #[test]
    fn a_large_level_costs_a_small_deviation_no_digits() {
        // Two codes beside one another, in halves: the deviation is exactly one half.
        let bytes: Vec<u8> = (0..20_000)
            .flat_map(|i: i16| (i16::MAX - i % 2).to_be_bytes())
            .collect();
        let mut sums = LevelSums::new();
        sums.add(Codes {
            bytes: &bytes,
            width: SampleWidth::Sixteen,
            order: ByteOrder::Big,
        });
        assert_eq!(sums.mean().to_bits(), 32_766.5_f64.to_bits());
        assert_eq!(sums.deviation().to_bits(), 0.5_f64.to_bits());
    }
}
