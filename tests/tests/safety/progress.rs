//! What a person or a program is told while a conversion runs, and at its end.

use std::fs;
use std::path::Path;

use serde_json::Value;
use trc2npy_tests::{Bench, Convert, Ended, Running, events};

use crate::common::{cut_short, spec};

/// Rows of the run below: 10 files of two segments each.
const ROWS: u64 = 20;

/// A run in which one file of two segments is young and short, so that the conversion waits: long enough to be watched.
fn waiting_run() -> Bench {
    let mut run = spec(10, 2_001, &[1]);
    run.segments = 2;
    Bench::new(&run)
}

/// Starts the conversions while the file is young, and waits for them; in the end two rows are bad.
fn watched(bench: &Bench, start: impl Fn() -> Vec<Running>) -> Vec<Ended> {
    let file = bench.file(1, 7);
    let whole = fs::read(&file).unwrap();
    let _ = cut_short(&file);
    let ended: Vec<Ended> = start().into_iter().map(Running::wait).collect();
    fs::write(&file, whole).unwrap();
    for ended in &ended {
        ended.must_end_with(3);
    }
    ended
}

fn waiting_into(bench: &Bench, name: &str, settle: &str) -> Convert {
    Convert::new([&bench.run], bench.path(name)).args(["--settle", settle, "--progress", name])
}

#[test]
fn json_lines_grow_and_end_at_the_totals() {
    let bench = waiting_run();
    let conversion = waiting_into(&bench, "json", "3s");
    let ended = watched(&bench, || vec![conversion.start()]).remove(0);
    assert_eq!(ended.stderr, "", "a program reads stdout alone");
    let events = events(&ended.stdout);
    let (end, looks) = events.split_last().unwrap();
    assert!(looks.len() >= 3, "{ended}");
    for look in looks {
        assert_eq!(look["event"], "progress", "{look}");
    }
    for name in ["seconds", "rows", "bytes_in", "bytes_out", "bad_rows", "memory_peak"] {
        let numbers: Vec<f64> = looks.iter().map(|look| look[name].as_f64().unwrap()).collect();
        assert!(numbers.is_sorted(), "{name}: {numbers:?}");
    }
    // The file's size is what it was when planned: cut in two.
    let size = fs::metadata(bench.file(1, 0)).unwrap().len();
    let bytes = 9 * size + size / 2;
    let waiting: Vec<_> = looks.iter().filter(|look| look["phase"] == "settling").collect();
    assert!(!waiting.is_empty(), "{ended}");
    for look in waiting {
        assert_eq!(look["rows"], ROWS - 2, "{look}");
        assert_eq!(look["bytes_in"], 9 * size, "{look}");
        assert_eq!(look["bad_rows"], 0, "{look}");
    }
    let last = looks.last().unwrap();
    assert_eq!(last["phase"], "done");
    for (name, total) in [
        ("rows", ROWS),
        ("rows_total", ROWS),
        ("bytes_in", bytes),
        ("bytes_in_total", bytes),
    ] {
        assert_eq!(last[name], total, "{name}: {last}");
    }
    assert_eq!(last["bad_rows"], 2);

    assert_eq!(end["event"], "end");
    let channel = &end["runs"][0]["channels"][0];
    assert_eq!(channel["rows"], ROWS);
    assert_eq!(channel["samples"], 2_001);
    assert_eq!(
        channel["path"],
        conversion.out().join("C1--Trace.npy").display().to_string()
    );
    assert_eq!(
        channel["bad"],
        serde_json::json!([{"status": "still-writing", "rows": 2}])
    );
}

#[test]
fn a_run_that_is_over_at_once_has_its_totals_too() {
    let bench = Bench::new(&spec(3, 100, &[1, 2]));
    let ended = Convert::new([&bench.run], bench.path("out"))
        .args(["--progress", "json"])
        .run();
    ended.must_succeed();
    let events = events(&ended.stdout);
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names, ["progress", "end"]);
    assert_eq!(
        [&events[0]["rows"], &events[0]["rows_total"]],
        [&Value::from(6), &Value::from(6)]
    );
}

#[test]
fn plain_lines_are_few_and_none_are_none() {
    let bench = waiting_run();
    // A bar is for terminals: in a pipe it is plain lines.
    let ended = watched(&bench, || {
        ["plain", "bar", "auto", "none"]
            .map(|name| waiting_into(&bench, name, "7s").start())
            .into()
    });
    for (name, ended) in ["plain", "bar", "auto", "none"].iter().zip(&ended) {
        assert!(
            !ended.stderr.contains('\x1b') && !ended.stdout.contains('\x1b'),
            "{name}: {ended}"
        );
        let lines: Vec<_> = ended.stderr.lines().filter(|line| line.contains(" traces")).collect();
        let expected = usize::from(*name != "none");
        // A machine that stalls lets it take longer than the second sign of life.
        assert!(
            lines.len() >= expected && (expected == 1 || lines.is_empty()),
            "{name}: {ended}"
        );
        for line in lines {
            assert!(line.contains("waiting for files: 18 of 20 traces"), "{name}: {line}");
        }
        must_end_with_table(&ended.stdout, &bench.path(name), 2);
    }
}

/// The table, and the lines below it.
fn must_end_with_table(text: &str, out: &Path, bad: u64) {
    let lines: Vec<&str> = text.lines().collect();
    let words = |line: &str| line.split_whitespace().map(ToOwned::to_owned).collect::<Vec<_>>();
    let at = lines.iter().position(|line| line.starts_with("channel ")).expect(text);
    assert_eq!(
        words(lines[at]),
        [
            "channel", "rows", "shape", "size", "seconds", "MB/s", "bad", "rows", "file"
        ]
    );
    let path = out.join("C1--Trace.npy").display().to_string();
    let row = words(lines[at + 1]);
    // 20 rows of 2,001 floats, and the header.
    assert_eq!(row[..6], ["C1", "20", "(20,", "2001)", "164.2", "kB"], "{text}");
    let number = |word: &str| word.replace(',', "").parse::<f64>();
    assert!(number(&row[6]).is_ok() && number(&row[7]).is_ok(), "{text}");
    assert_eq!(row[8..], [bad.to_string(), path], "{text}");
    let mask = "  good = index[\"status\"] == 0";
    assert_eq!(lines.contains(&mask), bad > 0, "{text}");
    assert_eq!(text.contains("BAD ROWS: 2 of 20"), bad > 0, "{text}");
}

#[test]
fn the_mask_is_shown_where_rows_are_bad_and_else_not() {
    let bench = waiting_run();
    let conversion = Convert::new([&bench.run], bench.path("out"));
    let good = conversion.run();
    good.must_succeed();
    must_end_with_table(&good.stdout, conversion.out(), 0);
    // The same again: it took no time.
    let again = conversion.run();
    again.must_succeed();
    assert!(again.stdout.contains(" - "), "{again}");
    let _ = cut_short(&bench.file(1, 7));
    let bad = conversion.args(["--settle", "0s", "--overwrite"]).run();
    bad.must_end_with(3);
    must_end_with_table(&bad.stdout, &bench.path("out"), 2);
}

#[cfg(unix)]
mod bar {
    use rustix::process::Signal;
    use trc2npy_tests::{Terminal, lines};
    use vt100::Screen;

    use super::*;

    /// The rows of a screen with a bar on them, and of what stands below.
    fn bars(screen: &Screen, columns: u16) -> Vec<(u16, String, String)> {
        let rows: Vec<String> = screen.rows(0, columns).map(|row| row.trim_end().to_owned()).collect();
        let at = (0..)
            .zip(rows.windows(2))
            .filter(|(_, two)| two[0].contains(['━', '╸', '─']));
        at.map(|(at, two)| (at, two[0].clone(), two[1].clone())).collect()
    }

    #[test]
    fn a_bar_keeps_to_its_two_lines_and_leaves_nothing_behind() {
        for (columns, detail) in [
            (80, "waiting for files: 18 of 20 traces, memory "),
            (40, "waiting for files: 18 of 20 traces"),
            (25, "waiting for files"),
            (9, "waiting f"),
        ] {
            let terminal = Terminal { rows: 24, columns };
            let bench = waiting_run();
            let conversion = waiting_into(&bench, "auto", "2s");
            let ended = watched(&bench, || vec![terminal.start(&conversion)]).remove(0);
            let screens = terminal.replay(&ended);
            let seen: Vec<_> = screens.iter().flat_map(|screen| bars(screen, columns)).collect();
            assert!(
                seen.iter().any(|(_, _, below)| below.starts_with(detail)),
                "{columns}: {ended}"
            );
            for screen in &screens {
                let bars = bars(screen, columns);
                assert!(bars.len() <= 1, "{columns} columns:\n{}", screen.contents());
                for (at, bar, _) in bars {
                    assert!(!bar.contains("waiting"), "{columns} columns:\n{}", screen.contents());
                    assert!(bar.chars().count() <= usize::from(columns));
                    assert!(!screen.row_wrapped(at + 1), "{columns} columns:\n{}", screen.contents());
                }
            }
            let left = lines(screens.last().unwrap());
            for word in ["━", "waiting", "converting", "traces,"] {
                assert!(
                    !left.iter().any(|line| line.contains(word)),
                    "{columns}: {word} is left in\n{}",
                    left.join("\n")
                );
            }
            // Wrapped by the terminal where it is narrow: what was written is looked at.
            let plain = ended.stdout.replace("\x1b[1m\x1b[31mBAD ROWS:\x1b[0m", "BAD ROWS:");
            let shown = plain.rsplit('\x1b').next().unwrap().replace('\r', "");
            let table = &shown[shown.find("channel ").expect(&shown)..];
            must_end_with_table(table, conversion.out(), 2);
        }
    }

    #[test]
    fn an_interrupted_bar_leaves_what_is_said_and_no_piece_of_itself() {
        let terminal = Terminal { rows: 24, columns: 80 };
        let bench = waiting_run();
        let _ = cut_short(&bench.file(1, 7));
        let mut running = terminal.start(&waiting_into(&bench, "auto", "10m"));
        running.poll("the bar", |running| {
            running.stdout().contains("waiting for files").then_some(())
        });
        running.signal(Signal::INT);
        let ended = running.wait();
        ended.must_end_with(130);
        let left = lines(terminal.replay(&ended).last().unwrap());
        let count = |text: &str| left.iter().filter(|line| line.contains(text)).count();
        assert_eq!(
            count("finishing what is in flight; press Ctrl-C again to stop at once"),
            1,
            "{left:#?}"
        );
        assert_eq!(count("interrupted; what is done is kept."), 1, "{left:#?}");
        for piece in ["━", "waiting", "traces,"] {
            assert_eq!(count(piece), 0, "{left:#?}");
        }
    }
}
