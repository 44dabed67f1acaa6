//! The kernels against slow loops written from the format's formulas, over every form, cut and gain.

use proptest::prelude::*;

use super::*;

/// Samples as a file holds them, behind `skew` bytes so that they lie at any alignment.
#[derive(Clone, Debug)]
struct Stored {
    codes: Vec<i16>,
    bytes: Vec<u8>,
    skew: usize,
    width: SampleWidth,
    order: ByteOrder,
}

impl Stored {
    fn new(codes: Vec<i16>, width: SampleWidth, order: ByteOrder, skew: usize) -> Self {
        let mut bytes = vec![0xaa; skew];
        for &code in &codes {
            match (width, order) {
                (SampleWidth::Eight, _) => bytes.push(i8::try_from(code).unwrap().cast_unsigned()),
                (SampleWidth::Sixteen, ByteOrder::Little) => bytes.extend(code.to_le_bytes()),
                (SampleWidth::Sixteen, ByteOrder::Big) => bytes.extend(code.to_be_bytes()),
            }
        }
        Self {
            codes,
            bytes,
            skew,
            width,
            order,
        }
    }

    fn codes(&self) -> Codes<'_> {
        Codes {
            bytes: &self.bytes[self.skew..],
            width: self.width,
            order: self.order,
        }
    }

    fn extrema(&self) -> Extrema {
        Extrema {
            min: self.codes.iter().copied().min().unwrap_or(i16::MAX),
            max: self.codes.iter().copied().max().unwrap_or(i16::MIN),
        }
    }

    /// The samples in pieces; `cut` seeds where they are cut.
    fn pieces(&self, mut cut: u32) -> Vec<Range<usize>> {
        let mut start = 0;
        let mut all = Vec::new();
        while start < self.codes.len() {
            cut = cut.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let most = [1, 3, 40, 5_000][(cut >> 16) as usize % 4];
            let end = (start + 1 + (cut >> 20) as usize % most).min(self.codes.len());
            all.push(start..end);
            start = end;
        }
        all
    }
}

fn stored() -> impl Strategy<Value = Stored> {
    let lengths = prop_oneof![4 => 0..80_usize, 1 => 4_000..9_000_usize];
    let form = (any::<bool>(), any::<bool>(), 0..3_usize);
    (lengths, form).prop_flat_map(|(length, (wide, big, skew))| {
        let (code, width) = if wide {
            (any::<i16>().boxed(), SampleWidth::Sixteen)
        } else {
            (any::<i8>().prop_map_into().boxed(), SampleWidth::Eight)
        };
        let order = if big { ByteOrder::Big } else { ByteOrder::Little };
        prop::collection::vec(code, length).prop_map(move |codes| Stored::new(codes, width, order, skew))
    })
}

fn float() -> impl Strategy<Value = f32> {
    prop_oneof![
        4 => any::<f32>(),
        2 => -1e-3..1e-3_f32,
        1 => prop::sample::select(vec![
            0.0, -0.0, 1.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE, 1e-45, -3e-40
        ]),
    ]
}

/// All NaNs are one: which of them an operation gives is the processor's choice.
fn bits(value: f32) -> u32 {
    if value.is_nan() {
        f32::NAN.to_bits()
    } else {
        value.to_bits()
    }
}

fn assert_bits(found: &[f32], expected: impl Iterator<Item = f32>) {
    let found: Vec<u32> = found.iter().copied().map(bits).collect();
    let expected: Vec<u32> = expected.map(bits).collect();
    assert_eq!(found, expected);
}

/// Runs a kernel over the pieces and over the whole; both must agree.
fn in_pieces<T: Copy + Default>(
    stored: &Stored,
    cut: u32,
    mut kernel: impl FnMut(Codes<'_>, &mut [T]) -> Extrema,
) -> [(Vec<T>, Extrema); 2] {
    let mut whole = vec![T::default(); stored.codes.len()];
    let whole_extrema = kernel(stored.codes(), &mut whole);
    let mut parts = vec![T::default(); stored.codes.len()];
    let mut extrema = Extrema::NONE;
    for piece in stored.pieces(cut) {
        extrema = extrema.merge(kernel(stored.codes().slice(piece.clone()), &mut parts[piece]));
    }
    [(whole, whole_extrema), (parts, extrema)]
}

proptest! {
    #[test]
    fn volts_are_those_of_two_separate_f32_operations(
        stored in stored(), gain in float(), offset in float(), cut: u32,
    ) {
        for (found, extrema) in in_pieces(&stored, cut, |codes, out| volts(codes, gain, offset, out)) {
            assert_bits(&found, stored.codes.iter().map(|&code| {
                // `black_box`: the product must be rounded before the difference is taken.
                let product = std::hint::black_box(gain * f32::from(code));
                product - offset
            }));
            prop_assert_eq!(extrema, stored.extrema());
        }
    }

    #[test]
    fn volts_from_a_level_are_computed_in_f64(
        stored in stored(), gain in float(), level in prop_oneof![any::<f64>(), -32768.0..32768.0_f64], cut: u32,
    ) {
        for (found, extrema) in in_pieces(&stored, cut, |codes, out| volts_from_level(codes, gain, level, out)) {
            assert_bits(&found, stored.codes.iter().map(|&code| {
                let above = std::hint::black_box(f64::from(code) - level);
                #[expect(clippy::cast_possible_truncation, reason = "the rule's own rounding")]
                let value = std::hint::black_box(f64::from(gain) * above) as f32;
                value
            }));
            prop_assert_eq!(extrema, stored.extrema());
        }
    }

    #[test]
    fn words_are_the_codes(stored in stored(), cut: u32) {
        for (found, extrema) in in_pieces(&stored, cut, words) {
            prop_assert_eq!(&found, &stored.codes);
            prop_assert_eq!(extrema, stored.extrema());
        }
    }

    #[test]
    fn octets_are_codes_or_high_bytes(octets_in in prop::collection::vec(any::<i8>(), 0..5_000), big: bool, cut: u32) {
        let order = if big { ByteOrder::Big } else { ByteOrder::Little };
        let narrow: Vec<i16> = octets_in.iter().copied().map(i16::from).collect();
        let wide = narrow.iter().map(|code| code * 256).collect();
        for stored in [
            Stored::new(narrow, SampleWidth::Eight, order, 1),
            Stored::new(wide, SampleWidth::Sixteen, order, 1),
        ] {
            for (found, extrema) in in_pieces(&stored, cut, |codes, out| octets(codes, out).unwrap()) {
                prop_assert_eq!(&found, &octets_in);
                prop_assert_eq!(extrema, stored.extrema());
            }
        }
    }

    #[test]
    fn the_first_low_byte_that_is_set_is_named(mut stored in stored(), at: prop::sample::Index, low in 1..256_i16) {
        if stored.width == SampleWidth::Eight || stored.codes.is_empty() {
            return Ok(());
        }
        let mut codes: Vec<i16> = stored.codes.iter().map(|code| code & !0xff).collect();
        let position = at.index(codes.len());
        codes[position..].iter_mut().for_each(|code| *code |= low);
        let code = codes[position];
        stored = Stored::new(codes, stored.width, stored.order, stored.skew);
        let found = octets(stored.codes(), &mut vec![0; stored.codes.len()]);
        prop_assert_eq!(found, Err(LowByteSet { position, code }));
    }

    #[test]
    fn sums_give_the_mean_and_the_deviation(stored in stored(), cut: u32) {
        let mut whole = LevelSums::new();
        whole.add(stored.codes());
        let mut parts = LevelSums::new();
        for piece in stored.pieces(cut) {
            parts.add(stored.codes().slice(piece));
        }
        prop_assert_eq!(whole, parts);
        let count = stored.codes.len();
        if count == 0 {
            prop_assert!(whole.mean().is_nan() && whole.deviation().is_nan());
            return Ok(());
        }
        let sum: i64 = stored.codes.iter().copied().map(i64::from).sum();
        prop_assert_eq!(whole.mean().to_bits(), (sum as f64 / count as f64).to_bits());
        prop_assert_eq!(whole.count(), count as u64);
        // The textbook's two passes.
        let mean = whole.mean();
        let squares: f64 = stored.codes.iter().map(|&code| (f64::from(code) - mean).powi(2)).sum();
        let expected = (squares / count as f64).sqrt();
        prop_assert!((whole.deviation() - expected).abs() <= 1e-9 * expected, "{} {}", whole.deviation(), expected);
    }

    #[test]
    fn the_median_is_the_middle_of_the_sorted_codes(
        stored in stored(), copies in prop_oneof![3 => Just(1_usize), 1 => 4..9_usize], cut: u32,
    ) {
        let mut finder = MedianFinder::new();
        // What another row has left behind must not count.
        finder.add(stored.codes());
        for _ in 0..2 {
            finder.clear();
            for _ in 0..copies {
                for piece in stored.pieces(cut) {
                    finder.add(stored.codes().slice(piece));
                }
            }
            let mut sorted = stored.codes.repeat(copies);
            sorted.sort_unstable();
            let count = sorted.len();
            if count == 0 {
                prop_assert!(finder.median().is_nan());
            } else {
                let expected = f64::from(i32::from(sorted[(count - 1) / 2]) + i32::from(sorted[count / 2])) * 0.5;
                prop_assert_eq!(finder.median().to_bits(), expected.to_bits());
            }
        }
    }
}

#[test]
fn many_codes_are_counted_and_a_later_short_row_is_selected() {
    let long: Vec<i16> = (0..200_000_i32)
        .map(|i| i16::try_from(i * 7_919 % 60_000 - 30_000).unwrap())
        .collect();
    let mut sorted = long.clone();
    sorted.sort_unstable();
    let expected = f64::from(i32::from(sorted[99_999]) + i32::from(sorted[100_000])) * 0.5;
    let long = Stored::new(long, SampleWidth::Sixteen, ByteOrder::Big, 0);
    let mut finder = MedianFinder::new();
    finder.add(long.codes());
    assert_eq!(finder.median().to_bits(), expected.to_bits());
    finder.clear();
    finder.add(Stored::new(vec![5, -3, 9], SampleWidth::Eight, ByteOrder::Little, 0).codes());
    assert_eq!(finder.median().to_bits(), 5.0_f64.to_bits());
    finder.clear();
    finder.add(long.codes());
    assert_eq!(finder.median().to_bits(), expected.to_bits());
}
