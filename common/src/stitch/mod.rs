//! From shards into the arrays that they belong to: each is checked against its record, and copied to its place.
//!
//! Shards are opened by their names, never looked for: a listing of a network file system is not to be believed.

mod error;
mod land;
mod pieces;
mod source;
mod unpack;

pub use error::StitchError;
pub(crate) use land::Stitcher;
