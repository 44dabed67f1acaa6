//! A set of numbers as merged spans.

use std::collections::BTreeMap;

use trc2npy_common::units::RowRange;

/// Numbers (rows, or the attempts of an epoch), kept as spans that neither overlap nor touch. Its memory grows with the
/// gaps, not with the numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spans(BTreeMap<u64, u64>);

impl Spans {
    /// Adds all of `rows`; those that are there already stay.
    pub(crate) fn insert(&mut self, rows: RowRange) {
        if rows.is_empty() {
            return;
        }
        let RowRange { mut start, mut end } = rows;
        if let Some((&before, &its_end)) = self.0.range(..=start).next_back()
            && its_end >= start
        {
            start = before;
            end = end.max(its_end);
        }
        while let Some((&after, &its_end)) = self.0.range(start..).next()
            && after <= end
        {
            self.0.remove(&after);
            end = end.max(its_end);
        }
        self.0.insert(start, end);
    }

    /// Whether `number` is in it.
    pub(crate) fn has(&self, number: u64) -> bool {
        self.0
            .range(..=number)
            .next_back()
            .is_some_and(|(_, &end)| end > number)
    }

    /// Whether all of `rows` are in it; none is never.
    pub(crate) fn covers(&self, rows: RowRange) -> bool {
        let span = self.0.range(..=rows.start).next_back();
        !rows.is_empty() && span.is_some_and(|(_, &end)| end >= rows.end)
    }

    /// In order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = RowRange> {
        self.0.iter().map(|(&start, &end)| RowRange::new(start, end))
    }

    /// What is not in it of `0..total`, in order.
    pub(crate) fn gaps(&self, total: u64) -> Vec<RowRange> {
        let mut gaps = Vec::new();
        let mut from = 0;
        for span in self.iter() {
            gaps.push(RowRange::new(from, span.start.min(total)));
            from = span.end;
        }
        gaps.push(RowRange::new(from, total));
        gaps.retain(|gap| !gap.is_empty());
        gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spans(of: &[(u64, u64)]) -> Spans {
        let mut spans = Spans::default();
        for &(start, end) in of {
            spans.insert(RowRange::new(start, end));
        }
        spans
    }

    #[test]
    fn what_touches_becomes_one() {
        let all = spans(&[(5, 7), (0, 2), (2, 5), (9, 9), (8, 10)]);
        let found: Vec<_> = all.iter().map(|span| (span.start, span.end)).collect();
        assert_eq!(found, [(0, 7), (8, 10)]);
        assert_eq!(spans(&[(0, 2), (4, 6), (8, 9), (1, 8)]), spans(&[(0, 9)]));
    }

    #[test]
    fn agrees_with_a_table_of_numbers() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..200 {
            let mut table = [false; 40];
            let mut set = Spans::default();
            for _ in 0..random.usize(..12) {
                let start = random.usize(..40);
                let end = random.usize(start..=40);
                table[start..end].fill(true);
                set.insert(RowRange::new(start as u64, end as u64));
            }
            for at in 0..40 {
                assert_eq!(set.has(at as u64), table[at]);
                for end in at + 1..=40 {
                    let rows = RowRange::new(at as u64, end as u64);
                    assert_eq!(set.covers(rows), table[at..end].iter().all(|&there| there));
                }
            }
            let missing: u64 = set.gaps(40).iter().map(|gap| gap.len()).sum();
            assert_eq!(missing, table.iter().filter(|&&there| !there).count() as u64);
        }
    }
}
