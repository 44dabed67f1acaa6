//! Which file is which channel and index, in folders as they are found.

use trc2npy_common::plan::{Finding, PlanError, Unmatched};

use super::{Lab, exists, finding, labels, one, refused, rows, sweep};

#[test]
fn files_come_in_the_order_of_their_numbers_and_indices_may_have_gaps() {
    let lab = Lab::new();
    lab.sweeps(
        "r",
        [
            "C1--Trace--100000.trc",
            "C1--Trace--99999.trc",
            "C1--Trace--00007.trc",
            "C1--Trace--00000.trc",
        ],
    );
    let run = lab.plan(&["r"]);
    assert_eq!(
        rows(&run.plan, "C1"),
        [
            (0, "r/C1--Trace--00000.trc".to_owned()),
            (1, "r/C1--Trace--00007.trc".to_owned()),
            (2, "r/C1--Trace--99999.trc".to_owned()),
            (3, "r/C1--Trace--100000.trc".to_owned()),
        ]
    );
    assert_eq!(run.plan.patterns.len(), 1, "one form writes all four names");
    assert_eq!(run.findings.all, []);

    lab.sweeps(
        "unpadded",
        ["C1--Trace--9.trc", "C1--Trace--10.trc", "C1--Trace--100.trc"],
    );
    let plan = lab.plan(&["unpadded"]).plan;
    assert_eq!((plan.patterns.len(), plan.patterns[0].width), (1, 1));
}

#[test]
fn every_name_is_written_back_as_it_was_found() {
    let lab = Lab::new();
    // Widths, cases and channels of one folder; each must be opened again under its own name.
    lab.sweeps(
        "r",
        [
            "C1--Trace--7.trc",
            "C1--Trace--08.trc",
            "C1--Trace--123.trc",
            "C1--Trace--00009.trc",
            "C1--Trace--0000010.trc",
            "C1--Trace--00011.TRC",
            "C1--Trace--100012.trc",
            "c1--Trace--00013.trc",
            "F1--Trace--00000.trc",
        ],
    );
    let run = lab.plan(&["r"]);
    assert_eq!(
        labels(&run.plan, "C1"),
        [
            "r/C1--Trace--7.trc",
            "r/C1--Trace--08.trc",
            "r/C1--Trace--00009.trc",
            "r/C1--Trace--0000010.trc",
            "r/C1--Trace--00011.TRC",
            "r/c1--Trace--00013.trc",
            "r/C1--Trace--123.trc",
            "r/C1--Trace--100012.trc",
        ]
    );
    assert_eq!(labels(&run.plan, "F1"), ["r/F1--Trace--00000.trc"]);
}

#[test]
fn two_files_of_one_index_are_refused_with_both_names() {
    for (first, second) in [
        ("C1--Trace--00001.trc", "C1--Trace--1.trc"),
        ("C1--Trace--00001.trc", "C1--Trace--00001.TRC"),
        ("C1--Trace--00001.trc", "c1--Trace--00001.trc"),
    ] {
        let lab = Lab::new();
        lab.sweeps("r", [first, second, "C1--Trace--00002.trc"]);
        if !exists(&lab.at("r").join(first)) || std::fs::read_dir(lab.at("r")).unwrap().count() < 3 {
            continue; // A file system that folds case cannot hold both.
        }
        let error = refused(&lab.request(&["r"]));
        assert!(matches!(error, PlanError::Duplicate { index: 1, .. }), "{error}");
        assert!(!error.is_usage());
        let text = error.to_string();
        assert!(text.contains(first) && text.contains(second), "{text}");
    }
}

#[test]
fn the_stem_chooses_between_two_measurements_in_one_folder() {
    let lab = Lab::new();
    lab.sweeps(
        "r",
        [
            "C1--bias50--00000.trc",
            "C1--bias60--00000.trc",
            "C1--bias60--00001.trc",
            "C2--bias60--00000.trc",
        ],
    );
    let error = refused(&lab.request(&["r"]));
    let PlanError::Stems { stems, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(stems, &[("bias50".to_owned(), 1), ("bias60".to_owned(), 3)]);
    assert!(error.to_string().contains("--stem"));

    let mut request = lab.request(&["r"]);
    request.stem = Some("bias60".to_owned());
    let run = one(&request);
    assert_eq!(labels(&run.plan, "C1").len(), 2);
    let left = finding(&run, |finding| match finding {
        Finding::OtherStems { stems } => Some(stems.clone()),
        _ => None,
    });
    assert_eq!(left, [("bias50".to_owned(), 1)]);

    request.stem = Some("bias70".to_owned());
    assert!(matches!(refused(&request), PlanError::NoSuchStem { there, .. } if there.len() == 2));

    // The other stem is of a channel that is not wanted: nothing to choose.
    lab.sweeps("q", ["C1--Trace--00000.trc", "M1--wave--00000.trc"]);
    let mut request = lab.request(&["q"]);
    request.channels = Some(vec!["C1".parse().unwrap()]);
    let run = one(&request);
    assert_eq!(run.plan.channels.len(), 1);
    finding(&run, |finding| {
        matches!(finding, Finding::OtherChannels { channels } if channels.len() == 1).then_some(())
    });
}

#[test]
fn a_channel_that_is_not_there_is_answered_with_those_that_are() {
    let lab = Lab::new();
    lab.sweeps("r", ["C1--Trace--00000.trc", "C2--Trace--00000.trc"]);
    let mut request = lab.request(&["r"]);
    request.channels = Some(vec!["C1".parse().unwrap(), "C3".parse().unwrap()]);
    let error = refused(&request);
    assert!(error.is_usage());
    assert_eq!(
        error.to_string(),
        "no files of channel C3 (there are C1: 1 file, C2: 1 file); correct --channels"
    );
}

#[test]
fn names_without_dashes_are_read_by_what_the_folder_shows() {
    let lab = Lab::new();
    lab.sweeps("five", ["C1Trace00000.trc", "C1Trace00001.trc", "C2Trace00001.trc"]);
    assert_eq!(
        rows(&lab.plan(&["five"]).plan, "C2"),
        [(1, "five/C2Trace00001.trc".to_owned())]
    );

    lab.sweeps("text", ["C1bias5000000.trc", "C1bias5000003.trc"]);
    let run = lab.plan(&["text"]);
    let files = &run.plan.channels[0].files;
    assert_eq!((files.get(0).index, files.get(1).index), (0, 3));
    assert_eq!(run.plan.patterns[0].prefix, "C1bias50");

    lab.sweeps("mixed", ["C1Trace00001.trc", "C1Trace100001.trc"]);
    let error = refused(&lab.request(&["mixed"]));
    let text = error.to_string();
    assert!(
        text.contains("stem \"Trace1\", index 1") && text.contains("stem \"Trace\", index 100001"),
        "{text}"
    );
    let mut request = lab.request(&["mixed"]);
    request.stem = Some("Trace".to_owned());
    assert_eq!(
        labels(&one(&request).plan, "C1"),
        ["mixed/C1Trace00001.trc", "mixed/C1Trace100001.trc"]
    );
    request.stem = Some("Trace1".to_owned());
    assert_eq!(labels(&one(&request).plan, "C1"), ["mixed/C1Trace100001.trc"]);

    // Nothing but the channel and the index.
    lab.sweeps("bare", ["C100000.trc", "C200001.trc"]);
    let run = lab.plan(&["bare"]);
    assert_eq!(labels(&run.plan, "C1"), ["bare/C100000.trc"]);
    assert_eq!(rows(&run.plan, "C2"), [(1, "bare/C200001.trc".to_owned())]);
}

#[test]
fn the_header_names_the_channel_where_the_name_does_not() {
    let lab = Lab::new();
    let from = |wave_source| trc2npy_synth::TraceFile {
        wave_source,
        ..sweep(10)
    };
    // The name goes before the header, which real instruments have wrong.
    lab.put("r/Trace--00000.trc", &from(1))
        .put("r/Trace--00001.trc", &from(3))
        .put("r/C1--Trace--00000.trc", &from(2))
        .put("r/Trace--00002.trc", &from(9));
    let run = lab.plan(&["r"]);
    assert_eq!(labels(&run.plan, "C1"), ["r/C1--Trace--00000.trc"]);
    assert_eq!(labels(&run.plan, "C2"), ["r/Trace--00000.trc"]);
    assert_eq!(labels(&run.plan, "C4"), ["r/Trace--00001.trc"]);
    let unknown = finding(&run, |finding| match finding {
        Finding::LeftOut {
            reason: Unmatched::NoChannel,
            files,
        } => Some(files.clone()),
        _ => None,
    });
    assert_eq!(unknown.examples, ["r/Trace--00002.trc"]);
}

#[test]
fn files_of_the_7200_carry_their_index_as_extension() {
    let lab = Lab::new();
    let old = trc2npy_synth::TraceFile {
        template: trc2npy_synth::Template::Lecroy1_0,
        ..sweep(10)
    };
    lab.put("r/trace1.000", &old)
        .put("r/trace1.001", &old)
        .put("r/trace2.001", &old);
    let run = lab.plan(&["r"]);
    assert_eq!(labels(&run.plan, "C1"), ["r/trace1.000", "r/trace1.001"]);
    assert_eq!(rows(&run.plan, "C2"), [(1, "r/trace2.001".to_owned())]);
}

#[test]
fn copies_and_strangers_are_listed_and_files_of_the_system_are_not() {
    let lab = Lab::new();
    lab.sweeps(
        "r",
        [
            "C1--Trace--00000.trc",
            "C1--Trace--00000 (1).trc",
            "C1--Trace--00000 - Copy.trc",
            "._C1--Trace--00001.trc",
        ],
    );
    lab.put_bytes("r/notes.txt", b"x")
        .put_bytes("r/Thumbs.db", b"x")
        .put_bytes("r/sub/C1--Trace--00009.trc", b"x");
    let run = lab.plan(&["r"]);
    assert_eq!(labels(&run.plan, "C1").len(), 1);
    let left_out: Vec<_> = run
        .findings
        .all
        .iter()
        .map(|finding| match finding {
            Finding::LeftOut { reason, files } => (*reason, files.count),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(left_out, [(Unmatched::Copy, 2), (Unmatched::OtherKind, 1)]);
    assert_eq!(run.findings.warnings().count(), 1);
}

#[test]
fn a_file_without_an_index_can_be_named_alone() {
    let lab = Lab::new();
    lab.put("r/pulse.trc", &sweep(10)).sweeps("r", ["C1--Trace--00000.trc"]);
    let run = lab.plan(&["r/pulse.trc"]);
    assert_eq!(labels(&run.plan, "C1"), ["r/pulse.trc"]);
    // In a folder of traces it is a stranger.
    let run = lab.plan(&["r"]);
    assert_eq!(labels(&run.plan, "C1"), ["r/C1--Trace--00000.trc"]);
}

#[cfg(unix)]
#[test]
fn control_characters_in_names_are_escaped_in_the_list() {
    let lab = Lab::new();
    lab.put("a\nb/C1--x\ty--00000.trc", &sweep(10));
    let run = lab.plan(&["a\nb"]);
    let plan = &run.plan;
    let mut label = "what stood here before".to_owned();
    plan.file_label(&plan.channels[0], 0, &mut label);
    assert_eq!(label, "a\\nb/C1--x\\ty--00000.trc");
}
