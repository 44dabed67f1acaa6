//! The program built for Windows beside the one of this system: on the same files, in the same cluster.
//!
//! `tests/windows` builds it and names what starts it (Wine); elsewhere these tests say that they are left out. What it does
//! that is Windows' alone is tested on its own side, in `cli/tests/windows`.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]

mod alone;
mod together;
