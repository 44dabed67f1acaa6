//! The subcommands, a file each.

pub(crate) mod convert;
pub(crate) mod demo;
mod dry_run;
pub(crate) mod synth;
pub(crate) mod tes_ana;
