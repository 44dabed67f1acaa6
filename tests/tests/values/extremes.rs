//! Numbers at the edges of their types: what the formulas give there must be what numpy gives.

use std::fs;

use trc2npy_synth::{Bits, ByteOrder, Template, TraceFile};
use trc2npy_tests::{Convert, Npy, Oracle, Record, run_python, scratch};

use crate::reference::volts;

const GAINS: [f32; 13] = [
    0.0,
    -0.0,
    1.0,
    -3.051_757_8e-5,
    0.1,
    f32::MAX,
    f32::MIN,
    f32::MIN_POSITIVE,
    // Denormal: a processor told to flush them to zero would be seen here.
    1e-40,
    -1e-45,
    f32::EPSILON,
    16_777_217.0,
    1.0e34,
];

const OFFSETS: [f32; 7] = [0.0, -0.0, 0.3, -1.0, f32::MAX, 1e-42, -1e-45];

/// Codes with both ends of the type, in many places of a vector register.
fn codes(bits: Bits) -> Vec<i16> {
    let ends = match bits {
        Bits::Eight => [-128, 127, -127, 0, 1, -1],
        Bits::Sixteen => [i16::MIN, i16::MAX, -32767, 0, 1, -1],
    };
    (0..67)
        .map(|i| if i < 61 { ends[i % 6] } else { ends[i % 2] })
        .collect()
}

#[test]
fn numpy_agrees_at_the_edges_of_every_type() {
    let root = scratch();
    for (bits, order, template) in [
        (Bits::Sixteen, ByteOrder::Little, Template::Lecroy2_3),
        (Bits::Eight, ByteOrder::Big, Template::Lecroy2_2),
        (Bits::Sixteen, ByteOrder::Big, Template::Lecroy1_0),
    ] {
        let name = format!("{bits:?}{order:?}");
        let run = root.path().join(&name);
        fs::create_dir(&run).unwrap();
        let mut wanted = Vec::new();
        let pairs = GAINS.iter().flat_map(|&gain| OFFSETS.map(|offset| (gain, offset)));
        for (i, (gain, offset)) in pairs.enumerate() {
            let file = TraceFile {
                bits,
                order,
                template: template.clone(),
                gain,
                offset,
                ..TraceFile::single(codes(bits))
            };
            file.write_to(&run.join(format!("C1--Trace--{i:05}.trc")), false)
                .unwrap();
            wanted.extend(volts(&codes(bits), gain, offset));
        }
        let choices: [&[&str]; 4] = [
            &[],
            &["--baseline", "5"],
            &["--baseline", "6", "--baseline-method", "median"],
            &["--baseline", "66", "--dtype", "int16"],
        ];
        for choice in choices {
            let out = root.path().join(format!("{name}{}", choice.join("_")));
            Convert::new([&run], &out).args(choice).run().must_succeed();
            let told = choice
                .iter()
                .map(|word| if *word == "--baseline-method" { "--method" } else { word });
            Oracle::new(&out, [&run]).args(told).must_agree();
            if choice.is_empty() {
                let found = Npy::read(&out.join("C1--Trace.npy")).f32();
                assert_eq!(found.len(), wanted.len());
                for (i, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                    assert!(
                        found.to_bits() == wanted.to_bits() || (found.is_nan() && wanted.is_nan()),
                        "sample {i}: {found} instead of {wanted}"
                    );
                }
                check_extremes(&found, &Record::read_all(&out.join("C1--Trace.index.npy")));
            }
        }
    }
}

/// Least and most are those of the row's numbers; where some are no numbers, the record does not hide it behind one
/// that was never there.
fn check_extremes(values: &[f32], records: &[Record]) {
    for (row, record) in values.chunks(67).zip(records) {
        let least = row.iter().copied().fold(f32::INFINITY, f32::min);
        let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        if row.iter().all(|value| !value.is_nan()) {
            assert!(
                record.min == least && record.max == most,
                "{record:?}: {least} to {most}"
            );
        } else {
            assert!(record.min.is_nan() || record.min == least, "{record:?}: {least}");
            assert!(record.max.is_nan() || record.max == most, "{record:?}: {most}");
        }
    }
}

#[test]
fn rows_without_a_scale_are_bad_whatever_the_array_holds() {
    let root = scratch();
    let run = root.path().join("run");
    fs::create_dir(&run).unwrap();
    let scales = [
        (1.0, 0.0),
        (f32::NAN, 0.0),
        (f32::INFINITY, 0.0),
        (1.0, f32::NAN),
        (0.5, f32::NEG_INFINITY),
    ];
    for (i, (gain, offset)) in scales.into_iter().enumerate() {
        let file = TraceFile {
            gain,
            offset,
            ..TraceFile::single(codes(Bits::Sixteen))
        };
        file.write_to(&run.join(format!("C1--Trace--{i:05}.trc")), false)
            .unwrap();
    }
    for options in [
        &[][..],
        &["--dtype", "int16"],
        &["--baseline", "5"],
        &["--probe", "all"],
    ] {
        let out = root.path().join(format!("out{}", options.join("_")));
        Convert::new([&run], &out)
            .args(options)
            .args(["--settle", "0s"])
            .run()
            .must_end_with(3);
        let oracle: Vec<&str> = options
            .iter()
            .copied()
            .filter(|word| !["--probe", "all"].contains(word))
            .collect();
        Oracle::new(&out, [&run]).args(oracle).must_agree();
        let statuses: Vec<u8> = Record::read_all(&out.join("C1--Trace.index.npy"))
            .iter()
            .map(|record| record.status)
            .collect();
        assert_eq!(statuses, [0, 4, 4, 4, 4], "{options:?}");
    }
}

/// The formulas as a user writes them, on codes that a user reads: from the arrays alone, without the inputs.
const FORMULAS: &str = r#"
import sys
import numpy as np
codes, volts, flat, index, base = (np.load(path, mmap_mode="r") for path in sys.argv[1:])
assert codes.dtype == "<i2" and volts.dtype == flat.dtype == "<f4" and index.dtype.itemsize == 72
with np.errstate(all="ignore"):
    for k in range(len(codes)):
        gain, offset = index["gain"][k], index["offset"][k]
        wanted = gain * codes[k] - offset
        assert wanted.dtype == np.float32
        assert np.array_equal(wanted, volts[k], equal_nan=True), (k, gain, offset)
        same_sign = np.signbit(wanted) == np.signbit(volts[k])
        assert (same_sign | np.isnan(wanted)).all(), (k, gain, offset)
        m = codes[k][:7].mean(dtype="f8")
        wanted = (np.float64(gain) * (codes[k] - m)).astype("f4")
        assert np.array_equal(wanted, flat[k], equal_nan=True), (k, gain, offset)
        level = np.float64(gain) * m - np.float64(offset)
        assert level == base["baseline"][k] or (np.isnan(level) and np.isnan(base["baseline"][k])), (k, gain, offset)
print(len(codes))
"#;

#[test]
fn a_user_can_compute_the_volts_from_the_codes_and_the_index() {
    let root = scratch();
    let run = root.path().join("r1");
    fs::create_dir(&run).unwrap();
    for (i, gain) in GAINS.iter().enumerate() {
        for (j, offset) in OFFSETS.iter().enumerate() {
            let file = TraceFile {
                gain: *gain,
                offset: *offset,
                ..TraceFile::single(codes(Bits::Sixteen))
            };
            let name = format!("C1--Trace--{:05}.trc", i * OFFSETS.len() + j);
            file.write_to(&run.join(name), false).unwrap();
        }
    }
    let convert = |name: &str, options: &[&str]| {
        let out = root.path().join(name);
        Convert::new([&run], &out).args(options).run().must_succeed();
        out
    };
    let codes = convert("codes", &["--dtype", "native"]);
    let volts = convert("volts", &[]);
    let flat = convert("flat", &["--baseline", "7"]);
    let said = run_python(
        FORMULAS,
        [
            codes.join("C1--Trace.npy"),
            volts.join("C1--Trace.npy"),
            flat.join("C1--Trace.npy"),
            codes.join("C1--Trace.index.npy"),
            flat.join("C1--Trace.index.npy"),
        ],
    );
    assert_eq!(said.trim(), (GAINS.len() * OFFSETS.len()).to_string());
}
