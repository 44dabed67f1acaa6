//! The subcommands, a file each.

pub(crate) mod batch;
pub(crate) mod certs;
mod client;
pub(crate) mod convert;
pub(crate) mod coordinator;
pub(crate) mod demo;
pub(crate) mod doctor;
mod dry_run;
mod health;
pub(crate) mod inspect;
pub(crate) mod jobs;
mod on_finish;
pub(crate) mod plan;
pub(crate) mod preview;
pub(crate) mod report;
pub(crate) mod run_range;
pub(crate) mod shell;
pub(crate) mod stitch;
pub(crate) mod submit;
pub(crate) mod synth;
pub(crate) mod tes_ana;
pub(crate) mod verify;
pub(crate) mod worker;
pub(crate) mod workers;
