//! Thinning a row for the eye: of each of so many equal parts the smallest and the largest sample, where they lie.
//!
//! A pulse of one sample in a row of a hundred millions is seen. Memory depends on the number of parts alone.

/// A sample that is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Its number in the row.
    pub sample: u32,
    /// Its value.
    pub value: f32,
}

/// Takes a row's samples in order, in pieces of any length, and keeps two of each part. A row of no more samples than
/// would be kept is kept whole. What is no finite number is passed over.
#[derive(Clone, Debug)]
pub struct Decimator {
    samples: u32,
    parts: u32,
    part: u32,
    next: u32,
    passed_over: u32,
    low: Option<Point>,
    high: Option<Point>,
    points: Vec<Point>,
}

impl Decimator {
    /// For a row of `samples`, in at most `parts` parts.
    pub fn new(samples: u32, parts: u32) -> Self {
        let parts = parts.max(1);
        Self {
            samples,
            // Parts of one sample keep every one.
            parts: if samples / 2 < parts { samples } else { parts },
            part: 0,
            next: 0,
            passed_over: 0,
            low: None,
            high: None,
            points: Vec::new(),
        }
    }

    /// The next samples. What goes beyond the row's number of samples is not looked at.
    pub fn push(&mut self, mut values: &[f32]) {
        while !values.is_empty() && self.part < self.parts {
            let end = self.end_of_part();
            let take = values.len().min((end - self.next) as usize);
            let (now, later) = values.split_at(take);
            self.look(now);
            values = later;
            if self.next == end {
                self.close();
                self.part += 1;
            }
        }
    }

    /// Samples so far that are no finite numbers.
    pub fn passed_over(&self) -> u32 {
        self.passed_over
    }

    /// The points, in the order of the samples.
    pub fn finish(mut self) -> Vec<Point> {
        self.close();
        self.points
    }

    fn end_of_part(&self) -> u32 {
        let end = u64::from(self.part + 1) * u64::from(self.samples) / u64::from(self.parts);
        u32::try_from(end).expect("no part ends behind the last sample")
    }

    fn look(&mut self, values: &[f32]) {
        for &value in values {
            if value.is_finite() {
                let point = Point {
                    sample: self.next,
                    value,
                };
                // Of equal ones the first.
                if self.low.is_none_or(|low| value < low.value) {
                    self.low = Some(point);
                }
                if self.high.is_none_or(|high| value > high.value) {
                    self.high = Some(point);
                }
            } else {
                self.passed_over += 1;
            }
            self.next += 1;
        }
    }

    fn close(&mut self) {
        let (Some(low), Some(high)) = (self.low.take(), self.high.take()) else {
            return;
        };
        let (first, second) = if low.sample <= high.sample {
            (low, high)
        } else {
            (high, low)
        };
        self.points.push(first);
        if second.sample != first.sample {
            self.points.push(second);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn thinned(values: &[f32], parts: u32, pieces: usize) -> Vec<Point> {
        let mut decimator = Decimator::new(u32::try_from(values.len()).unwrap(), parts);
        for piece in values.chunks(pieces) {
            decimator.push(piece);
        }
        decimator.finish()
    }

    fn value() -> impl Strategy<Value = f32> {
        prop_oneof![8 => -1e3_f32..1e3, 1 => Just(f32::NAN), 1 => Just(f32::INFINITY), 2 => Just(0.0)]
    }

    proptest! {
        #[test]
        fn of_every_part_both_extremes_are_kept(
            values in proptest::collection::vec(value(), 1..400), parts in 1u32..50, pieces in 1usize..90,
        ) {
            let points = thinned(&values, parts, pieces);
            prop_assert!(points.len() <= 2 * parts as usize);
            prop_assert!(points.windows(2).all(|two| two[0].sample < two[1].sample), "in order");
            for point in &points {
                prop_assert_eq!(point.value.to_bits(), values[point.sample as usize].to_bits());
            }
            let finite = |range: std::ops::Range<usize>| values[range].iter().copied().filter(|value| value.is_finite());
            let n = values.len();
            if n <= 2 * parts as usize - 2 {
                prop_assert_eq!(points.len(), finite(0..n).count(), "a short row is whole");
            } else {
                let parts = parts as usize;
                for part in (0..parts).map(|part| part * n / parts..(part + 1) * n / parts) {
                    let there = || points.iter().filter(|point| part.contains(&(point.sample as usize)));
                    let ends = |values: &mut dyn Iterator<Item = f32>| {
                        values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
                    };
                    prop_assert_eq!(ends(&mut there().map(|point| point.value)), ends(&mut finite(part.clone())));
                    prop_assert!(there().count() <= 2);
                }
            }
        }

        #[test]
        fn where_the_row_is_cut_into_pieces_does_not_matter(
            values in proptest::collection::vec(value(), 1..400), parts in 1u32..50, pieces in 1usize..90,
        ) {
            prop_assert_eq!(thinned(&values, parts, pieces), thinned(&values, parts, values.len()));
        }
    }

    #[test]
    fn one_sample_among_a_hundred_millions_is_seen_in_bounded_memory() {
        const SAMPLES: u32 = 100_000_000;
        const BLOCK: u32 = 1 << 20;
        let (pulse, parts) = (73_456_789_u32, 1000);
        let mut decimator = Decimator::new(SAMPLES, parts);
        let mut block = vec![0.0_f32; BLOCK as usize];
        for start in (0..SAMPLES).step_by(BLOCK as usize) {
            block.fill(0.0);
            if let Some(value) = pulse.checked_sub(start).and_then(|at| block.get_mut(at as usize)) {
                *value = 1.0;
            }
            decimator.push(&block[..BLOCK.min(SAMPLES - start) as usize]);
        }
        let points = decimator.finish();
        assert!(
            points.len() <= 2 * parts as usize && points.capacity() < 8192,
            "{}",
            points.capacity()
        );
        let seen: Vec<_> = points.iter().filter(|point| point.value > 0.0).collect();
        assert_eq!(
            seen,
            [&Point {
                sample: pulse,
                value: 1.0
            }]
        );
    }
}
