//! Folders, before they are converted.

use std::fs;

use serde_json::{Value, json as value};
use trc2npy_synth::RunSpec;
use trc2npy_tests::{scratch, write_run};

use super::{inspect, json, must_fit};

#[test]
fn a_run_shows_its_channels_its_gaps_and_what_it_lacks() {
    let root = scratch();
    let run = root.path().join("r005");
    let two = RunSpec {
        channels: vec![1, 2],
        ..RunSpec::new(20, 300)
    };
    write_run(&two, &run);
    write_run(
        &RunSpec {
            start: 30,
            ..two.clone()
        },
        &run,
    );
    write_run(&two, &root.path().join("r005-3"));
    fs::remove_file(run.join("C2--Trace--00031.trc")).unwrap();
    fs::copy(run.join("C1--Trace--00003.trc"), run.join("C1--Trace--00003 (1).trc")).unwrap();
    fs::write(run.join("notes.txt"), "x").unwrap();
    let report = json(root.path(), ["r005", "r005-3", "--probe", "all"]);
    let report = &report["runs"][0]["runs"][0];
    assert_eq!((&report["run"], &report["files"]), (&"r005".into(), &119.into()));
    assert_eq!(report["opened"], 119);
    let channels: Vec<Value> = ["channel", "files", "rows", "samples", "bits"]
        .iter()
        .map(|key| report["channels"][1][key].clone())
        .collect();
    assert_eq!(Value::from(channels), value!(["C2", 59, 60, 300, 16]));
    let numbers = |at: usize| -> Value {
        let numbers = &report["numbers"][at];
        value!([
            numbers["folder"],
            numbers["channel"],
            numbers["files"],
            numbers["first"],
            numbers["last"],
            numbers["missing"],
            numbers["gaps"]
        ])
    };
    let gap = |from: u64, to: u64| value!({"from": from, "to": to});
    assert_eq!(numbers(0), value!(["r005", "C1", 40, 0, 49, 10, [gap(20, 29)]]));
    assert_eq!(numbers(1), value!(["r005-3", "C1", 20, 0, 19, 0, []]));
    assert_eq!(
        numbers(2),
        value!(["r005", "C2", 39, 0, 49, 11, [gap(20, 29), gap(31, 31)]])
    );
    let ended = inspect(root.path(), ["r005", "r005-3"]);
    ended.must_succeed().must_say(&[
        "Run r005",
        "20-29, 31",
        "missing between the folders of the run: 1 folder (r005-2)",
        "with the name of a copy",
        "channel C2 lacks 1 of 60 events",
        "index 31)",
        "of another kind than .trc (r005/notes.txt)",
        "--probe all opens every one",
    ]);
    if root.path().as_os_str().len() < 40 {
        must_fit(&ended);
    }
}

#[test]
fn a_setting_that_changes_is_shown_with_the_file_where_it_does() {
    let root = scratch();
    let run = root.path().join("r1");
    write_run(&RunSpec::new(100, 50), &run);
    let later = RunSpec {
        start: 100,
        horiz_interval: 2e-9,
        ..RunSpec::new(50, 50)
    };
    write_run(&later, &run);
    // The gain of one channel, from file 120 on.
    for position in 20..50 {
        let mut file = later.file(1, position);
        file.gain *= 2.0;
        fs::write(later.path(&run, 1, position), file.to_bytes()).unwrap();
    }
    let report = json(root.path(), ["r1", "--probe", "all"]);
    let findings = report["runs"][0]["runs"][0]["findings"].as_array().unwrap().clone();
    let change = |setting: &str| -> Value {
        let found = findings.iter().find(|finding| finding["change"]["setting"] == setting);
        let change = &found.unwrap_or_else(|| panic!("{setting}: {findings:#?}"))["change"];
        assert_eq!(change["changes"], 1);
        let at = &change["examples"][0];
        value!([at["last_before"], at["first_after"]])
    };
    let files = |last: u64, first: u64| {
        let name = |index: u64| format!("r1/C1--Trace--{index:05}.trc");
        value!([name(last), name(first)])
    };
    assert_eq!(change("HORIZ_INTERVAL"), files(99, 100));
    assert_eq!(change("VERTICAL_GAIN"), files(119, 120));
    inspect(root.path(), ["r1"])
        .must_succeed()
        .must_say(&["HORIZ_INTERVAL changes from 1e-9", "--mixed warn"]);
}

#[test]
fn several_measurements_in_a_folder_are_looked_at_one_by_one() {
    let root = scratch();
    for (stem, files) in [("bias50", 3), ("bias60", 4)] {
        let spec = RunSpec {
            name: format!("C{{c}}--{stem}--{{i:05}}.trc").parse().unwrap(),
            ..RunSpec::new(files, 60)
        };
        write_run(&spec, &root.path().join("r"));
    }
    let report = json(root.path(), ["r"]);
    let stems: Vec<(&Value, &Value)> = report["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stem| (&stem["stem"], &stem["runs"][0]["files"]))
        .collect();
    assert_eq!(stems, [(&"bias50".into(), &3.into()), (&"bias60".into(), &4.into())]);
    inspect(root.path(), ["r"])
        .must_succeed()
        .must_say(&["--stem bias50", "--stem bias60"]);
    let one = inspect(root.path(), ["r", "--stem", "bias60"]);
    assert!(!one.must_succeed().stdout.contains("files called bias50"), "{one:#?}");
}

#[test]
fn rows_of_several_lengths_are_listed_and_a_folder_without_traces_is_explained() {
    let root = scratch();
    let spec = RunSpec {
        bad: vec!["other-length:3".parse().unwrap(), "truncated".parse().unwrap()],
        ..RunSpec::new(20, 200)
    };
    write_run(&spec, &root.path().join("r"));
    inspect(root.path(), ["r"]).must_succeed().must_say(&[
        "rows of 2 lengths: 200 samples in",
        "convert needs --ragged",
        "cut short",
    ]);
    fs::create_dir(root.path().join("empty")).unwrap();
    inspect(root.path(), ["empty"])
        .must_end_with(2)
        .must_say(&["no traces found", "empty holds nothing"]);
}
