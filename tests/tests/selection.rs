//! `--rows`, `--every`, `--samples`, `--time`, `--array`: what is taken is that part of what everything would have given.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]
#![allow(clippy::print_stderr, reason = "seeds are told")]

use std::fs;
use std::path::Path;

use fastrand::Rng;
use trc2npy_synth::{RunSpec, TraceFile};
use trc2npy_tests::{Call, Convert, must_equal, outputs, run_python, scratch, two_folders, write_run};

/// numpy slices the arrays of everything, and takes from the index what belongs to the slice.
const JUDGE: &str = r#"
import json, sys
from pathlib import Path
import numpy as np

whole, part, asked = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
for array in sorted(whole.glob("*--Trace.npy")):
    name = array.name
    full, found = np.load(array), np.load(part / name)
    full_index, index = (np.load(folder / name.replace(".npy", ".index.npy")) for folder in (whole, part))
    full_files, files = (
        np.array((folder / name.replace(".npy", ".files.txt")).read_text().splitlines() + ["none"])
        for folder in (whole, part))
    told = json.loads((part / name.replace(".npy", ".json")).read_text())
    rows = np.arange(len(full))[asked["start"]:asked["end"]][::asked["every"]]
    first, samples = told["first_sample"], told["shape"][1]
    if "first" in asked:
        assert [first, samples] == [asked["first"], asked["samples"]], (first, samples)
    else:
        dt = told["sample_interval"]
        begin = told["fields"]["HORIZ_OFFSET"] + first * dt
        for time, sample in zip(asked["time"], (begin, begin + samples * dt)):
            assert abs(sample - time) <= 0.5000001 * dt, (time, sample, dt)
    whole_told = json.loads((whole / name.replace(".npy", ".json")).read_text())
    for key in ("reference_file", "fields", "unit", "sample_interval", "instrument"):
        assert told[key] == whole_told[key], key
    assert told["record_samples"] == full.shape[1] and told["shape"] == [len(rows), samples], told
    assert found.dtype == full.dtype
    assert found.tobytes() == full[rows][:, first:first + samples].tobytes(), name
    wanted = full_index[rows]
    for column in ("time", "trigger_offset", "baseline", "baseline_std", "horiz_interval", "gain", "offset", "segment",
                   "status"):
        assert index[column].tobytes() == wanted[column].tobytes(), column
    def named(files, index):
        return files[np.where(index["file"] == 2**32 - 1, len(files) - 1, index["file"])]
    assert (named(files, index) == named(full_files, wanted)).all()
    assert len(set(named(files, index)) - {"none"}) == len(files) - 1, "a file without rows is listed"
    offset = wanted["horiz_offset"] + first * wanted["horiz_interval"].astype("f8")
    np.testing.assert_array_equal(index["horiz_offset"], offset)
    there = np.clip(wanted["samples"].astype("i8") - first, 0, samples)
    np.testing.assert_array_equal(index["samples"], there)
    if full.dtype == "f4" and not asked["baseline"]:
        for row, record, n in zip(found, index, there):
            least, most = (row[:n].min(), row[:n].max()) if n else (np.nan, np.nan)
            np.testing.assert_array_equal((record["min"], record["max"]), (least, most))
    print(name, found.shape)
"#;

/// What is asked for, as options and as the judge is told.
struct Asked {
    options: Vec<String>,
    told: serde_json::Value,
}

impl Asked {
    fn new(rows: (u64, Option<u64>), every: u64, samples: (u32, u32), baseline: u32) -> Self {
        let (start, end) = rows;
        let shown = end.map_or(String::new(), |end| end.to_string());
        let options = vec![
            format!("--rows={start}:{shown}"),
            format!("--every={every}"),
            format!("--samples={}:{}", samples.0, samples.1),
            format!("--baseline={baseline}"),
        ];
        let told = serde_json::json!({
            "start": start, "end": end, "every": every,
            "first": samples.0, "samples": samples.1 - samples.0, "baseline": baseline,
        });
        Self { options, told }
    }
}

fn judge(whole: &Path, part: &Path, told: &serde_json::Value) {
    run_python(JUDGE, [whole.as_os_str(), part.as_os_str(), told.to_string().as_ref()]);
}

#[test]
fn any_selection_is_the_slice_of_everything() {
    let seed = std::env::var("TRC2NPY_TEST_SEED").map_or_else(|_| fastrand::u64(..), |text| text.parse().unwrap());
    eprintln!("TRC2NPY_TEST_SEED={seed}");
    let mut random = Rng::with_seed(seed);
    let root = scratch();
    let folders = two_folders(root.path(), 20, &["truncated:3", "garbage:2", "missing:3"]);
    let convert = |out: &Path, options: &[String]| {
        let ended = Convert::new(&folders, out).args(["--settle", "0s"]).args(options).run();
        assert!(matches!(ended.status.code(), Some(0 | 3)), "{options:?}:\n{ended}");
    };
    for (dtype, baseline) in [("float32", 0), ("float32", 151), ("int16", 20)] {
        let common = [format!("--dtype={dtype}"), format!("--baseline={baseline}")];
        let whole = root.path().join(format!("whole{dtype}{baseline}"));
        convert(&whole, &common);
        for round in 0..8 {
            let start = random.u64(..90);
            let end = random.bool().then(|| start + random.u64(1..60));
            let first = random.u32(..700);
            // Every other time so few that the rest is not read.
            let most = if random.bool() { 701 } else { (first + 40).min(701) };
            let asked = Asked::new(
                (start, end),
                random.u64(1..8),
                (first, random.u32(first + 1..=most)),
                baseline,
            );
            eprintln!("{dtype} {:?}", asked.options);
            let options = [&common[..1], &asked.options].concat();
            let part = root.path().join("part");
            convert(&part, &options);
            judge(&whole, &part, &asked.told);
            if round % 4 == 0 {
                let expected = outputs(&part);
                for way in [
                    "--threads=1 --range-size=1",
                    "--io=mmap",
                    "--memory-limit=2MiB --threads=7",
                    "--probe=all",
                ] {
                    fs::remove_dir_all(&part).unwrap();
                    let way = way.split(' ').map(ToOwned::to_owned);
                    convert(&part, &options.iter().cloned().chain(way).collect::<Vec<_>>());
                    must_equal(&part, &expected);
                }
            }
            fs::remove_dir_all(&part).unwrap();
        }
    }
}

#[test]
fn times_take_the_samples_nearest_to_them() {
    let root = scratch();
    let run = root.path().join("r005");
    write_run(&RunSpec::new(5, 1000), &run);
    let convert = |name: &str, options: &[&str]| {
        let out = root.path().join(name);
        Convert::new([&run], &out).args(options).run().must_succeed();
        out
    };
    let whole = convert("whole", &[]);
    // Samples of 1 ns; the trigger lies 0.2 us behind the first.
    for (i, (text, from, to)) in [
        ("-50ns:0.25us", -50e-9, 250e-9),
        ("-0.05us:250000ps", -50e-9, 250e-9),
        ("0:3e-7", 0.0, 300e-9),
        ("10.4ns:11.6ns", 10.4e-9, 11.6e-9),
    ]
    .into_iter()
    .enumerate()
    {
        let part = convert(&format!("part{i}"), &[&format!("--time={text}")]);
        let told = serde_json::json!({"start": 0, "end": null, "every": 1, "time": [from, to], "baseline": 0});
        judge(&whole, &part, &told);
    }
    // Beyond the record is up to its end.
    let all = convert("all", &["--time", "-1s:1s"]);
    let told = serde_json::json!({"start": 0, "end": null, "every": 1, "first": 0, "samples": 1000, "baseline": 0});
    judge(&whole, &all, &told);
}

#[test]
fn short_rows_can_end_before_the_samples_that_are_taken() {
    let root = scratch();
    let run = root.path().join("r005");
    fs::create_dir(&run).unwrap();
    for (index, samples) in [(0, 500), (1, 300), (2, 500), (3, 300)] {
        let file = TraceFile::single((0..samples).map(|i| i * 7 % 1000).collect());
        file.write_to(&run.join(format!("C1--Trace--{index:05}.trc")), false)
            .unwrap();
    }
    let convert = |name: &str, options: &[String]| {
        let out = root.path().join(name);
        Convert::new([&run], &out)
            .args(["--ragged", "pad"])
            .args(options)
            .run()
            .must_succeed();
        out
    };
    for (baseline, dtype) in [(0, "float32"), (100, "float32"), (0, "int16")] {
        let name = format!("{dtype}{baseline}");
        let common = [format!("--dtype={dtype}"), format!("--baseline={baseline}")];
        let whole = convert(&name, &common);
        for (first, end) in [(200, 450), (300, 400), (350, 450), (0, 300), (299, 301)] {
            let asked = Asked::new((0, None), 1, (first, end), baseline);
            let part = convert(&format!("{name}{first}"), &[&common[..1], &asked.options].concat());
            judge(&whole, &part, &asked.told);
        }
    }
}

/// Rows none of which a channel has, only bad files or files of another length than the rest: still the part of everything.
#[test]
fn rows_that_say_nothing_of_their_channel_are_the_part_of_everything() {
    type Case<'a> = (&'a Path, &'a str, &'a [(u64, u64)]);
    let root = scratch();
    let ragged = root.path().join("ragged");
    write_run(&RunSpec::new(6, 300), &ragged);
    let short = RunSpec {
        start: 6,
        seed: 9,
        ..RunSpec::new(6, 250)
    };
    write_run(&short, &ragged);
    // Only the short ones have a partner.
    let halves = root.path().join("halves");
    write_run(&RunSpec::new(6, 300), &halves);
    write_run(&short, &halves);
    let partner = RunSpec {
        start: 6,
        channels: vec![2],
        ..RunSpec::new(6, 300)
    };
    write_run(&partner, &halves);
    let holes = root.path().join("holes");
    fs::create_dir(&holes).unwrap();
    for index in 0..20 {
        for channel in ["C1", "C2"] {
            // C1 lacks events 5 to 7, and events 9 and 10 are bad in it.
            if channel == "C1" && (5..8).contains(&index) {
                continue;
            }
            let path = holes.join(format!("{channel}--Trace--{index:05}.trc"));
            if channel == "C1" && (9..11).contains(&index) {
                fs::write(path, "no waveform").unwrap();
                continue;
            }
            let mut file = TraceFile::single((0..302).map(|i| i * 3 + index).collect());
            file.horiz_offset = -1e-7 - f64::from(index) * 1e-10;
            file.write_to(&path, false).unwrap();
        }
    }
    let cases: [Case<'_>; 5] = [
        (&ragged, "--ragged=pad", &[(6, 12), (11, 12), (3, 9)]),
        (&ragged, "--ragged=bad", &[(6, 12), (0, 1)]),
        (&ragged, "--ragged=truncate", &[(0, 3), (6, 12)]),
        (&halves, "--ragged=pad --events=complete", &[(0, 6), (2, 4)]),
        (&holes, "--events=union", &[(5, 6), (5, 8), (9, 10), (7, 11), (0, 1)]),
    ];
    for (at, (run, option, selections)) in cases.into_iter().enumerate() {
        let whole = root.path().join(format!("whole{at}"));
        let convert = |out: &Path, options: &[String]| {
            let ended = Convert::new([run], out)
                .args(["--settle", "0s"])
                .args(option.split(' '))
                .args(options)
                .run();
            assert!(
                matches!(ended.status.code(), Some(0 | 3)),
                "{option} {options:?}:\n{ended}"
            );
        };
        convert(&whole, &["--baseline=20".to_owned()]);
        for &(start, end) in selections {
            let asked = Asked::new((start, Some(end)), 1, (10, 240), 20);
            let part = root.path().join("part");
            convert(&part, &asked.options);
            judge(&whole, &part, &asked.told);
            let verified = Call::of("verify").args([part.as_os_str(), "--sources".as_ref()]).run();
            verified.must_succeed();
            // Given again it finds everything done.
            let before = outputs(&part);
            convert(&part, &asked.options);
            must_equal(&part, &before);
            fs::remove_dir_all(&part).unwrap();
        }
    }
    // The times are those of the channel's first good file, taken or not.
    let part = root.path().join("times");
    Convert::new([&holes], &part)
        .args(["--settle=0s", "--rows=12:14", "--time=-50.2ns:100ns"])
        .run()
        .must_succeed();
    let told: serde_json::Value = serde_json::from_slice(&fs::read(part.join("C1--Trace.json")).unwrap()).unwrap();
    // By row 12's own axis it would be sample 51.
    assert_eq!(told["first_sample"], 50);
}

/// A long row is read where it is taken, through small buffers and mapped windows alike.
#[test]
fn a_window_of_a_long_record_is_the_slice_of_it() {
    let root = scratch();
    let run = root.path().join("r005");
    write_run(&RunSpec::new(2, 3_000_001), &run);
    let whole = root.path().join("whole");
    Convert::new([&run], &whole)
        .args(["--baseline", "70000"])
        .run()
        .must_succeed();
    for (i, (first, end)) in [
        (0, 1),
        (3_000_000, 3_000_001),
        (1_234_567, 1_434_567),
        (60_000, 2_900_000),
    ]
    .into_iter()
    .enumerate()
    {
        let asked = Asked::new((0, None), 1, (first, end), 70_000);
        for io in ["read", "mmap"] {
            let part = root.path().join(format!("part{i}{io}"));
            Convert::new([&run], &part)
                .args(&asked.options)
                .args(["--io", io, "--memory-limit", "2MiB"])
                .run()
                .must_succeed();
            judge(&whole, &part, &asked.told);
        }
    }
}

/// The second array is the end of the file: numpy takes it from there.
const SECOND: &str = r#"
import sys
from pathlib import Path
import numpy as np

run, out = map(Path, sys.argv[1:])
found, index = np.load(out / "C1--Trace.npy"), np.load(out / "C1--Trace.index.npy")
paths = sorted(run.glob("*.trc"))
assert found.shape == (len(paths), 502), found.shape
for path, row, record in zip(paths, found, index):
    if record["status"]:
        assert np.isnan(row).all()
        continue
    codes = np.frombuffer(path.read_bytes()[-2 * 502:], "<i2")
    assert (np.float32(record["gain"]) * codes - np.float32(record["offset"])).tobytes() == row.tobytes(), path
print(index["status"].tolist())
"#;

#[test]
fn the_second_array_is_converted_where_it_is_asked_for() {
    let root = scratch();
    let run = root.path().join("r005");
    fs::create_dir(&run).unwrap();
    let write = |index: u32, second: bool| {
        let mut file = TraceFile::single((0..502).map(|i| i * 3).collect());
        if second {
            file.second_array = (0..502).map(|i| i * 5 - 1000).collect();
        }
        file.write_to(&run.join(format!("C1--Trace--{index:05}.trc")), false)
            .unwrap();
    };
    for index in 0..4 {
        write(index, true);
    }
    let convert = |name: &str, options: &[&str]| {
        let convert = Convert::new([&run], root.path().join(name)).args(["--settle", "0s"]);
        convert.args(options).run()
    };
    convert("first", &[])
        .must_succeed()
        .must_say(&["warning: channel C1: a second array", "--array 2"]);
    let ended = convert("second", &["--array", "2"]);
    assert!(!ended.must_succeed().stderr.contains("second array"), "{ended}");
    let second = |name: &str| run_python(SECOND, [&run, &root.path().join(name)]).trim().to_owned();
    assert_eq!(second("second"), "[0, 0, 0, 0]");
    // Not every file has one.
    write(4, false);
    convert("some", &["--array", "2"])
        .must_end_with(3)
        .must_say(&["no second array: WAVE_ARRAY_2 is 0"]);
    assert_eq!(second("some"), "[0, 0, 0, 0, 4]");
}

#[test]
fn what_takes_nothing_is_refused_with_what_is_there() {
    let root = scratch();
    let run = root.path().join("r005");
    write_run(&RunSpec::new(20, 300), &run);
    let refused: [(&[&str], &[&str]); 9] = [
        (
            &["--samples", "3:600"],
            &["channel C1: --samples '3:600'", "300 samples"],
        ),
        (&["--samples", "300:"], &["300 samples"]),
        (&["--samples", "5:5"], &["takes nothing"]),
        (&["--samples", "7"], &["not a span", "START:END"]),
        (&["--rows", "5:2"], &["takes nothing"]),
        (&["--every", "0"], &["from 1 on"]),
        (&["--time", "1s:2s"], &["channel C1: --time '1s:2s'", "reach from"]),
        (&["--time", "soon:later"], &["not a time", "-1us"]),
        (&["--samples", "0:5", "--time", "0:1"], &["cannot be used with"]),
    ];
    let out = root.path().join("out");
    for (options, said) in refused {
        let ended = Convert::new([&run], &out).args(options).run();
        ended.must_end_with(2).must_say(said);
    }
    let none = Convert::new([&run], &out).args(["--rows", "20:"]).run();
    none.must_end_with(2)
        .must_say(&["--rows '20:' takes no row of channel C1", "20 rows"]);
    let array = Convert::new([&run], &out).args(["--array", "2"]).run();
    array.must_end_with(1).must_say(&["no second array"]);
    assert!(!out.join("C1--Trace.npy").exists());
    let some = Convert::new([&run], &out).args(["--rows", "15:25"]).run();
    some.must_succeed()
        .must_say(&["warning: channel C1 has only 20 rows: --rows '15:25' takes 5 of them"]);
}
