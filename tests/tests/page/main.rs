//! The coordinator's status page: who may see it, what it says, how it looks in a browser, and what is deployed
//! beside it.
#![cfg(unix)] // Workers are killed by a signal.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::float_cmp,
    reason = "clippy knows tests by their attribute, and their helpers have none; counts are whole numbers"
)]

mod browser;
mod common;
mod deploy;
mod guard;
mod live;
mod metrics;
