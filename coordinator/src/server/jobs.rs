//! The clients' calls about jobs.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use trc2npy_coordinator_core::JobId;
use trc2npy_proto::Submission;
use trc2npy_proto::v1::jobs_server::Jobs;
use trc2npy_proto::v1::{
    CancelRequest, ExplainReply, ExplainRequest, GetRequest, Job, JobState, ListJobsReply, ListJobsRequest,
    SubmitReply, SubmitRequest, WatchRequest,
};
use trc2npy_telemetry::TRACEPARENT;

use super::{Caller, caller, outlive, start};
use crate::audit::Audit;
use crate::owner::{Inbox, gone};
use crate::planner;

/// How often a watched job is looked at; its end is told at once.
const LOOK: Duration = Duration::from_millis(500);
/// Parts of a channel's rows in a progress bar.
pub(crate) const BINS: usize = 64;

#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) inbox: Inbox,
    pub(crate) planner: std::sync::mpsc::Sender<planner::Submit>,
    pub(crate) audit: Arc<Audit>,
}

impl Service {
    async fn look(&self, job: JobId) -> Result<Job, Status> {
        self.inbox
            .ask(move |owner| owner.job_view(job, BINS).ok_or_else(|| owner.no_such_job(job)))
            .await?
    }
}

impl Service {
    /// Notes who has submitted these, and what they are.
    async fn accepted(&self, caller: &Caller, ids: Vec<JobId>) -> Result<Vec<Job>, Status> {
        let mut jobs = Vec::with_capacity(ids.len());
        for id in ids {
            let job = self.look(id).await?;
            let of = format!("job {}, {} -> {}", job.id, job.run, job.out);
            self.audit.note(caller, "submit", &of);
            jobs.push(job);
        }
        Ok(jobs)
    }

    /// Ends a job, and notes who has asked for that.
    async fn end(&self, caller: &Caller, job: JobId) -> Result<Job, Status> {
        let end = self.inbox.ask(move |owner| {
            owner.cancel(job);
            owner.end_of(job)
        });
        if let Some(mut end) = end.await? {
            // The folder is free for others then. An end that never comes is told like the coordinator's.
            end.wait_for(|over| *over).await.map_err(|_| gone())?;
        }
        let ended = self.look(job).await?;
        self.audit.note(caller, "cancel", &format!("job {job}"));
        Ok(ended)
    }
}

#[tonic::async_trait]
impl Jobs for Service {
    type WatchStream = ReceiverStream<Result<Job, Status>>;

    async fn submit(&self, request: Request<SubmitRequest>) -> Result<Response<SubmitReply>, Status> {
        let caller = request
            .metadata()
            .get(TRACEPARENT)
            .and_then(|text| text.to_str().ok()?.parse().ok());
        let came = SystemTime::now();
        let from = self::caller(&request)?;
        let submission =
            Submission::try_from(request.into_inner()).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let (reply, answer) = oneshot::channel();
        let task = planner::Submit {
            submission,
            caller,
            came,
            reply,
        };
        self.planner.send(task).map_err(|_| gone())?;
        let service = self.clone();
        let jobs = outlive(async move {
            let ids = answer.await.map_err(|_| gone())??;
            service.accepted(&from, ids).await
        });
        let jobs = jobs.await?;
        let first = jobs.first().map(|job| JobId(job.id));
        let mut reply = Response::new(SubmitReply { jobs });
        if let Some(first) = first
            && let Some(place) = self
                .inbox
                .ask(move |owner| owner.jobs.get(&first)?.record.place())
                .await?
            && let Ok(place) = place.to_string().parse()
        {
            reply.metadata_mut().insert(TRACEPARENT, place);
        }
        Ok(reply)
    }

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let job = JobId(request.into_inner().job);
        // Before the first look: an end in between is noticed.
        let end = self.inbox.ask(move |owner| owner.end_of(job)).await?;
        let first = self.look(job).await?;
        let mut end = end.ok_or_else(|| Status::not_found(format!("there is no job {job}")))?;
        let (out, stream) = mpsc::channel(4);
        let inbox = self.inbox.clone();
        start("watch", async move {
            let mut last = None;
            let mut now = Ok(first);
            loop {
                let over = now.as_ref().is_ok_and(is_over) || now.is_err();
                if last.as_ref() != now.as_ref().ok() {
                    last = now.as_ref().ok().cloned();
                    if out.send(now).await.is_err() {
                        return;
                    }
                }
                if over {
                    return;
                }
                tokio::select! {
                    () = sleep(LOOK) => {}
                    _ = end.changed() => {}
                    () = out.closed() => return,
                }
                let look = inbox.ask(move |owner| owner.job_view(job, BINS).ok_or_else(|| owner.no_such_job(job)));
                now = look.await.and_then(|job| job);
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn list(&self, _: Request<ListJobsRequest>) -> Result<Response<ListJobsReply>, Status> {
        let jobs = self.inbox.ask(|owner| owner.job_views()).await?;
        Ok(Response::new(ListJobsReply { jobs }))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<Job>, Status> {
        let job = JobId(request.into_inner().job);
        self.look(job).await.map(Response::new)
    }

    async fn cancel(&self, request: Request<CancelRequest>) -> Result<Response<Job>, Status> {
        let caller = caller(&request)?;
        let job = JobId(request.into_inner().job);
        let service = self.clone();
        let ended = outlive(async move { service.end(&caller, job).await });
        Ok(Response::new(ended.await?))
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<ExplainReply>, Status> {
        let job = JobId(request.into_inner().job);
        let reasons = self
            .inbox
            .ask(move |owner| owner.explanation(job).ok_or_else(|| owner.no_such_job(job)))
            .await??;
        Ok(Response::new(ExplainReply { reasons }))
    }
}

/// Whether nothing of it will change any more.
fn is_over(job: &Job) -> bool {
    matches!(job.state(), JobState::Done | JobState::Cancelled | JobState::Failed)
}
