//! Which files are taken: `--stem`, `--join`, `--recursive`, `--channels`, `--name`; and what is said where none is.

use std::fs;
use std::path::{Path, PathBuf};

use trc2npy_synth::{NameTemplate, RunSpec};
use trc2npy_tests::{Convert, Oracle, difference, outputs, scratch, write_run};

use crate::row_files;

fn named(root: &Path, folder: &str, name: &str, files: u64, seed: u64) -> PathBuf {
    let run = root.join(folder);
    let mut spec = RunSpec::new(files, 100);
    spec.name = name.parse::<NameTemplate>().unwrap();
    spec.seed = seed;
    write_run(&spec, &run);
    run
}

const TRACE: &str = "C{c}--Trace--{i:05}.trc";

#[test]
fn one_stem_of_several_must_be_chosen() {
    let root = scratch();
    let run = named(root.path(), "r1", TRACE, 4, 1);
    named(root.path(), "r1", "C{c}--bias--50--{i:05}.trc", 3, 2);
    let out = root.path().join("out");
    Convert::new([&run], &out)
        .run()
        .must_end_with(2)
        .must_say(&["Trace", "4 files", "bias--50", "3 files", "--stem"]);
    Convert::new([&run], &out)
        .args(["--stem", "wave"])
        .run()
        .must_end_with(2)
        .must_say(&["\"wave\"", "Trace", "bias--50", "--stem"]);
    assert!(!out.exists());
    Convert::new([&run], &out)
        .args(["--stem", "bias--50"])
        .run()
        .must_succeed();
    let wanted: Vec<_> = (0..3).map(|i| Some(format!("r1/C1--bias--50--{i:05}.trc"))).collect();
    assert_eq!(row_files(&out, "C1"), wanted);
    // The same files alone in a folder of the same name give the same numbers.
    let other = root.path().join("alone");
    let alone = named(&other, "r1", "C{c}--bias--50--{i:05}.trc", 3, 2);
    let second = root.path().join("second");
    Convert::new([&alone], &second).run().must_succeed();
    Oracle::new(&second, [&alone]).must_agree();
    assert_eq!(outputs(&out)["C1--Trace.npy"], outputs(&second)["C1--Trace.npy"]);
}

#[test]
fn several_runs_need_a_folder_each_or_are_joined() {
    let root = scratch();
    let first = named(root.path(), "day1", TRACE, 3, 1);
    let second = named(root.path(), "day2", TRACE, 4, 2);
    let out = root.path().join("out");
    Convert::new([&first, &second], &out)
        .run()
        .must_end_with(2)
        .must_say(&["day1", "day2", "{run}", "--join"]);
    assert!(!out.exists());
    Convert::new([&first, &second], out.join("{run}")).run().must_succeed();
    Oracle::new(&out.join("{run}"), [&first, &second]).must_agree();
    let joined = root.path().join("joined");
    Convert::new([&first, &second], &joined)
        .args(["--join"])
        .run()
        .must_succeed();
    Oracle::new(&joined, [&first, &second]).must_agree();
    assert_eq!(row_files(&joined, "C1").len(), 7);
    // In the order given.
    let reversed = root.path().join("reversed");
    Convert::new([&second, &first], &reversed)
        .args(["--join"])
        .run()
        .must_succeed();
    Oracle::new(&reversed, [&second, &first]).must_agree();
    assert_eq!(
        row_files(&reversed, "C1")[0].as_deref(),
        Some("day2/C1--Trace--00000.trc")
    );
}

#[test]
fn folders_of_one_run_are_taken_by_number_and_a_gap_is_told() {
    let root = scratch();
    let folders = ["r9", "r9-2", "r9-10"].map(|name| named(root.path(), name, TRACE, 2, name.len() as u64));
    let out = root.path().join("out");
    Convert::new([&folders[2], &folders[0], &folders[1]], &out)
        .run()
        .must_succeed()
        .must_say(&["warning", "r9-3"]);
    Oracle::new(&out, &folders).must_agree();
}

#[test]
fn sub_folders_are_entered_only_where_that_is_asked() {
    let root = scratch();
    let run = named(root.path(), "week/r005", TRACE, 3, 1);
    let other = named(root.path(), "week/r006", TRACE, 2, 2);
    let week = root.path().join("week");
    let out = root.path().join("out");
    Convert::new([&week], &out)
        .run()
        .must_end_with(2)
        .must_say(&["week", "folders", "--recursive"]);
    assert!(!out.exists());
    Convert::new([&week], out.join("{run}"))
        .args(["--recursive"])
        .run()
        .must_succeed();
    Oracle::new(&out.join("{run}"), [&run, &other]).must_agree();
}

#[test]
fn channels_are_chosen_by_name_or_number() {
    let root = scratch();
    let run = root.path().join("r1");
    let mut spec = RunSpec::new(5, 150);
    spec.channels = vec![1, 2, 3, 4];
    write_run(&spec, &run);
    let named = root.path().join("named");
    Convert::new([&run], &named)
        .args(["--channels", "C1,C3"])
        .run()
        .must_succeed();
    Oracle::new(&named, [&run]).args(["--channels", "C1,C3"]).must_agree();
    for (i, choice) in ["1,3", "c3,1", "3,1,C1"].iter().enumerate() {
        let out = root.path().join(format!("out{i}"));
        Convert::new([&run], &out)
            .args(["--channels", choice])
            .run()
            .must_succeed();
        assert_eq!(difference(&outputs(&out), &outputs(&named)), None, "{choice}");
    }
    assert_eq!(outputs(&named).len(), 8);
    Convert::new([&run], root.path().join("none"))
        .args(["--channels", "C1,C7"])
        .run()
        .must_end_with(2)
        .must_say(&["C7", "C1: 5 files", "C4: 5 files", "--channels"]);
    // A channel alone has the rows that it has among the others.
    assert!(outputs(&named).contains_key("C3--Trace.npy"));
}

#[test]
fn arrays_can_have_names_of_ones_own() {
    let root = scratch();
    let run = named(root.path(), "r1", TRACE, 3, 1);
    let out = root.path().join("out");
    Convert::new([&run], &out)
        .args(["--name", "run 5 {channel} é.npy"])
        .run()
        .must_succeed();
    Oracle::new(&out, [&run])
        .args(["--name", "run 5 {channel} é.npy"])
        .must_agree();
    for name in ["trace.npy", "{channel}", "../{channel}.npy", "{channel}.index.npy"] {
        Convert::new([&run], root.path().join("refused"))
            .args(["--name", name])
            .run()
            .must_end_with(2)
            .must_say(&["--name", "{channel}"]);
    }
}

#[test]
fn all_kinds_of_names_come_in_the_order_of_their_numbers() {
    for (number, template) in [
        "C{c}Trace{i:05}.trc",
        "C{c}--wave--{i}.TRC",
        "trace{c}.{i:03}",
        "C{c}--a--b--{i:07}.trc",
    ]
    .iter()
    .enumerate()
    {
        let root = scratch();
        let run = root.path().join(format!("r{number}"));
        let mut spec = RunSpec::new(14, 40);
        spec.name = template.parse().unwrap();
        spec.start = match *template {
            "trace{c}.{i:03}" => 995,
            // Beside C1Trace99999, the name C1Trace100000 could be read two ways; the next test is about that.
            "C{c}Trace{i:05}.trc" => 7,
            _ => 99_993,
        };
        if template.starts_with("trace") {
            spec.template = trc2npy_synth::Template::Lecroy1_0;
        }
        write_run(&spec, &run);
        let out = root.path().join("out");
        Convert::new([&run], &out).run().must_succeed();
        Oracle::new(&out, [&run]).must_agree();
        let wanted: Vec<_> = (spec.start..spec.start + 14)
            .map(|i| Some(format!("r{number}/{}", spec.name.name(1, i))))
            .collect();
        assert_eq!(row_files(&out, "C1"), wanted);
    }
}

#[test]
fn a_name_that_can_be_read_two_ways_is_shown_with_both_readings() {
    let root = scratch();
    let run = root.path().join("r1");
    let mut spec = RunSpec::new(6, 40);
    spec.name = "C{c}Trace{i:05}.trc".parse().unwrap();
    spec.start = 99_997;
    write_run(&spec, &run);
    let out = root.path().join("out");
    Convert::new([&run], &out).run().must_end_with(2).must_say(&[
        "C1Trace10000",
        "index 10000",
        "\"Trace1\"",
        "--stem \"Trace\"",
    ]);
    assert!(!out.exists());
    Convert::new([&run], &out)
        .args(["--stem", "Trace"])
        .run()
        .must_succeed();
    let wanted: Vec<_> = (99_997..100_003)
        .map(|i| Some(format!("r1/C1Trace{i:05}.trc")))
        .collect();
    assert_eq!(row_files(&out, "C1"), wanted);
}

#[test]
fn what_cannot_be_done_is_said_with_what_is_there_and_what_to_do() {
    let root = scratch();
    let run = named(root.path(), "r1", TRACE, 2, 1);
    let out = root.path().join("out");
    let refused = |inputs: &[&Path], options: &[&str], code: i32, texts: &[&str]| {
        Convert::new(inputs, &out)
            .args(options)
            .run()
            .must_end_with(code)
            .must_say(texts);
        assert!(!out.exists(), "{options:?} wrote something");
    };
    refused(&[], &[], 2, &["INPUT"]);
    refused(&[&root.path().join("r2")], &[], 2, &["r2", "r1"]);
    refused(&[&root.path().join("r1/C3*")], &[], 2, &["C3*"]);
    let empty = root.path().join("empty");
    fs::create_dir(&empty).unwrap();
    fs::write(empty.join("notes.txt"), "x").unwrap();
    refused(&[&empty], &[], 2, &["no traces", "C1--Trace--00000.trc", "notes.txt"]);
    refused(&[&run], &["--dtype", "float64"], 2, &["float64", "float32", "int16"]);
    refused(&[&run], &["--baseline", "-3"], 2, &["-3"]);
    refused(&[&run], &["--baselin", "3"], 2, &["--baselin"]);
    refused(&[&run], &["--memory-limit", "1kB"], 2, &["--memory-limit"]);
    refused(&[&run], &["--memory-limit", "lots"], 2, &["lots", "--memory-limit"]);
    refused(&[&run], &["--threads", "0"], 2, &["--threads"]);
    refused(&[&run], &["--channels", "C1;C2"], 2, &["C1;C2"]);
    // All files of a channel are bad: nothing says how long a row is.
    let hopeless = root.path().join("hopeless");
    fs::create_dir(&hopeless).unwrap();
    fs::write(hopeless.join("C1--Trace--00000.trc"), "no waveform").unwrap();
    refused(
        &[&hopeless],
        &["--settle", "0s"],
        1,
        &["C1", "no good file among", "C1--Trace--00000.trc"],
    );
    // Two files for one place.
    named(root.path(), "r1", "C{c}--Trace--{i:06}.trc", 1, 1);
    refused(
        &[&run],
        &[],
        1,
        &["C1--Trace--00000.trc", "C1--Trace--000000.trc", "index 0"],
    );
}
