//! Files that must be refused, each for one reason.

use super::good::codes;
use super::{Fixture, Refusal, forms};
use crate::broken::Broken;
use crate::trace::{Bits, Prefix, Template, TraceFile};

fn plain() -> TraceFile {
    TraceFile::single(codes(Bits::Sixteen, 502, 1))
}

fn refused(name: impl Into<String>, bytes: Vec<u8>, why: Refusal) -> Fixture {
    Fixture {
        name: name.into(),
        bytes,
        expected: Err(why),
    }
}

pub(super) fn fixtures() -> Vec<Fixture> {
    let mut all = every_kind();
    all.extend(cuts());
    all.extend(lengths());
    all.extend(elsewhere());
    all
}

fn every_kind() -> Vec<Fixture> {
    let mut all = Vec::new();
    for (template, order, form) in forms() {
        let file = TraceFile {
            template,
            order,
            ..plain()
        };
        for kind in Broken::ALL {
            if let (Some(bytes), Some(why)) = (kind.apply(&file), kind.refusal()) {
                all.push(refused(format!("{form} {kind}"), bytes, why));
            }
        }
    }
    all
}

/// Cut at every border where a reader could step over it.
fn cuts() -> Vec<Fixture> {
    let file = TraceFile {
        user_text: b"text".to_vec(),
        res_array3: vec![3; 6],
        trailing: b"\n".to_vec(),
        ..plain()
    };
    let whole = file.to_bytes();
    let blocks = whole.len() - file.trailing.len();
    [
        ("cut inside the descriptor's name", 5, Refusal::NotWaveform),
        ("cut behind the descriptor's name", 16, Refusal::Truncated),
        ("cut inside the length fields", 50, Refusal::Truncated),
        ("cut before the descriptor's last byte", 345, Refusal::Truncated),
        ("cut behind the descriptor", 346, Refusal::Truncated),
        ("cut inside the user text", 348, Refusal::Truncated),
        ("cut before the first sample", 350, Refusal::Truncated),
        ("cut inside the first samples", 353, Refusal::Truncated),
        (
            "cut inside the block behind the samples",
            blocks - 3,
            Refusal::Truncated,
        ),
        ("cut one byte before the end", blocks - 1, Refusal::Truncated),
    ]
    .into_iter()
    .map(|(name, at, why)| refused(name, whole[..at].to_vec(), why))
    .collect()
}

/// Each length field in turn negative, and past the file's end.
fn lengths() -> Vec<Fixture> {
    const FIELDS_2_X: [(usize, &str); 10] = [
        (36, "WAVE_DESCRIPTOR"),
        (40, "USER_TEXT"),
        (44, "RES_DESC1"),
        (48, "TRIGTIME_ARRAY"),
        (52, "RIS_TIME_ARRAY"),
        (56, "RES_ARRAY1"),
        (60, "WAVE_ARRAY_1"),
        (64, "WAVE_ARRAY_2"),
        (68, "RES_ARRAY2"),
        (72, "RES_ARRAY3"),
    ];
    const FIELDS_1_0: [(usize, &str); 5] = [
        (36, "WAVE_DESCRIPTOR of 1.0"),
        (40, "USER_TEXT of 1.0"),
        (44, "TRIGTIME_ARRAY of 1.0"),
        (48, "WAVE_ARRAY_1 of 1.0"),
        (52, "WAVE_ARRAY_2 of 1.0"),
    ];
    let old = TraceFile {
        template: Template::Lecroy1_0,
        ..plain()
    };
    let mut all = Vec::new();
    for (file, fields) in [(plain(), &FIELDS_2_X[..]), (old, &FIELDS_1_0[..])] {
        let with = |at: usize, value: i32| {
            TraceFile {
                overrides: vec![(at, value.to_le_bytes().to_vec())],
                ..file.clone()
            }
            .to_bytes()
        };
        for &(at, field) in fields {
            // A multiple of every unit (sample, trigger, sweep), so that its size alone is wrong.
            let beyond = 0x7fff_fff0;
            all.push(refused(format!("negative {field}"), with(at, -2), Refusal::Malformed));
            all.push(refused(
                format!("smallest {field}"),
                with(at, i32::MIN),
                Refusal::Malformed,
            ));
            all.push(refused(
                format!("{field} past the end"),
                with(at, beyond),
                Refusal::Truncated,
            ));
        }
    }
    let with = |overrides: &[(usize, i32)]| {
        TraceFile {
            overrides: overrides
                .iter()
                .map(|&(at, value)| (at, value.to_le_bytes().to_vec()))
                .collect(),
            ..plain()
        }
        .to_bytes()
    };
    all.extend([
        refused(
            "descriptor shorter than its fields",
            with(&[(36, 300)]),
            Refusal::Malformed,
        ),
        refused("descriptor of no bytes", with(&[(36, 0)]), Refusal::Malformed),
        refused("no samples", with(&[(60, 0)]), Refusal::Malformed),
        refused("half a sample", with(&[(60, 1003)]), Refusal::Malformed),
        refused("negative segment count", with(&[(144, -1)]), Refusal::Malformed),
        refused("more segments than samples", with(&[(144, 503)]), Refusal::Malformed),
        refused(
            "segments beyond all memory",
            with(&[(144, i32::MAX)]),
            Refusal::Malformed,
        ),
    ]);
    all
}

/// No descriptor where one can stand.
fn elsewhere() -> Vec<Fixture> {
    let prefix = |prefix| TraceFile { prefix, ..plain() }.to_bytes();
    vec![
        refused(
            "descriptor behind the first 64 bytes",
            prefix(Prefix::Raw(vec![b'.'; 64])),
            Refusal::NotWaveform,
        ),
        refused("zeros", vec![0; 1350], Refusal::NotWaveform),
        refused("text", b"time,volts\n0,1\n".repeat(100), Refusal::NotWaveform),
        refused("a block header alone", b"#9000000348".to_vec(), Refusal::NotWaveform),
    ]
}
