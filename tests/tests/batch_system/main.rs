//! `plan`, `run-range` and `stitch`: a run as tasks of a batch system, over shared storage and without a coordinator.
#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and their helpers have none"
)]

mod common;
mod faults;
#[cfg(target_os = "linux")] // Where `stat` names file systems.
mod packed;
mod places;
mod refusals;
mod replaced;
mod whole;
