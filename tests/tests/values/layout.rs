//! The four files of a channel and the report, byte for byte as the design says.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use trc2npy_synth::{RunSpec, TraceFile};
use trc2npy_tests::{Convert, Npy, Oracle, must_equal, outputs, run_python, scratch, write_run};

fn small_run(root: &Path) -> PathBuf {
    let run = root.join("the-lab").join("r005");
    let mut spec = RunSpec::new(20, 300);
    spec.segments = 2;
    spec.channels = vec![1, 2];
    spec.bad = vec!["truncated:2".parse().unwrap(), "missing".parse().unwrap()];
    write_run(&spec, &run);
    let cut = run.join("C1--Trace--00005.trc");
    let bytes = fs::read(&cut).unwrap();
    fs::write(cut, &bytes[..500]).unwrap();
    run
}

#[test]
fn a_channel_is_four_files_that_numpy_and_json_read() {
    let root = scratch();
    let run = small_run(root.path());
    let out = root.path().join("out");
    Convert::new([&run], &out)
        .args(["--settle", "0s", "--baseline", "9"])
        .run()
        .must_end_with(3);
    let names: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for channel in ["C1", "C2"] {
        for end in [".npy", ".index.npy", ".json", ".files.txt"] {
            assert!(names.contains(&format!("{channel}--Trace{end}")), "{names:?}");
        }
    }
    for report in ["report.json", "report.html"] {
        assert!(names.contains(&report.to_owned()), "{names:?}");
    }
    // Eight, two reports, and the state for the next run.
    assert_eq!(names.len(), 11, "{names:?}");

    let index = Npy::read(&out.join("C1--Trace.index.npy"));
    assert_eq!(
        index.header,
        "{'descr': [('time', '<M8[ns]'), ('trigger_offset', '<f8'), ('horiz_offset', '<f8'), ('baseline', '<f8'), \
         ('horiz_interval', '<f4'), ('gain', '<f4'), ('offset', '<f4'), ('baseline_std', '<f4'), ('min', '<f4'), \
         ('max', '<f4'), ('file', '<u4'), ('segment', '<u4'), ('samples', '<u4'), ('status', '|u1'), ('', '|V3')], \
         'fortran_order': False, 'shape': (40,), }"
    );
    assert_eq!(index.data.len(), 40 * 72);
    let script = r#"
import sys
import numpy as np
traces = np.load(sys.argv[1], mmap_mode="r")
index = np.load(sys.argv[2], mmap_mode="r")
assert isinstance(traces, np.memmap) and traces.offset == 4096 and index.offset == 4096
assert traces.dtype == "<f4" and traces.shape == (40, 300) and traces.flags.c_contiguous
good = index["status"] == 0
assert 0 < good.sum() < 40
assert np.isfinite(traces[good]).all() and np.isnan(traces[~good]).all()
assert np.isnat(index["time"][~good]).all() and not np.isnat(index["time"][good]).any()
for name in ("trigger_offset", "horiz_offset", "baseline", "horiz_interval", "gain", "offset", "baseline_std", "min", "max"):
    assert np.isfinite(index[name][good]).all() and np.isnan(index[name][~good]).all(), name
assert (index["samples"] == np.where(good, 300, 0)).all()
assert (np.diff(index["time"][good].astype("i8")) > 0).all()
"#;
    run_python(script, [out.join("C1--Trace.npy"), out.join("C1--Trace.index.npy")]);
}

#[test]
fn the_same_files_hold_nothing_of_the_machine_or_the_way() {
    let root = scratch();
    let run = small_run(root.path());
    let out = root.path().join("out");
    Convert::new([&run], &out)
        .args(["--settle", "0s", "--threads", "7"])
        .run()
        .must_end_with(3);
    let host = run_python("import socket; print(socket.gethostname())", [""; 0]);
    let user = std::env::var("USER").unwrap_or_default();
    let place = root.path().display().to_string();
    let now = run_python(
        "import datetime; print(datetime.datetime.now().isoformat()[:10])",
        [""; 0],
    );
    for (name, bytes) in outputs(&out) {
        let holds = |text: &str| {
            let text = text.trim().as_bytes();
            text.len() > 4 && bytes.windows(text.len()).any(|window| window == text)
        };
        for forbidden in [
            host.as_str(),
            &user,
            &place,
            &now,
            "the-lab",
            "threads",
            "seconds",
            "memory",
        ] {
            assert!(!holds(forbidden), "{name} holds {forbidden:?}");
        }
    }
    let elsewhere = scratch();
    let copy = elsewhere.path().join("other").join("r005");
    fs::create_dir_all(&copy).unwrap();
    for entry in fs::read_dir(&run).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    let second = elsewhere.path().join("out");
    Convert::new([&copy], &second)
        .args(["--settle", "0s", "--threads", "2"])
        .run()
        .must_end_with(3);
    // A copy of the run gives the same bytes.
    must_equal(&second, &outputs(&out));
}

#[test]
fn the_json_tells_the_options_the_checksums_and_what_varies() {
    let root = scratch();
    let run = root.path().join("r1");
    fs::create_dir(&run).unwrap();
    for i in 0_i16..6 {
        let mut file = TraceFile::single((0..50).map(|k| k * 3 + i).collect());
        file.trigger_time.minutes = 10;
        file.horiz_offset -= f64::from(i) * 1e-11;
        if i == 4 {
            file.gain = 2e-5;
            file.coupling = 2;
        }
        // What differs in a bad file alone does not vary over the run's rows.
        let bytes = if i == 5 {
            file.probe = 10.0;
            file.to_bytes()[..400].to_vec()
        } else {
            file.to_bytes()
        };
        fs::write(run.join(format!("C4--Trace--{i:05}.trc")), bytes).unwrap();
    }
    let out = root.path().join("out");
    let options = "--settle 0s --baseline 7 --baseline-method median --dtype int16";
    Convert::new([&run], &out)
        .args(options.split(' '))
        .run()
        .must_end_with(3);
    Oracle::new(&out, [&run])
        .args("--baseline 7 --method median --dtype int16".split(' '))
        .must_agree();
    let text = fs::read_to_string(out.join("C4--Trace.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["channel"], "C4");
    assert_eq!(json["run"], "r1");
    assert_eq!(json["dtype"], "<i2");
    assert_eq!(json["unit"], "code");
    assert_eq!(json["shape"], serde_json::json!([6, 50]));
    assert_eq!(json["options"]["baseline"]["points"], 7);
    assert_eq!(json["options"]["baseline"]["method"], "median");
    assert_eq!(json["options"]["dtype"], "int16");
    assert_eq!(json["options"]["on_bad_file"], "nan");
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["reference_file"], "r1/C4--Trace--00000.trc");
    let mut varying: Vec<&str> = json["varying_fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field.as_str().unwrap())
        .collect();
    varying.sort_unstable();
    assert_eq!(
        varying,
        ["HORIZ_OFFSET", "PIXEL_OFFSET", "VERTICAL_GAIN", "VERT_COUPLING"]
    );
    for (part, file) in [("data", "C4--Trace.npy"), ("index", "C4--Trace.index.npy")] {
        let bytes = Npy::read(&out.join(file)).data.len();
        assert_eq!(json[part]["bytes"], bytes);
        assert_eq!(json[part]["offset"], 4096);
    }
    let report: Value = serde_json::from_str(&fs::read_to_string(out.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["bad_files"][0]["file"], "r1/C4--Trace--00005.trc");
    assert_eq!(report["bad_files"][0]["status"], "truncated");
    assert_eq!(report["bad_files"].as_array().unwrap().len(), 1);
    assert_eq!(report["channels"][0]["bad_rows"][0]["rows"], 1);
    assert!(report["settings"]["threads"].as_u64().unwrap() > 0, "{report:#}");
}

/// A file name may hold what would break a list of lines.
#[cfg(unix)] // Windows has no such names.
#[test]
fn the_file_list_is_one_line_a_file_whatever_the_names() {
    let root = scratch();
    let run = root.path().join("r1");
    fs::create_dir(&run).unwrap();
    let stem = "a\nb\tc\\d é";
    for i in 0..3 {
        let file = TraceFile::single(vec![1, 2, 3, i]);
        let name = format!("C1--{stem}--{i:05}.trc");
        file.write_to(&run.join(name), false).unwrap();
    }
    let out = root.path().join("out");
    Convert::new([&run], &out).run().must_succeed();
    let list = fs::read_to_string(out.join("C1--Trace.files.txt")).unwrap();
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 3, "{list:?}");
    for (i, line) in lines.iter().enumerate() {
        assert!(line.starts_with("r1/C1--a\\"), "{line:?}");
        assert!(line.ends_with(&format!(" é--{i:05}.trc")), "{line:?}");
        assert!(!line.chars().any(char::is_control), "{line:?}");
    }
    let records = trc2npy_tests::Record::read_all(&out.join("C1--Trace.index.npy"));
    assert_eq!(records.iter().map(|record| record.file).collect::<Vec<_>>(), [0, 1, 2]);
}
