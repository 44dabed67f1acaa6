//! What coordinator, workers and clients say to each other: the generated messages ([`v1`]), and how they become what
//! the program thinks in ([`convert`]). Wire types stop here.

mod backoff;
mod convert;
#[cfg(test)]
mod frozen;
pub mod link;
pub mod pipe;
mod protocol;
mod submission;
mod worker_name;

pub use backoff::Backoff;
pub use convert::WireError;
pub use protocol::{LARGEST_MESSAGE, PLAN_PIECE, Protocol, ProtocolMismatch};
pub use submission::Submission;
pub use worker_name::{BadWorkerName, worker_name};

/// The generated messages and services of package `trc2npy.v1`; proto/trc2npy/v1 says what they mean.
#[expect(missing_docs, unused_qualifications, clippy::pedantic, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("trc2npy.v1");
}
