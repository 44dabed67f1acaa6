//! What is said before the first byte is written.

use std::fs;
use std::os::unix::fs::symlink;

use trc2npy_synth::{Bits, TraceFile};

use crate::page::Page;

fn trace(samples: i16) -> TraceFile {
    TraceFile::single((0..samples).collect())
}

#[test]
fn inputs_and_names() {
    let mut page = Page::new();
    page.run("run/r005", 4, |_| {});
    page.says("no input", &["convert", "--out", "out"]);
    page.says("no output", &["convert", "run/r005"]);
    page.says("a folder that is not there", &["convert", "run/r006", "--out", "out"]);
    page.says("a pattern that nothing matches", &["convert", "run/q*", "--out", "out"]);
    page.says("a pattern that is none", &["convert", "run/r[5", "--out", "out"]);
    symlink("nowhere", page.at("run/link")).unwrap();
    page.says("a link that leads nowhere", &["convert", "run/link", "--out", "out"]);
    fs::create_dir(page.at("empty")).unwrap();
    page.says("an empty folder", &["convert", "empty", "--out", "out"]);
    page.bytes("other/notes.txt", b"x");
    page.bytes("other/pulse.trc", b"x");
    page.bytes("other/C1--Trace--00000 (1).trc", b"x");
    page.says("a folder of other files", &["convert", "other", "--out", "out"]);
    page.says("a folder of folders", &["convert", "run", "--out", "out"]);
    page.says(
        "an empty folder beside a run",
        &["convert", "run/r005", "empty", "--out", "out", "--dry-run"],
    );
    page.says(
        "a channel that is not there",
        &["convert", "run/r005", "--out", "out", "--channels", "C2,C3"],
    );

    page.file("stems/C1--Trace--00000.trc", &trace(300));
    page.file("stems/C1--bias50--00000.trc", &trace(300));
    page.says("two stems", &["convert", "stems", "--out", "out"]);
    page.says(
        "a stem that is not there",
        &["convert", "stems", "--out", "out", "--stem", "wave"],
    );
    page.file("copies/C1--Trace--00001.trc", &trace(300));
    page.file("copies/C1Trace00001.trc", &trace(300));
    page.says("two files for one place", &["convert", "copies", "--out", "out"]);
    for name in ["C1bias5000000.trc", "C1bias50000000.trc"] {
        page.file(&format!("odd/{name}"), &trace(300));
    }
    page.says("a name with two readings", &["convert", "odd", "--out", "out"]);

    page.run("run/r006", 2, |_| {});
    page.run("other/r005", 2, |_| {});
    page.says(
        "two runs, one folder",
        &["convert", "run/r005", "run/r006", "--out", "out"],
    );
    page.says(
        "two runs of one name",
        &["convert", "run/r005", "other/r005", "--out", "npy/{run}"],
    );
    page.run("run/r005-3", 2, |_| {});
    page.says(
        "a gap between folders",
        &[
            "convert",
            "run/r005",
            "run/r005-3",
            "--out",
            "out",
            "--progress",
            "none",
        ],
    );
    insta::assert_snapshot!("inputs_and_names", page.text());
}

#[test]
fn what_the_files_hold() {
    let mut page = Page::new();
    page.bytes("none/C1--Trace--00000.trc", b"no waveform at all");
    page.bytes("none/C1--Trace--00001.trc", b"nor this");
    page.says("no header that can be read", &["convert", "none", "--out", "out"]);
    page.run("bad", 6, |spec| spec.bad = vec!["truncated".parse().unwrap()]);
    page.says(
        "a bad file, and fail",
        &["convert", "bad", "--out", "out", "--on-bad-file", "fail"],
    );
    page.run("ragged", 6, |spec| spec.bad = vec!["other-length:2".parse().unwrap()]);
    page.says("rows of two lengths", &["convert", "ragged", "--out", "out"]);
    let pad = ["convert", "ragged", "--out", "pad", "--ragged", "pad", "--baseline"];
    page.says("a baseline that leaves nothing", &[&pad[..], &["150"]].concat());
    page.says(
        "rows of two lengths, padded",
        &[&pad[..], &["50", "--progress", "none"]].concat(),
    );
    page.run("axes", 6, |_| {});
    page.patch("axes/C1--Trace--00003.trc", 176, &2e-9_f32.to_le_bytes());
    page.says("two sample intervals", &["convert", "axes", "--out", "out"]);
    let warn = [
        "convert",
        "axes",
        "--out",
        "axes-out",
        "--mixed",
        "warn",
        "--progress",
        "none",
    ];
    page.says("two sample intervals, and warn", &warn);
    page.run("gains", 6, |_| {});
    page.patch("gains/C1--Trace--00003.trc", 156, &0.5_f32.to_le_bytes());
    page.says(
        "two gains",
        &["convert", "gains", "--out", "gains-out", "--progress", "none"],
    );

    page.run("gaps", 6, |spec| {
        spec.channels = vec![1, 2];
        spec.bad = vec!["missing:2".parse().unwrap()];
    });
    page.says(
        "events that a channel lacks",
        &["convert", "gaps", "--out", "gaps-out", "--progress", "none"],
    );
    page.file("apart/C1--Trace--00000.trc", &trace(300));
    page.file("apart/C2--Trace--00001.trc", &trace(300));
    page.says(
        "no event in all channels",
        &["convert", "apart", "--out", "out", "--events", "complete"],
    );
    let second = TraceFile {
        second_array: vec![1; 300],
        ..trace(300)
    };
    page.file("second/C1--Trace--00000.trc", &second);
    page.says(
        "a second array",
        &["convert", "second", "--out", "second-out", "--progress", "none"],
    );
    page.says("no second array", &["convert", "gains", "--out", "out", "--array", "2"]);
    let eight = TraceFile {
        bits: Bits::Eight,
        ..TraceFile::single((0..300).map(|i| i % 100).collect())
    };
    page.file("widths/C1--Trace--00000.trc", &eight);
    page.file("widths/C1--Trace--00001.trc", &trace(300));
    page.says(
        "two widths",
        &["convert", "widths", "--out", "widths-out", "--progress", "none"],
    );
    page.run("count", 3, |_| {});
    page.patch("count/C1--Trace--00001.trc", 116, &299_i32.to_le_bytes());
    page.says(
        "a count that is wrong",
        &["convert", "count", "--out", "count-out", "--progress", "none"],
    );

    page.run("run", 20, |_| {});
    page.says(
        "samples that are not there",
        &["convert", "run", "--out", "out", "--samples", "3:600"],
    );
    page.says(
        "a time that is not there",
        &["convert", "run", "--out", "out", "--time", "1s:2s"],
    );
    page.says(
        "rows that are not there",
        &["convert", "run", "--out", "out", "--rows", "20:"],
    );
    page.says(
        "too little memory",
        &["convert", "run", "--out", "out", "--memory-limit", "64kB"],
    );
    insta::assert_snapshot!("what_the_files_hold", page.text());
}
