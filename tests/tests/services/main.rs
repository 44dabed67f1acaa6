//! The services of `deploy/systemd`: judged by systemd's own tools, and what they start, started as they would.
#![cfg(target_os = "linux")] // Where systemd is.
#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and their helpers have none"
)]

mod judged;
mod started;
mod unit;
