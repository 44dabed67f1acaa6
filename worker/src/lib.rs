//! A worker: it takes leases from a coordinator, converts them, and writes shards to the shared storage.
//!
//! [`session`] speaks with the coordinator, on the caller's thread with a runtime of its own; [`crew`] are the threads
//! that convert; [`apart`] has rows that ended a process worked on in another one; [`scout`] looks at files for a
//! coordinator that does not see them. Neither waits for the other: a busy machine must not look dead, and a lost coordinator must not stop
//! the work in hand.

pub mod apart;
mod control;
mod crew;
mod execute;
mod files;
mod job;
mod lease;
mod machine;
mod scout;
mod session;
mod stages;

use std::ffi::OsString;

use trc2npy_common::convert::Io;
use trc2npy_common::roots::Roots;
use trc2npy_common::units::Bytes;
use trc2npy_proto::link::{Address, Destination};
use trc2npy_telemetry::{Spans, Tell};

pub use control::Control;
pub use machine::{Probe, probe};
pub use stages::stages;

/// What a worker needs to know. Nothing of it decides about bytes of the result.
#[derive(Clone)]
pub struct WorkerConfig {
    /// Where the coordinator is.
    pub coordinator: Destination,
    /// Its own name, for people; unlike that of every other worker.
    pub name: String,
    /// Where it finds the roots.
    pub roots: Roots,
    /// Leases that it works on side by side.
    pub threads: usize,
    /// Bytes that plans, buffers and mapped windows may take together.
    pub memory_limit: Bytes,
    /// Share of the machine's memory in use above which nothing more is begun.
    pub memory_threshold: f64,
    /// How input is read.
    pub io: Io,
    /// The command that comes to [`apart::serve`] with its input and output.
    pub apart: Vec<OsString>,
    /// Where spans of its leases go.
    pub spans: Spans,
    /// Told, in sentences for people, what happens.
    pub tell: Tell,
}

/// How a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It finished what it had, as its owner asked.
    Drained,
    /// It finished what it had, as the coordinator asked.
    Dismissed,
    /// It gave back what it had, as its owner asked.
    Stopped,
}

/// Why a worker cannot work.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The coordinator does not take it; to try again would not help.
    #[error("the coordinator at {coordinator} refused this worker: {why}")]
    Refused {
        /// Where.
        coordinator: Address,
        /// Its sentence.
        why: String,
    },
    /// The machine cannot run it.
    #[error("this machine cannot start the worker: {0}")]
    Machine(#[from] std::io::Error),
}

/// Works until it is drained, dismissed or stopped, and as long as the coordinator takes it; comes back after every
/// broken connection.
pub fn run(config: &WorkerConfig, control: &Control) -> Result<Ended, WorkerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (reports, inbox) = tokio::sync::mpsc::unbounded_channel();
    let crew = crew::Crew::start(config, &reports)?;
    drop(reports);
    let ended = runtime.block_on(session::Session::new(config, control, crew, inbox).run());
    // A name lookup that hangs must not keep the program from ending.
    runtime.shutdown_background();
    ended
}
