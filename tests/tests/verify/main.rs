//! `trc2npy verify`: what is as it was written agrees, and nothing that is not does.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]

mod common;
mod deletion;
mod flips;
mod folders;
mod forged;
mod sources;
