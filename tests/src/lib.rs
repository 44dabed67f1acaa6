//! Helpers shared by the tests that start the real binary.

mod oracle;
mod process;
mod tools;
mod traces;

pub use oracle::Oracle;
pub use process::{Conversion, Ended, Running, poll, usable};
pub use tools::{binary, python, samples, workspace};
pub use traces::{Bench, committed_rows, events, must_be_whole, must_equal, outputs, records, state, states};
