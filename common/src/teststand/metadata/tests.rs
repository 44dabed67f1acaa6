use std::fs;

use serde_json::json;
use trc2npy_synth::{ByteOrder, Segment, Template, TraceFile, TriggerTime};

use super::*;
use crate::teststand::Measurement;

fn metadata(file: &TraceFile) -> Json {
    let bytes = file.to_bytes();
    let header = Header::parse(&bytes).unwrap();
    let layout = header.layout(Bytes(bytes.len() as u64)).unwrap();
    let text = to_text(&ScopeMetadata::new(&header, layout.shape.samples));
    serde_json::from_str(&text).unwrap()
}

fn real_settings() -> TraceFile {
    TraceFile {
        instrument: b"LECROYHDO4024A".to_vec(),
        gain: 0.000_25,
        offset: 0.0,
        nominal_bits: 12,
        horiz_interval: 2e-8,
        horiz_offset: -0.002_000_011_229_099_625,
        trigger_time: TriggerTime {
            seconds: 47.620_445_9,
            minutes: 40,
            hours: 16,
            days: 5,
            months: 12,
            year: 2019,
        },
        timebase: 28,
        coupling: 2,
        probe: 1.0,
        fixed_vert_gain: 19,
        bandwidth_limit: 0,
        sweeps: 1,
        ..TraceFile::single(vec![0; 1_000_002])
    }
}

/// What the lab's own step has written for such a file.
#[test]
fn a_files_settings_are_told_as_analysis_knows_them() {
    let expected: Json = serde_json::from_str(
        r#"{"overview": {"instrument": "LECROYHDO4024A", "trigger_time": "2019-12-05 16:40:47.620445",
            "channel": "CHANNEL_1", "coupling": "DC_1MOhm", "sweep": "single_sweep", "samples": 1000002},
            "time_resolution": {"dt": 1.999999987845058e-08, "t_offset": -0.002000011229099625,
            "t_uncertainty": 9.999999960041972e-13, "sparsing_factor": 1, "t_unit": "S"},
            "wave_resolution": {"v_over_bit": 0.0002500000118743628, "v_offset": 0.0, "total_bits": 12, "comm_type": 1,
            "sweeps_per_acq": 1, "v_unit": "V"},
            "GUI": {"fixed_vertical_gain": "2_V/div", "time_base": "2_ms/div", "bandwidth_limit": "off",
            "acq_vert_offset": 0.0, "probe_att": 1.0},
            "other_information": {"acq_duration": 0.0, "vertical_vernier": 1.0}}"#,
    )
    .unwrap();
    let found = metadata(&real_settings());
    assert_eq!(found, expected);
    let names = |json: &Json| -> Vec<String> { json.as_object().unwrap().keys().cloned().collect() };
    assert_eq!(names(&found), names(&expected), "the order of the groups");
    for byte_order in [ByteOrder::Big, ByteOrder::Little] {
        let file = TraceFile {
            order: byte_order,
            ..real_settings()
        };
        assert_eq!(metadata(&file), expected);
    }
}

#[test]
fn enums_are_spelled_as_the_template_does_and_unknown_ones_empty() {
    let file = |change: &dyn Fn(&mut TraceFile)| {
        let mut file = TraceFile::single(vec![0; 4]);
        change(&mut file);
        metadata(&file)
    };
    let odd = file(&|file| {
        (file.coupling, file.timebase, file.fixed_vert_gain) = (4, 21, 27);
        (file.bandwidth_limit, file.wave_source, file.record_type) = (1, 9, 9);
    });
    assert_eq!(odd["overview"]["coupling"], "AC,_1MOhm");
    assert_eq!(odd["overview"]["channel"], "UNKNOWN");
    assert_eq!(odd["overview"]["sweep"], "peak_detect");
    let gui = json!({"fixed_vertical_gain": "1_kV/div", "time_base": "10_us/div", "bandwidth_limit": "on"});
    for (name, value) in gui.as_object().unwrap() {
        assert_eq!(&odd["GUI"][name], value);
    }
    for (source, name) in [(0, "CHANNEL_1"), (3, "CHANNEL_4"), (4, ""), (-1, "")] {
        let named = file(&|file| file.wave_source = source);
        assert_eq!(named["overview"]["channel"], name, "{source}");
        let old = file(&|file| {
            file.template = Template::Lecroy1_0;
            file.wave_source = source;
        });
        assert_eq!(old["overview"]["channel"], name, "LECROY_1_0, {source}");
        assert!(old["time_resolution"]["sparsing_factor"].is_null());
    }
    let unknown = file(&|file| (file.coupling, file.timebase, file.bandwidth_limit) = (17, 48, 7));
    assert_eq!(unknown["overview"]["coupling"], "");
    assert_eq!(unknown["GUI"]["time_base"], "");
    assert_eq!(unknown["GUI"]["bandwidth_limit"], "");
}

#[test]
fn rows_are_segments_and_a_negative_zero_stays_one() {
    let segment = Segment {
        codes: vec![0; 25],
        ..Segment::default()
    };
    let mut file = TraceFile::sequence(vec![segment; 4]);
    (file.offset, file.gain) = (-0.0, f32::MIN_POSITIVE);
    let found = metadata(&file);
    assert_eq!(found["overview"]["samples"], 25);
    let offset = found["wave_resolution"]["v_offset"].as_f64().unwrap();
    assert_eq!(offset.to_bits(), (-0.0_f64).to_bits());
    let gain = found["wave_resolution"]["v_over_bit"].as_f64().unwrap();
    assert_eq!(gain.to_bits(), f64::from(f32::MIN_POSITIVE).to_bits());
}

#[test]
fn times_are_cut_and_what_is_no_date_is_empty() {
    let time = |year, months, days, seconds| {
        trigger_time(&Timestamp {
            seconds,
            minutes: 5,
            hours: 4,
            days,
            months,
            year,
        })
    };
    for (seconds, text) in [
        (0.0, "2024-02-29 04:05:00"),
        (7.000_000_9, "2024-02-29 04:05:07"),
        (59.999_999_999, "2024-02-29 04:05:59.999999"),
        (0.25, "2024-02-29 04:05:00.250000"),
        (3.000_004, "2024-02-29 04:05:03.000004"),
        (60.0, ""),
        (-1.0, ""),
        (f64::NAN, ""),
    ] {
        assert_eq!(time(2024, 2, 29, seconds), text, "{seconds}");
    }
    assert_eq!(time(2023, 2, 29, 1.0), "");
    assert_eq!(time(0, 0, 0, 0.0), "");
}

#[test]
fn a_file_is_added_to_and_touched_only_where_it_changes() {
    let base = tempfile::tempdir().unwrap();
    let measurement = Measurement::new(base.path().to_owned(), "06", "009").unwrap();
    let folder = measurement.sources().join("r009");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("C1--Trace--00007.trc"), "garbage").unwrap();
    let file = TraceFile::single(vec![0; 4]);
    file.write_to(&folder.join("C1--Trace--00008.trc"), false).unwrap();
    fs::write(folder.join("C2--Trace--00000.trc"), "garbage").unwrap();

    let found = Metadata::read(&Sources::find(&measurement).unwrap()).unwrap();
    assert_eq!(found.channels().map(|c| c.to_string()).collect::<Vec<_>>(), ["C1"]);
    assert!(
        found.left_out[0].starts_with("channel C2: no sound file among 1 file"),
        "{:?}",
        found.left_out
    );

    let path = measurement.metadata();
    assert_eq!(found.write(&path).unwrap(), Written::Anew);
    assert_eq!(found.write(&path).unwrap(), Written::AsItWas);
    // A number whose nearest f64 is easily missed, a channel that is not there, and one that is replaced.
    let old = r#"{"C3--00000": {"x": 51.248178375505404, "y": [1, "µ"]}, "C1--00000": 7}"#;
    fs::write(&path, old).unwrap();
    assert_eq!(found.write(&path).unwrap(), Written::Anew);
    let text = fs::read_to_string(&path).unwrap();
    let kept = "{\n  \"C3--00000\": {\n    \"x\": 51.248178375505404,\n    \"y\": [\n      1,\n      \"\\u00b5\"\n    ]\n  },\n";
    assert!(text.starts_with(kept), "{text}");
    let json: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(json["C1--00000"], metadata(&file));

    for (bad, why) in [("[]", "a JSON object expected"), ("{\"C1--00000\": nan}", "not JSON")] {
        fs::write(&path, bad).unwrap();
        let error = found.write(&path).unwrap_err().to_string();
        assert!(error.contains(why) && error.contains("--waveform-only"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), bad);
    }
}
