//! How the work is done changes no byte: threads, reading, memory, ranges, syncing, and the order of the inputs.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]
#![allow(clippy::float_cmp, reason = "values must agree in every bit")]

use std::fs;
use std::path::{Path, PathBuf};

use trc2npy_synth::{Bits, ByteOrder, RunSpec};
use trc2npy_tests::{Convert, Oracle, difference, outputs, scratch, write_run};

/// Two folders of two channels: sequences, 16-bit little-endian files and 8-bit big-endian ones, whole, broken and
/// missing ones, a broken file in the first place of all, and a copy that is no part of it.
fn mixed_run(root: &Path) -> [PathBuf; 2] {
    let folders = ["r005", "r005-2"].map(|name| root.join(name));
    let mut spec = RunSpec::new(24, 701);
    spec.channels = vec![1, 2];
    spec.segments = 3;
    spec.user_text = 17;
    spec.bad = ["truncated:3", "garbage:2", "missing:2", "uneven-segments"]
        .iter()
        .map(|bad| bad.parse().unwrap())
        .collect();
    write_run(&spec, &folders[0]);
    fs::write(folders[0].join("C2--Trace--00000.trc"), b"no waveform at all").unwrap();
    fs::write(folders[0].join("C1--Trace--00001 (1).trc"), b"a copy").unwrap();
    spec.seed = 2;
    spec.files = 17;
    spec.bits = Bits::Eight;
    spec.order = ByteOrder::Big;
    spec.user_text = 0;
    write_run(&spec, &folders[1]);
    folders
}

const BASE: [&str; 4] = ["--baseline", "151", "--settle", "0s"];

#[test]
fn the_bytes_do_not_depend_on_how_the_work_is_done() {
    let root = scratch();
    let folders = mixed_run(root.path());
    let reference = root.path().join("reference");
    Convert::new(&folders, &reference)
        .args(BASE)
        .args(["--threads", "1"])
        .run()
        .must_end_with(3);
    Oracle::new(&reference, &folders)
        .args(["--baseline", "151"])
        .must_agree();
    let expected = outputs(&reference);
    assert_eq!(expected.len(), 8);

    let ways = [
        "--threads 2",
        "--threads 7",
        "--io auto",
        "--io mmap",
        "--io read --range-size 1",
        "--io mmap --range-size 1 --threads 7",
        "--memory-limit 2MiB --threads 7",
        "--memory-limit 16MiB",
        "--memory-limit 2000001B --io mmap",
        "--range-size 20kB",
        "--range-size 64MiB",
        "--range-size 1 --sync-every 1 --threads 2",
        "--range-size 20kB --sync-every 30kB",
        "--probe all",
        "--probe all --threads 7 --range-size 8412",
        "--trust-size --memory-threshold 0.01",
    ];
    for way in ways {
        let out = root.path().join("out");
        Convert::new(&folders, &out)
            .args(BASE)
            .args(way.split(' '))
            .run()
            .must_end_with(3);
        assert_eq!(difference(&outputs(&out), &expected), None, "{way}");
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn the_bytes_do_not_depend_on_how_the_inputs_are_named() {
    let root = scratch();
    let folders = mixed_run(root.path());
    let reference = root.path().join("reference");
    Convert::new(&folders, &reference).args(BASE).run().must_end_with(3);
    let expected = outputs(&reference);
    let mut files: Vec<String> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path().display().to_string())
        .filter(|path| !path.ends_with("(1).trc"))
        .collect();
    files.sort_by_key(|path| path.bytes().rev().collect::<Vec<u8>>());
    let whole = |path: &PathBuf| path.display().to_string();
    let ways: [(&str, Vec<String>); 8] = [
        ("the second folder first", folders.iter().rev().map(whole).collect()),
        ("relative paths", vec!["r005".into(), "./r005-2/".into()]),
        ("a way round", vec!["r005-2/../r005".into(), "r005-2".into()]),
        ("a pattern of folders", vec!["r005*".into()]),
        (
            "patterns of files",
            vec!["r005-2/*.trc".into(), "r00?/C[12]--*.trc".into()],
        ),
        (
            "a folder twice",
            vec!["r005".into(), "r005-2".into(), whole(&folders[0])],
        ),
        (
            "a folder and some of its files",
            [vec!["r005*".into()], files[..9].to_vec()].concat(),
        ),
        ("every file by its name", files),
    ];
    for (way, inputs) in ways {
        let out = root.path().join("out");
        Convert::new(&inputs, &out)
            .from(root.path())
            .args(BASE)
            .run()
            .must_end_with(3);
        assert_eq!(difference(&outputs(&out), &expected), None, "{way}");
        fs::remove_dir_all(out).unwrap();
    }
}

/// Rows of many buffers' length: one of 16 bits and odd place, a sequence of 8 bits, and a file that is cut short.
#[test]
fn rows_longer_than_every_buffer_are_the_same_bytes() {
    let root = tempfile::tempdir().unwrap();
    let wide = root.path().join("wide");
    let mut spec = RunSpec::new(3, 3_000_001);
    spec.user_text = 3;
    spec.bad = vec!["truncated".parse().unwrap()];
    write_run(&spec, &wide);
    let narrow = root.path().join("narrow");
    spec = RunSpec::new(2, 700_003);
    spec.segments = 2;
    spec.bits = Bits::Eight;
    spec.order = ByteOrder::Big;
    write_run(&spec, &narrow);

    let runs: [(&Path, &[&str], i32); 3] = [
        (&wide, &["--baseline", "1000001"], 3),
        (&wide, &["--baseline", "700002", "--baseline-method", "median"], 3),
        (
            &narrow,
            &[
                "--baseline",
                "500001",
                "--baseline-method",
                "median",
                "--dtype",
                "native",
            ],
            0,
        ),
    ];
    for (i, (run, options, code)) in runs.into_iter().enumerate() {
        let reference = root.path().join(format!("reference{i}"));
        let convert = |out: &Path, way: &str| {
            Convert::new([run], out)
                .args(options)
                .args(["--settle", "0s"])
                .args(way.split_whitespace())
                .run()
                .must_end_with(code);
        };
        convert(&reference, "--threads 1 --io read");
        let told = options
            .iter()
            .map(|word| if *word == "--baseline-method" { "--method" } else { word });
        Oracle::new(&reference, [run]).args(told).must_agree();
        let expected = outputs(&reference);
        for way in [
            "--memory-limit 2MiB --io read",
            "--memory-limit 2MiB --io mmap",
            // Windows of a length that no one would choose.
            "--memory-limit 2000001B --threads 1 --io mmap",
            "--memory-limit 3333333B --threads 2 --io mmap",
            "--io mmap --range-size 1 --threads 7",
            "--io auto --range-size 20kB --sync-every 1MiB",
        ] {
            let out = root.path().join("out");
            convert(&out, way);
            assert_eq!(difference(&outputs(&out), &expected), None, "{options:?} {way}");
            fs::remove_dir_all(out).unwrap();
        }
    }
}
