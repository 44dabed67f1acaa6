//! Outputs that are wrong and whose checksums are right: only the sources can tell.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::common::{Made, every_kind, slow_crc32c};

/// Makes every checksum of a channel right again.
fn seal(out: &Path, channel: &str) {
    let path = |ending: &str| out.join(format!("{channel}--Trace{ending}"));
    let text = fs::read_to_string(path(".json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let mut sealed = text.clone();
    for (part, ending) in [("data", ".npy"), ("index", ".index.npy")] {
        let bytes = fs::read(path(ending)).unwrap();
        let crc = format!("{:08x}", slow_crc32c(&bytes[4096..]));
        sealed = sealed.replace(json[part]["crc32c"].as_str().unwrap(), &crc);
    }
    let list = format!("{:08x}", slow_crc32c(&fs::read(path(".files.txt")).unwrap()));
    sealed = sealed.replace(json["files"]["crc32c"].as_str().unwrap(), &list);
    let at = sealed.len() - 12;
    sealed.replace_range(at..at + 8, "00000000");
    let own = format!("{:08x}", slow_crc32c(sealed.as_bytes()));
    sealed.replace_range(at..at + 8, &own);
    fs::write(path(".json"), sealed).unwrap();
}

fn patch(path: &Path, at: usize, change: impl Fn(&mut u8)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes[at]);
    fs::write(path, bytes).unwrap();
}

fn kind(name: &str) -> Made {
    every_kind().into_iter().find(|made| made.name == name).unwrap()
}

/// The only difference of the first channel.
fn difference(made: &Made) -> Value {
    let json = made.json(&["--sources"]);
    let differences = &json["channels"][0]["differences"];
    assert_eq!(differences["count"], 1, "{json:#}");
    assert_eq!(json["channels"][1]["differences"]["count"], 0, "{json:#}");
    assert_eq!(json["safe_to_delete"], Value::Null);
    differences["examples"][0].clone()
}

#[test]
fn a_wrong_sample_is_named_with_both_values() {
    for made in every_kind() {
        let array = made.out.join("C1--Trace.npy");
        let before = fs::read(&array).unwrap();
        let json: Value = serde_json::from_slice(&fs::read(made.out.join("C1--Trace.json")).unwrap()).unwrap();
        let samples = usize::try_from(json["shape"][1].as_u64().unwrap()).unwrap();
        let size = match json["dtype"].as_str().unwrap() {
            "<f4" => 4,
            "<i2" => 2,
            _ => 1,
        };
        // A good row: the first file is never broken, and only its own samples are compared.
        let sample = 33;
        let at = 4096 + sample * size;
        patch(&array, at, |byte| *byte ^= 1);
        seal(&made.out, "C1");
        made.verify(&[]).must_succeed();
        let found = difference(&made);
        assert_eq!(
            (&found["row"], &found["sample"]),
            (&0.into(), &sample.into()),
            "{found:#}"
        );
        assert_eq!(found["differing"], 1);
        assert!(sample < samples);
        assert_eq!(found["source"], "r005/C1--Trace--00000.trc");
        let after = fs::read(&array).unwrap();
        for (key, bytes) in [("stored", &after), ("expected", &before)] {
            let bytes = &bytes[at..at + size];
            let value = match size {
                4 => format!("{:?} V", f32::from_le_bytes(bytes.try_into().unwrap())),
                2 => i16::from_le_bytes(bytes.try_into().unwrap()).to_string(),
                _ => i8::from_le_bytes(bytes.try_into().unwrap()).to_string(),
            };
            assert_eq!(found[key], value, "{}", made.name);
        }
    }
}

#[test]
fn a_wrong_field_of_the_index_is_named() {
    let made = kind("baseline");
    let index = made.out.join("C1--Trace.index.npy");
    // README's table: where each column lies in a record.
    let columns = [
        ("time", 0),
        ("trigger_offset", 8),
        ("horiz_offset", 16),
        ("baseline", 24),
        ("horiz_interval", 32),
        ("gain", 36),
        ("offset", 40),
        ("baseline_std", 44),
        ("min", 48),
        ("max", 52),
        ("samples", 64),
    ];
    for (name, at) in columns {
        let at = 4096 + 3 * 72 + at;
        patch(&index, at, |byte| *byte ^= 1);
        seal(&made.out, "C1");
        let found = difference(&made);
        assert_eq!((&found["field"], &found["row"]), (&name.into(), &3.into()), "{found:#}");
        assert_ne!(found["stored"], found["expected"]);
        patch(&index, at, |byte| *byte ^= 1);
    }
    seal(&made.out, "C1");
    made.verify(&["--sources"]).must_succeed();
}

#[test]
fn an_index_that_contradicts_itself_is_found_without_the_sources() {
    let made = kind("median, bad and missing rows");
    // Which channel the broken files are in is the writer's choice.
    let (channel, index, bad_row) = ["C1", "C2"]
        .into_iter()
        .find_map(|channel| {
            let index = made.out.join(format!("{channel}--Trace.index.npy"));
            bad_row(&index, |status| status > 1).map(|row| (channel, index, row))
        })
        .unwrap();
    let bytes = fs::read(&index).unwrap();
    for (row, at, value, says) in [
        (1, 68, 9, "status is 9"),
        (1, 69, 1, "are not zeros"),
        (1, 56, 200, "the list has"),
        (1, 60, 0, "not behind"),
        (1, 67, 1, "samples"),
        (bad_row, 36, 1, "holds numbers"),
    ] {
        patch(&index, 4096 + row * 72 + at, |byte| *byte = value);
        seal(&made.out, channel);
        made.verify(&[])
            .must_end_with(3)
            .must_say(&[says, &format!("row {row}")]);
        fs::write(&index, &bytes).unwrap();
    }
}

/// The first row whose status is such a one.
fn bad_row(index: &Path, verdict: impl Fn(u8) -> bool) -> Option<usize> {
    let index = fs::read(index).unwrap();
    let rows = (index.len() - 4096) / 72;
    (0..rows).find(|row| verdict(index[4096 + row * 72 + 68]))
}

#[test]
fn a_bad_row_must_hold_nothing_and_its_source_deserve_it() {
    for (name, size) in [("median, bad and missing rows", 4), ("int16, big-endian sequences", 2)] {
        let made = kind(name);
        let (channel, row) = ["C1", "C2"]
            .into_iter()
            .find_map(|channel| {
                let index = made.out.join(format!("{channel}--Trace.index.npy"));
                bad_row(&index, |status| status > 0).map(|row| (channel, row))
            })
            .unwrap();
        let array = made.out.join(format!("{channel}--Trace.npy"));
        let samples = made.spec.samples;
        patch(&array, 4096 + (row * samples + 5) * size, |byte| *byte ^= 4);
        seal(&made.out, channel);
        made.verify(&[])
            .must_end_with(3)
            .must_say(&[&format!("row {row}, sample 5"), "stored where no sample is"]);
    }
    let made = kind("int16, big-endian sequences");
    // The broken file, mended: the row could be had.
    let (channel, position) = *made.spec.broken_files().unwrap().keys().next().unwrap();
    let path = made.source(channel, position);
    fs::write(&path, made.spec.file(channel, position).to_bytes()).unwrap();
    made.verify(&["--sources"])
        .must_end_with(3)
        .must_say(&["recorded as cut short", "whole and can be read"]);
}

#[test]
fn a_json_that_tells_of_another_header_is_found_by_the_sources() {
    let made = kind("float32");
    let path = made.out.join("C1--Trace.json");
    let text = fs::read_to_string(&path).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let gain = json["fields"]["VERTICAL_GAIN"].to_string();
    for (from, to, says) in [
        (
            format!("\"VERTICAL_GAIN\": {gain}"),
            "\"VERTICAL_GAIN\": 0.5".to_owned(),
            "VERTICAL_GAIN is 0.5",
        ),
        (
            "\"unit\": \"V\"".to_owned(),
            "\"unit\": \"A\"".to_owned(),
            "unit is \"A\"",
        ),
        (
            "\"varying_fields\": [".to_owned(),
            "\"varying_fields\": [\"PROBE_ATT\", ".to_owned(),
            "varying_fields names what does not vary in them: PROBE_ATT",
        ),
    ] {
        assert!(text.contains(&from), "{from} is not in {text}");
        fs::write(&path, text.replace(&from, &to)).unwrap();
        seal(&made.out, "C1");
        made.verify(&[]).must_succeed();
        made.verify(&["--sources"])
            .must_end_with(3)
            .must_say(&[says, "C1--Trace.json"]);
    }
}
