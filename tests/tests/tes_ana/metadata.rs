//! The JSON of settings: numbers, spelling, form, and what happens to one that is there.
#![allow(clippy::print_stderr, reason = "what is left out is told")]

use std::fs;
use std::path::Path;

use trc2npy_synth::{ByteOrder, RunSpec, TraceFile, TriggerTime};
use trc2npy_tests::{run_python, samples};

use super::{Stand, two_channels};

/// Reads a file's header with `struct`, says what stands in it with tables made by rule, and compares.
const JUDGE: &str = r#"
import json, struct, sys
from datetime import datetime

source, path, key, samples = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
d = open(source, "rb").read()
d = d[d[:72].find(b"WAVEDESC"):]
order = {b"\0\0": ">", b"\1\0": "<"}[d[34:36]]
old = d[16:].startswith(b"LECROY_1_0")
get = lambda kind, at: struct.unpack_from(order + kind, d, at)[0]
text = lambda at, n: d[at:at + n].split(b"\0")[0].decode("latin-1")

def steps(units):
    return [f"{n}_{unit}/div" for unit in units for n in (1, 2, 5, 10, 20, 50, 100, 200, 500)]

def spelled(table, code):
    return table[code] if 0 <= code < len(table) else ""

time = steps(["ps", "ns", "us", "ms", "s"]) + ["1_ks/div", "2_ks/div", "5_ks/div"]
volt = steps(["uV", "mV", "V"]) + ["1_kV/div"]
coupling = ["DC_50_Ohms", "ground", "DC_1MOhm", "ground", "AC,_1MOhm"]
sweep = ["single_sweep", "interleaved", "histogram", "trend" if old else "graph", "filter_coefficient", "complex",
         "extrema", "sequence" if old else "sequence_obsolete", "centered_RIS", "rolling" if old else "peak_detect"]

at = 250 if old else 296
seconds, minute, hour, day, month, year = (get(kind, at + i) for kind, i in
                                           (("d", 0), ("b", 8), ("b", 9), ("b", 10), ("b", 11), ("h", 12)))
try:
    trigger = str(datetime(year, month, day, hour, minute, int(seconds), int(seconds % 1 * 1e6)))
except ValueError:
    trigger = ""
if old:
    source_number = get("h", 296) - 1
else:
    source_number = get("h", 344)
channel = {0: "CHANNEL_1", 1: "CHANNEL_2", 2: "CHANNEL_3", 3: "CHANNEL_4"}.get(source_number, "")
if not old and source_number == 9:
    channel = "UNKNOWN"
expected = {
    "overview": {
        "instrument": text(*((56, 16) if old else (76, 16))), "trigger_time": trigger, "channel": channel,
        "coupling": spelled(coupling, get("h", 276 if old else 326)),
        "sweep": spelled(sweep, get("h", 270 if old else 316)), "samples": samples,
    },
    "time_resolution": {
        "dt": get("f", 134 if old else 176), "t_offset": get("d", 138 if old else 180),
        "t_uncertainty": None if old else get("f", 292), "sparsing_factor": None if old else get("i", 136),
        "t_unit": text(*((202, 48) if old else (244, 48))),
    },
    "wave_resolution": {
        "v_over_bit": get("f", 120 if old else 156), "v_offset": get("f", 124 if old else 160),
        "total_bits": get("h", 132 if old else 172), "comm_type": get("h", 32),
        "sweeps_per_acq": get("i", 116 if old else 148), "v_unit": text(*((154, 48) if old else (196, 48))),
    },
    "GUI": {
        "fixed_vertical_gain": spelled(volt, get("h", 282 if old else 332)),
        "time_base": "EXTERNAL" if get("h", 274 if old else 324) == 100 else spelled(time, get("h", 274 if old else 324)),
        "bandwidth_limit": spelled(["off", "on"], get("h", 284 if old else 334)),
        "acq_vert_offset": get("f", 290 if old else 340), "probe_att": get("f", 278 if old else 328),
    },
    "other_information": {
        "acq_duration": get("f", 266 if old else 312), "vertical_vernier": get("f", 286 if old else 336),
    },
}
written = open(path, "rb").read().decode("ascii")
meta = json.loads(written)
# repr tells -0.0 from 0.0, and 1 from 1.0; the order of the keys counts.
assert repr(meta[key]) == repr(expected), f"\n{meta[key]}\n{expected}"
assert written == json.dumps(meta, indent=2), "not as json.dumps writes it"
print(json.dumps(meta[key]["overview"]))
"#;

fn judge(source: &Path, metadata: &Path, key: &str, samples: usize) -> String {
    let samples = samples.to_string();
    run_python(
        JUDGE,
        [source.as_os_str(), metadata.as_os_str(), key.as_ref(), samples.as_ref()],
    )
}

#[test]
fn settings_are_those_of_the_first_sound_file() {
    let stand = Stand::new();
    let mut spec = two_channels(5, 1);
    spec.order = ByteOrder::Big;
    spec.segments = 3;
    spec.samples = 300;
    spec.start = 17;
    stand.write("r009-2", &spec);
    let folder = stand.folder("r009-2");
    fs::write(folder.join("C1--Trace--00003.trc"), "garbage").unwrap();
    let short = fs::read(folder.join("C1--Trace--00020.trc")).unwrap();
    fs::write(folder.join("C1--Trace--00004.trc"), &short[..900]).unwrap();
    stand.run(&["--dpbl", "100"]).must_succeed();
    for channel in ["C1", "C2"] {
        let source = folder.join(format!("{channel}--Trace--00017.trc"));
        judge(&source, &stand.metadata(), &format!("{channel}--00000"), 300);
    }
}

#[test]
fn odd_settings_are_written_as_python_would() {
    let codes = || vec![1, 2, 3, 4];
    let time = |seconds, year| TriggerTime {
        seconds,
        minutes: 59,
        hours: 23,
        days: 31,
        months: 12,
        year,
    };
    let files = [
        TraceFile {
            instrument: b"LECROY\xb5\xff\"\\".to_vec(),
            vert_unit: b"\xb5V\t".to_vec(),
            offset: -0.0,
            gain: f32::MIN_POSITIVE,
            horiz_offset: -1.234_567_890_123_456_7e-300,
            trigger_time: time(59.999_999_999, 2019),
            coupling: 4,
            timebase: 21,
            fixed_vert_gain: 27,
            bandwidth_limit: 1,
            wave_source: 9,
            ..TraceFile::single(codes())
        },
        TraceFile {
            gain: 1.5e20,
            offset: 16_777_217.0,
            horiz_interval: 1e-4,
            horiz_offset: 1e16,
            probe: 1e22,
            trigger_time: time(7.0, 1999),
            coupling: 99,
            timebase: 100,
            fixed_vert_gain: -1,
            bandwidth_limit: 5,
            wave_source: 6,
            record_type: 9,
            ..TraceFile::single(codes())
        },
        TraceFile {
            trigger_time: TriggerTime::default(),
            horiz_offset: f64::MAX,
            ..TraceFile::single(codes())
        },
    ];
    for (i, file) in files.into_iter().enumerate() {
        let stand = Stand::new();
        let folder = stand.folder("r009");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("C3--Trace--00042.trc");
        file.write_to(&path, false).unwrap();
        stand.run(&["--metadata-only"]).must_succeed();
        let overview = judge(&path, &stand.metadata(), "C3--00000", 4);
        let expected = [
            "2019-12-31 23:59:59.999999",
            "1999-12-31 23:59:07\"",
            "\"trigger_time\": \"\"",
        ][i];
        assert!(overview.contains(expected), "{overview}");
    }
}

#[test]
fn a_file_that_is_there_is_added_to() {
    let stand = Stand::new();
    stand.write("r009", &RunSpec::new(3, 2_502));
    let path = stand.metadata();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // Written by another program, in another form: numbers keep their every bit, texts their characters.
    let old = r#"{"C4--00000": {"time_resolution": {"dt": 51.248178375505404, "x": -0.0, "n": -93.31137037688033, "m": 12, "u": "µ😀"}}, "C1--00000": {"overview": 7}, "note": null}"#;
    fs::write(&path, old).unwrap();
    stand.run(&["--channels", "1"]).must_succeed();
    judge(
        &stand.folder("r009").join("C1--Trace--00000.trc"),
        &path,
        "C1--00000",
        2_502,
    );
    let kept = "import json, sys\n\
                old, new = json.loads(sys.argv[2]), json.load(open(sys.argv[1]))\n\
                assert list(old) == list(new), list(new)\n\
                old['C1--00000'] = new['C1--00000']\n\
                assert repr(old) == repr(new), new";
    run_python(kept, [path.as_os_str(), old.as_ref()]);

    // As Python's json.dump writes it, and numbers of any size; and what is left of a program that was stopped.
    for (foreign, mark) in [
        ("NaN", ""),
        ("-Infinity", "\u{feff}"),
        ("12345678901234567890123456789", ""),
    ] {
        fs::write(
            &path,
            format!("{mark}{{\"C4--00000\": {{\"x\": {foreign}}}, \"C1--00000\": {{\"y\": NaN}}}}"),
        )
        .unwrap();
        stand.run(&["--metadata-only"]).must_succeed();
        let text = fs::read_to_string(&path).unwrap();
        let kept =
            format!("{{\n  \"C4--00000\": {{\n    \"x\": {foreign}\n  }},\n  \"C1--00000\": {{\n    \"overview\"");
        assert!(text.starts_with(&kept), "{text}");
        stand
            .run(&["--metadata-only"])
            .must_succeed()
            .must_say(&["as they were"]);
    }
    fs::write(&path, "").unwrap();
    stand.run(&["--metadata-only"]).must_succeed();
    assert!(fs::read_to_string(&path).unwrap().contains("C1--00000"));

    for (spoilt, said) in [("{\"C4--00000\": ", "not JSON"), ("[1]", "a JSON object expected")] {
        fs::write(&path, spoilt).unwrap();
        fs::remove_dir_all(stand.arrays()).ok();
        let ended = stand.run(&[]);
        ended.must_end_with(1).must_say(&[
            "lecroy_metadata_p06_r009.json: cannot be added to",
            said,
            "--waveform-only",
        ]);
        assert_eq!(fs::read_to_string(&path).unwrap(), spoilt);
        assert!(!stand.arrays().exists(), "refused before the hours of work");
        stand.run(&["--waveform-only"]).must_succeed();
    }
}

/// Who may write, and where the file really lies, is its owner's business. Modes and links are made on Unix alone.
#[cfg(unix)]
#[test]
fn a_file_keeps_its_mode_and_a_link_its_place() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let stand = Stand::new();
    stand.write("r009", &RunSpec::new(3, 2_502));
    let path = stand.metadata();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let elsewhere = stand.base.join("shared.json");
    fs::write(&elsewhere, "{\"a\": 1}").unwrap();
    let mode = |mode| fs::set_permissions(&elsewhere, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o664);
    symlink(&elsewhere, &path).unwrap();
    stand.run(&["--metadata-only"]).must_succeed();
    assert!(fs::symlink_metadata(&path).unwrap().is_symlink());
    assert!(fs::read_to_string(&elsewhere).unwrap().contains("C1--00000"));
    assert_eq!(fs::metadata(&elsewhere).unwrap().permissions().mode() & 0o777, 0o664);
    fs::write(&elsewhere, "{}").unwrap();
    mode(0o444);
    let ended = stand.run(&[]);
    ended
        .must_end_with(1)
        .must_say(&["cannot be added to: it is read-only", "--waveform-only"]);
    assert!(!stand.arrays().exists());
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "{}");
}

#[test]
fn a_channel_without_a_sound_file_is_told_of() {
    let stand = Stand::new();
    stand.write("r009", &RunSpec::new(3, 2_502));
    fs::write(stand.folder("r009").join("C2--Trace--00000.trc"), "garbage").unwrap();
    let ended = stand.run(&["--channels", "1"]);
    let said = [
        "warning: metadata: channel C2: no sound file among 1 file",
        "C2--Trace--00000.trc",
    ];
    ended.must_succeed().must_say(&said);
    let text = fs::read_to_string(stand.metadata()).unwrap();
    assert!(text.contains("C1--00000") && !text.contains("C2--00000"), "{text}");
}

#[test]
fn real_instruments_files_are_described_as_they_are() {
    let Some(samples) = samples() else {
        eprintln!("left out: no real files (TRC2NPY_REAL_FILES names their folder)");
        return;
    };
    let text = fs::read_to_string(samples.join("expected.jsonl")).unwrap();
    let mut seen = 0;
    for line in text.lines() {
        let expected: serde_json::Value = serde_json::from_str(line).unwrap();
        if expected.get("error").is_some() {
            continue;
        }
        let stand = Stand::new();
        let folder = stand.folder("r009");
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("C1--Trace--00000.trc");
        fs::copy(samples.join(expected["file"].as_str().unwrap()), &path).unwrap();
        stand.run(&["--dpbl", "100"]).must_succeed();
        let samples = usize::try_from(expected["samples"].as_u64().unwrap()).unwrap();
        let overview = judge(&path, &stand.metadata(), "C1--00000", samples);
        assert!(
            overview.contains(expected["instrument"].as_str().unwrap()),
            "{overview}"
        );
        stand.must_be_of(&["r009"], 100, &[]);
        seen += 1;
    }
    assert!(seen > 3, "{seen} real files");
}
