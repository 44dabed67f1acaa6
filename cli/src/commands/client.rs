//! Asking a coordinator: one connection, one call after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Status};
use trc2npy_common::convert::{Phase, Progress, Stop, Watch};
use trc2npy_common::units::Bytes;
use trc2npy_proto::LARGEST_MESSAGE;
use trc2npy_proto::link::{Address, Announce};
use trc2npy_proto::v1::fleet_client::FleetClient;
use trc2npy_proto::v1::jobs_client::JobsClient;
use trc2npy_proto::v1::{Job, JobState, WatchRequest};

use crate::failure::Failure;
use crate::options::CoordinatorAddress;

/// A coordinator may have been started by the line above this one in somebody's script.
const PATIENCE: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(100);

type Announced = InterceptedService<Channel, Announce>;

/// A coordinator that answers.
pub(crate) struct Client {
    runtime: Runtime,
    channel: Channel,
}

impl Client {
    pub(crate) fn connect(address: &CoordinatorAddress) -> Result<Self, Failure> {
        allow(&address.coordinator, address.insecure)?;
        Self::connect_to(&address.coordinator)
    }

    pub(crate) fn connect_to(address: &Address) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let until = Instant::now() + PATIENCE;
        let channel = runtime.block_on(async {
            loop {
                match address.connect().await {
                    Err(_) if Instant::now() < until => tokio::time::sleep(AGAIN).await,
                    answer => return answer,
                }
            }
        });
        let channel = channel.map_err(|error| Failure::work(1, &error))?;
        Ok(Self { runtime, channel })
    }

    /// Makes a call of the jobs' service.
    pub(crate) fn jobs<T>(
        &self,
        call: impl AsyncFnOnce(JobsClient<Announced>) -> Result<T, Status>,
    ) -> Result<T, Failure> {
        let client =
            JobsClient::with_interceptor(self.channel.clone(), Announce).max_decoding_message_size(LARGEST_MESSAGE);
        self.runtime.block_on(call(client)).map_err(|status| failure(&status))
    }

    /// Makes a call of the workers' service.
    pub(crate) fn fleet<T>(
        &self,
        call: impl AsyncFnOnce(FleetClient<Announced>) -> Result<T, Status>,
    ) -> Result<T, Failure> {
        let client =
            FleetClient::with_interceptor(self.channel.clone(), Announce).max_decoding_message_size(LARGEST_MESSAGE);
        self.runtime.block_on(call(client)).map_err(|status| failure(&status))
    }

    /// Follows a job to its end, or until `stop`; `watch` is raised meanwhile. Returns what was seen last.
    pub(crate) fn follow(&self, job: u64, watch: &Arc<Watch>, stop: &Stop) -> Result<Job, Failure> {
        self.jobs(async |mut jobs| {
            let mut states = jobs.watch(WatchRequest { job }).await?.into_inner();
            let mut last = Job::default();
            let mut first_rows = None;
            loop {
                let next = tokio::select! {
                    next = states.message() => next?,
                    () = asked(stop) => return Ok(last),
                };
                let Some(state) = next else { return Ok(last) };
                let before = *first_rows.get_or_insert((state.rows_done, state.bytes_done));
                watch.show(progress(&state, before));
                last = state;
            }
        })
    }
}

/// Returns once the stop was asked.
async fn asked(stop: &Stop) {
    while !stop.requested() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn progress(job: &Job, (rows_before, bytes_before): (u64, u64)) -> Progress {
    let phase = match job.state() {
        JobState::Publishing => Phase::Publishing,
        JobState::Done | JobState::Cancelled | JobState::Failed => Phase::Done,
        JobState::Running | JobState::Waiting | JobState::Unspecified => Phase::Converting,
    };
    Progress {
        phase,
        bytes_in: Bytes(job.bytes_done),
        bytes_in_total: Bytes(job.bytes),
        bytes_in_before: Bytes(bytes_before),
        rows: job.rows_done,
        rows_before,
        rows_total: job.rows,
        bad_rows: job.bad_rows,
        ..Progress::default()
    }
}

/// Refuses to speak openly over a network, unless that was said aloud.
pub(crate) fn allow(address: &Address, insecure: bool) -> Result<(), Failure> {
    if insecure || address.is_loopback() {
        return Ok(());
    }
    Err(Failure::Options(format!(
        "{address} is not on this machine, and what is sent there is neither encrypted nor signed: add --insecure where \
         you trust the network"
    )))
}

/// A call that failed, in the coordinator's own words.
fn failure(status: &Status) -> Failure {
    let code = match status.code() {
        Code::InvalidArgument => 2,
        _ => 1,
    };
    let message = match status.code() {
        Code::Unavailable | Code::Unknown | Code::Cancelled => format!(
            "the connection to the coordinator is lost ({}); jobs go on without it: look again with trc2npy jobs",
            status.message()
        ),
        _ => status.message().to_owned(),
    };
    Failure::Work { code, message }
}
