//! The services: each call becomes a question to the owner. Nothing here decides.

mod certificates;
mod connection;
mod door;
mod fleet;
mod jobs;
mod pass;
mod rates;
mod workers;

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::{Request, Status};
use trc2npy_certs::Role;
use trc2npy_proto::LARGEST_MESSAGE;
use trc2npy_proto::link::{KEEP_ALIVE_EVERY, KEEP_ALIVE_TIMEOUT};
use trc2npy_proto::v1::certificates_server::CertificatesServer;
use trc2npy_proto::v1::fleet_server::FleetServer;
use trc2npy_proto::v1::jobs_server::JobsServer;
use trc2npy_proto::v1::workers_server::WorkersServer;
use trc2npy_telemetry::Tell;

use crate::audit::Audit;
use crate::guard::Guard;
use crate::owner::{Inbox, gone};
use crate::planner;
pub(crate) use door::Caller;
use door::Door;
use pass::{Complaints, Pass};

/// Calls of one connection at a time.
const STREAMS: u32 = 128;
/// The headers of a call.
const HEADERS: u32 = 16 << 10;

/// What the services share.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) inbox: Inbox,
    pub(crate) planner: Sender<planner::Submit>,
    pub(crate) tell: Tell,
    pub(crate) audit: Arc<Audit>,
    /// What callers are shown and asked for; none: nothing.
    pub(crate) guard: Option<Arc<Guard>>,
    /// Where the lab's authority lies.
    pub(crate) authority: Option<PathBuf>,
}

/// Starts a task of the server's runtime; its name is for whoever reads the code.
#[expect(clippy::disallowed_methods, reason = "the one place where tasks are started")]
pub(crate) fn start(_name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

/// Serves every listener until `stop`.
pub(crate) async fn serve(
    listeners: Vec<TcpListener>,
    services: Services,
    stop: oneshot::Receiver<()>,
) -> Result<(), tonic::transport::Error> {
    let Services {
        inbox,
        planner,
        tell,
        audit,
        guard,
        authority,
    } = services;
    let complaints = Complaints::new(tell);
    let pass = Pass::new(complaints.clone());
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<WorkersServer<workers::Service>>().await;
    health.set_serving::<JobsServer<jobs::Service>>().await;
    health.set_serving::<FleetServer<fleet::Service>>().await;
    let workers =
        WorkersServer::new(workers::Service { inbox: inbox.clone() }).max_decoding_message_size(LARGEST_MESSAGE);
    let jobs = JobsServer::new(jobs::Service {
        inbox: inbox.clone(),
        planner,
        audit: Arc::clone(&audit),
    })
    .max_decoding_message_size(LARGEST_MESSAGE);
    let fleet = FleetServer::new(fleet::Service {
        inbox,
        audit: Arc::clone(&audit),
    })
    .max_decoding_message_size(LARGEST_MESSAGE);
    let certificates = CertificatesServer::new(certificates::Service {
        authority,
        audit,
        complaints: complaints.apart(),
    })
    .max_decoding_message_size(LARGEST_MESSAGE);
    let router = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(HEADERS)
        .add_service(InterceptedService::new(health_service, pass.of_others()))
        .add_service(InterceptedService::new(workers, pass.with(Role::Worker)))
        .add_service(InterceptedService::new(jobs, pass.with(Role::Client)))
        .add_service(InterceptedService::new(fleet, pass.with(Role::Client)))
        .add_service(InterceptedService::new(certificates, pass));
    let (connections, incoming) = mpsc::channel(16);
    if let Some(guard) = &guard {
        start("certificate", Arc::clone(guard).watch());
    }
    let door = Door::new(guard, complaints);
    for listener in listeners {
        start("listen", Arc::clone(&door).watch(listener, connections.clone()));
    }
    drop(connections);
    let ended = async {
        // Dropped or sent: both mean the end.
        let _ = stop.await;
    };
    // Not the graceful end: workers' streams never end by themselves.
    tokio::select! {
        served = router.serve_with_incoming(ReceiverStream::new(incoming)) => served,
        () = ended => Ok(()),
    }
}

/// Does what a call asks for to its end, whether or not the caller waits for it.
async fn outlive<T: Send + 'static>(
    call: impl Future<Output = Result<T, Status>> + Send + 'static,
) -> Result<T, Status> {
    let (reply, answer) = oneshot::channel();
    start("call", async move {
        // Whoever asked may be gone.
        let _ = reply.send(call.await);
    });
    answer.await.map_err(|_| gone())?
}

/// Who makes a call.
fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    let caller = request.extensions().get::<Caller>().cloned();
    caller.ok_or_else(|| Status::internal("a connection without a caller"))
}

/// The addresses that are listened on.
pub(crate) async fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, (SocketAddr, std::io::Error)> {
    let mut listeners = Vec::new();
    for address in addresses {
        listeners.push(TcpListener::bind(address).await.map_err(|error| (*address, error))?);
    }
    Ok(listeners)
}
