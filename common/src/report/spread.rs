//! Many rows in the few columns of a picture.

/// Columns of a picture in which rows are brought together.
const COLUMNS: u64 = 240;

/// Chooses some of many things that come one after another: spread evenly, the first and the last among them.
#[derive(Clone, Debug)]
pub(super) struct Evenly {
    of: u64,
    take: u64,
    seen: u64,
    taken: u64,
}

impl Evenly {
    /// At most `most` of `of` things.
    pub(super) fn new(of: u64, most: u64) -> Self {
        Self {
            of,
            take: of.min(most),
            seen: 0,
            taken: 0,
        }
    }

    /// Whether the next one is chosen.
    pub(super) fn takes_next(&mut self) -> bool {
        let place = match self.take {
            0 | 1 => 0,
            // In 128 bits, since rows times chosen ones may need more than 64.
            take => u128::from(self.taken) * u128::from(self.of - 1) / u128::from(take - 1),
        };
        let chosen = self.taken < self.take && u128::from(self.seen) == place;
        self.seen += 1;
        self.taken += u64::from(chosen);
        chosen
    }
}

/// The values of consecutive rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct DriftColumn {
    /// The first row with a value.
    pub(super) row: u64,
    pub(super) low: f64,
    pub(super) high: f64,
    sum: f64,
    values: u64,
}

impl DriftColumn {
    /// The mean of its values.
    pub(super) fn mean(&self) -> f64 {
        self.sum / self.values as f64
    }
}

/// A value of each row along the rows: of each column the smallest, the largest and the mean.
#[derive(Clone, Debug)]
pub(super) struct Drift {
    rows: u64,
    columns: Vec<DriftColumn>,
}

impl Drift {
    /// For an array of so many rows.
    pub(super) fn new(rows: u64) -> Self {
        let columns = usize::try_from(rows.min(COLUMNS)).unwrap_or(0);
        Self {
            rows,
            columns: vec![DriftColumn::default(); columns],
        }
    }

    /// Takes a row's value in; what is no finite number has no place.
    pub(super) fn add(&mut self, row: u64, value: f64) {
        let place = u128::from(row) * self.columns.len() as u128 / u128::from(self.rows.max(1));
        let column = usize::try_from(place).ok().and_then(|at| self.columns.get_mut(at));
        let Some(column) = column.filter(|_| value.is_finite()) else {
            return;
        };
        if column.values == 0 {
            *column = DriftColumn {
                row,
                low: value,
                high: value,
                ..DriftColumn::default()
            };
        }
        column.low = column.low.min(value);
        column.high = column.high.max(value);
        column.sum += value;
        column.values += 1;
    }

    /// The columns that have a value, in order.
    pub(super) fn columns(&self) -> impl Iterator<Item = &DriftColumn> {
        self.columns.iter().filter(|column| column.values > 0)
    }
}

/// The means of a row's parts: as many as a picture has columns, or one a sample where there are fewer.
#[derive(Clone, Debug)]
pub(super) struct Means {
    samples: u32,
    parts: u32,
    part: u32,
    next: u32,
    sum: f64,
    finite: u32,
    done: Vec<f32>,
}

impl Means {
    /// For rows of so many samples.
    pub(super) fn new(samples: u32) -> Self {
        let most = u32::try_from(COLUMNS).unwrap_or(u32::MAX);
        Self {
            samples,
            parts: samples.min(most),
            part: 0,
            next: 0,
            sum: 0.0,
            finite: 0,
            done: Vec::new(),
        }
    }

    /// The sample with which a part begins.
    pub(super) fn start(samples: u32, part: u32) -> u32 {
        let parts = Self::new(samples).parts.max(1);
        u32::try_from(u64::from(part) * u64::from(samples) / u64::from(parts)).unwrap_or(samples)
    }

    /// The next samples. What is no finite number counts in no mean.
    pub(super) fn push(&mut self, mut values: &[f32]) {
        while !values.is_empty() && self.part < self.parts {
            let end = Self::start(self.samples, self.part + 1);
            let take = values.len().min((end - self.next) as usize);
            let (now, later) = values.split_at(take);
            for value in now.iter().filter(|value| value.is_finite()) {
                self.sum += f64::from(*value);
                self.finite += 1;
            }
            self.next += u32::try_from(take).unwrap_or(0);
            values = later;
            if self.next == end {
                self.close();
            }
        }
    }

    fn close(&mut self) {
        #[expect(clippy::cast_possible_truncation, reason = "a mean of f32 lies among them")]
        let mean = (self.sum / f64::from(self.finite)) as f32;
        self.done.push(mean);
        (self.sum, self.finite) = (0.0, 0);
        self.part += 1;
    }

    /// One a part; NaN where a part has no finite sample, or was not reached.
    pub(super) fn finish(mut self) -> Vec<f32> {
        while self.part < self.parts {
            self.close();
        }
        self.done
    }
}

/// What many rows have in one column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Band {
    pub(super) mean: f64,
    /// A twentieth of the rows lies below.
    pub(super) low: f64,
    /// A twentieth of the rows lies above.
    pub(super) high: f64,
}

impl Band {
    /// Of one value a row; none where no value is finite.
    pub(super) fn of(values: impl Iterator<Item = f32>) -> Option<Self> {
        let mut finite: Vec<f32> = values.filter(|value| value.is_finite()).collect();
        finite.sort_by(f32::total_cmp);
        let last = finite.len().checked_sub(1)?;
        let sum: f64 = finite.iter().map(|value| f64::from(*value)).sum();
        let below = last / 20;
        Some(Self {
            mean: sum / finite.len() as f64,
            low: finite[below].into(),
            high: finite[last - below].into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chosen(of: u64, most: u64) -> Vec<u64> {
        let mut evenly = Evenly::new(of, most);
        (0..of).filter(|_| evenly.takes_next()).collect()
    }

    proptest! {
        #[test]
        fn first_and_last_are_chosen_and_the_others_lie_evenly(of in 0_u64..5000, most in 0_u64..600) {
            let rows = chosen(of, most);
            prop_assert_eq!(rows.len() as u64, of.min(most));
            if rows.len() > 1 {
                prop_assert_eq!((rows[0], rows[rows.len() - 1]), (0, of - 1));
                let steps: Vec<u64> = rows.windows(2).map(|two| two[1] - two[0]).collect();
                let (least, most) = (steps.iter().min().unwrap(), steps.iter().max().unwrap());
                prop_assert!(most - least <= 1, "{:?}", steps);
            }
        }

        #[test]
        fn means_do_not_depend_on_the_pieces(
            values in proptest::collection::vec(prop_oneof![9 => -1.0_f32..1.0, 1 => Just(f32::NAN)], 1..2000),
            pieces in 1_usize..700,
        ) {
            let samples = u32::try_from(values.len()).unwrap();
            let mut means = Means::new(samples);
            values.chunks(pieces).for_each(|piece| means.push(piece));
            let found = means.finish();
            prop_assert_eq!(found.len(), values.len().min(240));
            for (part, mean) in (0..).zip(found) {
                let range = Means::start(samples, part) as usize..Means::start(samples, part + 1) as usize;
                let finite: Vec<f64> = values[range].iter().filter(|v| v.is_finite()).map(|v| f64::from(*v)).collect();
                let slow = finite.iter().sum::<f64>() / finite.len() as f64;
                prop_assert!((f64::from(mean) - slow).abs() < 1e-6 || (mean.is_nan() && finite.is_empty()));
            }
        }
    }

    #[test]
    fn a_row_that_ends_early_has_no_means_behind_its_end() {
        let mut means = Means::new(4);
        means.push(&[1.0, 2.0]);
        let found = means.finish();
        assert_eq!(found[..2], [1.0, 2.0]);
        assert!(found[2].is_nan() && found[3].is_nan());
    }

    #[test]
    fn a_column_keeps_the_extremes_of_all_its_rows() {
        let mut drift = Drift::new(2400);
        (0..2400).for_each(|row| drift.add(row, if row == 1237 { 9.0 } else { 1.0 }));
        drift.add(3, f64::NAN);
        let columns: Vec<_> = drift.columns().collect();
        assert_eq!(columns.len(), 240);
        let highest: Vec<_> = columns.iter().filter(|column| column.high > 1.0).collect();
        assert_eq!((highest.len(), highest[0].row), (1, 1230));
        assert!((highest[0].mean() - 1.8).abs() < 1e-12 && highest[0].low < 1.5);
        assert_eq!(Drift::new(0).columns().count(), 0);
    }

    #[test]
    fn a_twentieth_lies_outside_of_the_band_on_either_side() {
        let band = Band::of((0..=100_i16).map(f32::from).chain([f32::NAN])).unwrap();
        assert_eq!((band.low, band.mean, band.high), (5.0, 50.0, 95.0));
        assert_eq!(Band::of([f32::NAN].into_iter()), None);
    }
}
