//! Whether the stored codes can be had back from an array's values.

use crate::plan::Element;
use crate::trc::{Header, SampleWidth};

/// Answers for one row after the other; most have the scale of the row before.
#[derive(Debug, Default)]
pub(super) struct Lossless {
    last: Option<(Scale, bool)>,
}

/// What volts are made with where no baseline is taken off.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Scale {
    gain: f32,
    offset: f32,
    width: SampleWidth,
}

impl Lossless {
    /// Whether each code that the header's width can hold has a value of its own in an array of this type, from which a
    /// baseline was taken off or not.
    pub(super) fn keeps(&mut self, element: Element, header: &Header, baseline: bool) -> bool {
        let scale = Scale {
            gain: header.gain(),
            offset: header.offset(),
            width: header.width(),
        };
        match (element, baseline) {
            (Element::Int16 | Element::Int8, _) => true,
            (Element::Float32, true) => scale.keeps_distances(),
            (Element::Float32, false) => {
                if let Some((_, known)) = self.last.filter(|(last, _)| *last == scale) {
                    return known;
                }
                let keeps = scale.keeps_codes();
                self.last = Some((scale, keeps));
                keeps
            }
        }
    }
}

impl Scale {
    /// By trying all of them: each step of README's rule keeps the order, so that only neighbours can fall together.
    #[expect(
        clippy::float_cmp,
        reason = "whether two values are one to the last bit is the question"
    )]
    fn keeps_codes(self) -> bool {
        let codes = match self.width {
            SampleWidth::Eight => i16::from(i8::MIN)..=i16::from(i8::MAX),
            SampleWidth::Sixteen => i16::MIN..=i16::MAX,
        };
        let mut values = codes.map(|code| self.gain * f32::from(code) - self.offset);
        let first = values.next().filter(|value| value.is_finite());
        let last = first.and_then(|first| {
            values.try_fold(first, |before, value| {
                (value.is_finite() && value != before).then_some(value)
            })
        });
        last.is_some()
    }

    /// With a baseline the value is `gain * (code - level)`, which 24 bits tell apart for any level, as long as gain and
    /// product are ordinary numbers. The level comes back from the index's `gain * level - offset`, in f64, to a quarter
    /// of a code.
    fn keeps_distances(self) -> bool {
        const LARGEST_DISTANCE: f64 = 65_536.0;
        const QUARTER: f64 = 1.0 / (1_u64 << 50) as f64;
        let gain = f64::from(self.gain).abs();
        self.gain.is_normal()
            && gain * LARGEST_DISTANCE < f64::from(f32::MAX)
            && f64::from(self.offset).abs() * QUARTER < gain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale(gain: f32, offset: f32, width: SampleWidth) -> Scale {
        Scale { gain, offset, width }
    }

    // Expected: counted with numpy, `len(np.unique(np.float32(gain) * codes - np.float32(offset)))`.
    #[test]
    fn codes_that_share_a_value_are_found() {
        use SampleWidth::{Eight, Sixteen};
        for (gain, offset, width, keeps) in [
            (2.5e-4, 0.0, Sixteen, true),
            (-2.5e-4, 3.0, Sixteen, true),
            (1e-9, 1.0, Sixteen, false),
            (1e-9, 1.0, Eight, false),
            (1.2e-7, 0.5, Sixteen, true),
            (1.2e-7, 10.0, Sixteen, false),
            (1e-6, 10.0, Eight, true),
            (5e-8, 0.5, Sixteen, false),
            (0.0, 0.0, Eight, false),
            (1e38, 0.0, Eight, false),
            (1e36, 0.0, Eight, true),
            (1e-45, 0.0, Sixteen, true),
        ] {
            assert_eq!(
                scale(gain, offset, width).keeps_codes(),
                keeps,
                "{gain} {offset} {width:?}"
            );
        }
    }

    #[test]
    fn distances_from_a_level_are_kept_by_any_ordinary_scale() {
        for (gain, offset, keeps) in [
            (2.5e-4, 0.0, true),
            (1e-9, 1.0, true),
            (1e-9, 1e9, false),
            (0.0, 0.0, false),
            (1e34, 0.0, false),
            (1e-40, 0.0, false),
        ] {
            assert_eq!(
                scale(gain, offset, SampleWidth::Sixteen).keeps_distances(),
                keeps,
                "{gain} {offset}"
            );
        }
    }
}
