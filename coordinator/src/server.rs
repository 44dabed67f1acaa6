//! The services: each call becomes a question to the owner. Nothing here decides.

mod fleet;
mod jobs;
mod workers;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::mpsc::Sender;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::{Request, Status};
use trc2npy_proto::link::{KEEP_ALIVE_EVERY, KEEP_ALIVE_TIMEOUT};
use trc2npy_proto::v1::fleet_server::FleetServer;
use trc2npy_proto::v1::jobs_server::JobsServer;
use trc2npy_proto::v1::workers_server::WorkersServer;
use trc2npy_proto::{LARGEST_MESSAGE, Protocol};
use trc2npy_telemetry::Tell;

use crate::owner::Inbox;
use crate::planner;

/// What the services share.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) inbox: Inbox,
    pub(crate) planner: Sender<planner::Submit>,
    pub(crate) tell: Tell,
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
    let refuse = {
        let tell = services.tell.clone();
        move |request: Request<()>| check(request, &tell)
    };
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<WorkersServer<workers::Service>>().await;
    health.set_serving::<JobsServer<jobs::Service>>().await;
    health.set_serving::<FleetServer<fleet::Service>>().await;
    let Services { inbox, planner, .. } = services;
    let workers =
        WorkersServer::new(workers::Service { inbox: inbox.clone() }).max_decoding_message_size(LARGEST_MESSAGE);
    let jobs = JobsServer::new(jobs::Service {
        inbox: inbox.clone(),
        planner,
    })
    .max_decoding_message_size(LARGEST_MESSAGE);
    let fleet = FleetServer::new(fleet::Service { inbox }).max_decoding_message_size(LARGEST_MESSAGE);
    let router = Server::builder()
        .http2_keepalive_interval(Some(KEEP_ALIVE_EVERY))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .add_service(health_service)
        .add_service(InterceptedService::new(workers, refuse.clone()))
        .add_service(InterceptedService::new(jobs, refuse.clone()))
        .add_service(InterceptedService::new(fleet, refuse));
    let (connections, incoming) = mpsc::channel(16);
    for listener in listeners {
        let connections = connections.clone();
        start("listen", async move {
            // A connection that could not be taken (too many files are open) is an item, too: the server goes on.
            while connections.send(listener.accept().await.and_then(prompt)).await.is_ok() {}
        });
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

/// A lease is a small message: gathered with the next one it would come 40 ms late.
fn prompt((stream, _): (TcpStream, SocketAddr)) -> std::io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Refuses a caller who speaks another protocol, in one sentence, here and there.
fn check(request: Request<()>, tell: &Tell) -> Result<Request<()>, Status> {
    match Protocol::ours().check(request.metadata()) {
        Ok(()) => Ok(request),
        Err(mismatch) => {
            let from = request
                .remote_addr()
                .map_or(String::new(), |from| format!(" (from {})", from.ip()));
            tell.warn(&format!("{mismatch}{from}"));
            Err(Status::failed_precondition(mismatch.to_string()))
        }
    }
}

/// The addresses that are listened on.
pub(crate) async fn bind(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, (SocketAddr, std::io::Error)> {
    let mut listeners = Vec::new();
    for address in addresses {
        listeners.push(TcpListener::bind(address).await.map_err(|error| (*address, error))?);
    }
    Ok(listeners)
}
