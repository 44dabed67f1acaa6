//! Conversions of every kind, and calls of `verify`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use trc2npy_synth::{Bits, ByteOrder, RunSpec};
use trc2npy_tests::{Call, Convert, Ended, scratch, write_run};

/// A conversion in a folder of its own.
pub(crate) struct Made {
    root: TempDir,
    pub(crate) run: PathBuf,
    pub(crate) out: PathBuf,
    pub(crate) name: &'static str,
    pub(crate) spec: RunSpec,
}

impl Made {
    /// Writes the run and converts it; `code` is how that ends.
    pub(crate) fn new(name: &'static str, spec: RunSpec, options: &[&str], code: i32) -> Self {
        Self::with(name, spec, options, code, |_| ())
    }

    /// A good run of files that `change` changes in their folder before they are converted.
    pub(crate) fn of_changed(spec: RunSpec, options: &[&str], change: impl FnOnce(&Path)) -> Self {
        Self::with("changed files", spec, options, 0, change)
    }

    fn with(name: &'static str, spec: RunSpec, options: &[&str], code: i32, change: impl FnOnce(&Path)) -> Self {
        let root = scratch();
        let (run, out) = (root.path().join("r005"), root.path().join("out"));
        write_run(&spec, &run);
        change(&run);
        Convert::new([&run], &out)
            .args(["--settle", "0"])
            .args(options)
            .run()
            .must_end_with(code);
        Self {
            root,
            run,
            out,
            name,
            spec,
        }
    }

    /// A path beside run and outputs.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn source(&self, channel: u8, position: u64) -> PathBuf {
        self.spec.path(&self.run, channel, position)
    }

    pub(crate) fn verify(&self, options: &[&str]) -> Ended {
        verify(&self.out, options)
    }

    /// The result as JSON.
    pub(crate) fn json(&self, options: &[&str]) -> Value {
        let ended = Call::of("verify")
            .args([&self.out])
            .args(options)
            .args(["--json", "--progress", "none"])
            .run();
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:#?}"))
    }
}

pub(crate) fn verify(out: &Path, options: &[&str]) -> Ended {
    Call::of("verify")
        .args([out])
        .args(options)
        .args(["--progress", "none"])
        .run()
}

/// Every type, with and without baseline, sequences, both orders, bad and missing rows, rows that are padded.
pub(crate) fn every_kind() -> Vec<Made> {
    let spec = |files, samples| RunSpec {
        channels: vec![1, 2],
        ..RunSpec::new(files, samples)
    };
    let bad = |kinds: &[&str]| kinds.iter().map(|kind| kind.parse().unwrap()).collect::<Vec<_>>();
    let mut made = vec![
        Made::new("float32", spec(7, 301), &[], 0),
        Made::new("baseline", spec(7, 301), &["--baseline", "50"], 0),
        Made::new(
            "median, bad and missing rows",
            RunSpec {
                bad: bad(&["truncated:2", "garbage", "missing:2"]),
                segments: 3,
                ..spec(9, 200)
            },
            &["--baseline", "51", "--baseline-method", "median"],
            3,
        ),
        Made::new(
            "int16, big-endian sequences",
            RunSpec {
                segments: 4,
                order: ByteOrder::Big,
                bad: bad(&["truncated"]),
                ..spec(5, 123)
            },
            &["--dtype", "int16", "--baseline", "20"],
            3,
        ),
        Made::new(
            "int8 from 16 bits",
            RunSpec {
                adc_bits: 8,
                ..spec(6, 210)
            },
            &["--dtype", "int8"],
            0,
        ),
        Made::new(
            "native 8 bits",
            RunSpec {
                bits: Bits::Eight,
                adc_bits: 8,
                bad: bad(&["other-length:2"]),
                ..spec(8, 222)
            },
            &["--dtype", "native", "--ragged", "bad"],
            3,
        ),
        Made::new(
            "padded",
            RunSpec {
                bad: bad(&["other-length:2"]),
                ..spec(8, 150)
            },
            &["--ragged", "pad"],
            0,
        ),
        Made::new(
            "truncated",
            RunSpec {
                bad: bad(&["other-length:2"]),
                ..spec(8, 150)
            },
            &["--ragged", "truncate", "--baseline", "10"],
            0,
        ),
        Made::new(
            "complete events",
            RunSpec {
                bad: bad(&["missing:2"]),
                ..spec(8, 150)
            },
            &["--events", "complete"],
            0,
        ),
    ];
    made.extend(selections());
    made
}

/// Some rows, and some samples of each.
fn selections() -> Vec<Made> {
    let spec = |files, samples| RunSpec {
        channels: vec![1, 2],
        ..RunSpec::new(files, samples)
    };
    vec![
        Made::new(
            "selected samples",
            RunSpec {
                segments: 2,
                ..spec(4, 150)
            },
            &["--samples", "20:100", "--baseline", "50"],
            0,
        ),
        Made::new(
            "selected samples, padded",
            RunSpec {
                bad: vec!["other-length:2".parse().unwrap()],
                ..spec(8, 150)
            },
            &["--samples", "30:150", "--ragged", "pad", "--dtype", "int16"],
            0,
        ),
        Made::new(
            "selected rows",
            RunSpec {
                segments: 3,
                ..spec(4, 100)
            },
            &["--rows", "2:11", "--every", "2"],
            0,
        ),
    ]
}

/// Flips one bit of a file.
pub(crate) fn flip(path: &Path, bit: u64) {
    let mut bytes = fs::read(path).unwrap();
    bytes[usize::try_from(bit / 8).unwrap()] ^= 1 << (bit % 8);
    fs::write(path, bytes).unwrap();
}

/// A generator whose seed is printed, so that a failure can be repeated (`TRC2NPY_TEST_SEED`).
#[expect(clippy::print_stderr, reason = "the seed is shown where a test fails")]
pub(crate) fn random() -> fastrand::Rng {
    let seed = std::env::var("TRC2NPY_TEST_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("seed {seed} (TRC2NPY_TEST_SEED repeats it)");
    fastrand::Rng::with_seed(seed)
}

/// CRC32C bit by bit, from the polynomial.
pub(crate) fn slow_crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 }
        })
    })
}
