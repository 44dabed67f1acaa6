//! The clients' calls about workers.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use trc2npy_proto::v1::fleet_server::Fleet;
use trc2npy_proto::v1::{DrainReply, DrainRequest, ListWorkersReply, ListWorkersRequest};

use super::{caller, outlive};
use crate::audit::Audit;
use crate::clock::wall_ms;
use crate::owner::{Inbox, Owner};

pub(crate) struct Service {
    pub(crate) inbox: Inbox,
    pub(crate) audit: Arc<Audit>,
}

#[tonic::async_trait]
impl Fleet for Service {
    async fn list(&self, _: Request<ListWorkersRequest>) -> Result<Response<ListWorkersReply>, Status> {
        let workers = self.inbox.ask(|owner| owner.worker_views()).await?;
        Ok(Response::new(ListWorkersReply {
            workers,
            now_ms: wall_ms(),
        }))
    }

    async fn drain(&self, request: Request<DrainRequest>) -> Result<Response<DrainReply>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().worker;
        let of = name.clone();
        let (inbox, audit) = (self.inbox.clone(), Arc::clone(&self.audit));
        let drain = move |owner: &mut Owner| {
            let Some(session) = owner.session_of(&name) else {
                let known = owner.worker_names();
                let known = if known.is_empty() {
                    "no worker is connected".to_owned()
                } else {
                    format!("connected are {}", known.join(", "))
                };
                return Err(Status::not_found(format!("no worker is called {name}; {known}")));
            };
            let leases = owner.leases_of(session);
            owner.drain(session);
            Ok(DrainReply { leases })
        };
        let reply = outlive(async move {
            let reply = inbox.ask(drain).await??;
            audit.note(&caller, "drain", &format!("worker {of}"));
            Ok(reply)
        });
        Ok(Response::new(reply.await?))
    }
}
