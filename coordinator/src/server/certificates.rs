//! How machines get their certificates: the authority is read anew for each, so that nothing of it lies in memory.

use std::path::PathBuf;
use std::sync::Arc;

use tonic::{Request, Response, Status};
use trc2npy_certs::{Authority, CertsError, JoinToken, day};
use trc2npy_proto::v1::certificates_server::Certificates;
use trc2npy_proto::v1::{JoinReply, JoinRequest};

use super::pass::Complaints;
use super::{Caller, caller, outlive};
use crate::audit::Audit;

pub(crate) struct Service {
    /// The authority's folder, where this coordinator has one.
    pub(crate) authority: Option<PathBuf>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) complaints: Complaints,
}

#[tonic::async_trait]
impl Certificates for Service {
    async fn join(&self, request: Request<JoinRequest>) -> Result<Response<JoinReply>, Status> {
        let caller: Caller = caller(&request)?;
        if !caller.is_sealed {
            return Err(Status::failed_precondition(
                "this coordinator works without certificates: start it with --certs and --ca",
            ));
        }
        let Some(path) = self.authority.clone() else {
            return Err(Status::failed_precondition(
                "this coordinator has no lab CA and cannot issue certificates: start it with --ca, or use trc2npy certs issue",
            ));
        };
        let JoinRequest { token, name, request } = request.into_inner();
        let token: JoinToken = token.parse().map_err(|error| refused(&error))?;
        let (audit, complaints) = (Arc::clone(&self.audit), self.complaints.clone());
        let reply = outlive(async move {
            let joined = tokio::task::spawn_blocking(move || {
                let (certificate, authority, identity) = Authority::open(&path)?.join(&token, &name, &request)?;
                Ok((JoinReply { certificate, authority }, identity))
            });
            let joined = joined.await.map_err(|error| Status::internal(error.to_string()))?;
            let (reply, identity) = joined.map_err(|error: CertsError| {
                let from = caller.address.ip().to_canonical();
                complaints.tell(from, &format!("no certificate is issued: {error}"));
                refused(&error)
            })?;
            let of = format!(
                "{} ({}), valid until {}, {}",
                identity.name,
                identity.roles,
                day(identity.not_after),
                identity.fingerprint
            );
            audit.note(&caller, "certificate", &of);
            Ok(reply)
        });
        Ok(Response::new(reply.await?))
    }
}

fn refused(error: &CertsError) -> Status {
    match error {
        CertsError::TokenForm | CertsError::Name(_) | CertsError::Request(_) => {
            Status::invalid_argument(error.to_string())
        }
        CertsError::TokenUnknown
        | CertsError::TokenExpired(_)
        | CertsError::TokenName { .. }
        | CertsError::NameTaken(_) => Status::permission_denied(error.to_string()),
        // What is wrong with the authority's files is for its owner.
        _ => Status::failed_precondition(format!("the coordinator cannot issue certificates: {error}")),
    }
}
