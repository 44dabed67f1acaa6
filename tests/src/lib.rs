//! Helpers shared by the tests that start the real binary.

mod convert;
mod oracle;
mod outputs;
mod tools;

pub use convert::{Convert, Ended};
pub use oracle::Oracle;
pub use outputs::{Npy, Record, outputs};
pub use tools::{binary, python, run_python, samples, scratch, workspace, write_run};
