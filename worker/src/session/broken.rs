//! Why a connection ends, and whether another one would help.

use tonic::{Code, Status};
use trc2npy_proto::link::{CERTIFICATES_ASKED, wants_certificates};

use super::Session;
use super::link::sentence;
use crate::{Ended, WorkerError};

/// Why a connection ended.
pub(super) enum Broken {
    /// To be tried again.
    Again(String),
    Over(Result<Ended, WorkerError>),
}

impl Session<'_> {
    /// What a coordinator has answered, or the network.
    pub(super) fn refused_or_broken(&self, status: &Status) -> Broken {
        let is_open = wants_certificates(status);
        let why = if is_open { CERTIFICATES_ASKED } else { status.message() };
        match status.code() {
            Code::FailedPrecondition
            | Code::InvalidArgument
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::AlreadyExists => self.refused(why),
            _ if is_open => self.refused(why),
            _ => Broken::Again(format!(
                "the connection to the coordinator is lost ({})",
                sentence(status)
            )),
        }
    }

    /// The coordinator does not take this worker.
    fn refused(&self, why: &str) -> Broken {
        if self.coordinator.is_some() {
            // A coordinator that was started anew with a mistake will be started once more, and nobody should have to go
            // to all machines for that.
            return Broken::Again(format!("the coordinator does not take this worker now: {why}"));
        }
        Broken::Over(Err(WorkerError::Refused {
            coordinator: self.config.coordinator.address.clone(),
            why: why.to_owned(),
        }))
    }
}
