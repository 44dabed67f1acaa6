//! `trc2npy convert` on whole runs, with numpy as the judge.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]

use std::path::PathBuf;

use tempfile::TempDir;
use trc2npy_synth::{ByteOrder, RunSpec};
use trc2npy_tests::{Convert, Oracle, write_run};

fn run_of(spec: &RunSpec) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("r005");
    write_run(spec, &run);
    (folder, run)
}

#[test]
fn every_choice_of_values_agrees_with_numpy() {
    let mut spec = RunSpec::new(40, 700);
    spec.channels = vec![1, 3];
    let (folder, run) = run_of(&spec);
    let choices: [&[&str]; 6] = [
        &[],
        &["--baseline", "100"],
        &["--baseline", "101", "--baseline-method", "median"],
        &["--baseline", "100", "--dtype", "int16"],
        &["--dtype", "native"],
        &["--channels", "3"],
    ];
    for (i, choice) in choices.iter().enumerate() {
        let out = folder.path().join(format!("out{i}"));
        Convert::new([&run], &out).args(*choice).run().must_succeed();
        let told = choice
            .iter()
            .map(|word| if *word == "--baseline-method" { "--method" } else { word });
        let told: Vec<&str> = told.map(|word| if word == "3" { "C3" } else { word }).collect();
        Oracle::new(&out, [&run]).args(told).must_agree();
    }
}

#[test]
fn sequences_and_eight_bit_big_endian_runs_agree_with_numpy() {
    for (segments, order) in [(1, ByteOrder::Big), (7, ByteOrder::Little), (20, ByteOrder::Big)] {
        let mut spec = RunSpec::new(12, 300);
        spec.segments = segments;
        spec.order = order;
        spec.bits = trc2npy_synth::Bits::Eight;
        let (folder, run) = run_of(&spec);
        let out = folder.path().join("out");
        Convert::new([&run], &out)
            .args(["--baseline", "50", "--range-size", "20kB"])
            .run()
            .must_succeed();
        Oracle::new(&out, [&run]).args(["--baseline", "50"]).must_agree();
    }
}

#[test]
fn bad_files_are_marked_and_told_of() {
    let mut spec = RunSpec::new(60, 500);
    spec.channels = vec![1, 2];
    spec.bad = ["truncated:3", "garbage:2", "missing:2"]
        .iter()
        .filter_map(|bad| bad.parse().ok())
        .collect();
    let (folder, run) = run_of(&spec);
    let out = folder.path().join("out");
    Convert::new([&run], &out)
        .args(["--baseline", "50", "--settle", "0s"])
        .run()
        .must_end_with(3);
    Oracle::new(&out, [&run]).args(["--baseline", "50"]).must_agree();
}

#[test]
fn the_same_command_again_touches_nothing() {
    let (folder, run) = run_of(&RunSpec::new(10, 100));
    let out = folder.path().join("out");
    Convert::new([&run], &out).run().must_succeed();
    let before = std::fs::metadata(out.join("C1--Trace.npy"))
        .expect("the array")
        .modified()
        .expect("a time");
    Convert::new([&run], &out).run().must_succeed();
    let after = std::fs::metadata(out.join("C1--Trace.npy"))
        .expect("the array")
        .modified()
        .expect("a time");
    assert_eq!(before, after);
    // Another command for the same names is refused, and allowed with --overwrite.
    Convert::new([&run], &out)
        .args(["--baseline", "10"])
        .run()
        .must_end_with(1)
        .must_say(&["--overwrite"]);
    Convert::new([&run], &out)
        .args(["--baseline", "10", "--overwrite"])
        .run()
        .must_succeed();
    Oracle::new(&out, [&run]).args(["--baseline", "10"]).must_agree();
}
