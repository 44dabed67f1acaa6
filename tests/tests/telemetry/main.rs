//! What goes to a collector of OpenTelemetry: by a receiver of the tests' own that is held against what was done, by a real
//! collector, and with collectors that are away, slow or silent.
#![expect(clippy::unwrap_used, reason = "a test that cannot set up its processes has failed")]

mod away;
#[cfg(unix)]
mod cluster;
mod convert;
mod logs;
mod receiver;
mod rotel;
