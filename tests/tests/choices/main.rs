//! What the options choose: which files and events become rows, what becomes of files that do not fit, and how a user
//! is told. Numpy judges where it knows the option; where not, the rows are named by hand.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]
#![allow(clippy::float_cmp, reason = "values must agree in every bit")]

mod bad_input;
mod dry_run;
mod events;
mod inputs;

use std::fs;
use std::path::Path;

use trc2npy_tests::Record;

/// The source file of each row; none where the row has no file.
fn row_files(out: &Path, channel: &str) -> Vec<Option<String>> {
    let list = fs::read_to_string(out.join(format!("{channel}--Trace.files.txt"))).unwrap();
    let names: Vec<&str> = list.lines().collect();
    Record::read_all(&out.join(format!("{channel}--Trace.index.npy")))
        .iter()
        .map(|record| names.get(record.file as usize).map(|name| (*name).to_owned()))
        .collect()
}

/// The status of each row.
fn statuses(out: &Path, channel: &str) -> Vec<u8> {
    let records = Record::read_all(&out.join(format!("{channel}--Trace.index.npy")));
    records.iter().map(|record| record.status).collect()
}

/// `r1/C2--Trace--00003.trc`
#[expect(clippy::unnecessary_wraps, reason = "what is compared with is an option")]
fn file(channel: &str, index: u32) -> Option<String> {
    Some(format!("r1/{channel}--Trace--{index:05}.trc"))
}
