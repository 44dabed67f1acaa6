//! The format's and the design's formulas, written down as plainly as they are meant.

use trc2npy_synth::Expected;
use trc2npy_tests::Record;

/// `--baseline` and `--baseline-method`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Baseline {
    pub(crate) points: usize,
    pub(crate) median: bool,
}

/// The codes of segment `k`.
pub(crate) fn codes(expected: &Expected, k: usize) -> &[i16] {
    let samples = expected.samples as usize;
    &expected.codes[k * samples..(k + 1) * samples]
}

/// Volts without a baseline: all in f32, each operation rounded.
pub(crate) fn volts(codes: &[i16], gain: f32, offset: f32) -> Vec<f32> {
    let mut row = Vec::new();
    for &code in codes {
        let product: f32 = gain * f32::from(code);
        let value: f32 = product - offset;
        row.push(value);
    }
    row
}

/// The baseline in codes.
pub(crate) fn level(codes: &[i16], baseline: Baseline) -> f64 {
    let window = &codes[..baseline.points];
    if baseline.median {
        let mut sorted = window.to_vec();
        sorted.sort_unstable();
        let n = sorted.len();
        if n % 2 == 1 {
            f64::from(sorted[n / 2])
        } else {
            f64::midpoint(f64::from(sorted[n / 2 - 1]), f64::from(sorted[n / 2]))
        }
    } else {
        let mut sum: i64 = 0;
        for &code in window {
            sum += i64::from(code);
        }
        sum as f64 / window.len() as f64
    }
}

/// Volts above the baseline: in f64, rounded once.
#[expect(clippy::cast_possible_truncation, reason = "the one rounding of the formula")]
pub(crate) fn volts_above(codes: &[i16], gain: f32, level: f64) -> Vec<f32> {
    let mut row = Vec::new();
    for &code in codes {
        let above: f64 = f64::from(code) - level;
        let value: f64 = f64::from(gain) * above;
        row.push(value as f32);
    }
    row
}

/// Standard deviation of the baseline's samples, in volts; good to 1e-9 or so.
fn deviation(codes: &[i16], baseline: Baseline, gain: f32) -> f64 {
    let window = &codes[..baseline.points];
    let n = window.len() as f64;
    let mean = window.iter().map(|&code| f64::from(code)).sum::<f64>() / n;
    let squares = window.iter().map(|&code| (f64::from(code) - mean).powi(2)).sum::<f64>();
    f64::from(gain).abs() * (squares / n).sqrt()
}

/// Fails where the record of segment `k` is not what the file says.
pub(crate) fn check_record(name: &str, found: &Record, expected: &Expected, k: usize, baseline: Option<Baseline>) {
    let row = expected.rows[k];
    let what = format!("{name}, segment {k}: {found:?}");
    match expected.trigger_time {
        // Two ways to round to a nanosecond: to the second's fraction and to the whole time.
        Some(trigger) if row.time.is_finite() => {
            #[expect(clippy::cast_possible_truncation, reason = "seconds of a fixture")]
            let wanted = trigger + (row.time * 1e9).round() as i64;
            assert!(found.time.abs_diff(wanted) <= 1, "{wanted} expected: {what}");
        }
        _ => assert_eq!(found.time, i64::MIN, "NaT expected: {what}"),
    }
    assert!(
        found.trigger_offset.to_bits() == row.time.to_bits() || (found.trigger_offset.is_nan() && row.time.is_nan()),
        "{what}"
    );
    assert_eq!(found.horiz_offset.to_bits(), row.offset.to_bits(), "{what}");
    assert_eq!(
        found.horiz_interval.to_bits(),
        expected.horiz_interval.to_bits(),
        "{what}"
    );
    assert_eq!(found.gain.to_bits(), expected.gain.to_bits(), "{what}");
    assert_eq!(found.offset.to_bits(), expected.offset.to_bits(), "{what}");
    assert_eq!((found.file, found.segment), (0, u32::try_from(k).unwrap()), "{what}");
    assert_eq!((found.samples, found.status), (expected.samples, 0), "{what}");
    let codes = codes(expected, k);
    let volts = volts(codes, expected.gain, expected.offset);
    let least = volts.iter().copied().fold(f32::INFINITY, f32::min);
    let most = volts.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    assert!(
        found.min == least && found.max == most,
        "{least} to {most} expected: {what}"
    );
    if let Some(baseline) = baseline {
        let wanted = f64::from(expected.gain) * level(codes, baseline) - f64::from(expected.offset);
        assert_eq!(found.baseline.to_bits(), wanted.to_bits(), "{wanted} expected: {what}");
        let wanted = deviation(codes, baseline, expected.gain);
        assert!(
            (f64::from(found.baseline_std) - wanted).abs() <= 1e-6 * wanted,
            "{wanted} expected: {what}"
        );
    } else {
        assert!(found.baseline.is_nan() && found.baseline_std.is_nan(), "{what}");
    }
}

/// Whether two rows are the same, bit for bit.
pub(crate) fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}
