//! A run as shares, for systems that start programs and know nothing of rows: Slurm's arrays, Kubernetes' indexed jobs.
//!
//! Three steps over shared storage, without a coordinator: [`begin`] plans, takes the output folders and writes all that
//! the others need into one file; [`Shares::work`] makes the rows of one share, as shards; [`Shares::gather`] puts them
//! together as [`Assembly`](crate::convert::Assembly) does for a coordinator.
//!
//! The plan file holds *pieces*: ranges of rows that are made as one shard each, whatever the number of shares. A share is
//! some consecutive pieces. So tasks that were told other numbers of shares still make shards that fit each other, and
//! what one of them has made no other one makes again. Nothing but marks and records says what is made; no listing does.

mod begin;
mod error;
mod file;
mod gather;
mod pieces;
mod site;
mod work;

pub use begin::{Begun, BegunRun, begin, keep};
pub use error::ShareError;
pub use file::ShareFileError;
pub use gather::{Gather, Gathered, Missing};
pub use pieces::{BadShare, Share};
pub use site::Shares;
pub use work::{Means, Worked};
