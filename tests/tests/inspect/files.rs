//! Single `.trc` files: real ones against values that were computed by other means, broken ones, and made ones.

use std::fs;

use serde_json::Value;
use trc2npy_synth::{RunSpec, TraceFile};
use trc2npy_tests::{samples, scratch, write_run};

use super::{inspect, json, must_fit};

/// The value of a field in a report.
fn field<'r>(report: &'r Value, name: &str) -> &'r Value {
    let fields = report["fields"].as_array().unwrap();
    let found = fields.iter().find(|field| field["field"] == name);
    &found.unwrap_or_else(|| panic!("{name} is not in {report:#}"))["value"]
}

/// A number that was a float before it became text.
#[expect(clippy::cast_possible_truncation, reason = "the text holds all digits of a float")]
fn single(value: &Value) -> Option<f32> {
    value.as_f64().map(|value| value as f32)
}

#[test]
fn real_files_show_the_values_that_are_known_of_them() {
    let Some(samples) = samples() else {
        eprintln!("left out: there is no folder of real files (TRC2NPY_REAL_FILES names one)");
        return;
    };
    let known = fs::read_to_string(samples.join("expected.jsonl")).unwrap();
    let known = known.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let (known, broken): (Vec<Value>, Vec<Value>) = known.partition(|known| known.get("error").is_none());
    assert!(known.len() >= 5 && !broken.is_empty());
    for expected in &known {
        let name = expected["file"].as_str().unwrap();
        let report = json(&samples, [name])["traces"][0].clone();
        assert_eq!(report["error"], Value::Null, "{name}");
        assert_eq!(report["shape"]["segments"], expected["rows"], "{name}");
        assert_eq!(report["shape"]["samples"], expected["samples"], "{name}");
        for (shown, known) in [("TEMPLATE_NAME", "template"), ("INSTRUMENT_NAME", "instrument")] {
            assert_eq!(field(&report, shown), &expected[known], "{name}");
        }
        for (shown, known) in [
            ("VERTICAL_GAIN", "vertical_gain"),
            ("VERTICAL_OFFSET", "vertical_offset"),
            ("HORIZ_INTERVAL", "horiz_interval"),
            ("HORIZ_OFFSET", "horiz_offset"),
        ] {
            assert_eq!(
                single(field(&report, shown)),
                single(&expected[known]),
                "{name}: {shown}"
            );
            let alone = inspect(&samples, [name, "--field", &shown.to_lowercase()]);
            alone.must_succeed();
            assert_eq!(alone.stdout.lines().count(), 1);
            let alone: Value = alone.stdout.trim().parse::<f64>().unwrap().into();
            assert_eq!(single(&alone), single(&expected[known]), "{name}: {shown}");
        }
        // The first and last segments' times.
        let ends = report["segments"]["ends"].as_array();
        let first = expected["trigtime_first"].as_array().unwrap();
        let last = expected["trigtime_last"].as_array().unwrap();
        assert_eq!(ends.is_none(), first.is_empty(), "{name}");
        let near = |shown: &Value, known: &Value| {
            let (shown, known) = (shown.as_f64().unwrap(), known.as_f64().unwrap());
            assert!(
                shown.to_bits().abs_diff(known.to_bits()) <= 1,
                "{name}: {shown} instead of {known}"
            );
        };
        if let Some(ends) = ends {
            let forward = ends.iter().zip(first);
            for (segment, known) in forward.chain(ends.iter().rev().zip(last.iter().rev())) {
                near(&segment["since_first"], &known[0]);
                near(&segment["offset"], &known[1]);
            }
        }
        // The codes lie where the block of samples is said to.
        let blocks = report["blocks"].as_array().unwrap();
        let block = blocks.iter().find(|block| block["block"] == "WAVE_ARRAY_1").unwrap();
        let bytes = fs::read(samples.join(name)).unwrap();
        let start = usize::try_from(block["offset"].as_u64().unwrap()).unwrap();
        let big = expected["big_endian"] == true;
        for (i, code) in expected["first_codes"].as_array().unwrap().iter().enumerate() {
            let found = if expected["comm_type"] == 0 {
                i64::from(i8::from_le_bytes([bytes[start + i]]))
            } else {
                let word: [u8; 2] = bytes[start + 2 * i..][..2].try_into().unwrap();
                if big {
                    i16::from_be_bytes(word).into()
                } else {
                    i16::from_le_bytes(word).into()
                }
            };
            assert_eq!(code, &Value::from(found), "{name}");
        }
        must_fit(inspect(&samples, [name]).must_succeed());
    }
    for broken in &broken {
        let name = broken["file"].as_str().unwrap();
        let ended = inspect(&samples, [name]);
        ended.must_end_with(3).must_say(&["NOT GOOD: cut short", "in the file"]);
        let report = json(&samples, [name])["traces"][0].clone();
        let blocks = report["blocks"].as_array().unwrap();
        let present: u64 = blocks.iter().map(|block| block["present"].as_u64().unwrap()).sum();
        let size = fs::metadata(samples.join(name)).unwrap().len();
        assert_eq!(
            Some(present),
            size.checked_sub(blocks[0]["offset"].as_u64().unwrap()),
            "{name}"
        );
        must_fit(&ended);
    }
    let all: Vec<&str> = known.iter().map(|known| known["file"].as_str().unwrap()).collect();
    let ended = inspect(&samples, all.iter().chain(&["--field", "VERTICAL_GAIN"]));
    assert_eq!(ended.must_succeed().stdout.lines().count(), all.len());
}

#[test]
fn what_is_odd_about_a_file_is_said() {
    let root = scratch();
    let spec = RunSpec::new(1, 100);
    let write = |name: &str, file: &TraceFile, more: &[u8]| {
        fs::write(root.path().join(name), [&file.to_bytes()[..], more].concat()).unwrap();
    };
    let mut file = spec.file(1, 0);
    write("padded.trc", &file, b"\n\n");
    file.coupling = 77;
    write("coupling.trc", &file, b"");
    fs::write(root.path().join("text.trc"), "hello\n").unwrap();
    inspect(root.path(), ["padded.trc"])
        .must_succeed()
        .must_say(&["warning: 2 bytes behind the last block"]);
    inspect(root.path(), ["coupling.trc"])
        .must_succeed()
        .must_say(&["warning: VERT_COUPLING is 77, which no template names"]);
    inspect(root.path(), ["text.trc"])
        .must_end_with(3)
        .must_say(&["NOT GOOD: not a LeCroy waveform"]);
    let ended = inspect(root.path(), ["padded.trc", "text.trc", "--field", "comm_type"]);
    ended.must_end_with(3).must_say(&["text.trc: not a LeCroy waveform"]);
    assert_eq!(ended.stdout, "word\n-\n");
    inspect(root.path(), ["padded.trc", "--field", "vertical_gian"])
        .must_end_with(2)
        .must_say(&["VERTICAL_GAIN"]);
    inspect(root.path(), ["gone.trc"])
        .must_end_with(2)
        .must_say(&["gone.trc: no such file or folder", "padded.trc"]);
}

#[test]
fn every_file_of_a_folder_has_its_line() {
    let root = scratch();
    let spec = RunSpec {
        channels: vec![1, 2],
        horiz_interval: 2e-9,
        ..RunSpec::new(3, 50)
    };
    write_run(&spec, &root.path().join("r"));
    // Rows of two lengths are nothing to stop at here.
    write_run(
        &RunSpec {
            start: 7,
            ..RunSpec::new(2, 40)
        },
        &root.path().join("r"),
    );
    let ended = inspect(root.path(), ["r", "--field", "wave_array_count"]);
    assert_eq!(ended.must_succeed().stdout, "50\n50\n50\n40\n40\n50\n50\n50\n");
    let ended = inspect(root.path(), ["r", "--channels", "2", "--field", "HORIZ_INTERVAL"]);
    assert_eq!(ended.must_succeed().stdout, "2e-9\n2e-9\n2e-9\n");
}
