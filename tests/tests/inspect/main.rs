//! `trc2npy inspect`: files, runs and arrays, as a user looks at them.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]

mod arrays;
mod files;
mod runs;

use std::ffi::OsStr;
use std::path::Path;

use serde_json::Value;
use trc2npy_tests::{Call, Ended};

/// One call, with relative paths meant from `folder`.
fn inspect(folder: &Path, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ended {
    Call::of("inspect").from(folder).args(words).run()
}

/// What `--json` shows.
fn json(folder: &Path, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Value {
    let ended = Call::of("inspect").from(folder).args(words).args(["--json"]).run();
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:#?}"))
}

/// Fails where a line is too wide for a terminal of 80 columns.
#[track_caller]
fn must_fit(ended: &Ended) {
    for line in ended.stdout.lines() {
        let columns = line.chars().count();
        assert!(columns <= 80, "{columns} columns: {line}");
    }
}
