//! What is said of an output folder, and of what comes up while converting.

use std::fs;

use trc2npy_tests::{Convert, committed_rows};

use crate::page::Page;

/// A run of 400 files, of which planning opens some.
const MANY: u64 = 400;

#[test]
fn outputs_that_are_in_the_way() {
    let mut page = Page::new();
    page.run("run", 6, |_| {});
    page.bytes("out/C1--Trace.npy", b"mine");
    page.says("a file of somebody else", &["convert", "run", "--out", "out"]);
    fs::create_dir_all(page.at("folder/C1--Trace.npy")).unwrap();
    page.says(
        "a folder of that name",
        &["convert", "run", "--out", "folder", "--overwrite"],
    );
    page.says(
        "an output that is a file",
        &["convert", "run", "--out", "out/C1--Trace.npy"],
    );
    page.says("a place for nothing", &["convert", "run", "--out", "npy/{date}"]);
    let long = format!("{{channel}}{}.npy", "y".repeat(250));
    page.says(
        "a name that is too long",
        &["convert", "run", "--out", "long", "--name", &long],
    );

    let finished = ["convert", "run", "--out", "done", "--progress", "none"];
    page.says("a run", &finished);
    page.says("the same again", &finished);
    page.says("with other options", &[&finished[..], &["--baseline", "20"]].concat());
    page.bytes("done/C1--Trace.npy", b"a result of my own");
    page.says("an output that was changed", &finished);
    page.run("run", 6, |spec| spec.overwrite = true);
    fs::remove_file(page.at("done/C1--Trace.npy")).unwrap();
    fs::remove_file(page.at("done/C1--Trace.json")).unwrap();
    page.run("more", 6, |_| {});
    let more = ["convert", "more", "--out", "more-out", "--progress", "none"];
    page.says("another run", &more);
    fs::copy(
        page.at("more/C1--Trace--00000.trc"),
        page.at("more/C1--Trace--00006.trc"),
    )
    .unwrap();
    page.says("a new input", &more);
    page.bytes("more/C1--Trace--00003.trc", b"cut");
    fs::remove_file(page.at("more/C1--Trace--00002.trc")).unwrap();
    page.says("inputs changed and gone", &more);
    insta::assert_snapshot!("outputs_that_are_in_the_way", page.text());
}

#[test]
fn unfinished_work() {
    let mut page = Page::new();
    page.run("run", 6, |_| {});
    // One file is young and short: all others are committed, and the run waits.
    let young = page.at("run/C1--Trace--00003.trc");
    let whole = fs::read(&young).unwrap();
    fs::write(&young, &whole[..500]).unwrap();
    let out = page.at("out");
    let mut running = Convert::new(["run"], "out")
        .args(["--settle", "10m"])
        .from(&page.at(""))
        .start();
    running.poll("five committed rows", |_| (committed_rows(&out) == 5).then_some(()));
    let other = ["convert", "run", "--out", "out", "--baseline", "20"];
    let _ = running.kill();
    page.bytes("run/C1--Trace--00003.trc", &whole);
    page.says("another command, unfinished", &other);
    let states: Vec<_> = trc2npy_tests::states(&out);
    let plan = states[0].join("plan.bin");
    let mut damaged = fs::read(&plan).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&plan, damaged).unwrap();
    page.says("a plan that is damaged", &["convert", "run", "--out", "out"]);
    let name = states[0].file_name().unwrap().to_string_lossy().into_owned();
    insta::assert_snapshot!("unfinished_work", page.text().replace(&name, "KEY"));
}

#[test]
fn files_that_do_not_suit() {
    let mut page = Page::new();
    let convert = |folder: &'static str| vec!["convert", folder, "--out", "out", "--overwrite", "--progress", "none"];
    page.run("run", MANY, |_| {});
    page.says("16 bits into 8", &[&convert("run")[..], &["--dtype", "int8"]].concat());
    // File 377 is none of those that planning opens.
    page.patch("run/C1--Trace--00377.trc", 144, &2_i32.to_le_bytes());
    page.says("another layout", &convert("run"));
    page.patch("run/C1--Trace--00377.trc", 144, &1_i32.to_le_bytes());
    page.patch("run/C1--Trace--00377.trc", 176, &2e-9_f32.to_le_bytes());
    page.says("another sample interval", &convert("run"));
    page.patch("run/C1--Trace--00377.trc", 176, &1e-9_f32.to_le_bytes());
    page.patch("run/C1--Trace--00377.trc", 156, &0.5_f32.to_le_bytes());
    page.says("another gain", &convert("run"));
    page.patch("run/C1--Trace--00377.trc", 156, &f32::NAN.to_le_bytes());
    page.says("no gain", &convert("run"));
    page.patch("run/C1--Trace--00377.trc", 40, &(-1_i32).to_le_bytes());
    page.says(
        "a bad file, and fail",
        &[&convert("run")[..], &["--on-bad-file", "fail"]].concat(),
    );
    page.says("a bad file", &convert("run"));
    page.says(
        "a bad file, left out",
        &[&convert("run")[..], &["--on-bad-file", "skip"]].concat(),
    );
    insta::assert_snapshot!("files_that_do_not_suit", page.text());
}
