//! Settings of the instrument of which the index has each row's own.

use zerocopy::little_endian::F32;

use crate::npy::index::IndexRecord;

/// Changes of a setting that are listed.
const LISTED: usize = 10;

/// How a setting changes from one good row to the next.
#[derive(Clone, Debug)]
pub struct Changes {
    /// As the header names it.
    pub setting: &'static str,
    /// How often.
    pub count: u64,
    /// The first ones.
    pub listed: Vec<Change>,
}

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The first row with the new value.
    pub row: u64,
    /// Its file, as a line of the list.
    pub file: u32,
    /// The value of the good row before it.
    pub before: f32,
    /// Its own.
    pub after: f32,
}

impl Changes {
    /// Those that stand in the index: gain, offset and sample interval; none has changed yet.
    pub fn all() -> Vec<Self> {
        let one = |setting| Self {
            setting,
            count: 0,
            listed: Vec::new(),
        };
        ["VERTICAL_GAIN", "VERTICAL_OFFSET", "HORIZ_INTERVAL"].map(one).into()
    }

    fn values(record: &IndexRecord) -> [f32; 3] {
        [record.gain, record.offset, record.horiz_interval].map(F32::get)
    }

    /// Compares a good row with the good one before it.
    pub fn look(all: &mut [Self], before: &IndexRecord, (row, record): (u64, &IndexRecord)) {
        let values = Self::values(before).into_iter().zip(Self::values(record));
        for (changes, (before, after)) in all.iter_mut().zip(values) {
            if before.to_bits() != after.to_bits() {
                changes.count += 1;
                if changes.listed.len() < LISTED {
                    changes.listed.push(Change {
                        row,
                        file: record.file.get(),
                        before,
                        after,
                    });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Status;

    #[test]
    fn a_change_is_told_with_the_row_from_which_on_it_holds() {
        let mut all = Changes::all();
        let record = |gain: f32| IndexRecord {
            gain: F32::new(gain),
            ..IndexRecord::bad(3, 0, Status::Good)
        };
        let rows = [0.5, 0.5, 0.25, 0.25, 0.5].map(record);
        for (row, two) in (1..).zip(rows.windows(2)) {
            Changes::look(&mut all, &two[0], (row, &two[1]));
        }
        let (first, second) = (&all[0], &all[1]);
        assert_eq!((first.setting, first.count), ("VERTICAL_GAIN", 2));
        assert_eq!(
            first.listed[0],
            Change {
                row: 2,
                file: 3,
                before: 0.5,
                after: 0.25
            }
        );
        // NaN stays NaN.
        assert_eq!(second.count, 0);
    }
}
