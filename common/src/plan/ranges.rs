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

    fn cost_of_row(&self, file: FileEntry) -> u64 {
        let read = file.size.0 / u64::from(self.layout(file.layout).segments.max(1));
        read.max(self.row_bytes().0)
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

    proptest! {
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
