//! Why a submit is refused, as whoever submitted is told.

use tonic::Status;
use trc2npy_common::convert::ConvertError;
use trc2npy_common::roots::{Place, RootError};
use trc2npy_proto::Submission;

/// Why a place cannot be used, told to someone who may sit at another machine.
pub(super) fn not_here(place: &Place, error: RootError) -> Status {
    match error {
        RootError::Unknown { name, known } => usage(format!(
            "{place}: the coordinator has no root {name} ({known}); name one that it has, or start it with --root {name}=PATH \
             as well"
        )),
        error => usage(error),
    }
}

pub(super) fn crashed(why: &str) -> String {
    format!("planning crashed: {why} (please report this)")
}

pub(super) fn usage(error: impl std::fmt::Display) -> Status {
    Status::invalid_argument(error.to_string())
}

pub(super) fn refused(error: &ConvertError) -> Status {
    if error.exit_code() == 2 {
        Status::invalid_argument(error.to_string())
    } else {
        Status::failed_precondition(error.to_string())
    }
}

pub(super) fn internal(error: impl std::fmt::Display) -> Status {
    Status::internal(error.to_string())
}

/// The inputs of a submission.
pub(super) fn places(submission: &Submission) -> Result<Vec<Place>, Status> {
    submission
        .inputs
        .iter()
        .map(|input| input.parse().map_err(usage))
        .collect()
}
