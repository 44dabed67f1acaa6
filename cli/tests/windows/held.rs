//! Files that another program holds: this test.

use std::fs::{self, File};
use std::os::windows::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Stdio;

use crate::bench::{Bench, Running, must_end, outputs, poll};

/// As an instrument writes: nobody else may open it.
fn for_itself_alone(path: &Path) -> File {
    File::options().read(true).write(true).share_mode(0).open(path).unwrap()
}

/// As Python opens and maps an array: others may read and write it, but not take its name.
fn as_python(path: &Path) -> File {
    const READ_AND_WRITE: u32 = 3;
    File::options()
        .read(true)
        .share_mode(READ_AND_WRITE)
        .open(path)
        .unwrap()
}

#[test]
fn a_file_that_is_held_for_itself_alone_is_told_of_and_made_once_it_is_free() {
    let bench = Bench::new(20);
    let reference = bench.convert(&["r005", "--out", "reference"], 0);
    assert!(!reference.contains("still"), "{reference}");
    // One in the middle, and one of those that planning would look at first.
    let held =
        ["C1--Trace--00007.trc", "C2--Trace--00000.trc"].map(|name| for_itself_alone(&bench.path("r005").join(name)));
    let args = ["r005", "--out", "out", "--settle", "100ms"];
    let said = bench.convert(&args, 3);
    for text in [
        "C1--Trace--00007.trc",
        "C2--Trace--00000.trc",
        "another program has it open",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
    drop(held);
    bench.convert(&[&args[..], &["--overwrite"]].concat(), 0);
    assert!(outputs(&bench.path("out")) == outputs(&bench.path("reference")));
}

#[test]
fn a_file_that_becomes_free_before_the_end_is_no_bad_row() {
    let bench = Bench::new(20);
    let held = for_itself_alone(&bench.path("r005").join("C1--Trace--00007.trc"));
    let mut command = bench.command("convert");
    command.args(["r005", "--out", "out", "--settle", "2s", "--progress", "json"]);
    let mut running = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    let out = bench.path("out").join(".trc2npy");
    // Once rows are recorded, the others have been tried.
    poll("the first record", || {
        let states = fs::read_dir(&out).ok()?;
        let mut journals = states.flatten().map(|state| state.path().join("journal"));
        journals.find(|journal| fs::read_to_string(journal).is_ok_and(|text| text.contains("committed")))
    });
    drop(held);
    let mut said = running.0.stdout.take().unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut said, &mut text).unwrap();
    assert_eq!(running.0.wait().unwrap().code(), Some(0), "{text}");
}

#[test]
fn an_array_that_is_open_elsewhere_is_told_of_before_anything_is_done() {
    let bench = Bench::new(5);
    bench.convert(&["r005", "--out", "out"], 0);
    let before = outputs(&bench.path("out"));
    let array = as_python(&bench.path("out").join("C1--Trace.npy"));
    let args = ["r005", "--out", "out", "--baseline", "50", "--overwrite"];
    let said = bench.convert(&args, 1);
    assert!(said.contains("C1--Trace.npy") && said.contains("Jupyter"), "{said}");
    assert!(outputs(&bench.path("out")) == before);
    drop(array);
    bench.convert(&args, 0);
    assert!(outputs(&bench.path("out")) != before);
}

#[test]
fn an_array_that_is_opened_meanwhile_keeps_the_new_one_beside_it_and_the_next_call_only_renames() {
    let bench = Bench::new(40);
    bench.convert(&["r005", "--out", "reference", "--baseline", "50"], 0);
    bench.convert(&["r005", "--out", "out"], 0);
    // The conversion waits for this one, and so for the array to be opened.
    let held = for_itself_alone(&bench.path("r005").join("C2--Trace--00007.trc"));
    let args = [
        "r005",
        "--out",
        "out",
        "--baseline",
        "50",
        "--overwrite",
        "--settle",
        "1s",
    ];
    let mut command = bench.command("convert");
    command.args(args).args(["--progress", "none"]);
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let state = bench.path("out").join(".trc2npy");
    let begun = poll("the first record", || {
        let states = fs::read_dir(&state).ok()?;
        let mut journals = states.flatten().map(|state| state.path().join("journal"));
        journals.find(|journal| {
            fs::read_to_string(journal).is_ok_and(|text| text.contains("committed") && !text.contains("done"))
        })
    });
    let array = as_python(&bench.path("out").join("C1--Trace.npy"));
    drop(held);
    let said = must_end(&running.wait_with_output().unwrap(), 1);
    let kept = begun.with_file_name("C1.npy");
    let shown = kept.strip_prefix(bench.folder.path()).unwrap().display().to_string();
    assert!(said.contains(&shown) && said.contains("C1--Trace.npy"), "{said}");
    let new = fs::read(&kept).unwrap();
    drop(array);
    let said = bench.convert(&args[..6], 0);
    assert!(!kept.exists(), "{said}");
    assert!(fs::read(bench.path("out").join("C1--Trace.npy")).unwrap() == new);
    assert!(outputs(&bench.path("out")) == outputs(&bench.path("reference")));
}
