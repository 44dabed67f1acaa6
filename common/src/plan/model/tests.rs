use super::*;

fn entry(first_row: u64, rows: u32) -> FileEntry {
    FileEntry {
        size: Bytes(10),
        mtime_ns: 0,
        first_row,
        first_segment: 0,
        rows,
        layout: LayoutId(0),
        pattern: PatternId(0),
        index: first_row,
    }
}

#[test]
fn overlapping_agrees_with_looking_at_every_file() {
    let mut table = FileTable::default();
    // A gap at 5..7 (missing events) and one behind the last file.
    for (first, rows) in [(0, 5), (7, 1), (8, 3), (11, 2)] {
        table.push(entry(first, rows));
    }
    for start in 0..16 {
        for end in start..16 {
            let range = RowRange::new(start, end);
            let slow: Vec<usize> = (0..table.len())
                .filter(|&i| !table.get(i).row_range().intersection(range).is_empty())
                .collect();
            let fast: Vec<usize> = table.overlapping(range).collect();
            assert_eq!(fast, slow, "{range}");
        }
    }
}

#[test]
fn names_are_made_as_the_instrument_makes_them() {
    let pattern = NamePattern {
        folder: 0,
        prefix: "C1--Trace--".into(),
        width: 5,
        suffix: ".trc".into(),
    };
    let mut name = String::new();
    pattern.write_name(7, &mut name);
    assert_eq!(name, "C1--Trace--00007.trc");
    for index in [0, 1, 9, 10, 99_999, 100_000, 123_456, u64::MAX] {
        for width in 1..=20 {
            let pattern = NamePattern {
                width,
                ..pattern.clone()
            };
            pattern.write_name(index, &mut name);
            let digits = usize::from(width);
            assert_eq!(name, format!("C1--Trace--{index:0digits$}.trc"));
        }
    }
}
