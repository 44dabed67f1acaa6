//! What the machine has and how much of it is free.
//!
//! Where the process runs in a container, what the container may use counts, not what the machine has.

mod gauge;
mod groups;
mod machine;

pub use gauge::{Memory, MemoryGauge, Pressure, peak_resident};
pub use machine::{Machine, default_memory_limit};
