//! What putting an array together costs where the file system shares blocks: an array of 4 GB out of 64 shards, by `stitch`
//! and by nothing but a copy of its bytes (`cp --reflink=never`) on the same file system. The check of the shards is no
//! part of it: what counts is the time of the system calls that put bytes or blocks into the array.
//!
//! ```text
//! cargo bench -p trc2npy-benches --bench stitching -- --in FOLDER [--rounds 5]
//! ```
//! On Linux, with strace; FOLDER lies on XFS or Btrfs, such as one in a file in memory.
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use tempfile::TempDir;
use trc2npy_benches::{Arguments, Failure, folder_in_memory, must, release_binary};
use trc2npy_synth::RunSpec;

const SHARDS: usize = 64;
const FILES: u64 = 5_120;
/// Four bytes of output each.
const SAMPLES: usize = 200_000;
const MARK: f64 = 0.02;

fn main() -> Result<(), Failure> {
    let arguments = Arguments::new();
    let rounds: usize = arguments.value("--rounds", 5)?;
    let Some(place) = arguments.text("--in")? else {
        // So that all benchmarks can be run at once.
        println!("left out: no --in FOLDER on a file system that shares blocks");
        return Ok(());
    };
    let bench = Bench {
        trc2npy: release_binary()?.0,
        input: folder_in_memory()?,
        output: tempfile::tempdir_in(place)?,
    };
    RunSpec::new(FILES, SAMPLES).write(&bench.run(), &|_| ControlFlow::Continue(()))?;
    let mut parts = Vec::new();
    for _ in 0..rounds {
        parts.push(bench.round()?);
    }
    parts.sort_by(f64::total_cmp);
    println!(
        "{:.2} % of the copy (median of {rounds}; {:.2} to {:.2} %; mark: at most {:.0} %)",
        parts[rounds / 2] * 100.0,
        parts[0] * 100.0,
        parts[rounds - 1] * 100.0,
        MARK * 100.0
    );
    Ok(())
}

struct Bench {
    trc2npy: PathBuf,
    input: TempDir,
    output: TempDir,
}

impl Bench {
    fn run(&self) -> PathBuf {
        self.input.path().join("run")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.output.path().join(name)
    }

    fn sync(&self) -> Result<(), Failure> {
        must(Command::new("sync").arg("--file-system").arg(self.output.path()))
    }

    /// The time of putting together over that of the copy.
    fn round(&self) -> Result<f64, Failure> {
        for name in ["npy", "copy.npy", "run.plan"] {
            let path = self.path(name);
            if path.is_dir() {
                fs::remove_dir_all(path)?;
            } else if path.exists() {
                fs::remove_file(path)?;
            }
        }
        let plan = self.path("run.plan");
        let mut planning = Command::new(&self.trc2npy);
        planning
            .arg("plan")
            .arg(self.run())
            .args(["--baseline", "500", "--range-size", "64MB"]);
        must(planning.arg("--out").arg(self.path("npy")).arg("--plan").arg(&plan))?;
        let mut share = Command::new(&self.trc2npy);
        must(share.arg("run-range").arg(&plan).args(["--index", "0", "--count", "1"]))?;
        let shards = count(&self.path("npy"))?;
        if shards != SHARDS {
            return Err(format!("{shards} shards instead of {SHARDS}").into());
        }
        // What the shards themselves still cost on their way to the disk is no part of it, nor is it of the copy.
        self.sync()?;
        let calls = self.path("calls");
        let mut stitch = Command::new("strace");
        stitch.args([
            "-f",
            "-T",
            "--seccomp-bpf",
            "-e",
            "trace=ioctl,copy_file_range,pwrite64,pwritev",
        ]);
        stitch.arg("-o").arg(&calls).arg(&self.trc2npy).arg("stitch").arg(&plan);
        let begin = Instant::now();
        must(&mut stitch)?;
        let whole = begin.elapsed().as_secs_f64();
        let calls = fs::read_to_string(calls)?;
        let put: f64 = calls.lines().filter_map(seconds).sum();
        self.sync()?;
        let mut copy = Command::new("cp");
        copy.arg("--reflink=never")
            .arg(self.path("npy/C1--Trace.npy"))
            .arg(self.path("copy.npy"));
        let begin = Instant::now();
        must(&mut copy)?;
        let copied = begin.elapsed().as_secs_f64();
        println!(
            "put together in {:.1} ms ({} blocks shared; the whole command {whole:.2} s), copied in {copied:.2} s: {:.2} %",
            put * 1000.0,
            calls.matches("FICLONERANGE").count(),
            put / copied * 100.0
        );
        Ok(put / copied)
    }
}

/// Shards below a folder.
fn count(folder: &Path) -> Result<usize, Failure> {
    let mut found = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found += count(&path)?;
        } else if path.to_string_lossy().ends_with(".made") {
            found += 1;
        }
    }
    Ok(found)
}

/// How long a call took: the number at the end of strace's line.
fn seconds(line: &str) -> Option<f64> {
    line.rsplit_once('<')?.1.strip_suffix('>')?.parse().ok()
}
