//! Whether the inputs are still those of a plan.

use std::time::{Duration, SystemTime};

use trc2npy_common::options::{Events, OnBadFile};
use trc2npy_common::plan::{InputChanges, Made, Plan, compare};

use super::{Lab, one, sweep};

fn changes(plan: &Plan) -> InputChanges {
    compare(plan, plan, false, 2, &|_, _, _| Made::Not).unwrap()
}

fn touch(lab: &Lab, path: &str, later: Duration) {
    let file = std::fs::File::options().write(true).open(lab.at(path)).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.set_modified(modified + later).unwrap();
}

fn lab() -> Lab {
    let lab = Lab::new();
    for index in 0..10 {
        lab.put(&format!("r/C1--Trace--{index:05}.trc"), &sweep(10));
        lab.put(&format!("r-2/C1--Trace--{index:05}.trc"), &sweep(10));
    }
    lab
}

#[test]
fn nothing_has_changed_where_nothing_has() {
    let lab = lab();
    let plan = lab.plan(&["r", "r-2"]).plan;
    assert!(changes(&plan).is_empty());
    // Copies, strangers and files of the system are no new traces.
    lab.put("r/C1--Trace--00001 (1).trc", &sweep(10))
        .put_bytes("r/notes.txt", b"x")
        .put_bytes("r/.x.trc", b"x");
    assert!(changes(&plan).is_empty());
    assert!(changes(&Plan::decode(&plan.encode()).unwrap()).is_empty());
}

#[test]
fn new_changed_and_missing_files_are_told_apart() {
    let lab = lab();
    let plan = lab.plan(&["r", "r-2"]).plan;
    lab.put("r/C1--Trace--00010.trc", &sweep(10))
        .put("r/C2--Trace--00000.trc", &sweep(10));
    let found = changes(&plan);
    assert!(!found.stops());
    assert_eq!(found.new.examples, ["r/C1--Trace--00010.trc", "r/C2--Trace--00000.trc"]);

    lab.put("r-2/C1--Trace--00003.trc", &sweep(11));
    touch(&lab, "r-2/C1--Trace--00004.trc", Duration::from_mins(1));
    touch(&lab, "r-2/C1--Trace--00005.trc", Duration::from_millis(1900));
    std::fs::remove_file(lab.at("r/C1--Trace--00009.trc")).unwrap();
    let found = changes(&plan);
    assert!(found.stops());
    assert_eq!(found.missing.examples, ["r/C1--Trace--00009.trc"]);
    assert_eq!(found.changed.count, 2);
    assert_eq!(
        found.changed.examples[0].to_string(),
        "r-2/C1--Trace--00003.trc: 366 bytes planned, 368 found"
    );
    assert_eq!(
        found.changed.examples[1].to_string(),
        "r-2/C1--Trace--00004.trc: modified 60 seconds later than planned"
    );
    // The size alone.
    assert_eq!(
        compare(&plan, &plan, true, 1, &|_, _, _| Made::Not)
            .unwrap()
            .changed
            .count,
        1
    );
    assert!(found.to_string().contains("--trust-size"), "{found}");
}

#[test]
fn a_folder_that_is_gone_is_so_many_missing_files() {
    let lab = lab();
    let plan = lab.plan(&["r", "r-2"]).plan;
    std::fs::remove_dir_all(lab.at("r-2")).unwrap();
    assert_eq!(changes(&plan).missing.count, 10);
}

#[test]
fn only_what_the_same_inputs_would_find_is_new() {
    let lab = lab();
    // Files named one by one: others beside them are none of the run's concern.
    let plan = lab.plan(&["r/C1--Trace--00000.trc", "r/C1--Trace--00001.trc"]).plan;
    assert!(changes(&plan).is_empty());

    // A pattern finds new files and folders.
    let plan = lab.plan(&["r*"]).plan;
    lab.put("r-3/C1--Trace--00000.trc", &sweep(10))
        .put("rx/C1--Trace--00000.trc", &sweep(10));
    let found = changes(&plan);
    assert_eq!(found.new.count, 1, "{found}");
    assert!(found.new.examples[0].ends_with("r-3/C1--Trace--00000.trc"), "{found}");

    let mut request = lab.request(&["r"]);
    request.channels = Some(vec!["C1".parse().unwrap()]);
    let plan = one(&request).plan;
    lab.put("r/C2--Trace--00000.trc", &sweep(10));
    assert!(changes(&plan).is_empty());
}

#[test]
fn files_that_were_left_out_are_known() {
    let lab = lab();
    lab.put_bytes("r/C1--Trace--00010.trc", b"broken")
        .put("r/C2--Trace--00002.trc", &sweep(10));
    let mut request = lab.request(&["r"]);
    request.options.on_bad_file = OnBadFile::Skip;
    request.options.events = Events::Complete;
    let plan = one(&request).plan;
    assert_eq!(plan.channels[0].rows, 1);
    assert!(changes(&plan).is_empty());
}

#[test]
fn names_of_every_form_are_found_again() {
    let lab = Lab::new();
    lab.sweeps("a", ["C1bias5000000.trc", "C1bias5000001.trc"])
        .sweeps("b", ["C100000.trc", "C200000.trc"])
        .sweeps(
            "c",
            ["C1--T--1.trc", "C1--T--02.trc", "C1--T--100000.trc", "C1--T--00003.TRC"],
        )
        .sweeps("d", ["trace1.000", "trace1.001"])
        .sweeps("e", ["Trace--00000.trc"])
        .sweeps("f", ["pulse.trc"]);
    for input in ["a", "b", "c", "d", "e", "f/pulse.trc"] {
        let plan = lab.plan(&[input]).plan;
        assert!(changes(&plan).is_empty(), "{input}: {}", changes(&plan));
    }
    // The same index under another name is another file.
    let plan = lab.plan(&["c"]).plan;
    std::fs::rename(lab.at("c/C1--T--1.trc"), lab.at("c/C1--T--00001.trc")).unwrap();
    let found = changes(&plan);
    assert_eq!((found.missing.count, found.new.count), (1, 1));
}

#[test]
fn times_of_the_future_are_no_trouble() {
    let lab = lab();
    let file = std::fs::File::options()
        .write(true)
        .open(lab.at("r/C1--Trace--00000.trc"))
        .unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(1 << 31))
        .unwrap();
    assert!(changes(&lab.plan(&["r"]).plan).is_empty());
}
