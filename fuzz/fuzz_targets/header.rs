//! `cargo +nightly fuzz run header`: any bytes as a file. What it finds goes to `fuzz/regressions/header`, where the
//! ordinary tests of `common` run it for ever.
#![no_main]

mod exercise;

libfuzzer_sys::fuzz_target!(|file: &[u8]| exercise::header(file));
