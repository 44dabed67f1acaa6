//! Programs of the last minor version beside today's: a lab updates one PC after the other.
//!
//! A worker of version 0.1 is played here. It speaks with 0.1's own messages (`proto/frozen/0.1`), and what it brings to
//! the storage are the shards that 0.1 made of the recorded run (`tests/recordings/0.1`).
#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and their helpers have none"
)]

mod recorded;
mod session;
#[allow(
    unused_qualifications,
    unreachable_pub,
    clippy::all,
    clippy::pedantic,
    reason = "generated"
)]
mod v0_1 {
    include!(concat!(env!("OUT_DIR"), "/0.1/trc2npy.v1.rs"));
}

use std::collections::BTreeSet;

use tonic::Request;
use trc2npy_tests::{Convert, must_be_whole, outputs};

use recorded::Recorded;
use session::{Job, Worker, connect, speaking};
use v0_1::fleet_client::FleetClient;
use v0_1::jobs_client::JobsClient;
use v0_1::{DrainRequest, JobState, ListWorkersRequest, Step, WatchRequest, to_worker};

#[tokio::test]
async fn a_worker_of_0_1_does_a_job_of_todays_coordinator() {
    let recorded = Recorded::new("0.1");
    let cluster = &recorded.cluster;
    let alone = recorded.folder().join("alone");
    Convert::new([cluster.root().join("run")], &alone)
        .args(["--baseline", "4"])
        .run()
        .must_succeed();
    let mut coordinator = cluster.start_coordinator();
    let submit = cluster.client("submit");
    submit
        .args(["data:run", "--out", "data:npy", "--baseline", "4", "--range-size", "1"])
        .run()
        .must_succeed();

    let channel = connect(&cluster.address()).await;
    let mut worker = Worker::start(channel.clone(), vec![], 1).await;
    coordinator.says("worker old has come");

    // It gives the first lease back, and works on the second while its connection breaks: it comes with it again.
    let first = worker.granted().await;
    let job = worker.job(first.job).await;
    must_be_todays(&job, &recorded);
    worker.give_back(&first);
    let second = worker.granted().await;
    assert_ne!(
        second.lease, first.lease,
        "a lease that was given back was granted again"
    );
    worker.works_on(&second, Step::Converting);
    drop(worker);
    let mut worker = Worker::start(channel.clone(), vec![second], 0).await;

    let listed = FleetClient::with_interceptor(channel.clone(), speaking)
        .list(Request::new(ListWorkersRequest {}))
        .await
        .unwrap()
        .into_inner()
        .workers;
    session::must_be_as_told(&listed);

    let mut next = Some(second);
    let mut settled = BTreeSet::new();
    let mut made = BTreeSet::new();
    while settled.len() < 6 {
        if let Some(grant) = next.take() {
            recorded.deliver(&grant, &job.head);
            worker.works_on(&grant, Step::Delivering);
            worker.delivered(&grant);
            let fresh = made.insert((grant.channel, grant.row_start));
            assert!(fresh, "{grant:?} was granted although its rows are there");
        }
        match worker.hear().await {
            to_worker::Message::Grant(grant) => next = Some(grant),
            to_worker::Message::Settle(settle) => {
                let lease = settle.lease.unwrap();
                assert!(
                    settled.insert((lease.epoch, lease.attempt)),
                    "{lease:?} is settled twice"
                );
            }
            other => panic!("not expected: {other:?}"),
        }
    }

    let mut jobs = JobsClient::with_interceptor(channel.clone(), speaking);
    let mut watched = jobs
        .watch(Request::new(WatchRequest { job: 1 }))
        .await
        .unwrap()
        .into_inner();
    let mut last = None;
    while let Some(job) = watched.message().await.unwrap() {
        last = Some(job);
    }
    let done = last.expect("the job's state, until it has ended");
    assert_eq!(done.state(), JobState::Done, "{done:?}");
    assert_eq!((done.rows, done.rows_done, done.bad_rows), (6, 6, 0), "{done:?}");
    assert_eq!((done.run.as_str(), done.out.as_str()), ("run", "data:npy"));

    let drained = FleetClient::with_interceptor(channel, speaking)
        .drain(Request::new(DrainRequest {
            worker: "old".to_owned(),
        }))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(drained.leases, 0);
    assert!(matches!(worker.hear().await, to_worker::Message::Dismiss(_)));
    worker.goodbye().await;
    coordinator.says("worker old");
    must_be_whole(&cluster.root().join("npy"), &outputs(&alone));
}

/// What 0.1 looks for before it works on a job.
fn must_be_todays(job: &Job, recorded: &Recorded) {
    let head = &job.head;
    assert_eq!(head.folder_root, "data");
    let folder = recorded.cluster.root().join(&head.folder_path);
    assert_eq!(std::fs::read(folder.join("token")).unwrap(), head.token.as_bytes());
    assert_eq!(head.plan_bytes, job.plan.len() as u64);
    // A plan of another version it refuses.
    assert_eq!(&job.plan[..8], b"TRC2PLAN");
    assert_eq!(job.plan[8..12], 1_u32.to_le_bytes());
    assert!(head.plan_id.len() == 64 && head.plan_id.bytes().all(|digit| digit.is_ascii_hexdigit()));
    assert!(!head.trust_size);
    assert_eq!(head.settle_ms, 10_000);
    assert!(!head.checks.is_empty());
    for check in &head.checks {
        assert_eq!(check.crc, recorded.crc_of_file(check.channel, check.file), "{check:?}");
    }
}
