//! Cutting a channel into ranges of consecutive rows. Pure.

use crate::units::{Bytes, RowRange};

use super::model::{ChannelPlan, FileEntry};

impl ChannelPlan {
    /// All rows as consecutive ranges of at most `target` bytes each (a row is never divided, so one that is larger is
    /// a range alone). A file is divided between segments where it is larger than that, else stays whole.
    ///
    /// A row's bytes are those read or those written, whichever are more.
    pub fn ranges(&self, target: Bytes) -> Vec<RowRange> {
        let mut cutter = Cutter {
            target: target.0.max(1),
            ranges: Vec::new(),
            start: 0,
            end: 0,
            bytes: 0,
        };
        let empty_row = self.row_bytes().0;
        for file in self.files.iter() {
            cutter.divisible(file.first_row, empty_row);
            cutter.whole(file.first_row + u64::from(file.rows), self.cost_of_row(file));
        }
        cutter.divisible(self.rows, empty_row);
        cutter.close();
        cutter.ranges
    }

    /// The same of the rows that are none of `done`, which are in order and do not overlap. A range ends where it would end
    /// if nothing were done.
    pub fn open_ranges(&self, target: Bytes, done: impl IntoIterator<Item = RowRange>) -> Vec<RowRange> {
        let ranges = self.ranges(target);
        let mut open = Vec::new();
        let mut next = 0;
        for done in done.into_iter().chain([RowRange::new(self.rows, self.rows)]) {
            let gap = RowRange::new(next, done.start.max(next));
            let first = ranges.partition_point(|rows| rows.end <= gap.start);
            let parts = ranges[first..].iter().take_while(|rows| rows.start < gap.end);
            open.extend(parts.map(|rows| rows.intersection(gap)).filter(|rows| !rows.is_empty()));
            next = next.max(done.end);
        }
        open
    }

    /// What the rows cost, in row order, with neighbours of about the same cost together: together they are all rows.
    pub fn stretches(&self) -> Vec<Stretch> {
        let mut stretches = Vec::new();
        let mut next = 0;
        // A missing event costs its NaN, and lies in no file that could be cut.
        let missing = |rows: u64| Stretch {
            rows,
            row_bytes: self.row_bytes(),
            rows_a_file: 1,
        };
        for file in self.files.iter() {
            let rows = u64::from(file.rows);
            lengthen(&mut stretches, missing(file.first_row - next));
            lengthen(
                &mut stretches,
                Stretch {
                    rows,
                    row_bytes: Bytes(self.cost_of_row(file)),
                    rows_a_file: rows,
                },
            );
            next = file.first_row + rows;
        }
        lengthen(&mut stretches, missing(self.rows - next));
        stretches
    }

    fn cost_of_row(&self, file: FileEntry) -> u64 {
        let read = file.size.0 / u64::from(self.layout(file.layout).segments.max(1));
        read.max(self.row_bytes().0)
    }
}

/// Consecutive rows that cost about the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// How many rows.
    pub rows: u64,
    /// Bytes read or written of the first of them, whichever are more; those of the others differ by less than an eighth.
    pub row_bytes: Bytes,
    /// Rows that each of its files gives; 1 where no file gives them.
    pub rows_a_file: u64,
}

fn lengthen(stretches: &mut Vec<Stretch>, more: Stretch) {
    if more.rows == 0 {
        return;
    }
    if let Some(last) = stretches.last_mut()
        && last.rows_a_file == more.rows_a_file
        && last.row_bytes.0.abs_diff(more.row_bytes.0) < last.row_bytes.0.div_ceil(8)
    {
        last.rows += more.rows;
    } else {
        stretches.push(more);
    }
}

struct Cutter {
    target: u64,
    ranges: Vec<RowRange>,
    /// The range being filled.
    start: u64,
    end: u64,
    bytes: u64,
}

impl Cutter {
    /// Takes the rows up to `end`, together if they fit into a range at all.
    fn whole(&mut self, end: u64, each: u64) {
        let bytes = each.saturating_mul(end - self.end);
        if bytes > self.target {
            self.close();
            self.divisible(end, each);
            return;
        }
        if self.bytes + bytes > self.target {
            self.close();
        }
        self.end = end;
        self.bytes += bytes;
    }

    /// Takes the rows up to `end`, cut wherever a range is full.
    fn divisible(&mut self, end: u64, each: u64) {
        while self.end < end {
            let room = (self.target - self.bytes.min(self.target)) / each.max(1);
            let rows = room.min(end - self.end);
            if rows == 0 && self.end > self.start {
                self.close();
                continue;
            }
            let rows = rows.max(1);
            self.end += rows;
            self.bytes = self.bytes.saturating_add(rows.saturating_mul(each));
        }
    }

    fn close(&mut self) {
        if self.end > self.start {
            self.ranges.push(RowRange::new(self.start, self.end));
        }
        self.start = self.end;
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::channel_of;
    use super::*;

    fn cut(files: &[(u64, u32, u64)], rows: u64, target: u64) -> Vec<(u64, u64)> {
        let ranges = channel_of(files, rows).ranges(Bytes(target));
        ranges.iter().map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn small_files_stay_whole_and_large_ones_are_cut_between_segments() {
        // (first row, segments, size); a row of the array has 40 bytes.
        let small = [(0, 1, 100), (1, 1, 100), (2, 1, 100)];
        assert_eq!(cut(&small, 3, 1000), [(0, 3)]);
        assert_eq!(cut(&small, 3, 200), [(0, 2), (2, 3)]);
        assert_eq!(cut(&small, 3, 1), [(0, 1), (1, 2), (2, 3)]);
        assert_eq!(
            cut(&[(0, 1, 100), (1, 10, 1000), (11, 1, 100)], 12, 400),
            [(0, 1), (1, 5), (5, 9), (9, 12)]
        );
        assert_eq!(cut(&[(0, 3, 300), (3, 3, 300)], 6, 400), [(0, 3), (3, 6)]);
        // Missing events cost their NaN.
        assert_eq!(cut(&[(0, 1, 100), (5, 1, 100)], 6, 140), [(0, 2), (2, 5), (5, 6)]);
        assert_eq!(cut(&[], 5, 80), [(0, 2), (2, 4), (4, 5)]);
    }

    #[test]
    fn what_is_done_is_in_no_range_and_moves_no_bound() {
        let channel = channel_of(&[(0, 1, 100), (1, 1, 100), (2, 1, 100), (3, 1, 100), (4, 1, 100)], 5);
        let open = |done: &[(u64, u64)]| {
            let done = done.iter().map(|&(start, end)| RowRange::new(start, end));
            let ranges = channel.open_ranges(Bytes(200), done).into_iter();
            ranges.map(|range| (range.start, range.end)).collect::<Vec<_>>()
        };
        assert_eq!(open(&[]), [(0, 2), (2, 4), (4, 5)]);
        assert_eq!(open(&[(1, 3)]), [(0, 1), (3, 4), (4, 5)]);
        assert_eq!(open(&[(0, 1), (4, 5)]), [(1, 2), (2, 4)]);
        assert_eq!(open(&[(0, 5)]), []);
    }

    #[test]
    fn rows_of_about_one_cost_are_one_stretch() {
        // A row of the array has 40 bytes.
        let stretches = |files: &[(u64, u32, u64)], rows| {
            let stretches = channel_of(files, rows).stretches();
            let plain = |stretch: Stretch| (stretch.rows, stretch.row_bytes.0, stretch.rows_a_file);
            stretches.into_iter().map(plain).collect::<Vec<_>>()
        };
        assert_eq!(stretches(&[(0, 1, 800), (1, 1, 899), (2, 1, 701)], 3), [(3, 800, 1)]);
        assert_eq!(
            stretches(&[(0, 1, 800), (1, 1, 900), (2, 1, 700)], 3),
            [(1, 800, 1), (1, 900, 1), (1, 700, 1)]
        );
        assert_eq!(
            stretches(&[(0, 4, 400), (4, 4, 400), (8, 2, 200), (15, 2, 200)], 20),
            [(8, 100, 4), (2, 100, 2), (5, 40, 1), (2, 100, 2), (3, 40, 1)]
        );
        // What is not read costs what is written.
        assert_eq!(stretches(&[(0, 1, 30), (5, 1, 41)], 6), [(6, 40, 1)]);
        assert_eq!(stretches(&[], 5), [(5, 40, 1)]);
        assert_eq!(stretches(&[], 0), []);
    }

    proptest! {
        #[test]
        fn stretches_are_all_rows_each_at_about_its_cost(
            files in prop::collection::vec((0..3_u64, 1..5_u32, 1..500_u64), 0..20), behind in 0..4_u64,
        ) {
            let mut row = 0;
            let files: Vec<_> = files.into_iter().map(|(gap, segments, size)| {
                let first = row + gap;
                row = first + u64::from(segments);
                (first, segments, size)
            }).collect();
            let channel = channel_of(&files, row + behind);
            let each: Vec<(u64, u64)> = channel.stretches().iter().flat_map(|stretch| {
                std::iter::repeat_n((stretch.row_bytes.0, stretch.rows_a_file), Bytes(stretch.rows).as_usize())
            }).collect();
            prop_assert_eq!(each.len() as u64, channel.rows);
            for (row, (bytes, rows_a_file)) in (0..).zip(each) {
                let file = files.iter().find(|&&(first, segments, _)| (first..first + u64::from(segments)).contains(&row));
                let (cost, rows) = file.map_or((40, 1), |&(_, segments, size)| {
                    ((size / u64::from(segments)).max(40), u64::from(segments))
                });
                prop_assert!(bytes.abs_diff(cost) * 8 < bytes, "row {row} costs {cost}, told as {bytes}");
                prop_assert_eq!(rows_a_file, rows, "row {}", row);
            }
        }

        #[test]
        fn ranges_are_all_rows_once_in_order(
            files in prop::collection::vec((0..3_u64, 1..5_u32, 1..500_u64), 0..20), behind in 0..4_u64, target in 1..2000_u64,
        ) {
            let mut row = 0;
            let files: Vec<_> = files.into_iter().map(|(gap, segments, size)| {
                let first = row + gap;
                row = first + u64::from(segments);
                (first, segments, size)
            }).collect();
            let channel = channel_of(&files, row + behind);
            let ranges = channel.ranges(Bytes(target));
            let mut next = 0;
            for range in &ranges {
                prop_assert_eq!(range.start, next);
                prop_assert!(!range.is_empty());
                next = range.end;
            }
            prop_assert_eq!(next, channel.rows);
            for range in ranges.iter().filter(|range| range.len() > 1) {
                let cost: u64 = (range.start..range.end).map(|row| {
                    let covering = channel.files.overlapping(RowRange::new(row, row + 1));
                    covering.map(|i| channel.cost_of_row(channel.files.get(i))).next().unwrap_or(40)
                }).sum();
                prop_assert!(cost <= target, "{range} costs {cost}");
            }
        }
    }
}
