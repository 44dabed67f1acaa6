//! Files that real instruments wrote, against values that were computed from them by other means.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use trc2npy_tests::{Convert, Npy, Oracle, Record, run_python, samples, scratch};

/// What is known of a sample, and where its copy lies.
struct Sample {
    expected: Value,
    folder: PathBuf,
}

/// Each sample that can be read in a run folder of its own, below `root`.
fn placed(samples: &Path, root: &Path) -> Vec<Sample> {
    let text = fs::read_to_string(samples.join("expected.jsonl")).unwrap();
    let known = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    known
        .filter(|expected| expected.get("error").is_none())
        .enumerate()
        .map(|(i, expected)| {
            let file = expected["file"].as_str().unwrap();
            let folder = root.join(format!("s{i:02}"));
            fs::create_dir(&folder).unwrap();
            let name = if Path::new(file).extension().is_some_and(|extension| extension == "trc") {
                "C1--Trace--00000.trc"
            } else {
                file
            };
            fs::copy(samples.join(file), folder.join(name)).unwrap();
            Sample { expected, folder }
        })
        .collect()
}

fn sha256(bytes: &[u8], root: &Path) -> String {
    let path = root.join("bytes");
    fs::write(&path, bytes).unwrap();
    let script = "import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest())";
    run_python(script, [&path]).trim().to_owned()
}

#[test]
fn real_files_give_the_values_that_are_known_of_them() {
    let Some(samples) = samples() else {
        eprintln!("left out: there is no folder of real files (TRC2NPY_REAL_FILES names one)");
        return;
    };
    let root = scratch();
    let placed = placed(&samples, root.path());
    assert!(placed.len() >= 5);
    let folders: Vec<&PathBuf> = placed.iter().map(|sample| &sample.folder).collect();
    let out = root.path().join("npy");
    Convert::new(&folders, out.join("{run}")).run().must_succeed();
    Oracle::new(&out.join("{run}"), &folders).must_agree();
    for Sample { expected, folder } in &placed {
        let name = expected["file"].as_str().unwrap();
        let out = out.join(folder.file_name().unwrap());
        let array = Npy::read(&out.join("C1--Trace.npy"));
        assert_eq!(
            array.header,
            format!(
                "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}",
                expected["rows"], expected["samples"]
            ),
            "{name}"
        );
        assert_eq!(
            sha256(&array.data, root.path()),
            expected["sha256_float32_le"],
            "{name}"
        );
        let values = array.f32();
        for (found, wanted) in values.iter().zip(expected["first_values"].as_array().unwrap()) {
            assert_eq!(Some(*found), single(wanted), "{name}");
        }
        assert_eq!(values.last().copied(), single(&expected["last_value"]), "{name}");
        check_header(name, expected, &out);
        check_index(name, expected, &out);
    }
}

/// A number that was a float before it became text.
#[expect(clippy::cast_possible_truncation, reason = "the text holds all digits of a float")]
fn single(value: &Value) -> Option<f32> {
    value.as_f64().map(|value| value as f32)
}

/// Doubles agree to the last digit but one: the reader of the expected text may miss the nearest.
fn near(name: &str, found: f64, wanted: &Value) {
    let wanted = wanted.as_f64().unwrap();
    assert!(
        found.to_bits().abs_diff(wanted.to_bits()) <= 1,
        "{name}: {found} instead of {wanted}"
    );
}

fn check_header(name: &str, expected: &Value, out: &Path) {
    let json: Value = serde_json::from_str(&fs::read_to_string(out.join("C1--Trace.json")).unwrap()).unwrap();
    let fields = &json["fields"];
    for (field, known) in [("TEMPLATE_NAME", "template"), ("INSTRUMENT_NAME", "instrument")] {
        assert_eq!(fields[field], expected[known], "{name}: {field}");
    }
    let comm_type = if expected["comm_type"] == 0 { "byte" } else { "word" };
    assert_eq!(fields["COMM_TYPE"], comm_type, "{name}");
    let order = if expected["big_endian"] == true {
        "HIFIRST"
    } else {
        "LOFIRST"
    };
    assert_eq!(fields["COMM_ORDER"], order, "{name}");
    assert_eq!(
        single(&json["sample_interval"]),
        single(&expected["horiz_interval"]),
        "{name}"
    );
    assert_eq!(json["instrument"], expected["instrument"], "{name}");
}

fn check_index(name: &str, expected: &Value, out: &Path) {
    let records = Record::read_all(&out.join("C1--Trace.index.npy"));
    assert_eq!(Value::from(records.len()), expected["rows"], "{name}");
    for record in &records {
        assert_eq!(record.status, 0, "{name}: {record:?}");
        assert_eq!(Some(record.gain), single(&expected["vertical_gain"]), "{name}");
        assert_eq!(Some(record.offset), single(&expected["vertical_offset"]), "{name}");
        assert_eq!(
            Some(record.horiz_interval),
            single(&expected["horiz_interval"]),
            "{name}"
        );
        assert_eq!(Value::from(record.samples), expected["samples"], "{name}");
    }
    near(name, records[0].horiz_offset, &expected["horiz_offset"]);
    let first = expected["trigtime_first"].as_array().unwrap();
    let last = expected["trigtime_last"].as_array().unwrap();
    let forward = records.iter().zip(first);
    for (record, wanted) in forward.chain(records.iter().rev().zip(last.iter().rev())) {
        near(name, record.trigger_offset, &wanted[0]);
        near(name, record.horiz_offset, &wanted[1]);
    }
    // The instrument's clock, by Python's calendar.
    let script = "
import datetime, fractions, json, sys
*date, seconds = json.loads(sys.argv[1])
whole = datetime.datetime(*date) - datetime.datetime(1970, 1, 1)
print(whole.days * 86400 * 10**9 + whole.seconds * 10**9 + round(fractions.Fraction(seconds) * 10**9))";
    let wanted = run_python(script, [expected["trigger_time"].to_string()]);
    assert_eq!(records[0].time.to_string(), wanted.trim(), "{name}");
}

#[test]
fn a_real_file_that_was_cut_is_refused_and_marked_beside_a_good_one() {
    let Some(samples) = samples() else {
        eprintln!("left out: there is no folder of real files (TRC2NPY_REAL_FILES names one)");
        return;
    };
    let root = scratch();
    let run = root.path().join("r1");
    fs::create_dir(&run).unwrap();
    let cut = run.join("C1--Trace--00001.trc");
    fs::copy(samples.join("header.trc"), &cut).unwrap();
    // Its header can be read, its samples cannot: alone it gives rows of which none is good.
    let alone = root.path().join("alone");
    Convert::new([&run], &alone)
        .args(["--settle", "0s"])
        .run()
        .must_end_with(3)
        .must_say(&[
            "C1--Trace--00001.trc",
            "804,357 bytes expected, 357 found",
            "200 of 200",
        ]);
    Convert::new([&run], root.path().join("stopped"))
        .args(["--settle", "0s", "--on-bad-file", "fail"])
        .run()
        .must_end_with(1)
        .must_say(&["C1--Trace--00001.trc", "804,357 bytes expected, 357 found"]);

    fs::copy(samples.join("pulse.trc"), run.join("C1--Trace--00000.trc")).unwrap();
    let out = root.path().join("out");
    Convert::new([&run], &out)
        .args(["--settle", "0s"])
        .run()
        .must_end_with(3)
        .must_say(&["1 cut short"]);
    let records = Record::read_all(&out.join("C1--Trace.index.npy"));
    assert_eq!(records.iter().map(|record| record.status).collect::<Vec<_>>(), [0, 3]);
    let values = Npy::read(&out.join("C1--Trace.npy")).f32();
    assert!(values[502..].iter().all(|value| value.is_nan()) && values.len() == 1004);
    let report = fs::read_to_string(out.join("report.json")).unwrap();
    assert!(
        report.contains("804357 bytes expected, 357 found") || report.contains("804,357 bytes expected, 357 found"),
        "{report}"
    );
}
