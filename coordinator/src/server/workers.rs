//! The worker's calls.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::{ReceiverStream, UnboundedReceiverStream};
use tonic::{Request, Response, Status, Streaming};
use trc2npy_coordinator_core::JobId;
use trc2npy_proto::PLAN_PIECE;
use trc2npy_proto::v1::workers_server::Workers;
use trc2npy_proto::v1::{FromWorker, GetJobRequest, JobPart, ToWorker, from_worker, job_part};

use super::rates::{Bucket, Rate};
use super::{caller, start};
use crate::owner::{Inbox, Joining, Message, Refused, gone};

/// A worker must say who it is within this time.
const HELLO_WITHIN: Duration = Duration::from_secs(10);
/// A worker that was killed and started again may be here before the end of its old stream.
const NAME_FREE_WITHIN: Duration = Duration::from_secs(3);

/// Messages of one worker's stream. One that sends more is read more slowly: it waits, and nothing piles up here.
const MESSAGES: Rate = Rate {
    at_once: 20_000.0,
    a_second: 2_000.0,
};

pub(crate) struct Service {
    pub(crate) inbox: Inbox,
}

#[tonic::async_trait]
impl Workers for Service {
    type SessionStream = UnboundedReceiverStream<Result<ToWorker, Status>>;
    type GetJobStream = ReceiverStream<Result<JobPart, Status>>;

    async fn session(&self, request: Request<Streaming<FromWorker>>) -> Result<Response<Self::SessionStream>, Status> {
        let caller = caller(&request)?;
        let from = Some(caller.address);
        let mut incoming = request.into_inner();
        let (out, outgoing) = mpsc::unbounded_channel();
        let first = timeout(HELLO_WITHIN, incoming.message())
            .await
            .map_err(|_| Status::deadline_exceeded("no hello came"))??;
        let Some(from_worker::Message::Hello(hello)) = first.and_then(|first| first.message) else {
            return Err(Status::invalid_argument(
                "the first message of a worker must be its hello",
            ));
        };
        let patience = Instant::now() + NAME_FREE_WITHIN;
        let session = loop {
            let (reply, answer) = oneshot::channel();
            self.inbox.post(Message::Join(Joining {
                hello: hello.clone(),
                from,
                certificate: caller.identity.as_ref().map(|identity| identity.name.clone()),
                out: out.clone(),
                reply,
            }));
            match answer.await {
                Ok(Ok(session)) => break session,
                Ok(Err(Refused::NameTaken(_))) if Instant::now() < patience => sleep(Duration::from_millis(100)).await,
                Ok(Err(Refused::NameTaken(why))) => return Err(Status::already_exists(why)),
                Ok(Err(Refused::Because(status))) => return Err(status),
                Err(_) => return Err(gone()),
            }
        };
        drop(out);
        let inbox = self.inbox.clone();
        start("session", async move {
            let mut bucket = Bucket::full(MESSAGES, std::time::Instant::now());
            while let Ok(Some(message)) = incoming.message().await {
                while let Err(wait) = bucket.take(MESSAGES, std::time::Instant::now()) {
                    sleep(wait).await;
                }
                inbox.post(Message::FromWorker(session, message));
            }
            inbox.post(Message::StreamEnded(session));
        });
        Ok(Response::new(UnboundedReceiverStream::new(outgoing)))
    }

    async fn get_job(&self, request: Request<GetJobRequest>) -> Result<Response<Self::GetJobStream>, Status> {
        let job = JobId(request.into_inner().job);
        let handout = self.inbox.ask(move |owner| owner.handout(job)).await?;
        let handout = handout.ok_or_else(|| Status::not_found(format!("job {job} is over")))?;
        let (out, parts) = mpsc::channel(4);
        // A disk is waited for.
        tokio::task::spawn_blocking(move || {
            let send = |part| out.blocking_send(Ok(JobPart { part: Some(part) })).is_ok();
            if !send(job_part::Part::Head(handout.head.clone())) {
                return;
            }
            let read = pieces(&handout.plan, |piece| send(job_part::Part::Plan(piece)));
            if let Err(error) = read {
                let why = format!("{} cannot be read: {error}", handout.plan.display());
                let _ = out.blocking_send(Err(Status::internal(why)));
            }
        });
        Ok(Response::new(ReceiverStream::new(parts)))
    }
}

/// Reads a file piece by piece, for as long as `take` wants more.
fn pieces(path: &Path, mut take: impl FnMut(Vec<u8>) -> bool) -> std::io::Result<()> {
    let mut file = File::open(path)?;
    loop {
        let mut piece = Vec::new();
        file.by_ref().take(PLAN_PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() || !take(piece) {
            return Ok(());
        }
    }
}
