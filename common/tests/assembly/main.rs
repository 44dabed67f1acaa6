//! Runs that are put together from shards, through the public interface alone: what comes out is what `convert` makes of
//! the same inputs, byte for byte.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its folder has failed")]

mod lab;
mod packed;
mod refusals;
mod resume;
mod same_bytes;
mod shards;
#[cfg(target_os = "linux")]
mod sharing;

use lab::{Lab, Work};
