//! Helpers shared by the tests that start the real binary.
