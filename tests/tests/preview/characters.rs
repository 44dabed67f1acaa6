//! The drawing in the terminal.

use std::ffi::OsStr;

use trc2npy_synth::TraceFile;
use trc2npy_tests::{Call, Terminal, lines, run_python};

use crate::{Lab, SAMPLES, preview};

/// What a person sees of a call on a terminal of this size.
fn seen(lab: &Lab, size: (u16, u16), words: &[&str]) -> Vec<String> {
    let (rows, columns) = size;
    let terminal = Terminal { rows, columns };
    let call = Call::of("preview")
        .from(lab.root.path())
        .env("LC_ALL", "C.UTF-8")
        .args(["--color", "never"])
        .args(words);
    let ended = terminal.run(call);
    let screen = terminal.replay(&ended).pop().unwrap();
    // What the program itself takes for a line is one on the screen: nothing was wrapped. Remarks are longer.
    let is_remark = |line: &str| line.starts_with("warning: ");
    for line in ended.stdout.lines().take_while(|line| !is_remark(line)) {
        assert!(line.trim_end().chars().count() <= usize::from(columns), "{line}");
    }
    let mut seen = lines(&screen);
    seen.truncate(seen.iter().position(|line| is_remark(line)).unwrap_or(seen.len()));
    while seen.last().is_some_and(String::is_empty) {
        seen.pop();
    }
    seen
}

/// The dots of a drawing by column: the highest and the lowest, counted from above. Braille, as Unicode numbers its dots.
fn dots(lines: &[String]) -> Vec<Option<(usize, usize)>> {
    const BITS: [[u32; 4]; 2] = [[0, 1, 2, 6], [3, 4, 5, 7]];
    let edge = |line: &String| line.chars().position(|c| "│┤".contains(c));
    let drawing: Vec<Vec<char>> = lines
        .iter()
        .filter_map(|line| edge(line).map(|at| line.chars().skip(at + 1).collect()))
        .collect();
    let columns = drawing.iter().map(Vec::len).max().unwrap();
    let lit = |x: usize, y: usize| {
        let cell = drawing[y / 4].get(x / 2).copied().unwrap_or(' ');
        let bits = u32::from(cell).saturating_sub(0x2800);
        bits >> BITS[x % 2][y % 4] & 1 == 1
    };
    (0..2 * columns)
        .map(|x| {
            let mut column = (0..4 * drawing.len()).filter(|&y| lit(x, y));
            column.next().map(|first| (first, column.next_back().unwrap_or(first)))
        })
        .collect()
}

#[test]
fn infinite_samples_are_told_of_and_a_negative_row_is_no_option() {
    let lab = Lab::new();
    let path = lab.root.path().join("C1--Trace--00000.trc");
    let mut file = TraceFile::single((0..500).map(|i| if i < 300 { 1 } else { 100 }).collect());
    (file.gain, file.offset) = (1e37, 0.0);
    file.write_to(&path, false).unwrap();
    lab.preview(["C1--Trace--00000.trc"])
        .must_succeed()
        .must_say(&["warning: channel C1: 200 samples are infinite and not drawn"]);
    let ended = lab.preview(["C1--Trace--00000.trc", "--rows", "-3:"]);
    ended.must_end_with(2).must_say(&["not a number: \"-3\""]);
}

#[test]
fn the_drawing_has_the_shape_of_the_samples_at_any_width() {
    let lab = Lab::new();
    let arrays = lab.convert("out", &[]);
    let values = run_python(
        "import sys, numpy as np; print(*np.load(sys.argv[1])[3].tolist())",
        [arrays.join("C1--Trace.npy")],
    );
    let values: Vec<f64> = values.split_whitespace().map(|value| value.parse().unwrap()).collect();
    assert_eq!(values.len(), SAMPLES);
    let ends = |values: &[f64]| {
        let fold = |f: fn(f64, f64) -> f64| values.iter().copied().reduce(f).unwrap();
        (fold(f64::min), fold(f64::max))
    };
    for size in [(24, 80), (24, 40), (50, 133)] {
        for from in ["r005", "out"] {
            let seen = seen(&lab, size, &[from, "--channels", "1", "--rows", "3:4"]);
            eprintln!("{}", seen.join("\n"));
            assert!(seen.len() < size.0.into(), "{} lines of {}", seen.len(), size.0);
            assert!(seen[0].starts_with("r005, C1: row 3, 9,001 samples"), "{}", seen[0]);
            assert!(["time (µs)", "time (ns)"].contains(&seen.last().unwrap().trim()) && seen[1].trim() == "mV");
            let dots = dots(&seen);
            assert!(dots.iter().all(Option::is_some), "a gap");
            let dots: Vec<(usize, usize)> = dots.into_iter().flatten().collect();
            let edge = seen[2].chars().position(|c| "│┤".contains(c)).unwrap();
            assert_eq!(
                dots.len(),
                2 * (usize::from(size.1) - edge - 1),
                "as wide as the terminal"
            );
            // Their own highest and lowest dot tell how volts become dots.
            let (low, high) = ends(&values);
            let top = dots.iter().map(|dot| dot.0).min().unwrap() as f64;
            let bottom = dots.iter().map(|dot| dot.1).max().unwrap() as f64;
            let place = |value: f64| bottom + (value - low) / (high - low) * (top - bottom);
            // The first sample lies in the first column, the last one in the last.
            let (across, steps) = (dots.len() - 1, SAMPLES - 1);
            let mut columns = vec![Vec::new(); dots.len()];
            for (sample, &value) in values.iter().enumerate() {
                columns[(sample * across + steps / 2) / steps].push(value);
            }
            for (column, &(first, last)) in dots.iter().enumerate() {
                let beside = column.saturating_sub(1)..(column + 2).min(dots.len());
                let (low, high) = ends(&columns[beside.clone()].concat());
                assert!(
                    first as f64 >= place(high) - 1.1 && last as f64 <= place(low) + 1.1,
                    "column {column}"
                );
                let (low, high) = ends(&columns[column]);
                let near = |f: fn(usize, usize) -> usize, pick: fn(&(usize, usize)) -> usize| {
                    dots[beside.clone()].iter().map(pick).reduce(f).unwrap() as f64
                };
                assert!(near(usize::min, |dot| dot.0) <= place(high) + 1.1, "column {column}");
                assert!(near(usize::max, |dot| dot.1) >= place(low) - 1.1, "column {column}");
            }
        }
    }
}

#[test]
fn several_channels_share_the_axis_and_no_line_is_too_wide() {
    let lab = Lab::new();
    for size in [(24, 80), (24, 40), (10, 24)] {
        let seen = seen(&lab, size, &["r005"]);
        eprintln!("{}", seen.join("\n"));
        let titles = seen.iter().filter(|line| line.starts_with("r005, C")).count();
        assert_eq!(titles, 2);
        let axes: Vec<&String> = seen.iter().filter(|line| line.contains('└')).collect();
        assert!(
            axes.len() == 2 && axes[0] == axes[1] && axes[0].contains('┬'),
            "{axes:?}"
        );
        let text = seen
            .iter()
            .flat_map(|line| line.split_whitespace())
            .collect::<Vec<_>>()
            .join(" ");
        assert!(text.contains("1 bad row left out"), "{text}");
    }
}

#[test]
fn without_utf_8_or_on_a_dumb_terminal_all_is_ascii_and_80_columns_wide() {
    let lab = Lab::new();
    let words = ["r005", "--channels", "1"];
    let in_locale = |variables: [(&str, &str); 2]| {
        let mut call = Call::of("preview").from(lab.root.path()).args(words);
        for (name, value) in variables {
            call = call.env(name, value);
        }
        call.run()
    };
    let c = preview(lab.root.path(), words);
    let dumb = in_locale([("LC_ALL", "C.UTF-8"), ("TERM", "dumb")]);
    let braille = in_locale([("LC_ALL", "C.UTF-8"), ("TERM", "xterm")]);
    assert_eq!(c.stdout, dumb.stdout);
    for ended in [&c, &dumb, &braille] {
        ended.must_succeed();
        let widths = ended.stdout.lines().map(|line| line.chars().count());
        assert_eq!(widths.max(), Some(80), "{ended}");
        assert_eq!(ended.stdout.lines().count(), 23);
    }
    assert!(
        c.stdout.is_ascii() && c.stdout.contains("time (") && c.stdout.contains(':'),
        "{c}"
    );
    assert!(
        braille.stdout.contains('⣿') && braille.stdout.contains("time ("),
        "{braille}"
    );
    // A name that no line holds is broken, in bytes that the terminal has.
    let long = lab.root.path().join(format!("é{}", "x".repeat(100)));
    std::fs::rename(&lab.run, &long).unwrap();
    let ended = preview(lab.root.path(), [long.as_os_str(), OsStr::new("--channels=1")]);
    let widest = ended
        .must_succeed()
        .stdout
        .lines()
        .map(|line| line.chars().count())
        .max();
    assert!(ended.stdout.is_ascii() && widest == Some(80), "{ended}");
}
