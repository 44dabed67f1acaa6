//! Sources that changed, went or moved.

use std::fs;

use serde_json::Value;
use trc2npy_synth::{RunSpec, catalog};
use trc2npy_tests::{Convert, Npy, scratch, write_run};

use super::common::{Made, every_kind, flip, random, verify};

fn two_channels() -> Made {
    let spec = RunSpec {
        channels: vec![1, 2],
        ..RunSpec::new(40, 300)
    };
    Made::new("two channels", spec, &[], 0)
}

#[test]
fn any_flipped_bit_of_a_sources_samples_is_found_and_the_source_named() {
    let mut random = random();
    // What is not taken of a record is not compared.
    for made in every_kind().iter().filter(|made| !made.name.starts_with("selected")) {
        for _ in 0..5 {
            // The first file of a channel is never broken.
            let path = made.source(1, 0);
            let file = made.spec.file(1, 0);
            let bytes = file.segments.len() * file.segments[0].codes.len() * made.spec.bits.bytes();
            let size = fs::metadata(&path).unwrap().len();
            let bit = random.u64((size - bytes as u64) * 8..size * 8);
            eprintln!("{}: bit {bit}", made.name);
            flip(&path, bit);
            made.verify(&["--sources"]).must_end_with(3).must_say(&[
                "DIFFERS",
                "C1--Trace--00000.trc",
                "is in the source",
            ]);
            made.verify(&[]).must_succeed();
            flip(&path, bit);
        }
    }
}

#[test]
fn row_sample_and_both_values_are_those_that_can_be_computed_by_hand() {
    let made = two_channels();
    let file = made.spec.file(2, 17);
    let path = made.source(2, 17);
    let size = fs::metadata(&path).unwrap().len();
    let sample = 123;
    // The second byte of a little-endian word: 256 codes more or fewer.
    flip(&path, (size - (300 - sample) * 2 + 1) * 8);
    let json = made.json(&["--sources"]);
    assert_eq!(json["channels"][0]["differences"]["count"], 0);
    let found = &json["channels"][1]["differences"]["examples"][0];
    assert_eq!(
        (&found["row"], &found["sample"]),
        (&17.into(), &sample.into()),
        "{json:#}"
    );
    let code = file.segments[0].codes[usize::try_from(sample).unwrap()];
    let volts = |code: i16| file.gain * f32::from(code) - file.offset;
    assert_eq!(found["stored"], format!("{:?} V", volts(code)));
    assert_eq!(found["expected"], format!("{:?} V", volts(code ^ 256)));
    let stored = Npy::read(&made.out.join("C2--Trace.npy")).f32();
    assert_eq!(stored[17 * 300 + 123].to_bits(), volts(code).to_bits());
}

#[test]
fn a_missing_source_is_said_to_be_and_nothing_is_called_safe() {
    let made = two_channels();
    fs::remove_file(made.source(1, 5)).unwrap();
    let ended = made.verify(&["--sources"]);
    ended
        .must_end_with(3)
        .must_say(&["INCOMPLETE: 1 source file is missing", "row 5", "C1--Trace--00005.trc"]);
    assert!(!ended.stdout.contains("safe to delete"));
    fs::remove_dir_all(&made.run).unwrap();
    made.verify(&["--sources"])
        .must_end_with(1)
        .must_say(&["r005: not there", "--sources=DIR"]);
    made.verify(&[]).must_succeed();
}

#[test]
fn a_source_of_another_shape_is_named() {
    let made = two_channels();
    write_run(
        &RunSpec {
            channels: vec![1],
            overwrite: true,
            ..RunSpec::new(1, 299)
        },
        &made.run,
    );
    made.verify(&["--sources"])
        .must_end_with(3)
        .must_say(&["C1--Trace--00000.trc", "has records of 299"]);
    fs::write(
        made.source(1, 0),
        "no waveform at all, and long enough to be looked through",
    )
    .unwrap();
    made.verify(&["--sources"])
        .must_end_with(3)
        .must_say(&["recorded as good, and now the source is not a LeCroy waveform"]);
}

#[test]
fn sources_that_moved_are_found_by_their_parent_or_by_themselves() {
    let made = two_channels();
    let moved = made.beside("archive").join("r005");
    fs::create_dir(made.beside("archive")).unwrap();
    fs::rename(&made.run, &moved).unwrap();
    let renamed = made.beside("old");
    made.verify(&["--sources"]).must_end_with(1);
    for folder in [made.beside("archive"), moved.clone()] {
        made.verify(&[&format!("--sources={}", folder.display())])
            .must_succeed()
            .must_say(&["80 source files"]);
    }
    fs::rename(&moved, &renamed).unwrap();
    made.verify(&[&format!("--sources={}", renamed.display())])
        .must_succeed()
        .must_say(&["80 source files"]);
    // Without the report nobody knows where they were.
    fs::remove_file(made.out.join("report.json")).unwrap();
    made.verify(&["--sources"])
        .must_end_with(1)
        .must_say(&["report.json", "--sources=DIR"]);
}

#[test]
fn a_sample_compares_its_share_and_says_which() {
    let made = Made::new("many", RunSpec::new(2000, 20), &[], 0);
    let first = made.verify(&["--sources", "--sample", "5%", "--json"]);
    first.must_succeed();
    let seed = first.stderr.split("--seed ").nth(1).unwrap().split(' ').next().unwrap();
    let compared = |stdout: &str| -> u64 {
        let json: Value = serde_json::from_str(stdout).unwrap();
        json["channels"][0]["compared"].as_u64().unwrap()
    };
    let rows = compared(&first.stdout);
    assert!((50..200).contains(&rows), "{rows} of 2000, seed {seed}");
    let again = made.verify(&["--sources", "--sample", "0.05", "--seed", seed, "--json"]);
    assert_eq!(compared(&again.stdout), rows);
    let text = made.verify(&["--sources", "--sample", "5%", "--seed", seed]);
    assert!(!text.stdout.contains("safe to delete"), "{text:#?}");
    text.must_say(&[&format!("{rows} rows are what their sources hold")]);
    for wrong in [
        &["--sample", "5%"][..],
        &["--sources", "--sample", "5"],
        &["--seed", "1"],
    ] {
        made.verify(wrong).must_end_with(2);
    }
}

#[test]
fn only_sources_that_are_wholly_in_the_arrays_are_safe_to_delete() {
    let counts = |made: &Made| -> (u64, Value) {
        let json = made.json(&["--sources"]);
        assert_eq!(json["agrees"], true, "{json:#}");
        let kept: Vec<Value> = json["channels"]
            .as_array()
            .unwrap()
            .iter()
            .map(|channel| channel["sources"]["kept"].clone())
            .collect();
        (json["safe_to_delete"]["files"].as_u64().unwrap(), Value::from(kept))
    };
    for made in every_kind() {
        let (safe, kept) = counts(&made);
        let text = kept.to_string();
        let broken = made.spec.broken_files().unwrap();
        let is_missing = |kind: &trc2npy_synth::Broken| *kind == trc2npy_synth::Broken::Missing;
        let missing = broken.values().filter(|kind| is_missing(kind)).count() as u64;
        let others = broken.len() as u64 - missing;
        let there = made.spec.file_count() - missing;
        let expected = match made.name {
            "padded" => there,
            // One of two channels lacks the event: the other's file gets no row, and is in no list.
            "selected samples" | "selected samples, padded" | "selected rows" => 0,
            "complete events" => there - missing,
            // The shorter files are whole; the longer ones lose their end.
            "truncated" => u64::MAX,
            _ => there - others,
        };
        if expected == u64::MAX {
            assert!(
                safe < there && text.contains("longer-rows"),
                "{}: {safe}, {text}",
                made.name
            );
        } else {
            assert_eq!(safe, expected, "{}: {text}", made.name);
        }
    }
}

#[test]
fn what_is_no_output_is_said_to_be_none() {
    let made = two_channels();
    verify(&made.run, &[])
        .must_end_with(2)
        .must_say(&["no finished conversion"]);
    verify(&made.beside("nothing"), &[])
        .must_end_with(2)
        .must_say(&["does not exist"]);
    // One array of several.
    let one = verify(&made.out.join("C2--Trace.npy"), &["--sources"]);
    one.must_succeed()
        .must_say(&["40 of the 80 source files", "Keep 40 source files"]);
    assert!(!one.stdout.contains("C1--Trace.npy"), "{one:#?}");
}

#[test]
fn digests_are_those_of_blake3() {
    let made = two_channels();
    // The algorithm's own published test: BLAKE3 of the empty input. (A list of files may be anything here.)
    fs::write(made.out.join("C1--Trace.files.txt"), "").unwrap();
    made.verify(&["--digest"]).must_end_with(3).must_say(&[&format!(
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262  {}",
        made.out.join("C1--Trace.files.txt").display()
    )]);
    fs::write(made.out.join("C1--Trace.files.txt"), "abc").unwrap();
    made.verify(&["--digest"])
        .must_say(&["6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"]);
}

#[test]
fn rows_and_files_that_reach_over_units_of_work_and_blocks_are_whole() {
    // 40 MB of array: three units of work, with a sequence across each border.
    let many = Made::new(
        "long sequences",
        RunSpec {
            segments: 1000,
            ..RunSpec::new(2, 5000)
        },
        &["--baseline", "100"],
        0,
    );
    // Rows longer than a block, with a baseline that is longer than one too.
    let long = Made::new(
        "long rows",
        RunSpec::new(2, 1_500_001),
        &["--baseline", "1200001", "--baseline-method", "median"],
        0,
    );
    let mut random = random();
    for made in [many, long] {
        let json = made.json(&["--sources"]);
        assert_eq!(json["agrees"], true, "{json:#}");
        assert_eq!(json["safe_to_delete"]["files"], 2, "{json:#}");
        let sizes = |position| fs::metadata(made.source(1, position)).unwrap().len();
        assert_eq!(json["safe_to_delete"]["bytes"], sizes(0) + sizes(1));
        let array = made.out.join("C1--Trace.npy");
        let samples = made.spec.samples as u64;
        let rows = 2 * made.spec.segments as u64;
        for _ in 0..3 {
            let (row, sample) = (random.u64(..rows), random.u64(..samples));
            let bit = (4096 + (row * samples + sample) * 4) * 8 + random.u64(..32);
            flip(&array, bit);
            let json = made.json(&["--sources"]);
            let found = &json["channels"][0]["differences"];
            // The checksum, and the sample.
            assert_eq!(found["count"], 2, "{json:#}");
            let found = &found["examples"][1];
            assert_eq!(
                (&found["row"], &found["sample"]),
                (&row.into(), &sample.into()),
                "{json:#}"
            );
            flip(&array, bit);
        }
        fs::remove_file(made.source(1, 1)).unwrap();
        made.verify(&["--sources"])
            .must_end_with(3)
            .must_say(&["INCOMPLETE: 1 source file is missing"]);
    }
}

#[test]
fn every_form_of_a_file_agrees_with_its_array() {
    let root = scratch();
    let mut folders = Vec::new();
    for (number, fixture) in catalog().into_iter().enumerate() {
        let Ok(expected) = &fixture.expected else { continue };
        let folder = root.path().join(format!("f{number:03}"));
        let name = match expected.template.as_str() {
            "LECROY_1_0" => "trace1.000",
            _ => "C1--Trace--00000.trc",
        };
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(name), &fixture.bytes).unwrap();
        folders.push((fixture.name, folder));
    }
    assert!(folders.len() > 50, "{}", folders.len());
    for options in [&[][..], &["--dtype", "native"]] {
        let out = root.path().join(format!("npy{}", options.len()));
        Convert::new(folders.iter().map(|(_, folder)| folder), out.join("{run}"))
            .args(options)
            .run()
            .must_succeed();
        for (name, folder) in &folders {
            eprintln!("{name}");
            verify(&out.join(folder.file_name().unwrap()), &["--sources"])
                .must_succeed()
                .must_say(&["Everything agrees"]);
        }
    }
}
