//! The cluster: what coordinator and workers make is byte for byte what `convert` makes, whatever happens meanwhile.
#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and their helpers have none"
)]

mod basics;
#[cfg(unix)]
mod chaos;
mod common;
#[cfg(unix)]
mod errors;
#[cfg(target_os = "linux")]
mod frozen;
#[cfg(target_os = "linux")]
mod large;
#[cfg(unix)]
mod lasting;
#[cfg(target_os = "linux")]
mod memory;
#[cfg(unix)]
mod narrow;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod power;
#[cfg(target_os = "linux")]
mod quality;
#[cfg(unix)]
mod room;
#[cfg(unix)]
mod scopes;
#[cfg(unix)]
mod uneven;
#[cfg(unix)]
mod unfinished;
#[cfg(unix)]
mod watching;
mod wire;
