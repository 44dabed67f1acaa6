//! What other programs say to a coordinator over gRPC.

use tokio::runtime::Runtime;
use tokio_stream::iter;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use trc2npy_proto::link::Announce;
use trc2npy_proto::v1::jobs_client::JobsClient;
use trc2npy_proto::v1::workers_client::WorkersClient;
use trc2npy_proto::v1::{FromWorker, GetRequest, Hello, JobState, from_worker};
use trc2npy_synth::RunSpec;

use crate::common::Lab;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

async fn connect(lab: &Lab) -> Channel {
    let address = format!("http://{}", lab.cluster.address());
    Channel::from_shared(address).unwrap().connect().await.unwrap()
}

#[test]
fn the_health_service_answers_without_our_headers() {
    let lab = Lab::new(&RunSpec::new(1, 500));
    let coordinator = lab.cluster.start_coordinator();
    runtime().block_on(async {
        let mut health = HealthClient::new(connect(&lab).await);
        for service in ["", "trc2npy.v1.Workers", "trc2npy.v1.Jobs", "trc2npy.v1.Fleet"] {
            let request = HealthCheckRequest {
                service: service.to_owned(),
            };
            let answer = health.check(request).await.unwrap().into_inner();
            assert_eq!(answer.status(), ServingStatus::Serving, "{service:?}");
        }
        let request = HealthCheckRequest {
            service: "trc2npy.v1.Nothing".to_owned(),
        };
        assert_eq!(health.check(request).await.unwrap_err().code(), Code::NotFound);
    });
    drop(coordinator);
}

#[test]
fn names_that_would_do_something_to_a_terminal_are_refused_and_never_written() {
    let lab = Lab::new(&RunSpec::new(1, 500));
    let mut coordinator = lab.cluster.start_coordinator();
    let endless = "\u{7}".repeat(1 << 20);
    for (name, root) in [
        ("a\x1b[2J\nworker pc9 has come", "data"),
        (&endless, "data"),
        ("", "data"),
        ("pc1", "data\x1b[2J\n"),
    ] {
        let hello = Hello {
            name: name.to_owned(),
            process: 1,
            roots: vec![root.to_owned()],
            ..Hello::default()
        };
        let message = FromWorker {
            message: Some(from_worker::Message::Hello(hello)),
            traceparent: String::new(),
        };
        let refused = runtime().block_on(async {
            let mut workers = WorkersClient::with_interceptor(connect(&lab).await, Announce);
            workers.session(Request::new(iter([message]))).await.unwrap_err()
        });
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(!refused.message().contains(char::is_control), "{refused}");
    }
    // It goes on.
    let worker = lab.cluster.start_worker("pc1");
    coordinator.says("worker pc1 has come");
    drop(worker);
    let log = coordinator.kill().stderr;
    assert_eq!(log.matches("refused: ").count(), 4, "{log}");
    assert!(log.len() < 4_000, "{} bytes", log.len());
    let lines: Vec<&str> = log.lines().collect();
    assert!(!lines.iter().any(|line| line.contains(char::is_control)), "{log}");
    assert!(!lines.iter().any(|line| line.starts_with("worker")), "{log}");
}

/// Whoever looks again and again sees a job get on and end, and never fall back.
#[test]
fn a_job_never_seems_to_have_fewer_rows_than_before() {
    let lab = Lab::new(&RunSpec::new(300, 2000));
    let coordinator = lab.cluster.start_coordinator();
    let worker = lab.cluster.start_worker("one");
    let submit = lab
        .cluster
        .client("submit")
        .args(["data:run", "--out", "data:npy", "--range-size", "200kB"]);
    submit.run().must_succeed();
    runtime().block_on(async {
        let mut jobs = JobsClient::with_interceptor(connect(&lab).await, Announce);
        let mut before = (0, JobState::Running);
        loop {
            let job = jobs.get(GetRequest { job: 1 }).await.unwrap().into_inner();
            let now = (job.rows_done, job.state());
            assert!(now.0 >= before.0, "{before:?}, then {now:?}");
            assert!(
                before.1 != JobState::Publishing || now.1 != JobState::Running,
                "{before:?}, then {now:?}"
            );
            if now.1 == JobState::Done {
                assert_eq!(now.0, 300);
                break;
            }
            before = now;
        }
    });
    drop((worker, coordinator));
}
