//! The worker's side of the conversation, in the words of 0.1.

use tokio::sync::mpsc::{self, UnboundedSender};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status, Streaming};

use crate::recorded::FILE_BYTES;
use crate::v0_1::workers_client::WorkersClient;
use crate::v0_1::{
    Beat, Delivered, Failed, Fault, FromWorker, GetJobRequest, Goodbye, Grant, Hello, JobHead, LeaseProgress, Step,
    Terms, ToWorker, Welcome, Work, from_worker, job_part, to_worker,
};

/// The headers of 0.1's calls.
#[expect(clippy::unnecessary_wraps, reason = "as tonic has it")]
pub(crate) fn speaking(mut request: Request<()>) -> Result<Request<()>, Status> {
    let headers = request.metadata_mut();
    headers.insert("trc2npy-protocol", MetadataValue::from_static("1"));
    headers.insert("trc2npy-version", MetadataValue::from_static("0.1.0"));
    Ok(request)
}

type Speaking = fn(Request<()>) -> Result<Request<()>, Status>;

pub(crate) async fn connect(address: &str) -> Channel {
    let endpoint = Channel::from_shared(format!("http://{address}")).unwrap();
    endpoint.connect().await.unwrap()
}

/// What a worker fetches once a job.
pub(crate) struct Job {
    pub(crate) head: JobHead,
    pub(crate) plan: Vec<u8>,
}

/// A worker at work.
pub(crate) struct Worker {
    client: WorkersClient<InterceptedService<Channel, Speaking>>,
    out: UnboundedSender<FromWorker>,
    incoming: Streaming<ToWorker>,
}

const CORES: u32 = 3;
const MEMORY: u64 = 5 << 30;
const AVAILABLE: u64 = 4 << 30;
const DISK_FREE: u64 = 1 << 40;

impl Worker {
    /// Connects, with these leases in hand and room for so many.
    pub(crate) async fn start(channel: Channel, in_hand: Vec<Grant>, slots: u32) -> Self {
        let mut client = WorkersClient::with_interceptor(channel, speaking as Speaking);
        let (out, outgoing) = mpsc::unbounded_channel();
        let hello = Hello {
            name: "old".to_owned(),
            process: 0xfedc_ba98_7654_3210,
            version: "0.1.0".to_owned(),
            system: "linux".to_owned(),
            cores: CORES,
            memory_total: MEMORY,
            slots,
            roots: vec!["data".to_owned()],
            in_hand,
        };
        send(&out, from_worker::Message::Hello(hello));
        let incoming = client.session(UnboundedReceiverStream::new(outgoing)).await.unwrap();
        let mut worker = Self {
            client,
            out,
            incoming: incoming.into_inner(),
        };
        let to_worker::Message::Welcome(welcome) = worker.hear().await else {
            panic!("the first word is the welcome");
        };
        must_be_usable(&welcome);
        worker.beat(slots, None);
        worker
    }

    /// The next message.
    pub(crate) async fn hear(&mut self) -> to_worker::Message {
        let next = self.incoming.next().await.expect("the coordinator goes on");
        next.unwrap().message.expect("a message that 0.1 knows")
    }

    /// The next message, which is a grant of one row that 0.1 understands.
    pub(crate) async fn granted(&mut self) -> Grant {
        let to_worker::Message::Grant(grant) = self.hear().await else {
            panic!("a grant is expected");
        };
        let lease = grant.lease.unwrap();
        assert_eq!((lease.epoch, grant.job), (1, 1), "{grant:?}");
        assert!(lease.attempt > 0 && grant.channel < 2, "{grant:?}");
        assert_eq!(
            (grant.row_start < 3, grant.row_end),
            (true, grant.row_start + 1),
            "{grant:?}"
        );
        let ordinary = Terms::default();
        assert_eq!(grant.terms, Some(ordinary), "{grant:?}");
        grant
    }

    pub(crate) async fn job(&mut self, job: u64) -> Job {
        let parts = self.client.get_job(GetJobRequest { job }).await.unwrap().into_inner();
        let mut parts = parts.map(|part| part.unwrap().part.unwrap());
        let Some(job_part::Part::Head(head)) = parts.next().await else {
            panic!("the head comes first");
        };
        let mut plan = Vec::new();
        while let Some(part) = parts.next().await {
            let job_part::Part::Plan(piece) = part else {
                panic!("only pieces of the plan come behind");
            };
            plan.extend(piece);
        }
        Job { head, plan }
    }

    fn beat(&self, slots: u32, progress: Option<LeaseProgress>) {
        let beat = Beat {
            slots,
            memory_pressure: false,
            disk_free: Some(DISK_FREE),
            draining: false,
            progress: progress.into_iter().collect(),
            cpu_used: 0.25,
            memory_available: AVAILABLE,
            memory_own: 1 << 20,
        };
        send(&self.out, from_worker::Message::Beat(beat));
    }

    pub(crate) fn works_on(&self, grant: &Grant, step: Step) {
        self.beat(
            1,
            Some(LeaseProgress {
                lease: grant.lease,
                bytes: FILE_BYTES,
                step: step.into(),
            }),
        );
    }

    pub(crate) fn give_back(&self, grant: &Grant) {
        let failed = Failed {
            lease: grant.lease,
            fault: Fault::Returned.into(),
            why: "for a test".to_owned(),
            rows: vec![],
        };
        send(&self.out, from_worker::Message::Failed(failed));
    }

    pub(crate) fn delivered(&self, grant: &Grant) {
        let delivered = Delivered {
            grant: Some(*grant),
            work: Some(Work {
                bytes: FILE_BYTES,
                took_ms: 1000,
                bad_rows: 0,
                unreadable: 0,
            }),
        };
        send(&self.out, from_worker::Message::Delivered(delivered));
    }

    /// Says its last word; the coordinator then ends the stream.
    pub(crate) async fn goodbye(mut self) {
        send(&self.out, from_worker::Message::Goodbye(Goodbye {}));
        drop(self.out);
        let more = self.incoming.next().await;
        assert!(!matches!(more, Some(Ok(_))), "nothing is left to say: {more:?}");
    }
}

fn send(out: &UnboundedSender<FromWorker>, message: from_worker::Message) {
    let traceparent = String::new();
    let message = Some(message);
    out.send(FromWorker { message, traceparent }).unwrap();
}

fn must_be_usable(welcome: &Welcome) {
    assert_eq!(welcome.coordinator.len(), 16, "{welcome:?}");
    assert_eq!(welcome.epoch, 1);
    assert!((100..=10_000).contains(&welcome.beat_every_ms), "{welcome:?}");
    assert!(!welcome.version.is_empty());
}

/// The worker as the coordinator tells clients of it: all that it said of itself has arrived, the lease in its hand
/// included. It has no room, so that this is no new one.
pub(crate) fn must_be_as_told(listed: &[crate::v0_1::Worker]) {
    let [worker] = listed else { panic!("{listed:?}") };
    assert_eq!(
        (worker.name.as_str(), worker.version.as_str(), worker.system.as_str()),
        ("old", "0.1.0", "linux")
    );
    assert_eq!((worker.cores, worker.slots, worker.leases), (CORES, 0, 1), "{worker:?}");
    assert_eq!((worker.memory_total, worker.memory_available), (MEMORY, AVAILABLE));
    assert!((worker.cpu_used - 0.25).abs() < 1e-9, "{worker:?}");
    assert_eq!(
        (&worker.roots[..], worker.disk_free),
        (&["data".to_owned()][..], DISK_FREE)
    );
}
