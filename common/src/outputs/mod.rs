//! What a finished conversion has left, opened again: array, index, JSON and list of files of each channel.
//!
//! Nothing here writes, and nothing is mapped: rows are read by positioned reads into bounded buffers, so that a file
//! that shrinks meanwhile is an error and not a signal. No file is read whole but the JSON. NPY headers are not parsed but
//! held against the ones that were written, byte for byte: what another program has made of a file is not ours.

mod channel;
mod description;
mod error;
mod find;
mod list;
mod rows;
mod seal;
mod unfinished;

pub use channel::{ChannelOutput, Paths};
pub use description::{Description, ListPart, Part};
pub use error::{OutputError, Problem};
pub use find::{Found, check_report, find, report_of};
pub use list::{FileList, Lines, unescape};
pub use rows::Rows;
pub(crate) use rows::read_exact;
pub(crate) use seal::{Seal, check as check_seal, sealed};
pub use unfinished::{Unfinished, UnfinishedFiles};
