//! What a certificate lets its holder do, whatever program speaks.

use std::path::Path;

use tokio::runtime::Runtime;
use tokio_stream::iter;
use tonic::Code;
use tonic::transport::Channel;
use trc2npy_certs::Role;
use trc2npy_proto::link::{Announce, Destination, Trust};
use trc2npy_proto::v1::fleet_client::FleetClient;
use trc2npy_proto::v1::jobs_client::JobsClient;
use trc2npy_proto::v1::workers_client::WorkersClient;
use trc2npy_proto::v1::{
    CancelRequest, DrainRequest, FromWorker, GetJobRequest, Hello, ListJobsRequest, SubmitRequest, from_worker,
};
use trc2npy_synth::RunSpec;

use crate::common::Sealed;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

async fn connect(lab: &Sealed, trust: Trust) -> Channel {
    let destination = Destination {
        address: lab.cluster.address().parse().unwrap(),
        trust,
    };
    destination.connect().await.unwrap()
}

fn hello() -> FromWorker {
    let hello = Hello {
        name: "pc9".to_owned(),
        roots: vec!["data".to_owned()],
        slots: 1,
        ..Hello::default()
    };
    FromWorker {
        message: Some(from_worker::Message::Hello(hello)),
        ..FromWorker::default()
    }
}

/// What each service answers: jobs, fleet, workers.
async fn asked(channel: &Channel) -> Vec<Option<(Code, String)>> {
    let told = |status: tonic::Status| Some((status.code(), status.message().to_owned()));
    let mut jobs = JobsClient::with_interceptor(channel.clone(), Announce);
    let mut fleet = FleetClient::with_interceptor(channel.clone(), Announce);
    let mut workers = WorkersClient::with_interceptor(channel.clone(), Announce);
    vec![
        jobs.submit(SubmitRequest::default()).await.err().and_then(told),
        jobs.cancel(CancelRequest { job: 1 }).await.err().and_then(told),
        jobs.list(ListJobsRequest {}).await.err().and_then(told),
        fleet
            .drain(DrainRequest {
                worker: "pc2".to_owned(),
            })
            .await
            .err()
            .and_then(told),
        workers.session(iter([hello()])).await.err().and_then(told),
        workers.get_job(GetJobRequest { job: 1 }).await.err().and_then(told),
    ]
}

fn codes(answers: &[Option<(Code, String)>]) -> Vec<Option<Code>> {
    answers
        .iter()
        .map(|answer| answer.as_ref().map(|(code, _)| *code))
        .collect()
}

#[test]
fn a_worker_may_not_submit_and_a_client_may_not_take_leases() {
    let lab = Sealed::new(&RunSpec::new(1, 500));
    let mut coordinator = lab.start_coordinator();
    let token = lab.token(&[]);
    let worker = lab.issue("ca", "pc2", &[]);
    let client = lab.issue("ca", "anna", &["--role", "client"]);
    let both = lab.issue("ca", "pc3", &["--role", "client", "--role", "worker"]);
    let shown = |folder: &Path, role| Trust::Certs {
        folder: folder.to_owned(),
        role,
    };
    let no = Some(Code::PermissionDenied);
    runtime().block_on(async {
        let answers = asked(&connect(&lab, shown(&worker, Role::Worker)).await).await;
        assert_eq!(codes(&answers)[..4], [no; 4], "{answers:?}");
        assert_eq!(codes(&answers)[4..], [None, Some(Code::NotFound)], "{answers:?}");
        let why = &answers[0].as_ref().unwrap().1;
        assert_eq!(
            why,
            "the certificate of pc2 is for worker, and this needs one for client: trc2npy certs issue pc2 --role worker \
             --role client"
        );

        let answers = asked(&connect(&lab, shown(&client, Role::Client)).await).await;
        assert_eq!(codes(&answers)[4..], [no; 2], "{answers:?}");
        let known = [Some(Code::InvalidArgument), Some(Code::NotFound), None, Some(Code::NotFound)];
        assert_eq!(codes(&answers)[..4], known, "{answers:?}");

        let answers = asked(&connect(&lab, shown(&both, Role::Worker)).await).await;
        assert!(!codes(&answers).contains(&no), "{answers:?}");

        // Who has no certificate may ask for one, and nothing else.
        let stranger = connect(&lab, Trust::Token(token.parse().unwrap())).await;
        let answers = asked(&stranger).await;
        assert_eq!(codes(&answers), [Some(Code::Unauthenticated); 6], "{answers:?}");
    });
    coordinator.says("the certificate of pc2 is for worker, and this needs one for client");
}

#[test]
fn the_program_says_it_before_it_asks() {
    let lab = Sealed::new(&RunSpec::new(1, 500));
    let worker = lab.issue("ca", "pc2", &[]);
    let client = lab.issue("ca", "anna", &["--role", "client"]);
    // No coordinator is there.
    let jobs = lab.client("jobs", &worker).run();
    jobs.must_end_with(1).must_say(&[
        "tls.crt: this certificate (pc2) is for worker, and client is needed here",
        "trc2npy certs issue pc2 --role worker --role client",
    ]);
    let works = lab.cluster.worker("pc2").args(["--certs"]).args([&client]).run();
    works
        .must_end_with(1)
        .must_say(&["is for client, and worker is needed here"]);
    let leads = lab.cluster.coordinator().args(["--certs"]).args([&worker]).run();
    leads
        .must_end_with(1)
        .must_say(&["is for worker, and coordinator is needed here"]);
    assert!(!lab.cluster.state().exists(), "nothing was begun");
    let host = lab.certs("ca", "issue", &["pc4", "--host", "pc4.lab"]);
    host.must_end_with(2).must_say(&["add --role coordinator"]);
}
