//! Asking a coordinator: one connection, one call after the other. Who submits or follows a job comes back after a
//! connection is lost.

use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::time::sleep;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Status};
use trc2npy_certs::{Client as Shown, Role};
use trc2npy_common::convert::{Phase, Progress, Stop, Watch};
use trc2npy_common::units::Bytes;
use trc2npy_proto::link::{Address, Announce, CERTIFICATES_ASKED, Destination, Trust, wants_certificates};
use trc2npy_proto::v1::certificates_client::CertificatesClient;
use trc2npy_proto::v1::fleet_client::FleetClient;
use trc2npy_proto::v1::jobs_client::JobsClient;
use trc2npy_proto::v1::{Job, JobState, SubmitReply, SubmitRequest, WatchRequest};
use trc2npy_proto::{Backoff, LARGEST_MESSAGE};
use trc2npy_telemetry::{Place, TRACEPARENT};

use crate::failure::Failure;
use crate::options::{CoordinatorAddress, TrustOptions};

/// A coordinator may have been started by the line above this one in somebody's script.
const PATIENCE: Duration = Duration::from_secs(3);
/// A certificate that does not fit may be renewed within this time.
const DISTRUST: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(100);
/// The coordinator plans within this time, or is asked once more.
const PLANNING: Duration = Duration::from_hours(1);

type Announced = InterceptedService<Channel, Announce>;

/// A coordinator that answers.
pub(crate) struct Client {
    /// There until the end.
    runtime: Option<Runtime>,
    coordinator: Destination,
    channel: Channel,
}

impl Drop for Client {
    fn drop(&mut self) {
        // A name lookup that hangs must not keep the program from ending.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Client {
    pub(crate) fn connect(address: &CoordinatorAddress) -> Result<Self, Failure> {
        Self::connect_to(&destination(&address.coordinator, &address.trust, Role::Client)?)
    }

    pub(crate) fn connect_to(coordinator: &Destination) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let until = Instant::now() + PATIENCE;
        let channel = runtime.block_on(async {
            loop {
                match coordinator.connect().await {
                    Err(error) if error.may_pass() && Instant::now() < until => sleep(AGAIN).await,
                    answer => return answer,
                }
            }
        });
        let channel = channel.map_err(|error| Failure::work(1, &error))?;
        Ok(Self {
            runtime: Some(runtime),
            coordinator: coordinator.clone(),
            channel,
        })
    }

    fn wait_for<T>(&self, answer: impl Future<Output = T>) -> T {
        let runtime = self.runtime.as_ref().expect("it is there until the client is dropped");
        runtime.block_on(answer)
    }

    /// Makes a call of the jobs' service.
    pub(crate) fn jobs<T>(
        &self,
        call: impl AsyncFnOnce(JobsClient<Announced>) -> Result<T, Status>,
    ) -> Result<T, Failure> {
        self.wait_for(call(jobs(self.channel.clone())))
            .map_err(|status| failure(&status))
    }

    /// Submits. Where the coordinator goes away before it has answered, the same is sent again until it is back: it knows
    /// a submission by its key, so that nothing is done twice. `tell` is told that it is away and that it is back.
    ///
    /// `place`: this submit's in a trace.
    pub(crate) fn submit(
        &self,
        submission: &SubmitRequest,
        place: Option<Place>,
        tell: &dyn Fn(&str),
    ) -> Result<SubmitReply, Failure> {
        self.wait_for(async {
            let mut backoff = Backoff::new(fastrand::u64(..));
            let mut channel = self.channel.clone();
            loop {
                let mut request = tonic::Request::new(submission.clone());
                request.set_timeout(PLANNING);
                if let Some(place) = place.and_then(|place| place.to_string().parse().ok()) {
                    request.metadata_mut().insert(TRACEPARENT, place);
                }
                match jobs(channel).submit(request).await {
                    Ok(reply) => return Ok(reply.into_inner()),
                    Err(status) if is_of_the_network(&status) => {}
                    Err(status) => return Err(failure(&status)),
                }
                tell(&told_away(&self.coordinator));
                channel = reconnect(&self.coordinator, &mut backoff, tell).await?;
                tell(BACK);
            }
        })
    }

    /// Makes a call of the workers' service.
    pub(crate) fn fleet<T>(
        &self,
        call: impl AsyncFnOnce(FleetClient<Announced>) -> Result<T, Status>,
    ) -> Result<T, Failure> {
        let client =
            FleetClient::with_interceptor(self.channel.clone(), Announce).max_decoding_message_size(LARGEST_MESSAGE);
        self.wait_for(call(client)).map_err(|status| failure(&status))
    }

    /// Makes the one call that needs no certificate.
    pub(crate) fn certificates<T>(
        &self,
        call: impl AsyncFnOnce(CertificatesClient<Announced>) -> Result<T, Status>,
    ) -> Result<T, Failure> {
        let client = CertificatesClient::with_interceptor(self.channel.clone(), Announce)
            .max_decoding_message_size(LARGEST_MESSAGE);
        self.wait_for(call(client)).map_err(|status| failure(&status))
    }

    /// Follows a job to its end, whatever becomes of the connection meanwhile; none once `stop` is asked. `watch` is
    /// raised, and `tell` told that the coordinator is away and that it is back. An error is one that no waiting mends.
    pub(crate) fn follow(
        &self,
        job: &Job,
        watch: &Watch,
        stop: &Stop,
        tell: &dyn Fn(&str),
    ) -> Result<Option<Job>, Failure> {
        let mut following = Following {
            job,
            watch,
            tell,
            before: None,
            away: false,
            waits: String::new(),
            backoff: Backoff::new(fastrand::u64(..)),
        };
        self.wait_for(async {
            tokio::select! {
                ended = following.persist(&self.coordinator, self.channel.clone()) => ended.map(Some),
                () = asked(stop) => Ok(None),
            }
        })
    }
}

/// The jobs' service behind a connection.
fn jobs(channel: Channel) -> JobsClient<Announced> {
    JobsClient::with_interceptor(channel, Announce).max_decoding_message_size(LARGEST_MESSAGE)
}

/// A job that is followed.
struct Following<'a> {
    /// As it was seen first.
    job: &'a Job,
    watch: &'a Watch,
    tell: &'a dyn Fn(&str),
    /// Rows and bytes that were done when the following began.
    before: Option<(u64, u64)>,
    away: bool,
    /// Why the job waits, as it was told last.
    waits: String,
    backoff: Backoff,
}

/// Why a job is not seen any more.
enum Lost {
    /// The coordinator may come back.
    Away,
    Over(Failure),
}

impl Following<'_> {
    async fn persist(&mut self, coordinator: &Destination, mut channel: Channel) -> Result<Job, Failure> {
        loop {
            match self.look_on(coordinator, channel).await {
                Ok(job) => return Ok(job),
                Err(Lost::Over(failure)) => return Err(failure),
                Err(Lost::Away) => {}
            }
            if !self.away {
                self.away = true;
                (self.tell)(&told_away(coordinator));
            }
            channel = reconnect(coordinator, &mut self.backoff, self.tell).await?;
        }
    }

    /// As long as one connection stands.
    async fn look_on(&mut self, coordinator: &Destination, channel: Channel) -> Result<Job, Lost> {
        let request = WatchRequest { job: self.job.id };
        let mut states = jobs(channel).watch(request).await.map_err(lost)?.into_inner();
        loop {
            let Some(state) = states.message().await.map_err(lost)? else {
                return Err(Lost::Away);
            };
            if !is_same(self.job, &state) {
                return Err(Lost::Over(Failure::Work {
                    code: 1,
                    message: format!(
                        "the coordinator at {coordinator} is another one now: its job {} is {} -> {}; was it started with \
                         another --state?",
                        state.id, state.run, state.out
                    ),
                }));
            }
            if self.away {
                self.away = false;
                (self.tell)(BACK);
            }
            self.backoff.reset();
            if state.state() == JobState::Waiting && self.waits != state.error {
                (self.tell)(&format!("job {} waits: {}", state.id, state.error));
                self.waits.clone_from(&state.error);
            }
            let before = *self.before.get_or_insert((state.rows_done, state.bytes_done));
            self.watch.show(progress(&state, before));
            if is_over(&state) {
                return Ok(state);
            }
        }
    }
}

const BACK: &str = "the coordinator is back";

fn told_away(coordinator: &Destination) -> String {
    format!("the coordinator at {coordinator} is away; trying again until it is back")
}

/// Comes back, however long that takes. Where the coordinator is there and one does not trust the other, that is told, and
/// waited for only as long as it takes to renew a certificate.
async fn reconnect(coordinator: &Destination, backoff: &mut Backoff, tell: &dyn Fn(&str)) -> Result<Channel, Failure> {
    let mut distrusted: Option<Instant> = None;
    loop {
        sleep(backoff.wait()).await;
        match coordinator.connect().await {
            Ok(channel) => return Ok(channel),
            Err(error) if error.may_pass() => distrusted = None,
            Err(error) => match distrusted {
                None => {
                    tell(&error.to_string());
                    distrusted = Some(Instant::now());
                }
                Some(since) if since.elapsed() > DISTRUST => return Err(Failure::work(1, &error)),
                Some(_) => {}
            },
        }
    }
}

/// Whether the coordinator has not answered at all, or only that it ends: what it says of itself has no source.
fn is_of_the_network(status: &Status) -> bool {
    if wants_certificates(status) {
        return false;
    }
    std::error::Error::source(status).is_some() || status.code() == Code::Unavailable
}

/// Whether two looks are at one job: a coordinator with other records counts from 1 as well.
fn is_same(one: &Job, other: &Job) -> bool {
    let name = |job: &Job| (job.id, job.submitted_ms, job.run.clone(), job.out.clone());
    name(one) == name(other)
}

/// Whether nothing of it will change any more.
fn is_over(job: &Job) -> bool {
    matches!(job.state(), JobState::Done | JobState::Cancelled | JobState::Failed)
}

/// What a coordinator says of itself holds; all else is said by the network.
#[expect(clippy::needless_pass_by_value, reason = "as map_err has it")]
fn lost(status: Status) -> Lost {
    match status.code() {
        _ if wants_certificates(&status) => Lost::Over(failure(&status)),
        Code::NotFound
        | Code::FailedPrecondition
        | Code::InvalidArgument
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::Unimplemented
        | Code::OutOfRange => Lost::Over(failure(&status)),
        _ => Lost::Away,
    }
}

/// Returns once the stop was asked.
async fn asked(stop: &Stop) {
    while !stop.requested() {
        sleep(Duration::from_millis(50)).await;
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

/// How the coordinator there is spoken to by whoever is going to do what `role` may.
pub(crate) fn destination(address: &Address, trust: &TrustOptions, role: Role) -> Result<Destination, Failure> {
    one_way(trust.insecure, trust.certs.is_some())?;
    let trust = match &trust.certs {
        None => {
            allow(address, trust.insecure)?;
            Trust::Open
        }
        Some(folder) => {
            // Before anything is begun.
            Shown::open(folder, role).map_err(|error| Failure::work(1, &error))?;
            Trust::Certs {
                folder: folder.clone(),
                role,
            }
        }
    };
    Ok(Destination {
        address: address.clone(),
        trust,
    })
}

/// Refuses what contradicts itself.
pub(crate) fn one_way(insecure: bool, certs: bool) -> Result<(), Failure> {
    if insecure && certs {
        return Err(Failure::Options(
            "--insecure and --certs contradict each other: leave one out (--certs may stand in the environment, as \
             TRC2NPY_CERTS)"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Refuses to speak openly over a network, unless that was said aloud.
pub(crate) fn allow(address: &Address, insecure: bool) -> Result<(), Failure> {
    if insecure || address.is_loopback() {
        return Ok(());
    }
    Err(Failure::Options(format!(
        "{address} is not on this machine, and what is sent there is neither encrypted nor signed: say where this \
         machine's certificate is (--certs DIR; see trc2npy certs), or add --insecure where you trust the network"
    )))
}

/// A call that failed, in the coordinator's own words.
fn failure(status: &Status) -> Failure {
    let code = match status.code() {
        Code::InvalidArgument => 2,
        _ => 1,
    };
    let message = match status.code() {
        _ if wants_certificates(status) => CERTIFICATES_ASKED.to_owned(),
        Code::Unavailable | Code::Unknown | Code::Cancelled => format!(
            "the connection to the coordinator is lost ({}), and with it the answer; trc2npy jobs shows what became of it, \
             once the coordinator is back",
            status.message()
        ),
        _ => status.message().to_owned(),
    };
    Failure::Work { code, message }
}
