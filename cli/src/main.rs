//! The `trc2npy` command.
fn main() {}
