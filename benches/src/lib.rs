//! Helpers shared by the benchmarks: pairs of timings, a bare converter to compare with, a place in memory.

pub mod bare;
pub mod pairs;

use std::io;
use std::path::Path;

use tempfile::TempDir;

/// A folder that lies in memory where the system has one (`/dev/shm`): a disk would be measured instead of a program.
pub fn folder_in_memory() -> io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory)
    } else {
        tempfile::tempdir()
    }
}
