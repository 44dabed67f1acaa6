//! Finished arrays, with numpy as the judge of what is shown.

use std::fs;
use std::path::Path;

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Convert, run_python, scratch, write_run};

use super::{inspect, json, must_fit};

/// By README's own lines: the first rows in volts, statistics of the index, statuses.
const BY_NUMPY: &str = r#"
import json, sys
import numpy as np
array, index = np.load(sys.argv[1]), np.load(sys.argv[2])
good = index["status"] == 0
rows = slice(0, 5)
volts = array[rows].astype(np.float64)
if array.dtype != np.float32:
    gain, offset, baseline = (index[name][rows, np.newaxis].astype(np.float64) for name in ("gain", "offset", "baseline"))
    volts = gain * volts - offset - np.where(np.isnan(baseline), 0, baseline)
volts[~good[rows]] = np.nan
columns = {}
for name in ("min", "max", "baseline", "baseline_std", "gain", "offset", "horiz_offset", "horiz_interval"):
    values = index[name][good].astype(np.float64)
    values = values[np.isfinite(values)]
    if len(values):
        columns[name] = [values.min(), values.mean(), values.max()]
times = index["time"][~np.isnat(index["time"])].astype(np.int64)
plain = lambda rows: [[None if np.isnan(v) else float(v) for v in row] for row in rows]
print(json.dumps({
    "volts": plain(volts[:, :6]), "columns": columns, "times": [int(times.min()), int(times.max())],
    "status": {str(s): int(n) for s, n in zip(*np.unique(index["status"], return_counts=True))},
}))
"#;

fn near(shown: &Value, known: &Value, what: &str) {
    match (shown.as_f64(), known.as_f64()) {
        (Some(shown), Some(known)) => {
            let apart = (shown - known).abs();
            assert!(
                apart <= 1e-6 * known.abs() + 1e-12,
                "{what}: {shown} instead of {known}"
            );
        }
        (None, None) => {}
        _ => panic!("{what}: {shown} instead of {known}"),
    }
}

fn check(folder: &Path, out: &str, channel: &str) {
    let array = format!("{out}/{channel}--Trace.npy");
    let report = &json(folder, [&array])["outputs"][0];
    let files = [&array, &array.replace(".npy", ".index.npy")].map(|name| folder.join(name));
    let known: Value = serde_json::from_str(&run_python(BY_NUMPY, &files)).unwrap();
    let rows = report["first_rows"].as_array().unwrap();
    assert_eq!(rows.len(), known["volts"].as_array().unwrap().len(), "{out}");
    for (row, volts) in rows.iter().zip(known["volts"].as_array().unwrap()) {
        let (shown, volts) = (row["samples"].as_array().unwrap(), volts.as_array().unwrap());
        assert_eq!(shown.len(), volts.len());
        for (shown, known) in shown.iter().zip(volts) {
            near(shown, known, &format!("{out}, row {}", row["row"]));
        }
    }
    let columns = report["columns"].as_array().unwrap();
    assert_eq!(columns.len(), known["columns"].as_object().unwrap().len(), "{out}");
    for column in columns {
        let name = column["column"].as_str().unwrap();
        for (key, known) in ["min", "mean", "max"]
            .iter()
            .zip(known["columns"][name].as_array().unwrap())
        {
            near(&column[key], known, &format!("{out}: {name}"));
        }
    }
    assert_eq!(report["recorded"]["first_ns"], known["times"][0], "{out}");
    assert_eq!(report["recorded"]["last_ns"], known["times"][1], "{out}");
    let numbers = [
        "good",
        "missing",
        "not-waveform",
        "truncated",
        "malformed",
        "other-length",
    ];
    let shown: Vec<(String, &Value)> = report["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rows| {
            let number = numbers.iter().position(|name| rows["status"] == **name).unwrap();
            (number.to_string(), &rows["rows"])
        })
        .collect();
    let known = known["status"].as_object().unwrap();
    let known: Vec<(String, &Value)> = known.iter().map(|(status, rows)| (status.clone(), rows)).collect();
    assert_eq!(shown, known, "{out}");
}

#[test]
fn arrays_of_every_type_show_what_numpy_finds_in_them() {
    let root = scratch();
    let spec = RunSpec {
        adc_bits: 8,
        bad: ["truncated:4", "garbage:2", "missing:2"]
            .map(|bad| bad.parse().unwrap())
            .to_vec(),
        ..RunSpec::new(30, 200)
    };
    // A gap is an event that is missing only where another channel has it.
    let spec = RunSpec {
        channels: vec![1, 2],
        ..spec
    };
    write_run(&spec, &root.path().join("r"));
    for (out, options) in [
        ("volts", &[][..]),
        ("level", &["--baseline", "50"]),
        ("words", &["--dtype", "int16", "--baseline", "50"]),
        ("octets", &["--dtype", "int8"]),
    ] {
        Convert::new([root.path().join("r")], root.path().join(out))
            .args(["--settle", "0"])
            .args(options)
            .run()
            .must_end_with(3);
        // The second channel has the broken files.
        for channel in ["C1", "C2"] {
            check(root.path(), out, channel);
        }
        let ended = inspect(root.path(), [out]);
        ended
            .must_succeed()
            .must_say(&[", 200)", "First samples", "horiz_interval"]);
        must_fit(&ended);
    }
    let report = json(root.path(), ["words", "--rows", "2"]);
    assert_eq!(report["outputs"][0]["description"]["dtype"], "<i2");
    assert_eq!(report["outputs"][0]["first_rows"].as_array().unwrap().len(), 2);
    assert_eq!(report["outputs"].as_array().unwrap().len(), 2);
    let one = json(root.path(), ["words/C2--Trace.index.npy"]);
    assert_eq!(one["outputs"][0]["description"]["channel"], "C2");
    let gain = inspect(root.path(), ["volts", "--field", "vertical_gain"]);
    let gains: Vec<f32> = gain
        .must_succeed()
        .stdout
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    assert_eq!(gains, [spec.file(1, 0).gain, spec.file(2, 0).gain]);
}

#[test]
fn a_damaged_array_is_refused_with_its_reason() {
    let root = scratch();
    write_run(&RunSpec::new(3, 50), &root.path().join("r"));
    Convert::new([root.path().join("r")], root.path().join("out"))
        .run()
        .must_succeed();
    let array = root.path().join("out/C1--Trace.npy");
    let whole = fs::read(&array).unwrap();
    fs::write(&array, &whole[..whole.len() - 4]).unwrap();
    inspect(root.path(), ["out"]).must_end_with(1).must_say(&[
        "C1--Trace.npy",
        "4696 bytes expected, 4692 found",
        "trc2npy verify",
    ]);
    fs::remove_file(root.path().join("out/C1--Trace.json")).unwrap();
    inspect(root.path(), ["out"])
        .must_end_with(1)
        .must_say(&["C1--Trace.json: missing"]);
}
