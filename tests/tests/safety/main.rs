//! What must hold whatever happens: kills, signals, full disks, inputs that change, two runs at once.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]
#![allow(clippy::print_stderr, reason = "seeds, and what is left out, are told")]
#![allow(clippy::float_cmp, reason = "values must agree in every bit")]

mod again;
mod common;
// Signals, as these tests send them, are a unix matter; Windows knows Ctrl-C events alone.
#[cfg(unix)]
mod ctrl_c;
// Small disks are mounted by the means of Linux.
#[cfg(target_os = "linux")]
mod disk;
mod inputs;
mod kill;
mod lock;
mod power;
mod progress;
