//! `trc2npy convert` on whole runs, with numpy as the judge.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use trc2npy_synth::{ByteOrder, RunSpec};
use trc2npy_tests::{Oracle, binary, samples};

fn convert(inputs: &[&Path], out: &Path, options: &[&str]) -> Output {
    let output = Command::new(binary())
        .arg("convert")
        .args(inputs)
        .arg("--out")
        .arg(out)
        .args(["--progress", "none"])
        .args(options)
        .output()
        .expect("the binary starts");
    assert!(
        !String::from_utf8_lossy(&output.stderr).contains("panicked"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

fn must_succeed(output: &Output) {
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn run_of(spec: &RunSpec) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("r005");
    spec.write(&run, &|_| std::ops::ControlFlow::Continue(()))
        .expect("the run is written");
    (folder, run)
}

/// All output files but the report, by name.
fn outputs(out: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(out)
        .expect("the output folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_file() && !path.ends_with("report.json"))
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, std::fs::read(&path).expect("an output"))
        })
        .collect();
    files.sort();
    files
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
        must_succeed(&convert(&[&run], &out, choice));
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
        must_succeed(&convert(&[&run], &out, &["--baseline", "50", "--range-size", "20kB"]));
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
    let output = convert(&[&run], &out, &["--baseline", "50", "--settle", "0s"]);
    assert_eq!(
        output.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Oracle::new(&out, [&run]).args(["--baseline", "50"]).must_agree();
}

#[test]
fn the_bytes_do_not_depend_on_how_the_work_is_done() {
    let mut spec = RunSpec::new(50, 3000);
    spec.segments = 3;
    spec.channels = vec![1, 2];
    let (folder, run) = run_of(&spec);
    let reference = folder.path().join("reference");
    must_succeed(&convert(&[&run], &reference, &["--baseline", "200", "--threads", "1"]));
    let expected = outputs(&reference);
    assert_eq!(expected.len(), 8);
    let ways: [&[&str]; 6] = [
        &["--threads", "7"],
        &["--io", "mmap"],
        &["--io", "read", "--range-size", "1"],
        &["--memory-limit", "2MiB"],
        &["--range-size", "100kB", "--sync-every", "1"],
        &["--probe", "all"],
    ];
    for (i, way) in ways.iter().enumerate() {
        let out = folder.path().join(format!("out{i}"));
        let options = [&["--baseline", "200"], *way].concat();
        must_succeed(&convert(&[&run], &out, &options));
        let found = outputs(&out);
        for ((name, expected), (found_name, found)) in expected.iter().zip(&found) {
            assert_eq!(name, found_name);
            assert!(expected == found, "{name} differs with {way:?}");
        }
        assert_eq!(expected.len(), found.len());
    }
}

#[test]
fn real_files_agree_with_numpy() {
    let Some(samples) = samples() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (i, name) in [
        "pulse.trc",
        "pulse_sequence.trc",
        "issue_1.trc",
        "sample_002.trc",
        "trace1.000",
    ]
    .iter()
    .enumerate()
    {
        let run = folder.path().join(format!("run{i}"));
        std::fs::create_dir(&run).expect("a folder");
        let own = if name.ends_with(".000") {
            "trace1.000"
        } else {
            "C1--Trace--00000.trc"
        };
        std::fs::copy(samples.join(name), run.join(own)).expect("a copy");
        let out = folder.path().join(format!("out{i}"));
        must_succeed(&convert(&[&run], &out, &["--baseline", "100"]));
        Oracle::new(&out, [&run]).args(["--baseline", "100"]).must_agree();
    }
}

#[test]
fn the_same_command_again_touches_nothing() {
    let (folder, run) = run_of(&RunSpec::new(10, 100));
    let out = folder.path().join("out");
    must_succeed(&convert(&[&run], &out, &[]));
    let before = std::fs::metadata(out.join("C1--Trace.npy"))
        .expect("the array")
        .modified()
        .expect("a time");
    must_succeed(&convert(&[&run], &out, &[]));
    let after = std::fs::metadata(out.join("C1--Trace.npy"))
        .expect("the array")
        .modified()
        .expect("a time");
    assert_eq!(before, after);
    // Another command for the same names is refused, and allowed with --overwrite.
    let refused = convert(&[&run], &out, &["--baseline", "10"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("--overwrite"),
        "{refused:?}"
    );
    must_succeed(&convert(&[&run], &out, &["--baseline", "10", "--overwrite"]));
    Oracle::new(&out, [&run]).args(["--baseline", "10"]).must_agree();
}
