//! A shard: the rows of one range as files of their own, made by a worker for whoever puts the arrays together.
//!
//! Its JSON, named last, says that it is whole. A worker never makes the folder in which shards are left: a job whose
//! folder is gone is over.

mod error;
mod mark;
mod name;
mod record;
mod sight;
mod writer;

pub use error::ShardError;
pub use mark::Mark;
pub(crate) use mark::{MADE, SHARES};
pub use name::{BadLease, Lease, Part, ShardName, discard};
pub use record::ShardRecord;
pub(crate) use record::{Header, Headers};
pub use sight::{COMPARED, Sighting, TOKEN};
pub use writer::ShardWriter;
