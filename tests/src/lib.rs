//! Helpers shared by the tests that start the real binary.

mod call;
mod cluster;
mod convert;
#[cfg(unix)]
mod disk;
#[cfg(target_os = "linux")]
mod group;
#[cfg(target_os = "linux")]
mod lan;
#[cfg(target_os = "linux")]
mod network_disk;
mod oracle;
mod outputs;
mod process;
#[cfg(target_os = "linux")]
mod slurm;
#[cfg(unix)]
mod terminal;
mod tools;
mod traces;
mod yaml;

pub use call::Call;
pub use cluster::Cluster;
pub use convert::Convert;
#[cfg(unix)]
pub use disk::{Disk, SmallDisk};
#[cfg(target_os = "linux")]
pub use group::{Held, MemoryGroup};
#[cfg(target_os = "linux")]
pub use lan::Lan;
#[cfg(target_os = "linux")]
pub use network_disk::{FileSystem, Gluster, Moose, NetworkDisk};
pub use oracle::Oracle;
pub use outputs::{Npy, Outputs, Record, difference, must_be_whole, must_equal, outputs};
pub use process::{Ended, Running, poll, usable};
#[cfg(target_os = "linux")]
pub use slurm::Slurm;
#[cfg(unix)]
pub use terminal::{Terminal, lines};
pub use tools::{
    binary, python, run_python, samples, scratch, test_binary, tool, windows_binary, windows_path, workspace, write_run,
};
pub use traces::{Bench, committed_rows, events, records, state, states, two_folders};
pub use yaml::yaml;
