//! What is called safe to delete: no more than is in the arrays, each file once, and nothing passed over in silence.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use trc2npy_synth::{RunSpec, TraceFile};
use trc2npy_tests::{Call, Convert, scratch, write_run};

use super::common::{Made, flip};

fn spec(files: u64, bad: &[&str]) -> RunSpec {
    RunSpec {
        channels: vec![1, 2],
        bad: bad.iter().map(|bad| bad.parse().unwrap()).collect(),
        ..RunSpec::new(files, 300)
    }
}

/// The lines of a list: path and reason.
fn list(path: &Path) -> Vec<(PathBuf, String)> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| {
            let (path, why) = line.split_once('\t').unwrap_or((line, ""));
            (PathBuf::from(path), why.to_owned())
        })
        .collect()
}

fn set<'l>(lines: impl IntoIterator<Item = &'l (PathBuf, String)>) -> BTreeSet<PathBuf> {
    lines.into_iter().map(|(path, _)| path.clone()).collect()
}

/// The traces of a folder.
fn traces(folder: &Path) -> BTreeSet<PathBuf> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "trc"))
        .collect()
}

#[test]
fn files_that_are_in_no_array_are_counted_named_and_listed() {
    let options = ["--on-bad-file", "skip", "--events", "complete"];
    let made = Made::new("left out", spec(20, &["truncated:2"]), &options, 0);
    fs::write(made.run.join("notes.txt"), "the bias was 60 V").unwrap();
    fs::create_dir(made.run.join("calibration")).unwrap();
    let (safe, keep) = (made.beside("safe.txt"), made.beside("keep.txt"));
    let paths = [&safe, &keep].map(|path| path.to_str().unwrap());
    let lists = ["--list-safe", paths[0], "--list-keep", paths[1]];
    let ended = made.verify(&[&["--sources"][..], &lists].concat());
    ended.must_succeed().must_say(&[
        "36 of the 40 source files in r005",
        "Keep 4 source files of which there is no row in these arrays",
        "Keep 2 files or folders of another kind beside them",
        "36 lines",
        "6 lines",
    ]);
    let (safe_lines, keep_lines) = (list(&safe), list(&keep));
    // By the lists beside the arrays, and by what is in the folder.
    let in_arrays: BTreeSet<PathBuf> = ["C1", "C2"]
        .iter()
        .flat_map(|channel| {
            let text = fs::read_to_string(made.out.join(format!("{channel}--Trace.files.txt"))).unwrap();
            let parent = made.run.parent().unwrap().to_owned();
            text.lines().map(|line| parent.join(line)).collect::<Vec<_>>()
        })
        .collect();
    assert_eq!((safe_lines.len(), set(&safe_lines)), (36, in_arrays.clone()));
    let left: BTreeSet<PathBuf> = traces(&made.run).difference(&in_arrays).cloned().collect();
    let in_no_array = keep_lines.iter().filter(|(_, why)| why.contains("no row"));
    let kept: BTreeSet<PathBuf> = set(in_no_array).into_iter().map(|path| real(&path)).collect();
    assert_eq!(kept, left.iter().map(|path| real(path)).collect());
    assert_eq!(keep_lines.len(), 6);
    let json = made.json(&["--sources"]);
    let found = &json["safe_to_delete"];
    assert_eq!(
        (&found["files"], &found["of_files"]),
        (&36.into(), &40.into()),
        "{json:#}"
    );
    assert_eq!(found["kept"]["in-no-array"]["count"], 4);
}

fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap()
}

#[test]
fn rows_that_were_not_taken_leave_their_files_to_be_kept() {
    for (options, safe) in [
        (&["--rows", "0:5"][..], 10),
        (&["--every", "3"], 14),
        (&["--channels", "C1"], 20),
    ] {
        let made = Made::new("a part", spec(20, &[]), options, 0);
        let json = made.json(&["--sources"]);
        let found = &json["safe_to_delete"];
        assert_eq!(
            (&found["files"], &found["of_files"]),
            (&safe.into(), &40.into()),
            "{options:?}: {json:#}"
        );
        assert_eq!(found["kept"]["in-no-array"]["count"], 40 - safe);
    }
}

#[test]
fn nothing_is_safe_where_rows_are_cut_and_missing_rows_have_no_source() {
    let made = Made::new("cut", spec(20, &["missing:2"]), &["--samples", "0:100"], 3);
    let ended = made.verify(&["--sources"]);
    ended.must_succeed().must_say(&[
        "None of the 38 source files in r005 is safe to delete",
        "Keep 38 source files whose rows are longer",
    ]);
    // Two of the forty rows are of files that never were.
    ended.must_say(&["all 38 rows are what their sources hold"]);
    assert!(!ended.stdout.contains("every sample"), "{ended:#?}");
}

/// `verify OUT... --sources --json`
fn json(outs: &[&Path]) -> Value {
    let ended = Call::of("verify")
        .args(outs)
        .args(["--sources", "--json", "--progress", "none"])
        .run();
    serde_json::from_str(&ended.must_succeed().stdout).unwrap()
}

#[test]
fn a_source_is_counted_once_whatever_the_number_of_arrays_that_hold_it() {
    let root = scratch();
    let run = root.path().join("g1");
    let runs = RunSpec {
        segments: 10,
        ..RunSpec::new(4, 100)
    };
    write_run(&runs, &run);
    let convert = |name: &str, options: &[&str]| {
        let out = root.path().join(name);
        Convert::new([&run], &out).args(options).run().must_succeed();
        out
    };
    let (volts, codes) = (convert("volts", &[]), convert("codes", &["--dtype", "int16"]));
    let size: u64 = traces(&run).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    let found = json(&[&volts, &codes]);
    let found = &found["safe_to_delete"];
    assert_eq!(
        (&found["files"], &found["bytes"]),
        (&4.into(), &size.into()),
        "{found:#}"
    );
    // Rows 5 to 34 hold the middle two files, rows 0 to 4 half of the first.
    let (middle, start) = (
        convert("middle", &["--rows", "5:35"]),
        convert("start", &["--rows", "0:5"]),
    );
    let found = json(&[&middle, &start]);
    let found = &found["safe_to_delete"];
    assert_eq!(
        (&found["files"], &found["of_files"]),
        (&2.into(), &4.into()),
        "{found:#}"
    );
    assert_eq!(found["kept"]["more-segments"]["count"], 2);
    // What one array lacks another has.
    let found = json(&[&start, &volts]);
    assert_eq!(found["safe_to_delete"]["files"], 4, "{found:#}");
}

#[test]
fn files_whose_codes_float32_cannot_tell_apart_are_kept() {
    let cases: [(f32, f32, &[&str], u64); 6] = [
        (1e-9, 1.0, &[], 0),
        (1e38, 0.0, &[], 0),
        (0.0, 0.0, &[], 0),
        (1e-9, 1.0, &["--dtype", "native"], 3),
        (1e-9, 1.0, &["--baseline", "20"], 3),
        (2.5e-4, 1.0, &[], 3),
    ];
    for (gain, offset, options, safe) in cases {
        let made = changed(&RunSpec::new(3, 200), options, |file| {
            file.gain = gain;
            file.offset = offset;
        });
        let json = made.json(&["--sources"]);
        let found = &json["safe_to_delete"];
        let kept = found["kept"]["rounded"]["count"].as_u64().unwrap_or(0);
        assert_eq!(
            (&found["files"], kept),
            (&safe.into(), 3 - safe),
            "{gain} {offset} {options:?}: {json:#}"
        );
    }
}

/// A conversion of files that were changed before they were written.
fn changed(spec: &RunSpec, options: &[&str], change: impl Fn(&mut TraceFile)) -> Made {
    Made::of_changed(spec.clone(), options, |run| {
        for position in 0..spec.file_count() {
            let mut file = spec.file(1, position);
            change(&mut file);
            fs::write(spec.path(run, 1, position), file.to_bytes()).unwrap();
        }
    })
}

#[test]
fn what_else_is_in_a_file_and_in_no_output_is_named() {
    type Change = fn(&mut TraceFile);
    let cases: [(&str, Change); 4] = [
        ("with a text of the user's", |file| {
            file.user_text = b"bias 60 V".to_vec();
        }),
        ("with the times of an RIS acquisition", |file| {
            file.ris_time = vec![1e-9, 2e-9];
        }),
        ("with bytes behind the last block", |file| {
            file.trailing = b"\n\0more".to_vec();
        }),
        ("safe to delete: every sample", |file| {
            file.trailing = b"\r\n\0\0".to_vec();
        }),
    ];
    for (says, change) in cases {
        let made = changed(&RunSpec::new(4, 100), &[], change);
        let ended = made.verify(&["--sources"]);
        let found = if says.starts_with("safe") {
            "All 4 source files in r005"
        } else {
            "None of the 4 source files in r005"
        };
        ended.must_succeed().must_say(&[found, says]);
    }
}

#[test]
fn a_list_is_written_whole_and_anew_or_not_at_all() {
    let made = Made::new("lists", spec(5, &[]), &[], 0);
    let safe = made.beside("safe.txt");
    let options = ["--sources", "--list-safe", safe.to_str().unwrap()];
    let beside = || fs::read_dir(safe.parent().unwrap()).unwrap().count();
    let before = beside();
    let source = made.source(1, 3);
    let size = fs::metadata(&source).unwrap().len();
    flip(&source, (size - 20) * 8);
    made.verify(&options)
        .must_end_with(3)
        .must_say(&["DIFFERS", "safe.txt was not written"]);
    assert_eq!(beside(), before, "something is left");
    flip(&source, (size - 20) * 8);
    made.verify(&options).must_succeed().must_say(&["10 lines"]);
    assert_eq!(set(&list(&safe)), traces(&made.run));
    made.verify(&options)
        .must_end_with(2)
        .must_say(&["--list-safe", "is there already", "another name"]);
    for wrong in [&options[1..], &[&options[..], &["--sample", "5%"]].concat()] {
        made.verify(wrong).must_end_with(2);
    }
}
