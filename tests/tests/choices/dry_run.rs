//! `--dry-run`: what would be done, with the numbers, and nothing written.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Convert, Npy, scratch, write_run};

fn run_of_three(root: &Path) -> PathBuf {
    let run = root.join("r1");
    let mut spec = RunSpec::new(10, 250);
    spec.channels = vec![1, 2, 3];
    spec.segments = 4;
    write_run(&spec, &run);
    fs::remove_file(run.join("C2--Trace--00003.trc")).unwrap();
    fs::write(run.join("C1--Trace--00001 (1).trc"), "a copy").unwrap();
    fs::write(run.join("notes.txt"), "notes").unwrap();
    run
}

#[test]
fn a_dry_run_counts_everything_and_writes_nothing() {
    let root = scratch();
    let run = run_of_three(root.path());
    let out = root.path().join("out");
    let ended = Convert::new([&run], &out)
        .args(["--channels", "1,2", "--range-size", "10kB", "--dry-run", "--json"])
        .args(["--threads", "2", "--memory-limit", "64MiB"])
        .run();
    ended.must_succeed();
    assert!(!out.exists());
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(json["memory_limit"], 64 << 20);
    let described = &json["runs"][0];
    assert_eq!(described["threads"], 2);
    let memory = ["plan_memory", "buffer_memory"].map(|part| described[part].as_u64().unwrap());
    assert!(memory[0] > 0 && memory[1] > 0, "{json:#}");
    assert!(memory[0] + memory[1] <= 64 << 20, "{json:#}");
    assert_eq!(described["name"], "r1");
    assert!(described["space_free"].as_u64().unwrap() > 0);
    let size = fs::metadata(run.join("C1--Trace--00000.trc")).unwrap().len();
    for (channel, name, files) in [(0, "C1", 10), (1, "C2", 9)] {
        let row = &described["channels"][channel];
        assert_eq!(row["channel"], name);
        assert_eq!(row["files"], files);
        assert_eq!(row["rows"], 40);
        assert_eq!(row["samples"], 250);
        assert_eq!(row["dtype"], "float32");
        assert_eq!(row["bytes_in"], files * size);
        assert_eq!(row["bytes_out"], 40 * 250 * 4);
        assert!(row["ranges"].as_u64().unwrap() >= 4, "{row:#}");
        assert_eq!(
            row["path"],
            format!("{}", out.join(format!("{name}--Trace.npy")).display())
        );
    }
    assert_eq!(described["channels"].as_array().unwrap().len(), 2);
    let findings = described["findings"].to_string();
    for told in [
        "left-out",
        "C1--Trace--00001 (1).trc",
        "notes.txt",
        "other-channels",
        "C3",
        "missing-events",
    ] {
        assert!(findings.contains(told), "{told}: {findings}");
    }
    // Each part of the sum is the conversion's own.
    Convert::new([&run], &out)
        .args(["--channels", "1,2"])
        .run()
        .must_end_with(3);
    let array = Npy::read(&out.join("C1--Trace.npy"));
    assert_eq!(array.data.len(), 40 * 250 * 4);
}

#[test]
fn the_table_says_it_to_people() {
    let root = scratch();
    let run = run_of_three(root.path());
    let out = root.path().join("out");
    let ended = Convert::new([&run], &out)
        .args(["--channels", "1,2", "--range-size", "10kB", "--dry-run"])
        .run();
    ended.must_succeed();
    ended.must_say(&[
        "Run r1",
        "channel",
        "files",
        "rows",
        "samples",
        "ranges",
        "C3 (10 files)",
        "--channels",
        "C1--Trace--00001 (1).trc",
        "notes.txt",
        "C2 lacks 4 of 40 events",
        "Nothing was written",
    ]);
    let line = ended.stdout.lines().find(|line| line.starts_with("C2")).unwrap();
    let cells: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(cells[..5], ["C2", "9", "40", "250", "float32"]);
    assert!(!out.exists());
}

#[test]
fn a_dry_run_refuses_what_the_run_would_refuse() {
    let root = scratch();
    let run = root.path().join("r1");
    let mut spec = RunSpec::new(6, 100);
    spec.bad = vec!["other-length".parse().unwrap()];
    write_run(&spec, &run);
    Convert::new([&run], root.path().join("out"))
        .args(["--dry-run"])
        .run()
        .must_end_with(1)
        .must_say(&["--ragged"]);
    Convert::new([&run], root.path().join("out"))
        .args(["--dry-run", "--ragged", "pad", "--baseline", "99"])
        .run()
        .must_end_with(2)
        .must_say(&["--baseline 99", "50 samples"]);
    // The inputs are as they were.
    assert_eq!(fs::read_dir(&run).unwrap().count(), 6);
    assert!(!root.path().join("out").exists());
}
