//! What only Windows does, tried there (or under Wine, by `tests/windows`): the real program as a process of its own, and
//! this test as the other program that holds a file.
#![cfg(windows)]
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]

mod bench;
mod held;
mod manners;
mod paths;
