//! A second time: what is finished is left alone, what is not as it would be made now is replaced.

use std::fs;
use std::path::Path;

use trc2npy_synth::RunSpec;
use trc2npy_tests::{Npy, Record, run_python};

use super::{Stand, two_channels};

/// The files behind the first six.
fn four_more() -> RunSpec {
    RunSpec {
        start: 6,
        ..two_channels(4, 7)
    }
}

#[test]
fn the_same_command_does_nothing() {
    let stand = Stand::new();
    let mut spec = two_channels(10, 1);
    spec.bad = vec!["truncated:2".parse().unwrap(), "missing:1".parse().unwrap()];
    stand.write("r009", &spec);
    stand.write("r009-2", &two_channels(5, 2));
    stand.run(&[]).must_succeed();
    let before = stand.everything();
    assert!(before.len() > 9, "arrays, metadata, report and state");
    let ended = stand.run(&[]);
    ended.must_succeed().must_say(&["nothing to do", "as they were"]);
    assert!(stand.everything() == before, "something was touched");
    // A channel's JSON is made again without decoding: the array keeps its time.
    let json = stand.arrays().join("C1/C1--Trace.json");
    fs::remove_file(&json).unwrap();
    stand.run(&[]).must_succeed();
    let after = stand.everything();
    let arrays = |all: &[(std::path::PathBuf, Vec<u8>, std::time::SystemTime)]| {
        let kept = |path: &Path| path.extension().is_some_and(|end| end == "npy");
        all.iter().filter(|(path, ..)| kept(path)).cloned().collect::<Vec<_>>()
    };
    assert!(arrays(&after) == arrays(&before), "arrays were made again");
    let bytes = |all: &[(std::path::PathBuf, Vec<u8>, std::time::SystemTime)]| {
        all.iter()
            .find(|(path, ..)| *path == json)
            .map(|(_, bytes, _)| bytes.clone())
    };
    assert_eq!(bytes(&after), bytes(&before));
}

#[test]
fn what_would_come_out_otherwise_is_replaced() {
    let stand = Stand::new();
    stand.write("r009", &two_channels(6, 1));
    // As the script left it, without index and JSON.
    let old = stand.arrays().join("C1/C1--Trace.npy");
    fs::create_dir_all(old.parent().unwrap()).unwrap();
    run_python(
        "import sys, numpy as np; np.save(sys.argv[1], np.zeros((3, 2502), 'f4'))",
        [&old],
    );
    stand.run(&[]).must_succeed();
    stand.must_be_of(&["r009"], 2000, &[]);

    // Another baseline, and back.
    for dpbl in ["300", "2000"] {
        stand.run(&["--dpbl", dpbl]).must_succeed();
        stand.must_be_of(&["r009"], dpbl.parse().unwrap(), &[]);
    }
    // The run went on.
    stand.write("r009", &four_more());
    stand.run(&[]).must_succeed();
    stand.must_be_of(&["r009"], 2000, &[]);
    stand.write("r009-2", &two_channels(2, 8));
    stand.run(&[]).must_succeed();
    stand.must_be_of(&["r009", "r009-2"], 2000, &[]);
    let rows = Record::read_all(&stand.arrays().join("C2/C2--Trace.index.npy"));
    assert_eq!(rows.len(), 12);
    // A file was cut short when it was first looked at.
    let file = stand.folder("r009").join("C1--Trace--00003.trc");
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..1000]).unwrap();
    stand.run(&[]).must_succeed();
    stand.must_be_of(&["r009", "r009-2"], 2000, &[]);
    fs::write(&file, &whole).unwrap();
    stand.run(&[]).must_succeed();
    stand.must_be_of(&["r009", "r009-2"], 2000, &[]);
    let rows = Record::read_all(&stand.arrays().join("C2/C2--Trace.index.npy"));
    assert_eq!(rows.len(), 12);
    // A folder with a channel more.
    let third = RunSpec {
        channels: vec![3],
        ..two_channels(12, 9)
    };
    stand.write("r009", &third);
    stand.run(&[]).must_succeed();
    stand.must_be_of(&["r009", "r009-2"], 2000, &[]);
    stand.run(&[]).must_succeed().must_say(&["nothing to do"]);
    // From the beginning, because someone says so: the bytes are the same, the files are new.
    let before = fs::metadata(&old).unwrap().modified().unwrap();
    stand.run(&["--overwrite"]).must_succeed();
    assert_ne!(fs::metadata(&old).unwrap().modified().unwrap(), before);
}

/// Killed before the last record, the run goes on if its files are the same, and begins anew if there are more.
#[test]
fn what_was_interrupted_goes_on_or_begins_anew() {
    let stand = Stand::new();
    stand.write("r009", &two_channels(6, 1));
    let interrupt = || {
        let states = fs::read_dir(stand.arrays().join(".trc2npy")).unwrap();
        let mut journals = states.map(|entry| entry.unwrap().path().join("journal"));
        let journal = journals.find(|path| path.exists()).unwrap();
        let text = fs::read_to_string(&journal).unwrap();
        let last = text.lines().last().unwrap();
        assert!(last.contains("done"), "{last}");
        fs::write(&journal, &text[..text.len() - last.len() - 1]).unwrap();
    };
    let array = stand.arrays().join("C1/C1--Trace.npy");
    let written = || fs::metadata(&array).unwrap().modified().unwrap();
    stand.run(&[]).must_succeed();
    let before = written();
    interrupt();
    let ended = stand.run(&[]);
    assert!(!ended.must_succeed().stderr.contains("nothing to do"), "{ended}");
    assert_eq!(written(), before, "what was there is used");
    interrupt();
    stand.write("r009", &four_more());
    stand.run(&[]).must_succeed();
    stand.must_be_of(&["r009"], 2000, &[]);
    assert_eq!(
        Record::read_all(&stand.arrays().join("C1/C1--Trace.index.npy")).len(),
        10
    );
}

#[test]
fn the_old_arrays_stay_until_the_new_ones_are_whole() {
    let stand = Stand::new();
    stand.write("r009", &two_channels(6, 1));
    stand.run(&[]).must_succeed();
    let array = stand.arrays().join("C1/C1--Trace.npy");
    let before = fs::read(&array).unwrap();
    // A file of another length keeps the rest from being converted.
    let longer = RunSpec {
        start: 6,
        ..RunSpec::new(1, 3_000)
    };
    stand.write("r009", &longer);
    let ended = stand.run(&["--events", "union"]);
    ended
        .must_end_with(1)
        .must_say(&["2502 samples in 6 files", "3000 samples in 1 file"]);
    assert!(fs::read(&array).unwrap() == before, "the old array is gone");
    assert!(stand.arrays().join("C1/C1--Trace.json").exists());
    stand
        .run(&["--events", "union", "--ragged", "bad", "--on-bad-file", "nan"])
        .must_end_with(3);
    let values = Npy::read(&array).f32();
    assert_eq!(values.len(), 7 * 2_502);
    assert!(values[6 * 2_502..].iter().all(|value| value.is_nan()));
}
