//! What is said of plans, shares, and what is missing of them.

use std::fs;

use crate::page::Page;

#[test]
fn plans_and_shares() {
    let mut page = Page::new();
    page.run("run", 6, |_| {});
    page.says("nothing named", &["plan", "run"]);
    page.says("no file for the plan", &["plan", "run", "--out", "npy"]);
    page.bytes("notes.txt", b"of a night");
    page.says(
        "a file that is no plan",
        &["plan", "run", "--out", "npy", "-o", "notes.txt"],
    );
    page.says(
        "threads of a task",
        &["plan", "run", "--out", "npy", "-o", "r.plan", "--threads", "2"],
    );
    page.says("a plan", &["plan", "run", "--out", "npy", "-o", "r.plan"]);
    page.says("no share", &["run-range", "r.plan"]);
    page.says("no number of shares", &["run-range", "r.plan", "--index", "1"]);
    page.says(
        "a share too many",
        &["run-range", "r.plan", "--index", "2", "--count", "2"],
    );
    page.says("nothing is made", &["stitch", "r.plan"]);
    page.says("a timeout of no waiting", &["stitch", "r.plan", "--timeout", "1h"]);
    page.says("no plan", &["run-range", "notes.txt", "--index", "0", "--count", "1"]);
    page.says("no file", &["stitch", "none.plan"]);
    let mut damaged = fs::read(page.at("r.plan")).unwrap();
    damaged.truncate(500);
    page.bytes("cut.plan", &damaged);
    page.says("a damaged plan", &["stitch", "cut.plan"]);
    damaged[8] = 7;
    page.bytes("newer.plan", &damaged);
    page.says("another version", &["stitch", "newer.plan"]);
    page.bytes("run/C1--Trace--00003.trc", b"cut");
    page.says(
        "an input that has changed",
        &["run-range", "r.plan", "--index", "0", "--count", "1"],
    );
    fs::remove_dir_all(page.at("npy")).unwrap();
    page.says("an output folder that is gone", &["stitch", "r.plan"]);
    insta::assert_snapshot!("plans_and_shares", page.text());
}
