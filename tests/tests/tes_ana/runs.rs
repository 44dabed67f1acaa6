//! Which folders and files are read, and what becomes of them.

use std::fs;
use std::path::Path;

use trc2npy_synth::{RunSpec, TraceFile};
use trc2npy_tests::{Convert, Npy, Record, run_python, workspace};

use super::{Stand, named, tes_ana, two_channels};

/// What analysis does with arrays and metadata; the sources are decoded by the oracle's code.
const ANALYSIS: &str = r#"
import json, sys, warnings
from pathlib import Path
warnings.simplefilter("error")
sys.path[:0] = sys.argv[1:3]
import numpy as np
import oracle, trc2npy

base, folders, dpbl = Path(sys.argv[3]), [Path(folder) for folder in sys.argv[4].split("|")], int(sys.argv[5])
out = base / "generated_data/raw/p06/r009"
with open(base / "teststand_metadata/hardware/scope/p06/r009/lecroy_metadata_p06_r009.json") as f:
    meta = json.load(f)
for ch in ("1", "2"):
    path = out / f"C{ch}" / f"C{ch}--Trace.npy"
    traces = np.load(path)
    mapped = np.load(path, mmap_mode="r")
    assert traces.dtype == np.float32 and traces.ndim == 2 and np.isfinite(traces).all()
    assert isinstance(mapped, np.memmap) and np.array_equal(traces, mapped)
    sources = [t.codes[0] for folder in folders for p in sorted(folder.glob(f"C{ch}--*.trc"))
               for t in [oracle.Trace(p.read_bytes())]]
    assert traces.shape == (len(sources), meta[f"C{ch}--00000"]["overview"]["samples"])

    about = meta[f"C{ch}--00000"]
    dt, gain = about["time_resolution"]["dt"], about["wave_resolution"]["v_over_bit"]
    assert dt == float(np.float32(1e-9)) and about["overview"]["channel"] == f"CHANNEL_{ch}"
    codes = np.array(sources, "f8")
    expected = gain * (codes - codes[:, :dpbl].mean(axis=1, keepdims=True))
    np.testing.assert_allclose(traces, expected, rtol=1e-6, atol=1e-9)

    mean_pulse = mapped.mean(axis=0, dtype=np.float64)
    np.testing.assert_allclose(mean_pulse, expected.mean(axis=0), atol=1e-9)
    time = about["time_resolution"]["t_offset"] + dt * np.arange(traces.shape[1])
    assert -1e-6 < time[0] < 0 < time[mean_pulse.argmax()], "the pulse lies behind the trigger"
    spectrum, frequency = np.abs(np.fft.rfft(mean_pulse)), np.fft.rfftfreq(len(mean_pulse), dt)
    assert spectrum[0] == spectrum.max() and abs(frequency[-1] - 0.5e9) < 1e3, "a pulse, sampled at 1 GHz"
    np.testing.assert_allclose(spectrum, np.abs(np.fft.rfft(expected.mean(axis=0))), atol=1e-5)
    hist, edges = np.histogram(traces.max(axis=1), bins=20)
    assert hist.sum() == len(traces)

run = trc2npy.load(out)
assert list(run) == ["C1", "C2"] and run.events == len(traces) and run["C1"].good.all()
print(traces.shape)
"#;

fn analyse(stand: &Stand, base: &Path, folders: &[&str], dpbl: u32) -> String {
    let paths: Vec<String> = folders
        .iter()
        .map(|name| stand.folder(name).to_str().unwrap().to_owned())
        .collect();
    let [reader, oracle] = ["python", "tests/oracle"].map(|folder| workspace().join(folder).into_os_string());
    run_python(
        ANALYSIS,
        [
            reader,
            oracle,
            base.into(),
            paths.join("|").into(),
            dpbl.to_string().into(),
        ],
    )
}

#[test]
fn analysis_finds_arrays_and_metadata_where_it_looks() {
    let stand = Stand::new();
    stand.write("r009", &two_channels(20, 1));
    stand.write("r009-2", &two_channels(12, 2));
    stand.write("r0090", &two_channels(2, 3));
    stand.run(&["--dpbl", "400"]).must_succeed();
    stand.must_be_of(&["r009", "r009-2"], 400, &[]);
    assert_eq!(
        analyse(&stand, &stand.base, &["r009", "r009-2"], 400).trim(),
        "(32, 2502)"
    );
    // The usual baseline.
    stand.run(&[]).must_succeed();
    stand.must_be_of(&["r009", "r009-2"], 2000, &[]);
    for channel in ["C1", "C2"] {
        for end in [".npy", ".index.npy", ".json", ".files.txt"] {
            let file = stand.arrays().join(channel).join(format!("{channel}--Trace{end}"));
            assert!(file.is_file(), "{}", file.display());
        }
    }
}

#[cfg(unix)] // Making a link on Windows needs a privilege.
#[test]
fn the_stands_folder_may_be_a_link() {
    let stand = Stand::new();
    stand.write("r009", &two_channels(5, 1));
    let link = stand.base.with_file_name("link");
    std::os::unix::fs::symlink(&stand.base, &link).unwrap();
    tes_ana(&link, &["--dpbl", "400"]).must_succeed();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(analyse(&stand, &link, &["r009"], 400).trim(), "(5, 2502)");
    stand.must_be_of(&["r009"], 400, &[]);
    // The same run by another way is the same.
    stand
        .run(&["--dpbl", "400"])
        .must_succeed()
        .must_say(&["nothing to do"]);
}

#[test]
fn the_stands_folder_may_be_called_anything() {
    let stand = Stand::new();
    stand.write("r009", &two_channels(3, 1));
    for name in ["t [x]{run}", "{other}"] {
        let base = stand.base.with_file_name(name);
        fs::rename(&stand.base, &base).unwrap();
        tes_ana(&base, &[]).must_succeed();
        assert!(base.join("generated_data/raw/p06/r009/C1/C1--Trace.npy").exists());
        let beside = fs::read_dir(stand.base.parent().unwrap()).unwrap().count();
        assert_eq!(beside, 1, "{name} is another folder too");
        fs::rename(&base, &stand.base).unwrap();
    }
}

#[test]
fn the_first_folder_may_be_absent_and_gaps_are_told() {
    for (folders, missing) in [
        (&["r009-2", "r009-3"][..], None),
        (&["r009", "r009-3"], Some("1 folder (r009-2)")),
        (
            &["r009-2", "r009-4", "r009-10"],
            Some("6 folders (r009-3, r009-5, r009-6"),
        ),
        (&["r009-3", "r009-4"], Some("1 folder (r009-2)")),
    ] {
        let stand = Stand::new();
        for (seed, folder) in (1..).zip(folders) {
            stand.write(folder, &two_channels(3, seed));
        }
        let ended = stand.run(&[]);
        ended.must_succeed();
        let told = ended.stderr.matches("missing between the folders").count();
        assert_eq!(told, usize::from(missing.is_some()), "{folders:?}\n{ended}");
        stand.must_be_of(folders, 2000, &[]);
        if let Some(missing) = missing {
            ended.must_say(&[missing]);
            stand.run(&["--metadata-only"]).must_succeed().must_say(&[missing]);
        }
    }
}

#[test]
fn wave_names_are_read_where_there_are_no_trace_names() {
    const WAVE: &str = "C{c}--wave--{i:05}.trc";
    let stand = Stand::new();
    stand.write("r009", &named(two_channels(4, 1), WAVE));
    stand.run(&[]).must_succeed();
    stand.must_be_of(&["r009"], 2000, &[]);

    // Each folder for itself, and what lies beside its traces is left alone.
    let stand = Stand::new();
    stand.write("r009", &named(two_channels(4, 1), WAVE));
    stand.write("r009-2", &two_channels(3, 2));
    stand.run(&[]).must_succeed();
    stand.must_be_of(&["r009", "r009-2"], 2000, &[]);
    let rows = Record::read_all(&stand.arrays().join("C1/C1--Trace.index.npy"));
    assert_eq!(rows.len(), 7);
    stand.write("r009-2", &named(two_channels(5, 3), WAVE));
    stand.write("r009-2", &named(two_channels(2, 4), "F{c}--Trace--{i:05}.trc"));
    stand.run(&[]).must_succeed().must_say(&["nothing to do"]);
    let stand_of_one = Stand::new();
    stand_of_one.write("r009", &two_channels(3, 2));
    stand_of_one.write("r009", &named(two_channels(5, 3), WAVE));
    stand_of_one.write("r009", &named(two_channels(2, 4), "F{c}--Trace--{i:05}.trc"));
    stand_of_one.run(&[]).must_succeed();
    let list = fs::read_to_string(stand_of_one.arrays().join("C1/C1--Trace.files.txt")).unwrap();
    let expected = "r009/C1--Trace--00000.trc\nr009/C1--Trace--00001.trc\nr009/C1--Trace--00002.trc\n";
    assert_eq!(list, expected);
    assert!(!stand_of_one.arrays().join("F1").exists());
}

/// Arrays and metadata go by the names that `convert` goes by.
#[test]
fn a_channel_is_there_however_its_files_are_spelled() {
    let channel = |number: u8| RunSpec {
        channels: vec![number],
        ..two_channels(3, number.into())
    };
    let stand = Stand::new();
    stand.write("r009", &channel(1));
    stand.write("r009", &named(channel(2), "C{c}--Trace--{i:05}.TRC"));
    stand.write("r009", &named(channel(3), "C{c}Trace{i:05}.trc"));
    stand.write("r009", &named(channel(4), "C{c}--Trace--{i:05} (1).trc"));
    let out = stand.base.join("converted");
    let folder = stand.folder("r009");
    Convert::new([&folder], &out).run().must_succeed();
    // Beside a folder of other names, too, where patterns choose the files.
    let mixed = Stand::new();
    for (number, form) in [
        (1, "C{c}--wave--{i:05}.TRC"),
        (2, "C{c}wave{i:05}.trc"),
        (3, "C{c}--wave--{i:05}.trc"),
    ] {
        mixed.write("r009", &named(channel(number), form));
    }
    mixed.write(
        "r009-2",
        &RunSpec {
            channels: vec![1, 2, 3],
            ..two_channels(1, 9)
        },
    );
    for (stand, rows) in [(&stand, 3), (&mixed, 4)] {
        stand.run(&[]).must_succeed();
        let metadata = fs::read_to_string(stand.metadata()).unwrap();
        for channel in ["C1", "C2", "C3"] {
            let index = stand.arrays().join(format!("{channel}/{channel}--Trace.index.npy"));
            assert_eq!(Record::read_all(&index).len(), rows, "{channel}");
            assert!(metadata.contains(&format!("{channel}--00000")), "{metadata}");
        }
        assert!(!stand.arrays().join("C4").exists() && !metadata.contains("C4--"));
    }
    assert!(out.join("C3--Trace.npy").exists() && !out.join("C4--Trace.npy").exists());
}

#[test]
fn bad_files_and_incomplete_events_get_no_row() {
    let stand = Stand::new();
    let mut spec = two_channels(30, 1);
    spec.bad = ["truncated:4", "garbage:3", "missing:3"]
        .map(|bad| bad.parse().unwrap())
        .to_vec();
    stand.write("r009", &spec);
    stand.write("r009-2", &two_channels(5, 2));
    let ended = stand.run(&[]);
    ended.must_succeed().must_say(&["not in all channels, and left out"]);
    stand.must_be_of(&["r009", "r009-2"], 2000, &[]);
    let rows = ["C1", "C2"].map(|channel| {
        let folder = stand.arrays().join(channel);
        let records = Record::read_all(&folder.join(format!("{channel}--Trace.index.npy")));
        assert!(records.iter().all(|record| record.status == 0));
        let values = Npy::read(&folder.join(format!("{channel}--Trace.npy"))).f32();
        assert!(values.iter().all(|value| value.is_finite()));
        records.len()
    });
    assert!(rows[0] == rows[1] && (25..35).contains(&rows[0]), "{rows:?}");
}

#[test]
fn only_the_chosen_channels_get_arrays() {
    let stand = Stand::new();
    stand.write("r009", &two_channels(5, 1));
    stand.run(&["--channels", "2"]).must_succeed();
    stand.must_be_of(&["r009"], 2000, &["--channels", "C2"]);
    assert!(!stand.arrays().join("C1").exists());
    let metadata = fs::read_to_string(stand.metadata()).unwrap();
    assert!(
        metadata.contains("C1--00000") && metadata.contains("C2--00000"),
        "{metadata}"
    );
    fs::remove_file(stand.metadata()).unwrap();
    for (channels, said) in [("1,3", "--channels C3"), ("F1", "--channels F1")] {
        for more in [&["--waveform-only"][..], &["--metadata-only"], &[]] {
            let ended = stand.run(&[&["--channels", channels][..], more].concat());
            ended.must_end_with(2).must_say(&[said, "there are files of C1, C2"]);
        }
    }
    assert!(!stand.metadata().exists(), "wrong usage: nothing was begun");
}

/// Channels of other lengths in one run.
#[test]
fn a_baseline_that_does_not_fit_is_none_and_a_warning() {
    let stand = Stand::new();
    let folder = stand.folder("r009");
    fs::create_dir_all(&folder).unwrap();
    for (channel, samples) in [("C1", 300), ("C2", 301)] {
        for index in 0..3 {
            let codes = (0..samples).map(|i| i * 7 % 1000 + index).collect();
            let name = format!("{channel}--Trace--{index:05}.trc");
            TraceFile::single(codes).write_to(&folder.join(name), false).unwrap();
        }
    }
    for (dpbl, with, without, said) in [
        (
            "300",
            &["C2"][..],
            &["C1"][..],
            &["channel C1: no baseline", "first 300 samples", "a row has 300"][..],
        ),
        (
            "301",
            &[],
            &["C1", "C2"],
            &["channel C1: no baseline", "channel C2: no baseline"],
        ),
        ("2000", &[], &["C1", "C2"], &["first 2,000 samples, and a row has 301"]),
        (
            "99999999999",
            &[],
            &["C1", "C2"],
            &["--dpbl 99999999999: no row has as many samples; no baseline"],
        ),
        (
            "0",
            &[],
            &["C1", "C2"],
            &["warning: --dpbl 0: no baseline is taken off"],
        ),
        (
            "-5",
            &[],
            &["C1", "C2"],
            &["warning: --dpbl -5: no baseline is taken off"],
        ),
        ("299", &["C1", "C2"], &[], &[]),
    ] {
        let ended = stand.run(&["--dpbl", dpbl]);
        ended.must_succeed().must_say(said);
        assert_eq!(ended.stderr.contains("no baseline"), !without.is_empty(), "{ended}");
        for (channels, points) in [(with, dpbl), (without, "0")] {
            if !channels.is_empty() {
                let points = points.parse().unwrap();
                stand.must_be_of(&["r009"], points, &["--channels", &channels.join(",")]);
            }
            for channel in channels {
                let folder = stand.arrays().join(channel);
                let json = fs::read_to_string(folder.join(format!("{channel}--Trace.json"))).unwrap();
                let json: serde_json::Value = serde_json::from_str(&json).unwrap();
                assert_eq!(
                    json["options"]["baseline"]["points"].to_string(),
                    points,
                    "{channel}, {dpbl}"
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    let stand = Stand::new();
    stand.write("r009", &two_channels(3, 1));
    let refused: [(&[&str], &[&str]); 7] = [
        (
            &["--dtype", "int16"],
            &["--dtype", "float32", "trc2npy convert --dtype"],
        ),
        (&["--dtype=float32"], &["--dtype"]),
        (&["--dtype"], &["--dtype"]),
        (&["--waveform-only", "--metadata-only"], &["cannot be used with"]),
        (
            &["--dpbl", "many"],
            &["--dpbl", "not a number of samples (write for example 2000)"],
        ),
        (&["--baseline", "500"], &["--baseline"]),
        (&["--settle", "soon"], &["not a duration"]),
    ];
    for (args, said) in refused {
        stand.run(args).must_end_with(2).must_say(said);
        assert!(stand.everything().is_empty(), "{args:?}");
    }
    let stand = Stand::new();
    stand.write("r010", &two_channels(1, 1));
    let ended = stand.run(&[]);
    ended
        .must_end_with(2)
        .must_say(&["no folder r009, r009-2, ...;", "p06 holds r010 (correct --base"]);
    stand.write("r009", &named(two_channels(1, 1), "C{c}--bias50--{i:05}.trc"));
    let ended = stand.run(&[]);
    ended
        .must_end_with(2)
        .must_say(&["no C*--Trace--*.trc or C*--wave--*.trc in this folder"]);
    assert!(stand.everything().is_empty());
}

#[test]
fn each_half_can_be_had_alone_or_only_looked_at() {
    let stand = Stand::new();
    stand.write("r009", &two_channels(3, 1));
    let ended = stand.run(&["--dry-run"]);
    ended
        .must_succeed()
        .must_say(&["Run r009", "Nothing was written", "metadata of C1, C2 to be written"]);
    assert!(stand.everything().is_empty());
    let ended = stand.run(&["--metadata-only"]);
    assert!(
        ended.must_succeed().stdout.starts_with("metadata of C1, C2 written: "),
        "{ended}"
    );
    assert!(stand.metadata().exists() && !stand.arrays().exists());
    let ended = stand.run(&["--dry-run", "--json", "--metadata-only"]);
    let json: serde_json::Value = serde_json::from_str(&ended.must_succeed().stdout).unwrap();
    assert_eq!(
        (&json["done"], &json["channels"]),
        (&"as they were".into(), &vec!["C1", "C2"].into())
    );
    fs::remove_file(stand.metadata()).unwrap();
    stand.run(&["--waveform-only"]).must_succeed();
    assert!(!stand.metadata().exists() && stand.arrays().join("C1/C1--Trace.npy").exists());
}
