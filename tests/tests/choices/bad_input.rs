//! `--ragged`, `--mixed`, `--on-bad-file`: files that do not fit, and that none of them becomes a wrong number.

use std::fs;
use std::path::{Path, PathBuf};

use trc2npy_synth::{RunSpec, TraceFile};
use trc2npy_tests::{Convert, Npy, Oracle, Record, must_equal, outputs, scratch, write_run};

use crate::{file, row_files, statuses};

/// Twelve files, three of them with half the samples.
fn ragged_run(root: &Path) -> PathBuf {
    let run = root.join("r1");
    let mut spec = RunSpec::new(12, 400);
    spec.bad = vec!["other-length:3".parse().unwrap()];
    write_run(&spec, &run);
    run
}

#[test]
fn rows_of_other_lengths_stop_the_run_unless_a_choice_is_made() {
    let root = scratch();
    let run = ragged_run(root.path());
    let refused = root.path().join("refused");
    Convert::new([&run], &refused).run().must_end_with(1).must_say(&[
        "C1",
        "400",
        "9 files",
        "200",
        "3 files",
        "--ragged bad",
        "pad",
        "truncate",
    ]);
    assert!(!refused.exists());
    for (choice, code, samples) in [("bad", 3, 400), ("pad", 0, 400), ("truncate", 0, 200)] {
        for dtype in ["float32", "int16"] {
            let out = root.path().join(format!("{choice}{dtype}"));
            let options = ["--ragged", choice, "--dtype", dtype, "--baseline", "60"];
            Convert::new([&run], &out)
                .args(options)
                .args(["--settle", "0s"])
                .run()
                .must_end_with(code);
            Oracle::new(&out, [&run]).args(options).must_agree();
            let records = Record::read_all(&out.join("C1--Trace.index.npy"));
            assert_eq!(records.len(), 12);
            let short: Vec<&Record> = match choice {
                "bad" => records.iter().filter(|record| record.status == 5).collect(),
                "pad" => records.iter().filter(|record| record.samples == 200).collect(),
                _ => Vec::new(),
            };
            assert_eq!(short.len(), if choice == "truncate" { 0 } else { 3 });
            let header = Npy::read(&out.join("C1--Trace.npy")).header;
            assert!(header.contains(&format!("(12, {samples})")), "{header}");
        }
    }
    // A padded row: samples, then nothing.
    let out = root.path().join("padfloat32");
    let values = Npy::read(&out.join("C1--Trace.npy")).f32();
    let codes = Npy::read(&root.path().join("padint16").join("C1--Trace.npy")).i16();
    for (k, record) in Record::read_all(&out.join("C1--Trace.index.npy")).iter().enumerate() {
        let row = &values[400 * k..400 * (k + 1)];
        let (data, rest) = row.split_at(record.samples as usize);
        assert!(data.iter().all(|value| value.is_finite()) && rest.iter().all(|value| value.is_nan()));
        let rest = &codes[400 * k + record.samples as usize..400 * (k + 1)];
        assert!(rest.iter().all(|&code| code == i16::MIN));
    }
}

#[test]
fn a_baseline_must_fit_into_the_shortest_row() {
    let root = scratch();
    let run = ragged_run(root.path());
    for (choice, points, code) in [
        ("pad", "200", 2),
        ("pad", "199", 0),
        ("truncate", "200", 2),
        ("truncate", "199", 0),
        ("bad", "399", 3),
        ("bad", "400", 2),
    ] {
        let out = root.path().join(format!("{choice}{points}"));
        let options = ["--ragged", choice, "--baseline", points];
        let ended = Convert::new([&run], &out).args(options).args(["--settle", "0s"]).run();
        ended.must_end_with(code);
        if code == 2 {
            ended.must_say(&[&format!("--baseline {points}"), "samples"]);
        } else {
            Oracle::new(&out, [&run]).args(options).must_agree();
        }
    }
}

/// 400 files of one size, of which one in the middle differs in a way that only its own header tells.
fn run_with_a_stranger(root: &Path, change: impl Fn(&mut TraceFile)) -> PathBuf {
    let run = root.join("r1");
    fs::create_dir(&run).unwrap();
    for i in 0_i16..400 {
        let mut file = TraceFile::single((0..60).map(|k| k * i).collect());
        file.user_text = vec![b'x'; 20];
        if i == 237 {
            change(&mut file);
        }
        file.write_to(&run.join(format!("C1--Trace--{i:05}.trc")), false)
            .unwrap();
    }
    run
}

#[test]
fn a_file_of_the_usual_size_and_other_samples_is_never_read_wrong() {
    let root = scratch();
    let run = run_with_a_stranger(root.path(), |file| {
        file.user_text.clear();
        file.segments[0].codes.extend([7; 10]);
    });
    let out = root.path().join("out");
    Convert::new([&run], &out).run().must_end_with(1).must_say(&[
        "C1--Trace--00237.trc",
        "60 samples",
        "70 samples",
        "--probe all",
    ]);
    assert!(!out.join("C1--Trace.npy").exists());
    let out = root.path().join("all");
    Convert::new([&run], &out)
        .args(["--probe", "all"])
        .run()
        .must_end_with(1)
        .must_say(&["70", "--ragged bad"]);
    let options = ["--ragged", "bad"];
    Convert::new([&run], &out)
        .args(["--probe", "all", "--ragged", "bad", "--settle", "0s"])
        .run()
        .must_end_with(3);
    Oracle::new(&out, [&run]).args(options).must_agree();
    assert_eq!(statuses(&out, "C1")[237], 5);
}

#[test]
fn a_file_of_the_usual_size_and_another_form_is_simply_converted() {
    let root = scratch();
    // The same length by other blocks: the samples lie elsewhere.
    let run = run_with_a_stranger(root.path(), |file| {
        file.user_text.clear();
        file.res_array1 = vec![0xee; 13];
        file.res_array3 = vec![0xdd; 7];
    });
    let out = root.path().join("out");
    Convert::new([&run], &out).run().must_succeed();
    Oracle::new(&out, [&run]).must_agree();
}

#[test]
fn rows_of_one_array_share_a_time_axis_unless_asked_otherwise() {
    type Change = fn(&mut TraceFile);
    let changes: [(&str, Change); 4] = [
        ("HORIZ_INTERVAL", |file| file.horiz_interval = 2e-9),
        ("VERTUNIT", |file| file.vert_unit = b"A".to_vec()),
        ("HORUNIT", |file| file.hor_unit = b"Hz".to_vec()),
        ("RECORD_TYPE", |file| file.record_type = 6),
    ];
    for (field, change) in changes {
        let root = scratch();
        let run = run_with_a_stranger(root.path(), change);
        let out = root.path().join("out");
        Convert::new([&run], &out)
            .run()
            .must_end_with(1)
            .must_say(&["C1--Trace--00237.trc", field, "--mixed warn"]);
        assert!(!out.join("C1--Trace.npy").exists());
        let planned = root.path().join("planned");
        Convert::new([&run], &planned)
            .args(["--probe", "all"])
            .run()
            .must_end_with(1)
            .must_say(&["C1--Trace--00236.trc", "C1--Trace--00237.trc", field, "--mixed warn"]);
        assert!(!planned.exists());
        let warned = root.path().join("warned");
        Convert::new([&run], &warned)
            .args(["--mixed", "warn", "--probe", "all"])
            .run()
            .must_succeed()
            .must_say(&["warning", field]);
        Oracle::new(&warned, [&run]).must_agree();
        let json = fs::read_to_string(warned.join("C1--Trace.json")).unwrap();
        let varying = json.split("\"varying_fields\"").nth(1).unwrap();
        assert!(varying.contains(field), "{varying}");
    }
}

#[test]
fn gain_and_coupling_may_change_and_each_row_has_its_own() {
    let root = scratch();
    let run = run_with_a_stranger(root.path(), |file| {
        file.gain = 0.5;
        file.offset = 3.0;
        file.coupling = 2;
    });
    let out = root.path().join("out");
    Convert::new([&run], &out)
        .args(["--baseline", "3"])
        .run()
        .must_succeed();
    Oracle::new(&out, [&run]).args(["--baseline", "3"]).must_agree();
    let records = Record::read_all(&out.join("C1--Trace.index.npy"));
    assert!(records[237].gain == 0.5 && records[237].offset == 3.0);
    assert!(records[236].gain == records[238].gain && records[236].gain != 0.5);
}

#[test]
fn bad_files_are_marked_left_out_or_the_end_as_asked() {
    let root = scratch();
    let run = root.path().join("r1");
    let mut spec = RunSpec::new(9, 120);
    spec.channels = vec![1, 2];
    write_run(&spec, &run);
    // The first of all, one in the middle that holds its header, and the last.
    fs::write(run.join("C1--Trace--00000.trc"), b"").unwrap();
    let cut = run.join("C1--Trace--00004.trc");
    let bytes = fs::read(&cut).unwrap();
    fs::write(&cut, &bytes[..400]).unwrap();
    fs::write(run.join("C1--Trace--00008.trc"), [0x5a; 700]).unwrap();

    let marked = root.path().join("nan");
    Convert::new([&run], &marked)
        .args(["--settle", "0s", "--on-bad-file", "nan"])
        .run()
        .must_end_with(3)
        .must_say(&["C1: 2 not a LeCroy waveform, 1 cut short", "BAD ROWS: 3 of 18"]);
    Oracle::new(&marked, [&run]).must_agree();
    assert_eq!(statuses(&marked, "C1"), [2, 0, 0, 0, 3, 0, 0, 0, 2]);

    for events in ["union", "complete", "separate"] {
        let skipped = root.path().join(format!("skip{events}"));
        let options = ["--on-bad-file", "skip", "--events", events];
        let ended = Convert::new([&run], &skipped)
            .args(options)
            .args(["--settle", "0s"])
            .run();
        // With events of all channels the other channel's row stands, and this one lacks it.
        ended.must_end_with(if events == "union" { 3 } else { 0 });
        ended.must_say(&["3 bad files, left out", "C1--Trace--00004.trc"]);
        Oracle::new(&skipped, [&run]).args(options).must_agree();
    }
    let files: Vec<_> = [1, 2, 3, 5, 6, 7].map(|index| file("C1", index)).into();
    assert_eq!(row_files(&root.path().join("skipseparate"), "C1"), files);
    assert_eq!(row_files(&root.path().join("skipseparate"), "C2").len(), 9);
    assert_eq!(row_files(&root.path().join("skipcomplete"), "C2").len(), 6);
    assert_eq!(
        statuses(&root.path().join("skipunion"), "C1"),
        [1, 0, 0, 0, 1, 0, 0, 0, 1]
    );

    let stopped = root.path().join("fail");
    Convert::new([&run], &stopped)
        .args(["--on-bad-file", "fail", "--settle", "0s"])
        .run()
        .must_end_with(1)
        .must_say(&["C1--Trace--0000", "nan", "--on-bad-file"]);
    assert!(!stopped.join("C1--Trace.npy").exists());
}

/// One header in the middle of many claims a million segments, and its samples are not there: the array must not grow
/// by what cannot be true.
#[test]
fn a_cut_file_that_claims_a_million_rows_does_not_drown_the_run() {
    let root = scratch();
    let run = run_with_a_stranger(root.path(), |file| {
        file.overrides = vec![
            (60, 120_000_000_i32.to_le_bytes().to_vec()),
            (144, 1_000_000_i32.to_le_bytes().to_vec()),
        ];
    });
    let convert = |name: &str, probe: &str| {
        let out = root.path().join(name);
        Convert::new([&run], &out)
            .args(["--settle", "0s", "--probe", probe])
            .run()
            .must_end_with(3);
        Oracle::new(&out, [&run]).must_agree();
        let bad: Vec<u8> = statuses(&out, "C1").into_iter().filter(|&status| status != 0).collect();
        assert_eq!(bad, [3]);
        out
    };
    // The same bytes, whether planning has seen that header or conversion finds it.
    let seen = convert("seen", "all");
    assert_eq!(statuses(&seen, "C1").len(), 400);
    must_equal(&convert("found", "sample"), &outputs(&seen));
}
