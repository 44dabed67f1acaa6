//! Real files, against what an independent numpy decoder found in them (`expected.jsonl` beside them).
//!
//! They lie outside the project: in the folder that `TRC2NPY_REAL_FILES` names, else in `shared/trc-samples` beside the
//! workspace.

use std::path::PathBuf;

use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::super::*;
use crate::units::Bytes;

fn folder() -> PathBuf {
    std::env::var_os("TRC2NPY_REAL_FILES").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/trc-samples")),
        PathBuf::from,
    )
}

/// Each line of the expectations with its file's bytes; nothing, with the reason said, where the files are not here.
fn samples() -> Vec<(String, Json, Vec<u8>)> {
    let folder = folder();
    let Ok(lines) = std::fs::read_to_string(folder.join("expected.jsonl")) else {
        println!("left out: no real files in {} (TRC2NPY_REAL_FILES)", folder.display());
        return Vec::new();
    };
    let all: Vec<_> = lines
        .lines()
        .map(|line| {
            let expected: Json = serde_json::from_str(line).unwrap();
            let name = expected["file"].as_str().unwrap().to_owned();
            let bytes = std::fs::read(folder.join(&name)).unwrap();
            (name, expected, bytes)
        })
        .collect();
    assert!(!all.is_empty());
    all
}

fn head(file: &[u8]) -> &[u8] {
    &file[..file.len().min(HEAD_BYTES)]
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the expectations were f32 before they were written"
)]
fn single(json: &Json) -> f32 {
    json.as_f64().unwrap() as f32
}

fn slice(file: &[u8], range: std::ops::Range<u64>) -> &[u8] {
    &file[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()]
}

#[test]
fn headers_of_real_files_are_read_as_numpy_read_them() {
    for (name, expected, file) in samples() {
        if expected.get("error").is_some() {
            continue;
        }
        let header = Header::parse(head(&file)).unwrap();
        let layout = header.layout(Bytes::from(file.len())).unwrap();
        assert_eq!(header.template(), expected["template"], "{name}");
        assert_eq!(header.instrument(), expected["instrument"], "{name}");
        assert_eq!(header.order() == ByteOrder::Big, expected["big_endian"], "{name}");
        assert_eq!(header.width().bytes() as u64 - 1, expected["comm_type"], "{name}");
        assert_eq!(layout.shape.segments, expected["rows"], "{name}");
        assert_eq!(layout.shape.samples, expected["samples"], "{name}");
        for (key, found) in [
            ("vertical_gain", header.gain()),
            ("vertical_offset", header.offset()),
            ("horiz_interval", header.horiz_interval()),
        ] {
            assert_eq!(found.to_bits(), single(&expected[key]).to_bits(), "{name} {key}");
        }
        assert_eq!(
            header.horiz_offset().to_bits(),
            expected["horiz_offset"].as_f64().unwrap().to_bits()
        );
        assert_eq!((layout.count_mismatch, layout.missing_times), (None, 0), "{name}");

        let parts = expected["trigger_time"].as_array().unwrap();
        let part = |i: usize| parts[i].as_i64().unwrap();
        let nanoseconds = days_since_1970(part(0), part(1), part(2)) * 86_400_000_000_000
            + i128::from(part(3) * 60 + part(4)) * 60_000_000_000
            + nanoseconds(parts[5].as_f64().unwrap());
        assert_eq!(header.trigger_time().map(i128::from), Some(nanoseconds), "{name}");
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i128 {
    let leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let years: i64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let months = [
        31,
        if leap(year) { 29 } else { 28 },
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let months: i64 = months[..usize::try_from(month - 1).unwrap()].iter().sum();
    (years + months + day - 1).into()
}

/// By way of decimal text, not by the multiplication that the reader does.
fn nanoseconds(seconds: f64) -> i128 {
    format!("{seconds:.9}").replace('.', "").parse().unwrap()
}

#[test]
fn segment_times_of_real_files_are_read_as_numpy_read_them() {
    for (name, expected, file) in samples() {
        let Some(first) = expected.get("trigtime_first").and_then(Json::as_array) else {
            continue;
        };
        let header = Header::parse(head(&file)).unwrap();
        let layout = header.layout(Bytes::from(file.len())).unwrap();
        let block = layout.trigtime.map_or(&[][..], |range| slice(&file, range));
        let times: Vec<_> = segment_times(block, header.order()).collect();
        let pair = |json: &Json| (json[0].as_f64().unwrap(), json[1].as_f64().unwrap());
        for (found, expected) in times.iter().zip(first) {
            assert_eq!((found.time, found.offset), pair(expected), "{name}");
        }
        let last = expected["trigtime_last"].as_array().unwrap();
        for (found, expected) in times.iter().rev().zip(last.iter().rev()) {
            assert_eq!((found.time, found.offset), pair(expected), "{name}");
        }
        let rows = expected["rows"].as_u64().unwrap();
        assert_eq!(times.len() as u64, if first.is_empty() { 0 } else { rows }, "{name}");
    }
}

#[test]
fn values_of_real_files_are_those_of_numpy_to_the_last_bit() {
    for (name, expected, file) in samples() {
        if expected.get("error").is_some() {
            continue;
        }
        let header = Header::parse(head(&file)).unwrap();
        let layout = header.layout(Bytes::from(file.len())).unwrap();
        let mut hash = Sha256::new();
        let mut codes_of_all = Vec::new();
        let mut values_of_all = Vec::new();
        for k in 0..layout.shape.segments {
            let codes = decode::Codes {
                bytes: slice(&file, layout.segment(k)),
                width: header.width(),
                order: header.order(),
            };
            let mut values = vec![0.0_f32; codes.len()];
            let mut words = vec![0_i16; codes.len()];
            let extrema = decode::volts(codes, header.gain(), header.offset(), &mut values);
            assert_eq!(decode::words(codes, &mut words), extrema, "{name}");
            assert_eq!(words.iter().min(), Some(&extrema.min), "{name}");
            assert_eq!(words.iter().max(), Some(&extrema.max), "{name}");
            for value in &values {
                hash.update(value.to_le_bytes());
            }
            values_of_all.extend(values);
            codes_of_all.extend(words);
        }
        let digest = format!("{:x}", hash.finalize());
        assert_eq!(digest, expected["sha256_float32_le"], "{name}");
        let first = expected["first_codes"].as_array().unwrap();
        for (found, expected) in codes_of_all.iter().zip(first) {
            assert_eq!(i64::from(*found), expected.as_i64().unwrap(), "{name}");
        }
        for (found, expected) in values_of_all.iter().zip(expected["first_values"].as_array().unwrap()) {
            assert_eq!(found.to_bits(), single(expected).to_bits(), "{name}");
        }
        assert_eq!(
            values_of_all.last().unwrap().to_bits(),
            single(&expected["last_value"]).to_bits(),
            "{name}"
        );
    }
}

#[test]
fn a_real_header_without_its_samples_is_cut_short() {
    for (name, expected, file) in samples() {
        let Some(error) = expected.get("error").and_then(Json::as_str) else {
            continue;
        };
        let header = Header::parse(head(&file)).unwrap();
        let FormatError::Truncated { expected, found, .. } = header.layout(Bytes::from(file.len())).unwrap_err() else {
            panic!("{name} is not cut short");
        };
        assert_eq!(
            error,
            format!(
                "ValueError: truncated: {} bytes expected, {} found",
                expected.0, found.0
            )
        );
    }
}
