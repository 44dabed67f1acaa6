//! What the machine has and how much of it is free; how much of it is taken from others, and that it stays awake.
//!
//! Where the process runs in a container, what the container may use counts, not what the machine has.

mod awake;
mod cpu;
mod files;
mod gauge;
mod groups;
mod machine;
mod priority;
mod reserve;
mod windows;

pub use awake::Awake;
pub use cpu::CpuGauge;
pub use files::{OpenFiles, allow_many_files, open_files};
pub use gauge::{Memory, MemoryGauge, Pressure, peak_resident};
pub use machine::{Machine, default_memory_limit, host_name};
pub use priority::{BY_DEFAULT as GIVES_WAY_BY_DEFAULT, give_way};
pub use reserve::{WholeMemory, whole_memory};
pub use windows::{Scanning, WindowsSettings, windows_settings};
