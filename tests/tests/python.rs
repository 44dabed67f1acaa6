//! `python/trc2npy.py`: what it gives is what numpy makes of the source files.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use trc2npy_synth::{Bits, RunSpec, TraceFile};
use trc2npy_tests::{Convert, run_python, scratch, two_folders, workspace, write_run};

/// Opens outputs with the reader, decodes the sources with the oracle's own code, and compares row by row.
const JUDGE: &str = r#"
import copy, json, pickle, sys, warnings
from argparse import Namespace
from pathlib import Path
warnings.simplefilter("error")
sys.path[:0] = sys.argv[1:3]
import numpy as np
import oracle, trc2npy

out, asked, folders = sys.argv[3], json.loads(sys.argv[4]), [Path(folder) for folder in sys.argv[5:]]
options = Namespace(**asked)
run = trc2npy.load(out)
files = oracle.read_run(folders, None)
rows, samples = oracle.plan(files, options)
assert list(run) == list(rows), (list(run), list(rows))
first, last = options.samples or (0, None)
checked = bad = 0
for name, wanted in rows.items():
    channel = run[name]
    wanted = wanted[::options.every]
    width = len(range(samples[name])[first:last])
    assert channel.data.shape == (len(wanted), width) == (len(channel), width), channel
    assert isinstance(channel.data, np.memmap) and not channel.data.flags.writeable
    assert channel.data.dtype == options.element and channel.has_codes == (options.element != "float32")
    assert (channel.first_sample, channel.record_samples, channel.unit) == (first, samples[name], "V")
    assert channel.options["baseline"]["points"] == options.baseline
    np.testing.assert_array_equal(channel.good, [row.status == 0 for row in wanted])
    volts, time, times = channel.volts(slice(None)), channel.time(slice(None)), channel.trigger_times
    assert volts.dtype == np.float32 and volts.shape == time.shape == channel.data.shape
    for k, row in enumerate(wanted):
        told = channel.row(k)
        np.testing.assert_array_equal(told.volts, volts[k])
        np.testing.assert_array_equal(told.time, time[k])
        assert (told.number, told.good, told.status) == (k, row.status == 0, trc2npy.STATUS[row.status]), told
        assert told.file == (row.file and row.file.label) and (row.file is None or told.segment == row.segment), told
        checked += 1
        if row.status:
            bad += 1
            assert np.isnan(volts[k]).all() and np.isnan(time[k]).all() and np.isnat(told.trigger_time), told
            continue
        trace = row.file.trace
        codes = trace.codes[row.segment][:samples[name]]
        gain, offset = trace.gain, trace.offset
        if options.baseline:
            m = oracle.level(codes[:options.baseline], options.method)
            expected = (np.float64(gain) * (codes.astype("f8") - m)).astype("f4")
            # Codes less a baseline that went through the index: the last digit, or what f64 lost of the offset.
            near = np.abs(np.spacing(expected)).astype("f8") + 1e-15 * (abs(float(offset)) + abs(float(gain) * m))
        else:
            expected, near = gain * codes - offset, np.zeros(len(codes))
        expected, near = expected[first:last], near[first:last]
        n = len(expected)
        assert np.isnan(volts[k, n:]).all(), "what is no data is not NaN"
        if not channel.has_codes:
            near[:] = 0
        assert (np.abs(volts[k, :n].astype("f8") - expected) <= near).all(), (name, k)
        dt = np.float64(trace.horiz_interval)
        axis = trace.horiz_offsets[row.segment] + (first + np.arange(width)) * dt
        np.testing.assert_allclose(time[k], axis, rtol=0, atol=1e-6 * dt)
        wanted_time = trace.times[row.segment]
        assert abs(int((told.trigger_time - wanted_time).astype("i8"))) <= 1 and times[k] == told.trigger_time
    every_other = np.arange(len(channel)) % 2 == 0
    for rows_of, meant in ((slice(1, 4), [1, 2, 3]), ([2, 0], [2, 0]), ((0, 1), [0, 1]), ((2,), [2]), (range(3), [0, 1, 2]),
                           (np.array([1, 1]), [1, 1]), ([], np.zeros(0, int)), ((), np.zeros(0, int)), (np.array(2), 2),
                           (np.int64(1), 1), (every_other, np.flatnonzero(every_other)),
                           (list(every_other), np.flatnonzero(every_other))):
        np.testing.assert_array_equal(channel.volts(rows_of), volts[meant])
        np.testing.assert_array_equal(channel.time(rows_of), time[meant])
        mine = channel.volts(rows_of)
        mine -= 1
        np.testing.assert_array_equal(channel.volts(rows_of), volts[meant], "what was given is not a copy")
    for odd in ([[0, 1]], True, None, ..., 1.5, "C1", np.ones(channel.data.shape, bool)):
        for method in (channel.volts, channel.time):
            try: method(odd)
            except IndexError as error: assert "a number, a slice" in str(error), (odd, error)
            else: raise AssertionError(f"{odd!r} is taken for rows")
    assert channel.files == list(dict.fromkeys(row.file.label for row in wanted if row.file))
events = run.events
for k in (0, events - 1, -1):
    event = run.event(k)
    assert list(event) == list(run)
    for name, row in event.items():
        assert row.number == k % events
        np.testing.assert_array_equal(row.volts, run[name].volts(k))
for k in (events, -events - 1):
    try: run.event(k)
    except IndexError as error: assert str(events) in str(error)
    else: raise AssertionError(k)
assert checked and "rows of" in repr(run)
# Sent to another process they are mapped there: no sample travels.
for sent in (run, run["C1"]):
    assert run["C1"].good is not None
    packed = pickle.dumps(sent)
    assert all(channel.data[:1].tobytes() not in packed for channel in run.values()), len(packed)
    for back in (pickle.loads(packed), copy.deepcopy(sent)):
        channel = back["C1"] if isinstance(back, trc2npy.Run) else back
        assert isinstance(channel.data, np.memmap) and not channel.data.flags.writeable
        np.testing.assert_array_equal(channel.data, run["C1"].data)
        assert channel.index.tobytes() == run["C1"].index.tobytes()
print(checked, bad)
"#;

struct Case {
    dtype: &'static str,
    element: &'static str,
    baseline: u32,
    method: &'static str,
    ragged: &'static str,
    every: u32,
    samples: Option<(u32, u32)>,
}

const PLAIN: Case = Case {
    dtype: "float32",
    element: "float32",
    baseline: 0,
    method: "mean",
    ragged: "error",
    every: 1,
    samples: None,
};

/// Converts, and gives rows checked and how many of them are bad.
fn judged(folders: &[PathBuf], out: &Path, case: &Case) -> (u32, u32) {
    let mut options = vec![
        format!("--dtype={}", case.dtype),
        format!("--baseline={}", case.baseline),
        format!("--baseline-method={}", case.method),
        format!("--ragged={}", case.ragged),
        format!("--every={}", case.every),
        "--settle=0".to_owned(),
    ];
    options.extend(case.samples.map(|(first, end)| format!("--samples={first}:{end}")));
    let ended = Convert::new(folders, out).args(&options).run();
    assert!(matches!(ended.status.code(), Some(0 | 3)), "{options:?}:\n{ended}");
    // The oracle knows no refusal: where lengths differ the run would not be here.
    let ragged = if case.ragged == "error" { "bad" } else { case.ragged };
    let asked = json!({
        "element": case.element, "baseline": case.baseline, "method": case.method, "ragged": ragged,
        "every": case.every, "samples": case.samples, "events": "union", "on_bad_file": "nan",
    });
    let mut args: Vec<OsString> = [
        workspace().join("python"),
        workspace().join("tests/oracle"),
        out.to_owned(),
    ]
    .map(Into::into)
    .into();
    args.push(asked.to_string().into());
    args.extend(folders.iter().map(Into::into));
    let said = run_python(JUDGE, &args);
    let mut numbers = said.split_whitespace().map(|number| number.parse().unwrap());
    fs::remove_dir_all(out).unwrap();
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn volts_times_and_verdicts_are_those_of_the_sources() {
    let root = scratch();
    let folders = two_folders(root.path(), 12, &["truncated:2", "garbage:1", "missing:3"]);
    let out = root.path().join("out");
    let of = |dtype, element| Case {
        dtype,
        element,
        ..PLAIN
    };
    for (dtype, element) in [("float32", "float32"), ("int16", "int16"), ("native", "int16")] {
        for (baseline, method) in [(0, "mean"), (151, "mean"), (150, "median")] {
            let case = Case {
                baseline,
                method,
                ..of(dtype, element)
            };
            let (rows, bad) = judged(&folders, &out, &case);
            assert!(rows == 2 * 24 * 3 && bad > 12, "{rows} rows, {bad} bad");
        }
        let chosen = Case {
            baseline: 20,
            every: 3,
            samples: Some((100, 500)),
            ..of(dtype, element)
        };
        let (rows, bad) = judged(&folders, &out, &chosen);
        assert!(rows == 2 * 24 && bad > 2, "{rows} rows, {bad} bad");
    }
}

#[test]
fn bytes_are_volts_by_the_gain_of_a_byte() {
    let root = scratch();
    let out = root.path().join("out");
    // Stored as bytes, and as words whose low byte is zero.
    for (name, bits, dtype) in [("r1", Bits::Eight, "native"), ("r2", Bits::Sixteen, "int8")] {
        let run = root.path().join(name);
        let mut spec = RunSpec::new(10, 300);
        spec.bits = bits;
        spec.adc_bits = 8;
        spec.bad = vec!["truncated:2".parse().unwrap()];
        write_run(&spec, &run);
        for baseline in [0, 50] {
            let case = Case {
                dtype,
                element: "int8",
                baseline,
                ..PLAIN
            };
            assert_eq!(judged(std::slice::from_ref(&run), &out, &case), (10, 2));
        }
    }
}

#[test]
fn padding_is_no_volts() {
    let root = scratch();
    let run = root.path().join("r005");
    fs::create_dir(&run).unwrap();
    for (index, samples) in [(0, 500), (1, 300), (2, 500), (3, 300)] {
        let file = TraceFile::single((0..samples).map(|i| i * 7 % 1000).collect());
        file.write_to(&run.join(format!("C1--Trace--{index:05}.trc")), false)
            .unwrap();
    }
    for (dtype, baseline) in [("float32", 100), ("int16", 0), ("int16", 100)] {
        let case = Case {
            dtype,
            element: dtype,
            baseline,
            ragged: "pad",
            ..PLAIN
        };
        let rows = judged(std::slice::from_ref(&run), &root.path().join("out"), &case);
        assert_eq!(rows, (4, 0));
    }
}

/// Takes one thing after the other away from sound outputs, and says what the reader says.
const SPOILT: &str = r#"
import json, shutil, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import numpy as np
import trc2npy

out, codes = Path(sys.argv[2]), Path(sys.argv[3])
spoilt = out.with_name("spoilt")

def refused(what, spoil, *expected, **asked):
    shutil.rmtree(spoilt, ignore_errors=True)
    shutil.copytree(out, spoilt)
    spoil()
    try:
        trc2npy.load(spoilt, **asked)
    except trc2npy.OutputError as error:
        for text in (*expected, "spoilt"):
            assert text in str(error), (what, text, str(error))
    else:
        raise AssertionError(f"{what} is not noticed")

def cut(name, size):
    with open(spoilt / name, "r+b") as file: file.truncate(size)

def change(key, value):
    path = spoilt / "C1--Trace.json"
    told = json.loads(path.read_text()); told[key] = value
    path.write_text(json.dumps(told))

again = "give the command"
refused("no index", lambda: (spoilt / "C1--Trace.index.npy").unlink(), "C1--Trace.index.npy: not there", again)
refused("no JSON", lambda: (spoilt / "C1--Trace.json").unlink(), "no C1--Trace.json beside it", "not finished", again)
refused("no JSON, channel named", lambda: (spoilt / "C1--Trace.json").unlink(), "not finished", channels=["C1"])
refused("no array", lambda: (spoilt / "C2--Trace.npy").unlink(), "C2--Trace.npy: not there", again)
refused("array cut short", lambda: cut("C1--Trace.npy", 8000), "C1--Trace.npy: cannot be mapped", "8,000 bytes", again)
refused("index cut short", lambda: cut("C1--Trace.index.npy", 4400), "C1--Trace.index.npy: cannot be mapped", again)
refused("array empty", lambda: cut("C1--Trace.npy", 0), "C1--Trace.npy: cannot be mapped", "(0 bytes)", again)
refused("index empty", lambda: cut("C1--Trace.index.npy", 0), "C1--Trace.index.npy: cannot be mapped", again)
refused("header cut short", lambda: cut("C1--Trace.npy", 60), "C1--Trace.npy: cannot be mapped", again)
refused("list cut short", lambda: cut("C1--Trace.files.txt", 50), "C1--Trace.files.txt: cut short", "50 bytes", again)
refused("list empty", lambda: cut("C1--Trace.files.txt", 0), "C1--Trace.files.txt: cut short", again)
refused("other JSON", lambda: (spoilt / "C1--Trace.json").write_text("[]"), "C1--Trace.json: not the JSON of a channel", again)
refused("JSON cut short", lambda: cut("C1--Trace.json", 300), "C1--Trace.json: cannot be read", again)
refused("other shape", lambda: change("shape", [7, 300]), "(6, 300)", "(7, 300)", "different conversions", again)
refused("other type", lambda: change("dtype", "<i2"), "float32", "int16", again)
refused("other form", lambda: change("format", "trc2npy channel 9"), "'trc2npy channel 2'", "take the newer one")
refused("no options", lambda: change("options", None), "'options' is None", again)
refused("other index", lambda: np.save(spoilt / "C1--Trace.index.npy", np.zeros(6)), "its type is float64", again)
refused("no such channel", lambda: None, "no C7", "C1 (C1--Trace.json), C2 (C2--Trace.json)", channels=["C1", "C7"])
refused("nothing", lambda: [path.unlink() for path in spoilt.glob("*.*") if path.is_file()], "no channel is complete")
refused("no channel asked for", lambda: None, "channels=[] names none", channels=[])
assert list(trc2npy.load(out, channels="C2")) == ["C2"]
def old_list():
    change("files", None); cut("C1--Trace.files.txt", 50)
def use(spoil, *expected):
    shutil.rmtree(spoilt, ignore_errors=True)
    shutil.copytree(out, spoilt)
    spoil()
    try: trc2npy.load(spoilt)["C1"].row(5)
    except trc2npy.OutputError as error:
        for text in expected: assert text in str(error), (text, str(error))
    else: raise AssertionError("not noticed")
use(lambda: (spoilt / "C1--Trace.files.txt").unlink(), "C1--Trace.files.txt: cannot be read")
use(old_list, "C1--Trace.files.txt: it has ", again)
def same_length():
    path = spoilt / "C1--Trace.files.txt"
    path.write_bytes(b"x" * (path.stat().st_size - 1) + b"\n")
use(same_length, "C1--Trace.files.txt: it has 1 line", again)
def two_runs():
    shutil.rmtree(spoilt)
    for name in ("a", "b"): shutil.copytree(out, spoilt / name)
refused("two runs", two_runs, "two arrays of channel C1", "name the folder of one run")
try: trc2npy.load(spoilt)
except trc2npy.OutputError as error: assert "name=" not in str(error), str(error)
def bare():
    shutil.rmtree(spoilt); spoilt.mkdir()
refused("empty", bare, "no outputs of trc2npy here", "--out")
refused("no folder", lambda: shutil.rmtree(spoilt), "no such folder", "--out")

def second():
    for path in codes.glob("C1--codes*"): shutil.copy(path, spoilt)
refused("two arrays", second, "two arrays of channel C1", "C1--codes.npy", 'name="{channel}--Trace.npy"')
assert trc2npy.load(spoilt, name="{channel}--codes.npy")["C1"].has_codes
assert list(trc2npy.load(spoilt, name="{channel}--Trace.npy")) == ["C1", "C2"]
assert list(trc2npy.load(out, channels=["C2"])) == ["C2"]

# A folder of runs, of which each has another channel.
runs = out.with_name("spoilt runs")
for run, channel in [("r005", 1), ("r006", 2)]:
    (runs / run).mkdir(parents=True)
    for path in out.glob(f"C{channel}--*"): shutil.copy(path, runs / run)
    path = runs / run / f"C{channel}--Trace.json"
    told = json.loads(path.read_text()); told["run"] = run
    path.write_text(json.dumps(told))
try: trc2npy.load(runs)
except trc2npy.OutputError as error: assert "several runs, r005, r006" in str(error), error
else: raise AssertionError("two runs are taken for one")
assert list(trc2npy.load(runs / "r006")) == ["C2"]

# Rows that are no events.
for folder in sys.argv[4:]:
    run = trc2npy.load(folder)
    assert len(run["C1"].volts(0)) == 300
    try: run.event(0)
    except trc2npy.OutputError as error: print(error)
    else: raise AssertionError(folder)
"#;

#[test]
fn what_does_not_belong_together_is_refused() {
    let root = scratch();
    let at = |name: &str| root.path().join(name);
    let mut spec = RunSpec::new(6, 300);
    spec.channels = vec![1, 2];
    write_run(&spec, &at("r005"));
    fs::remove_file(at("r005").join("C2--Trace--00003.trc")).unwrap();
    let convert = |out: &str, options: &[&str]| {
        let ended = Convert::new([at("r005")], at(out)).args(options).run();
        assert!(matches!(ended.status.code(), Some(0 | 3)), "{ended}");
    };
    convert("out", &[]);
    convert(
        "codes",
        &["--dtype=int16", "--name={channel}--codes.npy", "--channels=C1"],
    );
    convert("separate", &["--events=separate"]);
    for channel in ["C1", "C2"] {
        convert("apart", &["--channels", channel]);
    }
    let other = RunSpec {
        channels: vec![2],
        ..spec
    };
    write_run(&other, &at("r006"));
    for (run, channel) in [("r005", "C1"), ("r006", "C2")] {
        let ended = Convert::new([at(run)], at("mixed")).args(["--channels", channel]).run();
        ended.must_succeed();
    }
    let reader = workspace().join("python");
    let outs = ["out", "codes", "separate", "apart", "mixed"].map(at);
    let said = run_python(SPOILT, std::iter::once(&reader).chain(&outs));
    let said: Vec<&str> = said.lines().collect();
    assert!(said[0].contains("--events separate"), "{said:?}");
    assert!(said[1].contains("C1 has 6, C2 has 5"), "{said:?}");
    assert!(said[2].contains("C1 is of r005, C2 is of r006"), "{said:?}");
}
