use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

fn go_on(_: Written) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect()
}

fn spec() -> RunSpec {
    RunSpec {
        channels: vec![1, 3],
        ..RunSpec::new(20, 100)
    }
}

#[test]
fn the_same_spec_gives_the_same_bytes_and_every_file_differs() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    spec().write(a.path(), &go_on).unwrap();
    let single = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    single.install(|| spec().write(b.path(), &go_on)).unwrap();
    let written = files(a.path());
    assert_eq!(written, files(b.path()));
    assert_eq!(written.len(), 40);
    let samples: BTreeSet<&[u8]> = written.values().map(|bytes| &bytes[346..]).collect();
    assert_eq!(samples.len(), 40);
    assert_eq!(
        written.values().map(|bytes| bytes.len() as u64).sum::<u64>(),
        spec().total_bytes()
    );
    assert_eq!(written["C3--Trace--00007.trc"], spec().file(3, 7).to_bytes());
    let other = RunSpec { seed: 2, ..spec() };
    assert_ne!(other.file(3, 7).to_bytes(), written["C3--Trace--00007.trc"]);
}

#[test]
fn channels_of_one_event_share_its_trigger_time() {
    let (one, three) = (spec().file(1, 7), spec().file(3, 7));
    assert_eq!(one.trigger_time, three.trigger_time);
    assert_ne!(one.trigger_time, spec().file(1, 8).trigger_time);
    assert_ne!(one.segments[0].codes, three.segments[0].codes);
}

#[test]
fn total_bytes_counts_every_block() {
    let spec = RunSpec {
        segments: 3,
        bits: Bits::Eight,
        user_text: 17,
        ris: 2,
        prefix: Prefix::Block { digits: 9 },
        ..RunSpec::new(1, 10)
    };
    assert_eq!(spec.file(1, 0).to_bytes().len() as u64, spec.total_bytes());
    assert_eq!(spec.total_bytes(), 11 + 346 + 17 + 3 * 16 + 2 * 8 + 30);
}

#[test]
fn records_hold_a_pulse_over_noise_and_end_in_zero_bits() {
    for bits in [Bits::Eight, Bits::Sixteen] {
        let spec = RunSpec {
            bits,
            adc_bits: 8,
            ..RunSpec::new(1, 5000)
        };
        let file = spec.file(1, 0);
        let codes = &file.segments[0].codes;
        let unit = if bits == Bits::Eight { 1 } else { 256 };
        assert!(codes.iter().all(|code| code % unit == 0));
        let before = codes[..900].iter().max().unwrap() / unit;
        let peak = codes.iter().max().unwrap() / unit;
        assert!(peak > before + 10, "{peak} over {before}");
        assert!(codes[..900].iter().min().unwrap() / unit < before, "no noise");
    }
}

#[test]
fn existing_files_stay_unless_overwriting_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let taken = folder.path().join("C1--Trace--00003.trc");
    fs::write(&taken, b"precious").unwrap();
    let error = spec().write(folder.path(), &go_on).unwrap_err();
    assert!(matches!(&error, RunError::Exists(path) if *path == taken), "{error}");
    assert_eq!(fs::read(&taken).unwrap(), b"precious");
    let over = RunSpec {
        overwrite: true,
        ..spec()
    };
    over.write(folder.path(), &go_on).unwrap();
    assert_eq!(fs::read(&taken).unwrap(), over.file(1, 3).to_bytes());
}

#[test]
fn broken_files_are_as_many_as_asked_for_and_never_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let spec = RunSpec {
        bad: vec!["truncated:3".parse().unwrap(), "missing:2".parse().unwrap()],
        ..spec()
    };
    spec.write(folder.path(), &go_on).unwrap();
    let written = files(folder.path());
    assert_eq!(written.len(), 38);
    assert_eq!(written.values().filter(|bytes| bytes.len() < 546).count(), 3);
    let broken = spec.broken_files().unwrap();
    assert_eq!(broken.len(), 5);
    for (&(channel, position), &kind) in &broken {
        assert!(position > 0);
        let there = spec.path(folder.path(), channel, position).exists();
        assert_eq!(there, kind != Broken::Missing);
    }
}

#[test]
fn runs_that_cannot_be_are_refused_before_a_file_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        RunSpec::new(0, 10),
        RunSpec::new(10, 0),
        RunSpec::new(1, 1 << 30),
        RunSpec {
            channels: vec![1, 1],
            ..spec()
        },
        RunSpec {
            name: "x{i}".parse().unwrap(),
            ..spec()
        },
        RunSpec {
            bad: vec!["garbage:39".parse().unwrap()],
            ..spec()
        },
        RunSpec {
            template: Template::Lecroy1_0,
            ris: 1,
            ..spec()
        },
        RunSpec {
            horiz_interval: f32::NAN,
            ..spec()
        },
    ];
    for case in cases {
        let error = case.write(folder.path(), &go_on).unwrap_err();
        assert!(matches!(error, RunError::Spec(_)), "{error}");
    }
    assert!(files(folder.path()).is_empty());
}

#[test]
fn the_caller_can_stop() {
    let folder = tempfile::tempdir().unwrap();
    let seen = AtomicU64::new(0);
    let stop = |_: Written| {
        if seen.fetch_add(1, Ordering::Relaxed) >= 4 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    let error = spec().write(folder.path(), &stop).unwrap_err();
    assert!(matches!(error, RunError::Stopped), "{error}");
    assert!(files(folder.path()).len() < 40);
}
