//! The subcommands, a file each.

pub(crate) mod convert;
pub(crate) mod demo;
mod dry_run;
pub(crate) mod inspect;
pub(crate) mod preview;
pub(crate) mod synth;
pub(crate) mod verify;
