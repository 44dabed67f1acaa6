//! What headers say, and what is done where they disagree.

use trc2npy_common::options::{Dtype, Mixed, OnBadFile, Ragged};
use trc2npy_common::plan::{Element, Finding, PlanError, Probe};
use trc2npy_common::trc::SampleWidth;
use trc2npy_common::units::Bytes;
use trc2npy_synth::{Bits, Segment, TraceFile};

use super::{Lab, finding, labels, one, refused, sweep};

fn name(index: usize) -> String {
    format!("r/C1--Trace--{index:05}.trc")
}

/// Twenty sweeps, some of them replaced.
fn twenty(replaced: &[(usize, Vec<u8>)]) -> Lab {
    let lab = Lab::new();
    for index in 0..20 {
        lab.put(&name(index), &sweep(10));
    }
    for (index, bytes) in replaced {
        lab.put_bytes(&name(*index), bytes);
    }
    lab
}

fn cut(trace: &TraceFile, behind: usize) -> Vec<u8> {
    let mut bytes = trace.to_bytes();
    bytes.truncate(bytes.len() - behind);
    bytes
}

#[test]
fn bad_files_keep_their_place_and_are_reported() {
    let sequence = TraceFile::sequence(vec![
        Segment {
            codes: vec![1; 10],
            ..Segment::default()
        };
        3
    ]);
    let lab = twenty(&[
        (0, b"garbage".to_vec()),
        (5, Vec::new()),
        (7, cut(&sweep(10), 4)),
        (9, cut(&sequence, 4)),
    ]);
    let mut request = lab.request(&["r"]);
    request.settle = std::time::Duration::ZERO;
    let run = one(&request);
    let channel = &run.plan.channels[0];
    // The sequence cut short is not believed: no sound file has three segments.
    assert_eq!(channel.rows, 20);
    assert_eq!(channel.files.get(9).rows, 1);
    let width = |i: usize| channel.layout(channel.files.get(i).layout).width;
    assert_eq!((width(0), width(5), width(9)), (None, None, None));
    assert_eq!(width(7), Some(SampleWidth::Sixteen));
    assert_eq!(channel.reference.index, 1, "the first that can be read");
    assert_eq!(channel.reference.head, sweep(10).to_bytes());
    let bad = finding(&run, |finding| match finding {
        Finding::BadFiles {
            skipped: false, files, ..
        } => Some(files.clone()),
        _ => None,
    });
    assert_eq!(bad.count, 4);
    assert!(
        bad.examples[0]
            .to_string()
            .starts_with("r/C1--Trace--00000.trc: not a LeCroy waveform"),
        "{bad}"
    );
}

#[test]
fn a_file_cut_short_a_moment_ago_may_still_be_written() {
    let lab = twenty(&[(19, cut(&sweep(10), 4))]);
    let mut request = lab.request(&["r"]);
    request.settle = std::time::Duration::from_hours(1);
    let run = one(&request);
    finding(&run, |finding| {
        matches!(finding, Finding::StillWriting { files, .. } if files.count == 1).then_some(())
    });
    assert_eq!(run.plan.channels[0].rows, 20);
}

#[test]
fn skip_finds_every_bad_file_and_gives_it_no_row() {
    // The same size as its neighbours, far from what a sample of headers would open.
    let mut garbage = sweep(10).to_bytes();
    garbage[..16].fill(b'x');
    let lab = Lab::new();
    for index in 0..200 {
        lab.put(&name(index), &sweep(10));
    }
    lab.put_bytes(&name(101), &garbage);
    let mut request = lab.request(&["r"]);
    assert_eq!(one(&request).plan.channels[0].rows, 200, "a sample does not see it");
    request.probe = Probe::All;
    let run = one(&request);
    assert_eq!(run.plan.channels[0].rows, 200);
    finding(&run, |finding| {
        matches!(finding, Finding::BadFiles { files, .. } if files.count == 1).then_some(())
    });

    request.probe = Probe::Sample;
    request.options.on_bad_file = OnBadFile::Skip;
    let run = one(&request);
    let channel = &run.plan.channels[0];
    assert_eq!((channel.rows, channel.left_out.len()), (199, 1));
    assert!(!labels(&run.plan, "C1").contains(&name(101)));
    finding(&run, |finding| {
        matches!(finding, Finding::BadFiles { skipped: true, .. }).then_some(())
    });

    request.options.on_bad_file = OnBadFile::Fail;
    request.probe = Probe::All;
    let error = refused(&request);
    assert!(error.to_string().contains("C1--Trace--00101.trc"), "{error}");
}

#[test]
fn a_channel_without_any_header_is_refused() {
    let lab = Lab::new();
    lab.put("r/C1--Trace--00000.trc", &sweep(10));
    lab.put_bytes("r/C2--Trace--00000.trc", b"nothing")
        .put_bytes("r/C2--Trace--00001.trc", b"nor here");
    let error = refused(&lab.request(&["r"]));
    let PlanError::NoReadableHeader {
        channel,
        files: 2,
        tried: 2,
        ..
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(channel.to_string(), "C2");
    assert!(
        error
            .to_string()
            .contains("C2--Trace--00000.trc: not a LeCroy waveform"),
        "{error}"
    );
}

#[test]
fn the_third_file_of_a_size_is_still_tried() {
    let mut garbage = sweep(10).to_bytes();
    garbage[..16].fill(b'x');
    let lab = Lab::new();
    // Between the spread's positions, so that only the attempts at its own size find the third.
    for index in 0..400 {
        lab.put(&name(index), &sweep(10));
    }
    garbage.push(0);
    let sequence = TraceFile::sequence(vec![
        Segment {
            codes: vec![1; 10],
            ..Segment::default()
        };
        2
    ]);
    let mut odd = TraceFile {
        trigtime: false,
        ..sequence
    }
    .to_bytes();
    odd.resize(garbage.len().max(odd.len()), 0);
    garbage.resize(odd.len(), 0);
    lab.put_bytes(&name(14), &garbage)
        .put_bytes(&name(15), &garbage)
        .put_bytes(&name(16), &odd)
        .put_bytes(&name(17), &odd);
    let run = lab.plan(&["r"]);
    let files = &run.plan.channels[0].files;
    assert_eq!([14, 15, 16, 17].map(|i| files.get(i).rows), [1, 1, 2, 2]);
}

#[test]
fn rows_of_several_lengths_are_refused_or_brought_to_one() {
    let lab = twenty(&[(3, sweep(12).to_bytes()), (4, sweep(7).to_bytes())]);
    let mut request = lab.request(&["r"]);
    let error = refused(&request);
    let PlanError::Ragged { lengths, .. } = &error else {
        panic!("{error}")
    };
    let seen: Vec<_> = lengths.iter().map(|seen| (seen.samples, seen.files)).collect();
    assert_eq!(seen, [(10, 18), (12, 1), (7, 1)]);
    assert!(
        error
            .to_string()
            .contains("12 samples in 1 file of 370 bytes (r/C1--Trace--00003.trc)"),
        "{error}"
    );

    for (ragged, samples) in [(Ragged::Bad, 10), (Ragged::Pad, 12), (Ragged::Truncate, 7)] {
        request.options.ragged = ragged;
        let run = one(&request);
        let channel = &run.plan.channels[0];
        assert_eq!((channel.rows, channel.samples), (20, samples), "{ragged:?}");
        assert_eq!(channel.layout(channel.files.get(3).layout).samples, 12);
        finding(&run, |finding| {
            matches!(finding, Finding::OtherLengths { .. }).then_some(())
        });
    }
    request.options.ragged = Ragged::Bad;
    request.options.on_bad_file = OnBadFile::Skip;
    assert_eq!(one(&request).plan.channels[0].rows, 18);
    request.options.on_bad_file = OnBadFile::Fail;
    assert!(
        refused(&request)
            .to_string()
            .contains("10 samples a row expected, 12 found")
    );
}

#[test]
fn settings_that_change_are_refused_or_reported_with_the_files_where_they_do() {
    let slower = TraceFile {
        horiz_interval: 5e-8,
        gain: 0.5,
        ..sweep(10)
    };
    let faster = TraceFile {
        gain: 0.25,
        horiz_interval: 2e-8,
        ..sweep(10)
    };
    let lab = Lab::new();
    for index in 0..20 {
        lab.put(&name(index), if index < 11 { &slower } else { &faster });
    }
    let mut request = lab.request(&["r"]);
    let error = refused(&request);
    let PlanError::Mixed { changes, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(
        (changes.len(), changes[0].setting.as_str(), changes[0].changes),
        (1, "HORIZ_INTERVAL", 1)
    );
    let at = &changes[0].examples[0];
    assert_eq!(
        (at.last_before.as_str(), at.first_after.as_str()),
        ("r/C1--Trace--00010.trc", "r/C1--Trace--00011.trc")
    );

    request.options.mixed = Mixed::Warn;
    let run = one(&request);
    finding(&run, |finding| {
        matches!(finding, Finding::MixedSettings { .. }).then_some(())
    });
    let change = finding(&run, |finding| match finding {
        Finding::ChangedSettings { change, .. } => Some(change.clone()),
        _ => None,
    });
    assert_eq!(change.setting, "VERTICAL_GAIN");
    assert!(
        change
            .to_string()
            .contains("from 0.5 (r/C1--Trace--00010.trc) to 0.25 (r/C1--Trace--00011.trc)"),
        "{change}"
    );

    // HORIZ_OFFSET differs in every file by nature.
    let lab = twenty(&[(
        4,
        TraceFile {
            horiz_offset: -3.3e-7,
            ..sweep(10)
        }
        .to_bytes(),
    )]);
    assert_eq!(lab.plan(&["r"]).findings.all, []);
}

#[test]
fn elements_follow_the_stored_width_where_asked() {
    let eight = TraceFile {
        bits: Bits::Eight,
        ..sweep(10)
    };
    let lab = Lab::new();
    lab.put("a/C1--Trace--00000.trc", &eight)
        .put("b/C1--Trace--00000.trc", &sweep(10));
    lab.put("c/C1--Trace--00000.trc", &eight)
        .put("c/C1--Trace--00001.trc", &sweep(10));
    for (folder, dtype, element) in [
        ("a", Dtype::Native, Element::Int8),
        ("b", Dtype::Native, Element::Int16),
        ("c", Dtype::Native, Element::Int16),
        ("a", Dtype::Int16, Element::Int16),
        ("a", Dtype::Float32, Element::Float32),
    ] {
        let mut request = lab.request(&[folder]);
        request.options.dtype = dtype;
        assert_eq!(one(&request).plan.channels[0].element, element, "{folder} {dtype:?}");
    }
    let run = lab.plan(&["c"]);
    finding(&run, |finding| {
        matches!(
            finding,
            Finding::MixedWidths {
                eight: 1,
                sixteen: 1,
                ..
            }
        )
        .then_some(())
    });
}

#[test]
fn a_baseline_as_long_as_the_row_is_refused_with_both_numbers() {
    let lab = twenty(&[]);
    let mut request = lab.request(&["r"]);
    request.options.baseline.points = 9;
    assert!(one(&request).plan.output_bytes() > Bytes(20 * 10 * 4 + 20 * 72));
    request.options.baseline.points = 10;
    let error = refused(&request);
    assert!(error.is_usage());
    assert!(
        error.to_string().contains("--baseline 10") && error.to_string().contains("10 samples a row"),
        "{error}"
    );
}

#[cfg(unix)]
#[test]
fn a_first_file_that_may_not_be_read_stops_planning() {
    use std::os::unix::fs::PermissionsExt;

    let lab = twenty(&[]);
    let path = lab.at(&name(0));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::File::open(&path).is_ok() {
        eprintln!("not tested: this user may read everything");
        return;
    }
    let error = refused(&lab.request(&["r"]));
    assert!(matches!(error, PlanError::Storage { .. }), "{error}");
    assert!(error.to_string().contains("C1--Trace--00000.trc"), "{error}");
}

#[test]
fn second_arrays_and_wrong_counts_are_noted() {
    let lab = twenty(&[
        (
            0,
            TraceFile {
                second_array: vec![1; 10],
                ..sweep(10)
            }
            .to_bytes(),
        ),
        (
            1,
            TraceFile {
                wave_array_count: Some(99),
                ..sweep(10)
            }
            .to_bytes(),
        ),
    ]);
    let run = lab.plan(&["r"]);
    finding(&run, |finding| {
        matches!(finding, Finding::SecondArray { files, .. } if files.count == 1).then_some(())
    });
    let counts = finding(&run, |finding| match finding {
        Finding::CountMismatch { files, .. } => Some(files.clone()),
        _ => None,
    });
    assert_eq!(counts.examples[0].note, "WAVE_ARRAY_COUNT names 99, the file holds 10");
}
