//! What the rows of a channel cost, and where they may be cut.

use trc2npy_common::plan::Stretch;
use trc2npy_common::units::{Bytes, RowRange};

/// The stretches of a channel with where each begins.
#[derive(Clone, Debug)]
pub(crate) struct Cost {
    parts: Vec<Part>,
    rows: u64,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    start: u64,
    end: u64,
    /// Bytes of all rows before it.
    before: u64,
    row_bytes: u64,
    rows_a_file: u64,
}

impl Cost {
    pub(crate) fn new(stretches: &[Stretch]) -> Self {
        let mut parts = Vec::with_capacity(stretches.len());
        let (mut start, mut before) = (0_u64, 0_u64);
        for stretch in stretches.iter().filter(|stretch| stretch.rows > 0) {
            // A row without bytes would make ranges without end.
            let row_bytes = stretch.row_bytes.0.max(1);
            let end = start.saturating_add(stretch.rows);
            parts.push(Part {
                start,
                end,
                before,
                row_bytes,
                rows_a_file: stretch.rows_a_file.max(1),
            });
            before = before.saturating_add(row_bytes.saturating_mul(end - start));
            start = end;
        }
        Self { parts, rows: start }
    }

    /// Of the channel.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Of these rows.
    pub(crate) fn bytes(&self, rows: RowRange) -> Bytes {
        Bytes(self.up_to(rows.end) - self.up_to(rows.start.min(rows.end)))
    }

    fn up_to(&self, row: u64) -> u64 {
        self.part(row.saturating_sub(1)).map_or(0, |part| {
            let inside = row.min(part.end).saturating_sub(part.start);
            part.before.saturating_add(part.row_bytes.saturating_mul(inside))
        })
    }

    /// The stretch of a row; the last one of a row beyond the end.
    fn part(&self, row: u64) -> Option<&Part> {
        let next = self.parts.partition_point(|part| part.start <= row);
        self.parts.get(next.checked_sub(1)?)
    }

    /// The end of a range that begins as `rows` do, has at most `target` bytes and does not go beyond `rows`: between
    /// files, unless the first of them alone is larger than that. Never empty where `rows` are not.
    pub(crate) fn cut(&self, rows: RowRange, target: Bytes) -> u64 {
        let limit = self.up_to(rows.start).saturating_add(target.0);
        let next = self.parts.partition_point(|part| part.before <= limit);
        let Some(part) = next.checked_sub(1).and_then(|at| self.parts.get(at)) else {
            return rows.end;
        };
        let fits = part.start + ((limit - part.before) / part.row_bytes).min(part.end - part.start);
        if fits >= rows.end {
            return rows.end;
        }
        let between_files = if fits == part.end {
            fits
        } else {
            part.file_of(fits).start
        };
        // Where no border lies in between, what is left of the first file is larger than the target.
        let end = if between_files > rows.start {
            between_files
        } else {
            fits
        };
        end.clamp(rows.start + 1, rows.end.max(rows.start + 1))
    }

    /// Whether all of them lie in one file.
    pub(crate) fn in_one_file(&self, rows: RowRange) -> bool {
        self.part(rows.start)
            .is_none_or(|part| part.file_of(rows.start).end >= rows.end)
    }

    /// Where to cut them in two halves of whole files; nowhere within a file.
    pub(crate) fn middle(&self, rows: RowRange) -> Option<u64> {
        let middle = rows.start + rows.len() / 2;
        let file = self.part(middle)?.file_of(middle);
        [file.start, file.end]
            .into_iter()
            .find(|&at| at > rows.start && at < rows.end)
    }
}

impl Part {
    /// The rows of the file that `row` lies in.
    fn file_of(&self, row: u64) -> RowRange {
        let start = self.start + (row - self.start) / self.rows_a_file * self.rows_a_file;
        RowRange::new(start, start.saturating_add(self.rows_a_file).min(self.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(of: &[(u64, u64, u64)]) -> Cost {
        let stretches: Vec<_> = of
            .iter()
            .map(|&(rows, row_bytes, rows_a_file)| Stretch {
                rows,
                row_bytes: Bytes(row_bytes),
                rows_a_file,
            })
            .collect();
        Cost::new(&stretches)
    }

    #[test]
    fn cuts_between_files() {
        let cost = cost(&[(10, 100, 1), (20, 50, 5)]);
        let all = RowRange::new(0, 30);
        assert_eq!(cost.rows(), 30);
        assert_eq!(cost.bytes(all), Bytes(2000));
        assert_eq!(cost.cut(all, Bytes(350)), 3);
        assert_eq!(cost.cut(all, Bytes(1000)), 10);
        // 1,240 bytes would reach to row 14, the file to row 15.
        assert_eq!(cost.cut(all, Bytes(1240)), 10);
        assert_eq!(cost.cut(all, Bytes(1250)), 15);
        assert_eq!(cost.cut(all, Bytes(9999)), 30);
        // Never empty, and within a file only where it is larger than what was asked.
        assert_eq!(cost.cut(all, Bytes(1)), 1);
        assert_eq!(cost.cut(RowRange::new(10, 30), Bytes(120)), 12);
        assert_eq!(cost.cut(RowRange::new(12, 30), Bytes(250)), 15);
        assert_eq!(cost.cut(RowRange::new(12, 13), Bytes(250)), 13);
    }

    #[test]
    fn halves_are_of_whole_files() {
        let cost = cost(&[(10, 100, 1), (20, 50, 5)]);
        assert_eq!(cost.middle(RowRange::new(0, 10)), Some(5));
        assert_eq!(cost.middle(RowRange::new(10, 20)), Some(15));
        assert_eq!(cost.middle(RowRange::new(10, 15)), None);
        assert_eq!(cost.middle(RowRange::new(13, 18)), Some(15));
        assert!(cost.in_one_file(RowRange::new(11, 15)));
        assert!(!cost.in_one_file(RowRange::new(14, 16)));
    }

    /// Against sums row by row.
    #[test]
    fn agrees_with_slow_sums() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..300 {
            let of: Vec<_> = (0..random.usize(1..5))
                .map(|_| (random.u64(..12), random.u64(1..9), random.u64(1..6)))
                .collect();
            let cost = cost(&of);
            let each: Vec<u64> = of
                .iter()
                .flat_map(|&(rows, bytes, _)| (0..rows).map(move |_| bytes))
                .collect();
            // Whether a file begins at the row.
            let border: Vec<bool> = of
                .iter()
                .flat_map(|&(rows, _, file)| (0..rows).map(move |row| row % file == 0))
                .collect();
            let total = each.len();
            for start in 0..total {
                for end in start + 1..=total {
                    let rows = RowRange::new(start as u64, end as u64);
                    assert_eq!(cost.bytes(rows).0, each[start..end].iter().sum::<u64>());
                    assert_eq!(
                        cost.in_one_file(rows),
                        border[start + 1..end].iter().all(|&border| !border)
                    );
                    let target = random.u64(..60);
                    let cut = usize::try_from(cost.cut(rows, Bytes(target))).unwrap();
                    assert!(cut > start && cut <= end, "{of:?} {rows:?} {target}");
                    let bytes: u64 = each[start..cut].iter().sum();
                    let whole_files = cut == end || border.get(cut).copied().unwrap_or(true);
                    if bytes > target {
                        assert!(cut == start + 1 || cost.in_one_file(RowRange::new(rows.start, cut as u64)));
                    }
                    assert!(whole_files || cost.in_one_file(RowRange::new(rows.start, cut as u64 + 1)));
                }
            }
        }
    }
}
