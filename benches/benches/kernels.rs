//! The decoding kernels against `memcpy` of the same output bytes, one core, over distinct rows of which none is in a
//! cache when its turn comes.
//!
//! `cargo bench -p trc2npy-benches --bench kernels`. The mark: int16 and int8 to float32 with a baseline at 80 % of
//! `memcpy` or more. Output goes once into a buffer of 1 MiB that is used again and again (what the converter does
//! before it writes), once into memory of its own for every row. Throughput is in output bytes.

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use trc2npy_common::trc::decode::{Codes, volts, volts_from_level};
use trc2npy_common::trc::{ByteOrder, SampleWidth};
use zerocopy::IntoBytes;

/// Output of one pass.
const VOLUME: usize = 256 << 20;
/// The converter's buffer.
const BUFFER: usize = 1 << 20;
const ROWS: [usize; 2] = [2_502, 400_000];

fn main() {
    divan::main();
}

/// Where the output goes.
#[derive(Clone, Copy)]
enum Target {
    Reused,
    Distinct,
}

/// Runs `decode(input row or piece, output)` over all rows.
fn over_rows(
    bencher: Bencher<'_, '_>,
    target: Target,
    samples: usize,
    input_bytes: usize,
    mut decode: impl FnMut(&[u8], &mut [f32]),
) {
    let rows = VOLUME / 4 / samples;
    let input = noise(rows * samples * input_bytes);
    let piece = match target {
        Target::Reused => samples.min(BUFFER / 4),
        Target::Distinct => samples,
    };
    let mut output = match target {
        Target::Reused => vec![1.0_f32; BUFFER / 4],
        Target::Distinct => vec![1.0_f32; rows * samples],
    };
    bencher.counter(BytesCount::new(rows * samples * 4)).bench_local(|| {
        let mut place = 0;
        for row in input.chunks_exact(samples * input_bytes) {
            for codes in row.chunks(piece * input_bytes) {
                let count = codes.len() / input_bytes;
                if place + count > output.len() {
                    place = 0;
                }
                decode(codes, black_box(&mut output[place..place + count]));
                place += count;
            }
        }
    });
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    (0..bytes)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        })
        .collect()
}

/// The yardstick: as many bytes as the kernels write, copied from rows of that size.
fn copy(bencher: Bencher<'_, '_>, target: Target, samples: usize) {
    over_rows(bencher, target, samples, 4, |bytes, out| {
        out.as_mut_bytes().copy_from_slice(bytes);
    });
}

fn from_level(bencher: Bencher<'_, '_>, target: Target, samples: usize, width: SampleWidth, order: ByteOrder) {
    over_rows(bencher, target, samples, width.bytes(), |bytes, out| {
        black_box(volts_from_level(Codes { bytes, width, order }, 1.25e-4, 17.3, out));
    });
}

fn plain(bencher: Bencher<'_, '_>, target: Target, samples: usize) {
    let (width, order) = (SampleWidth::Sixteen, ByteOrder::Little);
    over_rows(bencher, target, samples, 2, |bytes, out| {
        black_box(volts(Codes { bytes, width, order }, 1.25e-4, -1.0, out));
    });
}

macro_rules! both_targets {
    ($($module:ident: $target:expr;)*) => {
        $(mod $module {
            use super::*;

            #[divan::bench(args = ROWS)]
            fn a_memcpy(bencher: Bencher<'_, '_>, samples: usize) {
                copy(bencher, $target, samples);
            }

            #[divan::bench(args = ROWS)]
            fn int16_baseline(bencher: Bencher<'_, '_>, samples: usize) {
                from_level(bencher, $target, samples, SampleWidth::Sixteen, ByteOrder::Little);
            }

            #[divan::bench(args = ROWS)]
            fn int16_big_endian_baseline(bencher: Bencher<'_, '_>, samples: usize) {
                from_level(bencher, $target, samples, SampleWidth::Sixteen, ByteOrder::Big);
            }

            #[divan::bench(args = ROWS)]
            fn int8_baseline(bencher: Bencher<'_, '_>, samples: usize) {
                from_level(bencher, $target, samples, SampleWidth::Eight, ByteOrder::Little);
            }

            #[divan::bench(args = ROWS)]
            fn int16_volts(bencher: Bencher<'_, '_>, samples: usize) {
                plain(bencher, $target, samples);
            }
        })*
    };
}

both_targets! {
    distinct_output: Target::Distinct;
    reused_output: Target::Reused;
}
