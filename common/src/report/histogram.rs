//! How values are spread: so many equal bins from the smallest to the largest.

/// Bins of a histogram at most.
const MOST: u32 = 40;

/// From the smallest to the largest of some values; what is no finite number has no place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Extent {
    ends: Option<(f64, f64)>,
    /// How many values there were.
    pub(super) values: u64,
}

impl Extent {
    /// Takes a value in.
    pub(super) fn add(&mut self, value: f64) {
        if value.is_finite() {
            let (low, high) = self.ends.unwrap_or((value, value));
            self.ends = Some((low.min(value), high.max(value)));
            self.values += 1;
        }
    }

    /// Both ends; none where there was no value.
    pub(super) const fn ends(&self) -> Option<(f64, f64)> {
        self.ends
    }
}

/// Counts of values by bin. A bin holds its lower edge and not its upper one; the last bin holds both.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Histogram {
    low: f64,
    high: f64,
    /// One a bin.
    pub(super) counts: Vec<u64>,
    sum: f64,
}

impl Histogram {
    /// Empty, for the values of an extent; none where there is no value.
    pub(super) fn over(extent: &Extent) -> Option<Self> {
        let (low, high) = extent.ends()?;
        // Of few values a bin each would be a comb.
        let bins = if low < high {
            (extent.values as f64).sqrt().ceil().clamp(8.0, f64::from(MOST))
        } else {
            1.0
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 1 and 40"
        )]
        let bins = bins as usize;
        Some(Self {
            low,
            high,
            counts: vec![0; bins],
            sum: 0.0,
        })
    }

    /// Counts a value between the ends; another one has no place.
    pub(super) fn add(&mut self, value: f64) {
        if !(self.low..=self.high).contains(&value) {
            return;
        }
        let last = self.counts.len() - 1;
        let share = (value - self.low) / (self.high - self.low);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to the number of bins; 0 where all values are equal"
        )]
        let mut bin = ((share * self.counts.len() as f64) as usize).min(last);
        // What was rounded can lie beside its bin: the edges decide.
        while bin > 0 && value < self.edge(bin) {
            bin -= 1;
        }
        while bin < last && value >= self.edge(bin + 1) {
            bin += 1;
        }
        self.counts[bin] += 1;
        self.sum += value;
    }

    /// Where a bin begins; behind the last one, where that ends.
    pub(super) fn edge(&self, bin: usize) -> f64 {
        if bin == self.counts.len() {
            return self.high;
        }
        self.low + (self.high - self.low) * (bin as f64 / self.counts.len() as f64)
    }

    /// Values counted.
    pub(super) fn values(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The mean of the values; NaN where there is none.
    pub(super) fn mean(&self) -> f64 {
        self.sum / self.values() as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn histogram(values: &[f64]) -> Option<Histogram> {
        let mut extent = Extent::default();
        for value in values {
            extent.add(*value);
        }
        let mut histogram = Histogram::over(&extent)?;
        for value in values {
            histogram.add(*value);
        }
        Some(histogram)
    }

    /// By the words of its description: each bin asks every value.
    fn slowly(histogram: &Histogram, values: &[f64]) -> Vec<u64> {
        let bins = histogram.counts.len();
        let within = |bin: usize, value: f64| {
            let (low, high) = (histogram.edge(bin), histogram.edge(bin + 1));
            low <= value && (value < high || (bin + 1 == bins && value <= high))
        };
        let count = |bin| values.iter().filter(|value| within(bin, **value)).count() as u64;
        (0..bins).map(count).collect()
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            8 => -1.0..1.0_f64,
            2 => (-40_i32..40).prop_map(|k| f64::from(k) / 40.0),
            1 => Just(f64::NAN),
            1 => Just(f64::INFINITY),
            1 => Just(f64::NEG_INFINITY),
        ]
    }

    proptest! {
        #[test]
        fn every_value_is_in_the_bin_whose_edges_say_so(
            values in proptest::collection::vec(value(), 0..2000), scale in -1e3..1e3_f64,
        ) {
            let values: Vec<f64> = values.iter().map(|value| value * scale).collect();
            let finite = values.iter().filter(|value| value.is_finite()).count() as u64;
            if let Some(histogram) = histogram(&values) {
                prop_assert_eq!(&slowly(&histogram, &values), &histogram.counts);
                prop_assert_eq!(histogram.values(), finite);
            } else {
                prop_assert_eq!(finite, 0);
            }
        }
    }

    proptest! {
        #[test]
        fn an_edge_belongs_to_the_bin_that_begins_with_it(low in -1e3..1e3_f64, span in 1e-3..1e3_f64) {
            let mut ends = Extent { values: 2000, ..Extent::default() };
            ends.add(low);
            ends.add(low + span);
            let mut histogram = Histogram::over(&ends).unwrap();
            for bin in 0..40 {
                histogram.add(histogram.edge(bin));
            }
            prop_assert_eq!(histogram.counts, vec![1; 40]);
        }
    }

    #[test]
    fn equal_values_are_one_bin_and_none_are_none() {
        let one = histogram(&[0.25; 7]).unwrap();
        assert_eq!((one.counts, one.low, one.high), (vec![7], 0.25, 0.25));
        assert_eq!(histogram(&[f64::NAN]), None);
        let many: Vec<f64> = (0..10_000).map(f64::from).collect();
        let spread = histogram(&many).unwrap();
        assert_eq!(spread.counts, vec![250; 40]);
        assert!((spread.mean() - 4999.5).abs() < 1e-9);
    }
}
