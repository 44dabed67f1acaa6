//! Every kind of file that the format has, each converted by the real binary.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use trc2npy_synth::{Bits, Expected, Fixture, Refusal, Template, TraceFile, catalog};
use trc2npy_tests::{Convert, Npy, Oracle, Record, scratch};

use crate::reference::{Baseline, check_record, codes, level, same_bits, volts, volts_above};

/// A good fixture in a run folder of its own.
struct Placed {
    name: String,
    expected: Expected,
    folder: PathBuf,
}

impl Placed {
    /// `end` of the channel's output in a folder for every run.
    fn output(&self, out: &Path, end: &str) -> PathBuf {
        let run = self.folder.file_name().expect("a folder has a name");
        out.join(run).join(format!("C1--Trace{end}"))
    }
}

/// The name that the fixture's instrument would have given it.
fn file_name(old: bool, index: usize) -> String {
    if old {
        format!("trace1.{index:03}")
    } else {
        format!("C1--Trace--{index:05}.trc")
    }
}

fn good() -> (TempDir, Vec<Placed>) {
    let root = scratch();
    let placed = catalog()
        .into_iter()
        .filter_map(|fixture| fixture.expected.clone().ok().map(|expected| (fixture, expected)))
        .enumerate()
        .map(|(number, (fixture, expected))| {
            let folder = root.path().join(format!("f{number:03}"));
            fs::create_dir(&folder).unwrap();
            let name = file_name(expected.template == "LECROY_1_0", 0);
            fs::write(folder.join(name), &fixture.bytes).unwrap();
            Placed {
                name: fixture.name,
                expected,
                folder,
            }
        })
        .collect();
    (root, placed)
}

/// Converts all of them with these options, into a folder of the options' own; numpy judges.
fn convert(root: &Path, placed: &[&Placed], options: &[&str]) -> PathBuf {
    let out = root.join("npy").join(options.join("_"));
    let folders: Vec<&PathBuf> = placed.iter().map(|placed| &placed.folder).collect();
    Convert::new(&folders, out.join("{run}"))
        .args(options)
        .run()
        .must_succeed();
    let told = options
        .iter()
        .map(|word| if *word == "--baseline-method" { "--method" } else { word });
    Oracle::new(&out.join("{run}"), &folders).args(told).must_agree();
    out
}

fn check_header(placed: &Placed, array: &Npy, descr: &str) {
    let expected = &placed.expected;
    assert_eq!(
        array.header,
        format!(
            "{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}, {}), }}",
            expected.segments, expected.samples
        ),
        "{}",
        placed.name
    );
}

fn check_index(placed: &Placed, out: &Path, baseline: Option<Baseline>) {
    let records = Record::read_all(&placed.output(out, ".index.npy"));
    assert_eq!(records.len(), placed.expected.rows.len(), "{}", placed.name);
    for (k, record) in records.iter().enumerate() {
        check_record(&placed.name, record, &placed.expected, k, baseline);
    }
}

fn check_volts(placed: &Placed, out: &Path, baseline: Option<Baseline>) {
    let array = Npy::read(&placed.output(out, ".npy"));
    check_header(placed, &array, "<f4");
    let found = array.f32();
    let expected = &placed.expected;
    for (k, row) in found.chunks(expected.samples as usize).enumerate() {
        let codes = codes(expected, k);
        let wanted = match baseline {
            None => volts(codes, expected.gain, expected.offset),
            Some(baseline) => volts_above(codes, expected.gain, level(codes, baseline)),
        };
        assert!(
            same_bits(row, &wanted),
            "{}, segment {k}, {baseline:?}: {row:?} instead of {wanted:?}",
            placed.name
        );
    }
    check_index(placed, out, baseline);
}

#[test]
fn every_fixture_gives_the_volts_that_it_was_made_of() {
    let (root, placed) = good();
    let all: Vec<&Placed> = placed.iter().collect();
    let out = convert(root.path(), &all, &[]);
    for placed in &placed {
        check_volts(placed, &out, None);
    }
}

#[test]
fn every_fixture_gives_the_volts_above_its_baseline() {
    let (root, placed) = good();
    // The shortest sequence has 27 samples a row; the fixtures of one or two samples have a test of their own.
    let long: Vec<&Placed> = placed.iter().filter(|placed| placed.expected.samples >= 27).collect();
    assert!(placed.len() - long.len() <= 3);
    for (points, median) in [(1, false), (26, false), (20, true), (21, true)] {
        let method = if median { "median" } else { "mean" };
        let points_text = points.to_string();
        let options = ["--baseline", &points_text, "--baseline-method", method];
        let out = convert(root.path(), &long, &options);
        for placed in &long {
            check_volts(placed, &out, Some(Baseline { points, median }));
        }
    }
}

#[test]
fn a_baseline_as_long_as_the_row_is_refused_with_both_numbers() {
    let (root, placed) = good();
    let two = placed.iter().find(|placed| placed.name == "two samples").unwrap();
    let baseline = Baseline {
        points: 1,
        median: false,
    };
    let out = convert(root.path(), &[two], &["--baseline", "1"]);
    check_volts(two, &out, Some(baseline));
    let out = root.path().join("refused");
    for points in ["2", "3", "4294967295"] {
        Convert::new([&two.folder], &out)
            .args(["--baseline", points])
            .run()
            .must_end_with(2)
            .must_say(&[&format!("--baseline {points}"), "2 samples"]);
        assert!(!out.exists(), "something was written");
    }
}

#[test]
fn every_fixture_gives_the_codes_that_are_in_it() {
    let (root, placed) = good();
    let all: Vec<&Placed> = placed.iter().collect();
    let words = convert(root.path(), &all, &["--dtype", "int16"]);
    let native = convert(root.path(), &all, &["--dtype", "native"]);
    for placed in &placed {
        let array = Npy::read(&placed.output(&words, ".npy"));
        check_header(placed, &array, "<i2");
        assert_eq!(array.i16(), placed.expected.codes, "{}", placed.name);
        check_index(placed, &words, None);

        let array = Npy::read(&placed.output(&native, ".npy"));
        let codes: Vec<i16> = match placed.expected.bits {
            Bits::Eight => {
                check_header(placed, &array, "|i1");
                array.i8().into_iter().map(i16::from).collect()
            }
            Bits::Sixteen => {
                check_header(placed, &array, "<i2");
                array.i16()
            }
        };
        assert_eq!(codes, placed.expected.codes, "{}", placed.name);
        check_index(placed, &native, None);
    }
}

#[test]
fn integer_arrays_keep_their_codes_and_the_index_has_the_baseline() {
    let (root, placed) = good();
    let long: Vec<&Placed> = placed.iter().filter(|placed| placed.expected.samples >= 27).collect();
    let out = convert(root.path(), &long, &["--dtype", "int16", "--baseline", "13"]);
    for placed in long {
        let array = Npy::read(&placed.output(&out, ".npy"));
        assert_eq!(array.i16(), placed.expected.codes, "{}", placed.name);
        let baseline = Baseline {
            points: 13,
            median: false,
        };
        check_index(placed, &out, Some(baseline));
    }
}

#[test]
fn codes_become_octets_only_where_nothing_is_lost() {
    let (root, placed) = good();
    let (fitting, others): (Vec<&Placed>, Vec<&Placed>) = placed.iter().partition(|placed| {
        placed.expected.bits == Bits::Eight || placed.expected.codes.iter().all(|code| code.trailing_zeros() >= 8)
    });
    let out = convert(root.path(), &fitting, &["--dtype", "int8"]);
    assert!(fitting.iter().any(|placed| placed.expected.bits == Bits::Sixteen));
    for placed in fitting {
        let array = Npy::read(&placed.output(&out, ".npy"));
        check_header(placed, &array, "|i1");
        let shift = if placed.expected.bits == Bits::Eight { 0 } else { 8 };
        let codes: Vec<i16> = array.i8().into_iter().map(|code| i16::from(code) << shift).collect();
        assert_eq!(codes, placed.expected.codes, "{}", placed.name);
        // What the index calls gain belongs to the numbers in the array.
        let records = Record::read_all(&placed.output(&out, ".index.npy"));
        let found: Vec<f32> = array
            .i8()
            .into_iter()
            .map(|code| records[0].gain * f32::from(code) - records[0].offset)
            .collect();
        let wanted = volts(&placed.expected.codes, placed.expected.gain, placed.expected.offset);
        assert!(same_bits(&found, &wanted), "{}", placed.name);
    }
    // One of each form: its codes need sixteen bits.
    for placed in others.iter().step_by(7) {
        let out = root.path().join("refused");
        Convert::new([&placed.folder], &out)
            .args(["--dtype", "int8"])
            .run()
            .must_end_with(1)
            .must_say(&["--dtype int8", "use --dtype int16"]);
        assert!(!out.join("C1--Trace.npy").exists(), "{}", placed.name);
        fs::remove_dir_all(out).unwrap();
    }
}

/// The fields of the two descriptors, as the format's description lists them.
const FIELDS_2_X: &str = "
    DESCRIPTOR_NAME TEMPLATE_NAME COMM_TYPE COMM_ORDER WAVE_DESCRIPTOR USER_TEXT RES_DESC1 TRIGTIME_ARRAY
    RIS_TIME_ARRAY RES_ARRAY1 WAVE_ARRAY_1 WAVE_ARRAY_2 RES_ARRAY2 RES_ARRAY3 INSTRUMENT_NAME INSTRUMENT_NUMBER
    TRACE_LABEL RESERVED1 RESERVED2 WAVE_ARRAY_COUNT PNTS_PER_SCREEN FIRST_VALID_PNT LAST_VALID_PNT FIRST_POINT
    SPARSING_FACTOR SEGMENT_INDEX SUBARRAY_COUNT SWEEPS_PER_ACQ POINTS_PER_PAIR PAIR_OFFSET VERTICAL_GAIN
    VERTICAL_OFFSET MAX_VALUE MIN_VALUE NOMINAL_BITS NOM_SUBARRAY_COUNT HORIZ_INTERVAL HORIZ_OFFSET PIXEL_OFFSET
    VERTUNIT HORUNIT HORIZ_UNCERTAINTY TRIGGER_TIME ACQ_DURATION RECORD_TYPE PROCESSING_DONE RESERVED5 RIS_SWEEPS
    TIMEBASE VERT_COUPLING PROBE_ATT FIXED_VERT_GAIN BANDWIDTH_LIMIT VERTICAL_VERNIER ACQ_VERT_OFFSET WAVE_SOURCE";
const FIELDS_1_0: &str = "
    DESCRIPTOR_NAME TEMPLATE_NAME COMM_TYPE COMM_ORDER WAVE_DESCRIPTOR USER_TEXT TRIGTIME_ARRAY WAVE_ARRAY_1
    WAVE_ARRAY_2 INSTRUMENT_NAME INSTRUMENT_NUMBER TRACE_LABEL WAVE_ARRAY_COUNT PNTS_PER_SCREEN FIRST_VALID_PNT
    LAST_VALID_PNT SUBARRAY_COUNT NOM_SUBARRAY_COUNT SWEEPS_PER_ACQ VERTICAL_GAIN VERTICAL_OFFSET MAX_VALUE MIN_VALUE
    NOMINAL_BITS HORIZ_INTERVAL HORIZ_OFFSET PIXEL_OFFSET VERTUNIT HORUNIT TRIGGER_TIME ACQ_DURATION RECORD_TYPE
    PROCESSING_DONE TIMEBASE VERT_COUPLING PROBE_ATT FIXED_VERT_GAIN BANDWIDTH_LIMIT VERTICAL_VERNIER ACQ_VERT_OFFSET
    WAVE_SRC_PLUGIN WAVE_SRC_CHANNEL";

// The oracle compares the fields that are fractions: its JSON reader rounds right.
#[test]
fn the_channel_json_says_what_the_header_says() {
    let (root, placed) = good();
    let all: Vec<&Placed> = placed.iter().collect();
    let out = convert(root.path(), &all, &[]);
    for placed in &placed {
        let expected = &placed.expected;
        let text = fs::read_to_string(placed.output(&out, ".json")).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        let fields = json["fields"].as_object().unwrap();
        let old = expected.template == "LECROY_1_0";
        let mut wanted: Vec<&str> = if old { FIELDS_1_0 } else { FIELDS_2_X }.split_whitespace().collect();
        wanted.sort_unstable();
        let mut names: Vec<&str> = fields.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, wanted, "{}", placed.name);
        let texts = [
            ("TEMPLATE_NAME", &expected.template),
            ("INSTRUMENT_NAME", &expected.instrument),
            ("VERTUNIT", &expected.vert_unit),
            ("HORUNIT", &expected.hor_unit),
        ];
        for (field, wanted) in texts {
            assert_eq!(fields[field], **wanted, "{}: {field}", placed.name);
        }
        let record_type = match expected.record_type {
            0 => "single_sweep".into(),
            5 => "complex".into(),
            6 => "extrema".into(),
            8 => "centered_RIS".into(),
            unknown => Value::from(unknown),
        };
        assert_eq!(fields["RECORD_TYPE"], record_type, "{}", placed.name);
        assert_eq!(fields["WAVE_ARRAY_2"], expected.second_array, "{}", placed.name);
        if let Some((named, _)) = expected.count_mismatch {
            assert_eq!(fields["WAVE_ARRAY_COUNT"], named, "{}", placed.name);
        }
        assert_eq!(json["shape"], serde_json::json!([expected.segments, expected.samples]));
        assert_eq!(json["varying_fields"], serde_json::json!([]), "{}", placed.name);
        assert_eq!(json["unit"], expected.vert_unit, "{}", placed.name);
        check_findings(placed, &out);
    }
}

/// A second array and a wrong number of samples are told of; nothing else is said of a good file.
fn check_findings(placed: &Placed, out: &Path) {
    let report = placed.output(out, "").with_file_name("report.json");
    let report: Value = serde_json::from_str(&fs::read_to_string(report).unwrap()).unwrap();
    let mut kinds: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["kind"].as_str().unwrap())
        .collect();
    kinds.sort_unstable();
    let expected = &placed.expected;
    let mut wanted = Vec::new();
    if let Some((named, true_count)) = expected.count_mismatch {
        wanted.push("count-mismatch");
        let text = report["findings"].to_string();
        assert!(
            text.contains(&named.to_string()) && text.contains(&true_count.to_string()),
            "{}: {text}",
            placed.name
        );
    }
    if expected.second_array > 0 {
        wanted.push("second-array");
    }
    assert_eq!(kinds, wanted, "{}: {report:#}", placed.name);
}

/// All bad fixtures of one family of instruments in one folder, each behind a good file.
fn run_of_bad(folder: &Path, old: bool) -> Vec<(Fixture, Refusal)> {
    fs::create_dir(folder).unwrap();
    let good = TraceFile {
        template: if old { Template::Lecroy1_0 } else { Template::Lecroy2_3 },
        ..TraceFile::single((0..502).map(|i| i * 7 - 1000).collect())
    };
    let bad: Vec<(Fixture, Refusal)> = catalog()
        .into_iter()
        .filter(|fixture| fixture.name.contains("1.0") == old)
        .filter_map(|fixture| fixture.expected.clone().err().map(|why| (fixture, why)))
        .collect();
    for (i, (fixture, _)) in bad.iter().enumerate() {
        // A bad file comes first of all.
        fs::write(folder.join(file_name(old, 2 * i)), &fixture.bytes).unwrap();
        fs::write(folder.join(file_name(old, 2 * i + 1)), good.to_bytes()).unwrap();
    }
    bad
}

#[test]
fn every_bad_fixture_is_a_marked_row_beside_good_ones() {
    for old in [false, true] {
        let root = scratch();
        let run = root.path().join("r1");
        let bad = run_of_bad(&run, old);
        assert!(bad.len() > 20);
        for dtype in ["float32", "int16"] {
            let out = root.path().join(dtype);
            let ended = Convert::new([&run], &out)
                .args(["--dtype", dtype, "--settle", "0s", "--baseline", "5"])
                .run();
            ended.must_end_with(3).must_say(&[
                "BAD ROWS",
                &format!("{} of {}", bad.len(), 2 * bad.len()),
                "good = index[\"status\"] == 0",
            ]);
            Oracle::new(&out, [&run])
                .args(["--dtype", dtype, "--baseline", "5"])
                .must_agree();
            check_bad_rows(&out, &bad, dtype);
        }
    }
}

fn check_bad_rows(out: &Path, bad: &[(Fixture, Refusal)], dtype: &str) {
    let records = Record::read_all(&out.join("C1--Trace.index.npy"));
    let array = Npy::read(&out.join("C1--Trace.npy"));
    assert_eq!(records.len(), 2 * bad.len());
    for (i, (fixture, why)) in bad.iter().enumerate() {
        let status = match why {
            Refusal::NotWaveform => 2,
            Refusal::Truncated => 3,
            Refusal::Malformed => 4,
        };
        let record = records[2 * i];
        assert_eq!(record.status, status, "{}: {record:?}", fixture.name);
        assert_eq!(record.file as usize, 2 * i, "{}: {record:?}", fixture.name);
        assert_eq!((record.segment, record.samples), (0, 0), "{}: {record:?}", fixture.name);
        assert_eq!(record.time, i64::MIN, "{}: {record:?}", fixture.name);
        assert!(record.baseline.is_nan() && record.gain.is_nan() && record.min.is_nan());
        assert_eq!(records[2 * i + 1].status, 0, "the row behind {}", fixture.name);
        let row = 2 * i * 502..(2 * i + 1) * 502;
        let blank = match dtype {
            "float32" => array.f32()[row].iter().all(|value| value.is_nan()),
            _ => array.i16()[row].iter().all(|&code| code == i16::MIN),
        };
        assert!(blank, "{}", fixture.name);
    }
}
