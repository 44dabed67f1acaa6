//! Which rows of a channel which workers can make: those whose roots they see.

use std::sync::Arc;

use trc2npy_common::units::RowRange;

use crate::event::Region;

/// All rows of a channel, cut where other roots are needed.
#[derive(Clone, Debug)]
pub(crate) struct Regions(Vec<(u64, Arc<[String]>)>);

impl Regions {
    /// Rows behind the last region, all where there are none, need no root of their own.
    pub(crate) fn new(regions: &[Region]) -> Self {
        let mut all: Vec<(u64, Arc<[String]>)> = Vec::with_capacity(regions.len() + 1);
        for region in regions {
            let end = region.end.max(all.last().map_or(0, |(end, _)| *end));
            all.push((end, region.roots.as_slice().into()));
        }
        all.push((u64::MAX, [].into()));
        Self(all)
    }

    /// The position of the region of a row.
    pub(crate) fn at(&self, row: u64) -> usize {
        self.0.partition_point(|(end, _)| *end <= row).min(self.0.len() - 1)
    }

    /// The roots that a row needs besides those of its job.
    pub(crate) fn roots(&self, row: u64) -> &[String] {
        &self.0[self.at(row)].1
    }

    /// `rows` in parts that need the same roots, in order.
    pub(crate) fn parts(&self, rows: RowRange) -> impl Iterator<Item = (RowRange, &[String])> {
        let first = self.at(rows.start);
        let starts = std::iter::once(rows.start).chain(self.0[first..].iter().map(|(end, _)| *end));
        starts
            .zip(&self.0[first..])
            .take_while(move |(start, _)| *start < rows.end)
            .map(move |(start, (end, roots))| (RowRange::new(start, rows.end.min(*end)), &**roots))
            .filter(|(part, _)| !part.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regions(of: &[(u64, &str)]) -> Regions {
        let regions: Vec<_> = of
            .iter()
            .map(|&(end, root)| Region {
                end,
                roots: vec![root.to_owned()],
            })
            .collect();
        Regions::new(&regions)
    }

    fn parts(of: &Regions, start: u64, end: u64) -> Vec<(u64, u64, String)> {
        let parts = of.parts(RowRange::new(start, end));
        parts
            .map(|(rows, roots)| (rows.start, rows.end, roots.join("+")))
            .collect()
    }

    #[test]
    fn rows_are_cut_where_other_roots_begin() {
        let all = regions(&[(3, "a"), (3, "none"), (7, "b")]);
        let part = |start, end, root: &str| (start, end, root.to_owned());
        assert_eq!(parts(&all, 0, 9), [part(0, 3, "a"), part(3, 7, "b"), part(7, 9, "")]);
        assert_eq!(parts(&all, 3, 5), [part(3, 5, "b")]);
        assert_eq!(parts(&all, 2, 4), [part(2, 3, "a"), part(3, 4, "b")]);
        assert_eq!(parts(&all, 8, 8), []);
        assert_eq!(
            [0, 2, 3, 6, 7].map(|row| all.roots(row).join("+")),
            ["a", "a", "b", "b", ""]
        );
        assert_eq!(parts(&regions(&[]), 4, 6), [part(4, 6, "")]);
    }
}
