//! The cluster: what coordinator and workers make is byte for byte what `convert` makes, whatever happens meanwhile.

mod basics;
#[cfg(unix)]
mod chaos;
mod common;
#[cfg(unix)]
mod errors;
