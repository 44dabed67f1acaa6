//! Helpers shared by the benchmarks: pairs of timings, a bare converter to compare with, a place in memory.

mod arguments;
pub mod bare;
pub mod pairs;

use std::env;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

pub use arguments::Arguments;

/// Whatever ends a benchmark.
pub type Failure = Box<dyn std::error::Error>;

/// A folder that lies in memory where the system has one (`/dev/shm`): a disk would be measured instead of a program.
pub fn folder_in_memory() -> io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    }
}

/// Builds the whole program as it is given away, and says where it lies and the build folder.
pub fn release_binary() -> Result<(PathBuf, PathBuf), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    must(
        Command::new(cargo)
            .current_dir(&root)
            .args(["build", "--release", "--quiet", "-p", "trc2npy"]),
    )?;
    Ok((target.join("release/trc2npy"), target))
}

/// Runs a command that must succeed, in silence; what it said is in the error.
pub fn must(command: &mut Command) -> Result<(), Failure> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{command:?}: {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    )
    .into())
}
