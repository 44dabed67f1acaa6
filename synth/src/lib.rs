//! Writes `.trc` files for demonstrations and tests: valid ones of every kind the format has, and deliberately broken ones.
//!
//! Architecture invariant: this crate never depends on `trc2npy-common`, and was written from the format's description
//! alone, so that reader and writer cannot share a mistake.
//!
//! - [`TraceFile`]: one file, field by field
//! - [`RunSpec`]: a whole run of pulses over noise, as an instrument would have saved it
//! - [`Broken`]: what can be wrong with a file
//! - [`catalog()`]: one named file of every kind, with what must be read from it

mod broken;
mod catalog;
mod descriptor;
mod name;
mod pulse;
mod run;
mod trace;

pub use broken::{BadBroken, Broken};
pub use catalog::{Expected, Fixture, Refusal, RowTime, catalog};
pub use name::{BadName, NameTemplate};
pub use run::{Bad, RunError, RunSpec, Written};
pub use trace::{BadChoice, Bits, ByteOrder, Prefix, Segment, Template, TraceFile, TriggerTime};
