//! What people read when something is wrong: each page of messages is kept as text, to be read as a stranger would.
//!
//! `INSTA_UPDATE=always cargo test -p trc2npy-tests --release --test errors` writes the pages anew.
// The system's own words, and what can be in a name, are others on Windows.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]

mod cluster;
mod converting;
mod options;
mod page;
mod planning;
mod preview;
mod shares;
