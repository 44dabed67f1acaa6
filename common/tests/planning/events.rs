//! One event, one row, in every channel.

use trc2npy_common::options::Events;
use trc2npy_common::plan::{Finding, PlanError, Severity};
use trc2npy_synth::{Segment, TraceFile, TriggerTime};

use super::{Lab, channel, finding, one, refused, rows, sweep};

fn sequence(segments: usize) -> TraceFile {
    let segment = |k: usize| Segment {
        time: k as f64,
        offset: 0.0,
        codes: vec![1; 10],
    };
    TraceFile::sequence((0..segments).map(segment).collect())
}

fn two_channels() -> Lab {
    let lab = Lab::new();
    lab.put("r/C1--Trace--00000.trc", &sequence(3))
        .put("r/C1--Trace--00001.trc", &sequence(3))
        .put("r/C1--Trace--00003.trc", &sequence(3))
        .put("r/C2--Trace--00000.trc", &sequence(2))
        .put("r/C2--Trace--00002.trc", &sequence(1))
        .put("r/C2--Trace--00003.trc", &sequence(3));
    lab
}

fn first_rows(run: &trc2npy_common::plan::PlannedRun, name: &str) -> Vec<(u64, u32)> {
    let channel = channel(&run.plan, name);
    channel.files.iter().map(|file| (file.first_row, file.rows)).collect()
}

#[test]
fn union_keeps_every_event_and_counts_what_is_missing() {
    let run = two_channels().plan(&["r"]);
    assert_eq!(first_rows(&run, "C1"), [(0, 3), (3, 3), (7, 3)]);
    assert_eq!(first_rows(&run, "C2"), [(0, 2), (6, 1), (7, 3)]);
    assert!(run.plan.channels.iter().all(|channel| channel.rows == 10));
    let missing: Vec<_> = run
        .findings
        .all
        .iter()
        .filter_map(|finding| match finding {
            Finding::MissingEvents {
                channel,
                of: 10,
                events,
            } => Some((channel.to_string(), events.clone())),
            _ => None,
        })
        .collect();
    assert_eq!((missing[0].0.as_str(), missing[0].1.count), ("C1", 1));
    assert_eq!(missing[0].1.examples, ["r index 2"]);
    assert_eq!((missing[1].0.as_str(), missing[1].1.count), ("C2", 4));
    assert_eq!(
        missing[1].1.examples,
        ["r index 0, segment 2", "r index 1, segments 0 to 2"]
    );
    assert!(
        run.findings
            .all
            .iter()
            .all(|finding| finding.severity() == Severity::Warning)
    );
}

#[test]
fn complete_keeps_what_all_channels_have() {
    let lab = two_channels();
    let mut request = lab.request(&["r"]);
    request.options.events = Events::Complete;
    let run = one(&request);
    assert_eq!(first_rows(&run, "C1"), [(0, 2), (2, 3)]);
    assert_eq!(first_rows(&run, "C2"), [(0, 2), (2, 3)]);
    assert_eq!(channel(&run.plan, "C1").left_out.len(), 1);
    assert_eq!(channel(&run.plan, "C2").left_out.len(), 1);
    let (of, count) = finding(&run, |finding| match finding {
        Finding::IncompleteEvents { of, events } => Some((*of, events.count)),
        _ => None,
    });
    assert_eq!((of, count), (10, 5));

    lab.put("s/C1--Trace--00000.trc", &sweep(10))
        .put("s/C2--Trace--00001.trc", &sweep(10));
    let mut request = lab.request(&["s"]);
    request.options.events = Events::Complete;
    assert!(matches!(refused(&request), PlanError::NoRows { .. }));
}

#[test]
fn separate_channels_count_for_themselves() {
    let lab = two_channels();
    let mut request = lab.request(&["r"]);
    request.options.events = Events::Separate;
    let run = one(&request);
    assert_eq!(first_rows(&run, "C1"), [(0, 3), (3, 3), (6, 3)]);
    assert_eq!(first_rows(&run, "C2"), [(0, 2), (2, 1), (3, 3)]);
    assert_eq!(run.findings.all, []);
}

#[test]
fn channels_that_were_not_triggered_together_are_reported() {
    let lab = Lab::new();
    let at = |seconds: f64| TraceFile {
        trigger_time: TriggerTime {
            seconds,
            minutes: 5,
            hours: 4,
            days: 3,
            months: 2,
            year: 2026,
        },
        ..sweep(10)
    };
    for (index, apart) in [0.0, 0.0009, 0.0011, 2.5].into_iter().enumerate() {
        lab.put(&format!("r/C1--Trace--{index:05}.trc"), &at(1.0));
        lab.put(&format!("r/C2--Trace--{index:05}.trc"), &at(1.0 + apart));
    }
    let run = lab.plan(&["r"]);
    let (of, events) = finding(&run, |finding| match finding {
        Finding::TriggerTimes { of, events } => Some((*of, events.clone())),
        _ => None,
    });
    assert_eq!((of, events.count), (4, 2));
    assert_eq!(events.examples[1].to_string(), "r index 3: C2 is 2.500 s after C1");
    assert_eq!(rows(&run.plan, "C1").len(), 4);
}
