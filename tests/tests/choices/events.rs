//! Row k is the same event in every channel, or as `--events` says.

use std::fs;
use std::path::{Path, PathBuf};

use trc2npy_synth::RunSpec;
use trc2npy_tests::{Convert, Npy, Oracle, must_equal, outputs, scratch, write_run};

use crate::{file, row_files, statuses};

/// Ten events in C1; C2 lacks 3 and 7; C3 lacks 7 and has one more, 20, from a trigger of its own.
fn gappy_run(root: &Path) -> PathBuf {
    let run = root.join("r1");
    let mut spec = RunSpec::new(10, 200);
    spec.channels = vec![1, 2, 3];
    write_run(&spec, &run);
    for name in ["C2--Trace--00003.trc", "C2--Trace--00007.trc", "C3--Trace--00007.trc"] {
        fs::remove_file(run.join(name)).unwrap();
    }
    spec.file(3, 20)
        .write_to(&run.join("C3--Trace--00020.trc"), false)
        .unwrap();
    run
}

fn convert(run: &Path, out: &Path, events: &str, code: i32) {
    Convert::new([run], out)
        .args(["--events", events])
        .run()
        .must_end_with(code);
    Oracle::new(out, [run]).args(["--events", events]).must_agree();
}

#[test]
fn an_event_that_any_channel_has_is_a_row_in_all() {
    let root = scratch();
    let run = gappy_run(root.path());
    let out = root.path().join("out");
    convert(&run, &out, "union", 3);
    let events = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20];
    for (channel, lacking) in [("C1", &[20][..]), ("C2", &[3, 7, 20]), ("C3", &[7])] {
        let wanted: Vec<_> = events
            .iter()
            .map(|&event| file(channel, event).filter(|_| !lacking.contains(&event)))
            .collect();
        assert_eq!(row_files(&out, channel), wanted);
        let missing: Vec<u8> = events.iter().map(|event| u8::from(lacking.contains(event))).collect();
        assert_eq!(statuses(&out, channel), missing);
        let values = Npy::read(&out.join(format!("{channel}--Trace.npy"))).f32();
        for (row, status) in values.chunks(200).zip(missing) {
            assert!(row.iter().all(|value| value.is_nan() == (status == 1)));
        }
    }
    // The default.
    let default = root.path().join("default");
    Convert::new([&run], &default).run().must_end_with(3).must_say(&[
        "C2 lacks 3 of 11 events",
        "BAD ROWS: 5 of 33",
        "3 missing",
    ]);
    must_equal(&out, &outputs(&default));
}

#[test]
fn only_events_of_all_channels_are_rows_where_that_is_asked() {
    let root = scratch();
    let run = gappy_run(root.path());
    let out = root.path().join("out");
    convert(&run, &out, "complete", 0);
    for channel in ["C1", "C2", "C3"] {
        let wanted: Vec<_> = [0, 1, 2, 4, 5, 6, 8, 9].map(|event| file(channel, event)).into();
        assert_eq!(row_files(&out, channel), wanted);
        assert_eq!(statuses(&out, channel), [0; 8]);
    }
    Convert::new([&run], root.path().join("again"))
        .args(["--events", "complete"])
        .run()
        .must_succeed()
        .must_say(&["not in all channels, and left out: 3 of 11 events"]);
}

#[test]
fn every_channel_can_stand_for_itself() {
    let root = scratch();
    let run = gappy_run(root.path());
    let out = root.path().join("out");
    convert(&run, &out, "separate", 0);
    let wanted: Vec<_> = [0, 1, 2, 4, 5, 6, 8, 9].map(|event| file("C2", event)).into();
    assert_eq!(row_files(&out, "C2"), wanted);
    let wanted: Vec<_> = [0, 1, 2, 3, 4, 5, 6, 8, 9, 20].map(|event| file("C3", event)).into();
    assert_eq!(row_files(&out, "C3"), wanted);
    assert_eq!(row_files(&out, "C1").len(), 10);
}

/// A sequence that stopped early in one channel: its later segments are events that this channel lacks.
#[test]
fn segments_are_events_too() {
    let root = scratch();
    let run = root.path().join("r1");
    let mut spec = RunSpec::new(4, 90);
    spec.channels = vec![1, 2];
    spec.segments = 5;
    write_run(&spec, &run);
    let mut short = spec.file(2, 1);
    short.segments.truncate(3);
    short.nominal_segments = Some(5);
    short.write_to(&run.join("C2--Trace--00001.trc"), true).unwrap();
    for (events, code, c1, c2) in [("union", 3, 20, 20), ("complete", 0, 18, 18), ("separate", 0, 20, 18)] {
        let out = root.path().join(events);
        convert(&run, &out, events, code);
        assert_eq!(statuses(&out, "C1").len(), c1);
        assert_eq!(statuses(&out, "C2").len(), c2);
    }
    let statuses = statuses(&root.path().join("union"), "C2");
    assert_eq!(statuses[5..10], [0, 0, 0, 1, 1]);
    assert_eq!(statuses.iter().filter(|&&status| status != 0).count(), 2);
}

/// Two channels that were not triggered together are no events of one another, and someone must be told.
#[test]
fn trigger_times_that_do_not_belong_together_are_told() {
    let root = scratch();
    let run = root.path().join("r1");
    let mut spec = RunSpec::new(6, 90);
    spec.channels = vec![1, 2];
    write_run(&spec, &run);
    let mut late = spec.file(2, 0);
    late.trigger_time.minutes += 5;
    late.write_to(&run.join("C2--Trace--00000.trc"), true).unwrap();
    Convert::new([&run], root.path().join("out"))
        .run()
        .must_succeed()
        .must_say(&["trigger times differ by more than 1 ms"]);
}
