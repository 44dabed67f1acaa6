//! Helpers shared by the tests that start the real binary.

mod oracle;
mod tools;

pub use oracle::Oracle;
pub use tools::{binary, python, samples, workspace};
