//! Planning a million names in one folder, beside `find DIR -type f -printf '%s %p\n'` of the same folder.
//!
//! ```text
//! cargo bench -p trc2npy-benches --bench planning -- [NAMES] [--distinct]
//! ```
//! The names are hard links to a thousand files; with `--distinct` each is a file of its own (4 KiB of memory each).
#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::fs;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use trc2npy_benches::pairs::Pairs;
use trc2npy_benches::{Arguments, folder_in_memory};
use trc2npy_common::plan::{PlanProgress, PlanRequest, plan};
use trc2npy_synth::TraceFile;

const PAIRS: usize = 7;
const ORIGINALS: u64 = 1000;
const CHANNELS: u64 = 4;
const THREADS: usize = 2;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::new();
    let names = arguments
        .words()
        .iter()
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(1_000_000_u64);
    let distinct = arguments.has("--distinct");
    let dir = folder_in_memory()?;
    let run = dir.path().join("r005");
    write_names(&run, dir.path(), names, distinct)?;

    let request = PlanRequest::new(vec![run.clone()], THREADS);
    let mut kept = (0, 0, 0);
    let pairs = Pairs::run(
        PAIRS,
        || Ok(()),
        || -> Result<(), Box<dyn std::error::Error>> {
            let runs = plan(&request, &PlanProgress::default())?;
            kept = (
                runs[0].plan.files(),
                runs[0].plan.memory_bytes().0,
                runs[0].plan.encode().len(),
            );
            Ok(())
        },
        || Ok(find(&run)?),
    )?;
    let (files, memory, disk) = kept;
    println!("{files} names, {THREADS} threads, median of {PAIRS} interleaved pairs:");
    println!("plan (with encoding) to find: {pairs} (mark: at most 3)");
    println!(
        "bytes a file: {:.1} in memory, {:.1} in plan.bin (mark: at most 64)",
        memory as f64 / files as f64,
        disk as f64 / files as f64
    );
    Ok(())
}

fn find(run: &Path) -> io::Result<()> {
    let mut find = Command::new("find");
    find.arg(run).args(["-type", "f", "-printf", "%s %p\\n"]);
    if find.stdout(Stdio::null()).status()?.success() {
        Ok(())
    } else {
        Err(io::Error::other("find failed"))
    }
}

fn write_names(run: &Path, beside: &Path, names: u64, distinct: bool) -> io::Result<()> {
    fs::create_dir(run)?;
    let bytes = TraceFile::single(vec![1, 2, 3, 4]).to_bytes();
    let originals = beside.join("originals");
    fs::create_dir(&originals)?;
    let original = |i: u64| originals.join((i % ORIGINALS).to_string());
    for i in 0..ORIGINALS {
        fs::write(original(i), &bytes)?;
    }
    for i in 0..names {
        let path = run.join(format!("C{}--Trace--{:05}.trc", i % CHANNELS + 1, i / CHANNELS));
        if distinct {
            fs::write(path, &bytes)?;
        } else {
            fs::hard_link(original(i), path)?;
        }
    }
    Ok(())
}
