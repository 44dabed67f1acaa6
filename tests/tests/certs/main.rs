//! Certificates: who may do what, what people are told where it goes wrong, and what strangers on the network can do.
#![cfg(unix)]
#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and their helpers have none"
)]

mod common;
mod joining;
mod reload;
mod roles;
#[cfg(target_os = "linux")]
mod strangers;
mod troubles;
