//! `trc2npy preview`: what is drawn lies where numpy puts the same samples.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]
#![allow(clippy::print_stderr, reason = "seeds are told")]

#[cfg(unix)] // Needs a pseudo-terminal.
mod characters;
mod picture;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use fastrand::Rng;
use tempfile::TempDir;
use trc2npy_synth::{Bits, TraceFile};
use trc2npy_tests::{Call, Convert, Ended, scratch};

/// Rows of each channel; one more is bad in C2.
const ROWS: u64 = 5;
const SAMPLES: usize = 9001;

/// Two channels of wandering traces, each row somewhere else in time, with a spike of one sample here and there; every
/// code fits into eight bits. In C2 one file is cut short.
struct Lab {
    root: TempDir,
    run: PathBuf,
}

impl Lab {
    fn new() -> Self {
        let seed = fastrand::u64(..);
        eprintln!("seed {seed}");
        let mut random = Rng::with_seed(seed);
        let root = scratch();
        let run = root.path().join("r005");
        fs::create_dir(&run).unwrap();
        for (channel, gain, eight) in [(1, 1e-5_f32, true), (2, 3.3e-4, false)] {
            for row in 0..ROWS {
                let file = trace(&mut random, gain, eight);
                let path = run.join(format!("C{channel}--Trace--{row:05}.trc"));
                file.write_to(&path, false).unwrap();
            }
        }
        let cut = run.join("C2--Trace--00002.trc");
        let bytes = fs::read(&cut).unwrap();
        fs::write(&cut, &bytes[..5000]).unwrap();
        Self { root, run }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Converts the run; the bad file is told of.
    fn convert(&self, name: &str, options: &[&str]) -> PathBuf {
        let out = self.path(name);
        Convert::new([&self.run], &out)
            .args(["--settle", "0"])
            .args(options)
            .run()
            .must_end_with(3);
        out
    }

    fn preview(&self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ended {
        preview(self.root.path(), words)
    }
}

fn preview(folder: &Path, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Ended {
    Call::of("preview").from(folder).env("LC_ALL", "C").args(words).run()
}

fn trace(random: &mut Rng, gain: f32, eight: bool) -> TraceFile {
    let mut level = random.i16(-40..40);
    let mut codes: Vec<i16> = (0..SAMPLES)
        .map(|_| {
            level = (level + random.i16(-1..=1)).clamp(-60, 60);
            level
        })
        .collect();
    codes[random.usize(..SAMPLES)] = 120;
    codes[random.usize(..SAMPLES)] = -120;
    // Stored in sixteen bits the low byte is zero.
    let factor = if eight { 1 } else { 256 };
    let mut file = TraceFile::single(codes.into_iter().map(|code| code * factor).collect());
    file.bits = if eight { Bits::Eight } else { Bits::Sixteen };
    file.gain = gain / f32::from(factor);
    file.offset = gain * 7.0;
    file.horiz_interval = 2e-10;
    file.horiz_offset = -1e-7 - 1e-6 * random.f64();
    file.segments[0].offset = file.horiz_offset;
    file
}
