//! The subcommands, a file each.

pub(crate) mod batch;
pub(crate) mod convert;
pub(crate) mod demo;
mod dry_run;
pub(crate) mod inspect;
mod on_finish;
pub(crate) mod preview;
pub(crate) mod shell;
pub(crate) mod synth;
pub(crate) mod tes_ana;
pub(crate) mod verify;
