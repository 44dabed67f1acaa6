//! Getting what a job's leases need: its head, and the plan, which one worker asks for once.

use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use trc2npy_coordinator_core::JobId;
use trc2npy_proto::link::Announce;
use trc2npy_proto::v1::workers_client::WorkersClient;
use trc2npy_proto::v1::{GetJobRequest, JobHead, job_part};

/// The calls of a connected worker.
pub(crate) type Client = WorkersClient<InterceptedService<Channel, Announce>>;

/// A plan larger than this is not one: ten million files need less.
const LARGEST_PLAN: u64 = 1 << 31;

/// A job as it came over the wire.
#[derive(Debug)]
pub(crate) struct JobFiles {
    pub(crate) head: JobHead,
    /// Bytes of `plan.bin`.
    pub(crate) plan: Vec<u8>,
}

/// Fetches a job; an error is a sentence for people.
pub(crate) async fn fetch(mut client: Client, job: JobId) -> (JobId, Result<JobFiles, String>) {
    let fetched = async {
        let told = |status: tonic::Status| status.message().to_owned();
        let mut parts = client
            .get_job(GetJobRequest { job: job.0 })
            .await
            .map_err(told)?
            .into_inner();
        let cut = || "the coordinator sent less than the plan".to_owned();
        let first = parts.message().await.map_err(told)?.and_then(|part| part.part);
        let Some(job_part::Part::Head(head)) = first else {
            return Err("the coordinator sent a plan without a head".to_owned());
        };
        if head.plan_bytes > LARGEST_PLAN {
            return Err(format!("a plan of {} bytes cannot be", head.plan_bytes));
        }
        let mut plan = Vec::new();
        while (plan.len() as u64) < head.plan_bytes {
            match parts.message().await.map_err(told)?.and_then(|part| part.part) {
                Some(job_part::Part::Plan(piece)) => plan.extend_from_slice(&piece),
                _ => return Err(cut()),
            }
        }
        Ok(JobFiles { head, plan })
    };
    (job, fetched.await)
}
