//! The layout of a detector test stand: where the files of a run lie (period, run), where its arrays and the settings of
//! its instrument go, and what that file of settings holds. What reads and writes arrays knows nothing of it.
//!
//! - [`Measurement`]: the names of period and run, and the paths that follow from them
//! - [`Sources`]: the folders and files that are there
//! - [`Metadata`]: the settings of every channel, as the JSON that analysis scripts read

mod json;
mod measurement;
mod metadata;
mod sources;

pub use json::to_text;
pub use measurement::{BadLabel, Measurement};
pub use metadata::{Metadata, MetadataError, ScopeMetadata, Written};
pub use sources::{Inputs, Sources, SourcesError};
