//! The files of a channel: columns, since a run can have ten million of them.

use std::num::NonZeroU64;
use std::ops::Range;

use super::{LayoutId, NamePattern, PatternId};
use crate::fs::Stamp;
use crate::units::{Bytes, RowRange};

/// One file of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Size when planned.
    pub size: Bytes,
    /// Time of last modification when planned, nanoseconds since 1970, UTC.
    pub mtime_ns: i64,
    /// Its first row.
    pub first_row: u64,
    /// The segment that is its first row.
    pub first_segment: u32,
    /// How many of its segments are rows. Can be fewer than it has (`--events complete`, `--rows`, `--every`).
    pub rows: u32,
    /// What it is taken to hold.
    pub layout: LayoutId,
    /// The form of its name, and its folder.
    pub pattern: PatternId,
    /// The number in its name.
    pub index: u64,
}

impl FileEntry {
    /// What tells whether it is still the planned file.
    pub const fn stamp(&self) -> Stamp {
        Stamp {
            size: self.size,
            mtime_ns: self.mtime_ns,
        }
    }

    /// The segment that is its row `row`, where every so many rows of the run are taken
    /// ([`crate::selection::RowSelection::every`]).
    pub fn segment(&self, row: u64, every: NonZeroU64) -> u32 {
        let behind = u32::try_from((row - self.first_row) * every.get());
        self.first_segment + behind.expect("a file's segments are counted in u32")
    }

    /// The rows that it gives.
    pub fn row_range(&self) -> RowRange {
        RowRange::new(self.first_row, self.first_row + u64::from(self.rows))
    }
}

/// The files of a channel as columns, 48 bytes a file, ordered by first row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileTable {
    pub(in crate::plan) sizes: Vec<u64>,
    pub(in crate::plan) mtimes: Vec<i64>,
    pub(in crate::plan) first_rows: Vec<u64>,
    pub(in crate::plan) first_segments: Vec<u32>,
    pub(in crate::plan) rows: Vec<u32>,
    pub(in crate::plan) layouts: Vec<u32>,
    pub(in crate::plan) patterns: Vec<u32>,
    pub(in crate::plan) indices: Vec<u64>,
}

impl FileTable {
    /// Bytes of memory and of the plan file that each entry takes.
    pub const BYTES_PER_FILE: u64 = 48;

    /// An empty table with room for `files` entries.
    pub fn with_capacity(files: usize) -> Self {
        Self {
            sizes: Vec::with_capacity(files),
            mtimes: Vec::with_capacity(files),
            first_rows: Vec::with_capacity(files),
            first_segments: Vec::with_capacity(files),
            rows: Vec::with_capacity(files),
            layouts: Vec::with_capacity(files),
            patterns: Vec::with_capacity(files),
            indices: Vec::with_capacity(files),
        }
    }

    /// How many files.
    pub fn len(&self) -> usize {
        self.sizes.len()
    }

    /// Whether there is no file.
    pub fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }

    /// Appends a file.
    ///
    /// # Panics
    /// If its rows do not lie behind those of the file before it: the planner would be wrong, and so every row after.
    pub fn push(&mut self, file: FileEntry) {
        if let Some(last) = self.len().checked_sub(1) {
            assert!(
                file.first_row >= self.get(last).row_range().end,
                "files must be pushed in row order"
            );
        }
        self.sizes.push(file.size.0);
        self.mtimes.push(file.mtime_ns);
        self.first_rows.push(file.first_row);
        self.first_segments.push(file.first_segment);
        self.rows.push(file.rows);
        self.layouts.push(file.layout.0);
        self.patterns.push(file.pattern.0);
        self.indices.push(file.index);
    }

    /// The `i`-th file in row order.
    ///
    /// # Panics
    /// If there is no such file.
    pub fn get(&self, i: usize) -> FileEntry {
        FileEntry {
            size: Bytes(self.sizes[i]),
            mtime_ns: self.mtimes[i],
            first_row: self.first_rows[i],
            first_segment: self.first_segments[i],
            rows: self.rows[i],
            layout: LayoutId(self.layouts[i]),
            pattern: PatternId(self.patterns[i]),
            index: self.indices[i],
        }
    }

    /// All files in row order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = FileEntry> + '_ {
        (0..self.len()).map(|i| self.get(i))
    }

    /// The positions of the files that give at least one of `rows`.
    pub fn overlapping(&self, rows: RowRange) -> Range<usize> {
        if rows.is_empty() {
            return 0..0;
        }
        let mut start = self.first_rows.partition_point(|&first| first <= rows.start);
        // The file before can reach into the range; a file that gives no row cannot.
        if start > 0 && self.get(start - 1).row_range().end > rows.start {
            start -= 1;
        }
        let end = self.first_rows.partition_point(|&first| first < rows.end).max(start);
        start..end
    }

    /// The position of the file of a folder and index, by bisection. `patterns` are the plan's.
    pub fn find(&self, patterns: &[NamePattern], folder: u32, index: u64) -> Option<usize> {
        let key = |i: usize| (patterns[self.patterns[i] as usize].folder, self.indices[i]);
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if key(middle) < (folder, index) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        (low < self.len() && key(low) == (folder, index)).then_some(low)
    }

    /// Bytes of all files together.
    pub fn total_size(&self) -> Bytes {
        Bytes(self.sizes.iter().sum())
    }
}

/// Files without rows, as columns, sorted by folder and index. They are known, so that a later listing does not take
/// them for new ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    pub(in crate::plan) patterns: Vec<u32>,
    pub(in crate::plan) indices: Vec<u64>,
}

impl LeftOut {
    /// Bytes of memory and of the plan file that each entry takes.
    pub const BYTES_PER_FILE: u64 = 12;

    /// How many files.
    pub fn len(&self) -> usize {
        self.patterns.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Appends a file.
    pub(in crate::plan) fn push(&mut self, pattern: PatternId, index: u64) {
        self.patterns.push(pattern.0);
        self.indices.push(index);
    }

    /// The files: form of the name, and index.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (PatternId, u64)> + '_ {
        self.patterns
            .iter()
            .map(|&id| PatternId(id))
            .zip(self.indices.iter().copied())
    }
}
