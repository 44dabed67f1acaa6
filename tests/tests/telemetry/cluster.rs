//! One trace for a job, whatever processes work on it, and whatever becomes of them.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use rustix::process::Signal;
use tonic::Request;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use trc2npy_proto::link::Announce;
use trc2npy_proto::v1::jobs_client::JobsClient;
use trc2npy_proto::{Submission, v1};
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Cluster, Convert, Running, must_equal, outputs, poll, scratch, write_run};

use super::receiver::{Receiver, Told};

/// Of `convert` where nothing is asked for, in the JSON in which they stand in a plan.
const BYTE_OPTIONS: &str = r#"{"dtype": "float32", "baseline": {"points": 0, "method": "mean"}, "events": "union",
    "ragged": "error", "mixed": "error", "on_bad_file": "nan",
    "selection": {"rows": {"start": 0, "end": null, "every": 1}, "samples": "all", "array": "1"}}"#;

type Client = JobsClient<InterceptedService<Channel, Announce>>;

struct Site<'r> {
    cluster: Cluster,
    receiver: &'r Receiver,
}

impl<'r> Site<'r> {
    fn new(root: &Path, receiver: &'r Receiver) -> Self {
        let spec = RunSpec {
            channels: vec![1, 2],
            ..RunSpec::new(60, 1000)
        };
        write_run(&spec, &root.join("run"));
        let cluster = Cluster::new(root);
        Self { cluster, receiver }
    }

    fn coordinator(&self) -> Running {
        let mut running = self.receiver.heard(self.cluster.coordinator()).start();
        running.says("listening on");
        running
    }

    fn worker(&self, name: &str) -> Running {
        let mut running = self.receiver.heard(self.cluster.worker(name)).start();
        running.says("connected to");
        running
    }

    async fn client(&self) -> Client {
        let address = format!("http://{}", self.cluster.address());
        let endpoint = tonic::transport::Endpoint::from_shared(address).unwrap();
        JobsClient::with_interceptor(endpoint.connect().await.unwrap(), Announce)
    }

    fn submit(&self) -> Running {
        let call = self.cluster.submit("run", "npy");
        let call = call.args(["--range-size", "20kB", "--settle", "0s"]);
        self.receiver.heard(call).start()
    }
}

fn named<'t>(spans: &'t [Told], name: &'static str) -> impl Iterator<Item = &'t Told> {
    spans.iter().filter(move |span| span.name() == name)
}

#[track_caller]
fn one<'t>(spans: &'t [Told], name: &'static str) -> &'t Told {
    let all: Vec<&Told> = named(spans, name).collect();
    assert_eq!(all.len(), 1, "{name}");
    all[0]
}

/// Everything that must hold of the trace of a finished job of the run, told by any number of processes.
#[track_caller]
fn must_be_whole(spans: &[Told]) {
    let submit = one(spans, "submit");
    let job = one(spans, "job");
    assert!(submit.span.parent_span_id.is_empty() && job.is_below(submit));
    assert_eq!(
        (job.text("trc2npy.state"), job.text("trc2npy.run")),
        ("done".to_owned(), "run".to_owned())
    );
    assert_eq!(job.number("trc2npy.rows.count"), 120);
    let trace: HashSet<&[u8]> = spans.iter().map(|told| told.span.trace_id.as_slice()).collect();
    assert_eq!(trace.len(), 1, "one trace for all");
    let ids: HashSet<&[u8]> = spans.iter().map(|told| told.span.span_id.as_slice()).collect();
    assert_eq!(ids.len(), spans.len(), "each span is told once");
    for part in ["plan", "finish"] {
        assert!(one(spans, part).is_below(job), "{part}");
    }
    let mut rows: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for range in named(spans, "range") {
        assert!(range.is_below(job), "attempts are siblings");
        let parts = |name| named(spans, name).filter(|part| part.is_below(range)).count();
        let wins = range.text("trc2npy.winner") == "true";
        assert_eq!(wins, range.text("trc2npy.outcome") == "committed");
        assert!(!range.text("trc2npy.worker").is_empty());
        if wins {
            let (first, count) = (range.number("trc2npy.rows.first"), range.number("trc2npy.rows.count"));
            rows.entry(range.text("trc2npy.channel"))
                .or_default()
                .extend(first..first + count);
            assert_eq!([parts("stitch"), parts("commit")], [1, 1]);
            assert!(range.number("trc2npy.bytes") > 0);
        }
    }
    assert_eq!(rows.len(), 2);
    for (channel, mut rows) in rows {
        rows.sort_unstable();
        assert!(
            rows.into_iter().eq(0..60),
            "{channel}: every row is in one range that counts"
        );
    }
}

#[test]
fn a_job_of_two_workers_one_of_which_is_killed_is_one_trace() {
    let folder = scratch();
    let receiver = Receiver::start();
    let site = Site::new(&folder.path().join("root"), &receiver);
    let coordinator = site.coordinator();
    let mut doomed = site.worker("doomed");
    // It takes leases and never ends one.
    doomed.signal(Signal::STOP);
    let submitted = site.submit();
    poll("a lease of the doomed worker", || {
        let told = site.cluster.client("workers").args(["--json"]).run();
        (told.stdout.contains("\"leases\"") && !told.stdout.contains("\"leases\": 0")).then_some(())
    });
    let good = site.worker("good");
    doomed.kill_now();
    submitted.wait().must_succeed();
    // The coordinator's metrics come, too, under the names that Prometheus reads.
    for (name, value) in [
        ("committed_rows_total", 120.0),
        ("bad_rows_total", 0.0),
        ("workers_connected", 1.0),
    ] {
        poll(format!("{name} to be {value}"), || {
            let is_so = (receiver.metric(&format!("trc2npy_{name}"))? - value).abs() < 1e-9;
            is_so.then_some(())
        });
    }
    // What ends, sends all that it has.
    for running in [good, coordinator] {
        running.signal(Signal::TERM);
        running.wait().must_succeed();
    }
    Convert::new([site.cluster.root().join("run")], folder.path().join("alone"))
        .run()
        .must_succeed();
    must_equal(&site.cluster.root().join("npy"), &outputs(&folder.path().join("alone")));
    let spans = receiver.spans();
    must_be_whole(&spans);
    for range in named(&spans, "range").filter(|range| range.text("trc2npy.winner") == "true") {
        assert_eq!(range.text("trc2npy.worker"), "good");
        let stages: Vec<&Told> = spans.iter().filter(|part| part.is_below(range)).collect();
        let by_workers = |name| {
            let its = stages.iter().filter(|stage| stage.name() == name);
            its.filter(|stage| stage.resource["service.name"] == "trc2npy-worker")
                .count()
        };
        // Rows that were in the process that was killed are made in a process of their own, which tells nothing itself.
        let apart = usize::from(range.number("trc2npy.attempt") > 1);
        assert_eq!(by_workers("apart"), apart, "{range:?}");
        for stage in ["read", "decode", "write", "sync"] {
            assert_eq!(by_workers(stage), 1 - apart, "{stage}");
        }
    }
    let lost: Vec<&Told> = named(&spans, "range")
        .filter(|range| range.text("trc2npy.outcome") == "lost")
        .collect();
    assert!(!lost.is_empty());
    for attempt in lost {
        assert!(attempt.has_failed() && attempt.text("trc2npy.worker") == "doomed");
        let again = named(&spans, "range").find(|range| {
            range.text("trc2npy.channel") == attempt.text("trc2npy.channel")
                && range.number("trc2npy.rows.first") == attempt.number("trc2npy.rows.first")
                && range.text("trc2npy.winner") == "true"
        });
        let again = again.expect("its rows were made by another");
        assert!(again.number("trc2npy.attempt") >= 2, "{again:?}");
    }
    let services: HashSet<&str> = spans
        .iter()
        .map(|told| told.resource["service.name"].as_str())
        .collect();
    assert_eq!(
        services,
        HashSet::from(["trc2npy-submit", "trc2npy-coordinator", "trc2npy-worker"])
    );
}

#[test]
fn a_trace_goes_on_over_a_restart_of_the_coordinator() {
    let folder = scratch();
    let receiver = Receiver::start();
    let site = Site::new(&folder.path().join("root"), &receiver);
    let coordinator = site.coordinator();
    let submitted = site.submit();
    poll("the job", || {
        let told = site.cluster.client("jobs").args(["--json"]).run();
        told.stdout.contains("\"running\"").then_some(())
    });
    // Its job is planned, and told of.
    coordinator.signal(Signal::TERM);
    coordinator.wait().must_succeed();
    let coordinator = site.coordinator();
    let worker = site.worker("late");
    submitted.wait().must_succeed();
    for running in [worker, coordinator] {
        running.signal(Signal::TERM);
        running.wait().must_succeed();
    }
    must_be_whole(&receiver.spans());
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn submission(key: &str, input: &str, out: &str) -> v1::SubmitRequest {
    v1::SubmitRequest {
        key: key.to_owned(),
        inputs: vec![input.to_owned()],
        out: out.to_owned(),
        name: "{channel}--Trace.npy".to_owned(),
        options: BYTE_OPTIONS.to_owned(),
        sync_every: 1 << 30,
        ..v1::SubmitRequest::default()
    }
}

/// Planning takes long (the worker that is to list the files stands still), and another submit comes meanwhile.
#[test]
fn a_submit_that_waited_for_another_is_linked_to_it() {
    let folder = scratch();
    let receiver = Receiver::start();
    let site = Site::new(&folder.path().join("root"), &receiver);
    let coordinator = site.coordinator();
    write_run(&RunSpec::new(3, 100), &folder.path().join("scope/run"));
    let own = format!("scope={}", folder.path().join("scope").display());
    let mut worker = site.cluster.worker("slow").args(["--root", &own]).start();
    worker.says("connected to");
    worker.signal(Signal::STOP);
    runtime().block_on(async {
        let client = site.client().await;
        let submit = async |key: &str, input: &str, out: &str| {
            let request = submission(key, input, out);
            client.clone().submit(request).await.unwrap()
        };
        let go_on = async {
            // Answered after both submits have come: they came before on the same connection.
            for _ in 0..3 {
                client.clone().list(v1::ListJobsRequest {}).await.unwrap();
            }
            worker.signal(Signal::CONT);
        };
        tokio::join!(
            submit("1", "scope:run", "data:first"),
            submit("2", "data:run", "data:second"),
            go_on
        );
    });
    for job in ["1", "2"] {
        site.cluster.client("job").args([job, "--wait"]).run().must_succeed();
    }
    // Whose arrays are there already is a job, too.
    site.cluster.submit("run", "second").run().must_succeed();
    coordinator.signal(Signal::TERM);
    coordinator.wait().must_succeed();
    let spans = receiver.spans();
    let done = named(&spans, "job")
        .find(|job| job.text("trc2npy.done_already") == "true")
        .unwrap();
    assert!(named(&spans, "plan").any(|plan| plan.is_below(done)));
    let job = |out: &str| {
        named(&spans, "job")
            .find(|job| job.text("trc2npy.out") == out && job.span != done.span)
            .unwrap()
    };
    let plan = |out: &str| named(&spans, "plan").find(|plan| plan.is_below(job(out))).unwrap();
    assert!(plan("data:first").span.links.is_empty());
    let links: Vec<_> = plan("data:second")
        .span
        .links
        .iter()
        .map(|link| (&link.trace_id, &link.span_id))
        .collect();
    let first = &job("data:first").span;
    assert_eq!(links, [(&first.trace_id, &first.span_id)]);
}

/// W3C's context comes with a call's metadata, and goes back with its answer.
#[test]
fn a_callers_trace_is_gone_on_with() {
    let folder = scratch();
    let receiver = Receiver::start();
    let site = Site::new(&folder.path().join("root"), &receiver);
    let coordinator = site.coordinator();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let answer = runtime.block_on(async {
        let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", site.cluster.address()))
            .unwrap()
            .connect()
            .await
            .unwrap();
        let mut client = JobsClient::with_interceptor(channel, Announce);
        let mut request = Request::new(v1::SubmitRequest {
            key: "k".to_owned(),
            inputs: vec!["data:run".to_owned()],
            out: "data:npy".to_owned(),
            name: "{channel}--Trace.npy".to_owned(),
            options: BYTE_OPTIONS.to_owned(),
            sync_every: 1 << 30,
            ..v1::SubmitRequest::default()
        });
        Submission::try_from(request.get_ref().clone()).unwrap();
        let caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        request.metadata_mut().insert("traceparent", caller.parse().unwrap());
        client.submit(request).await.unwrap()
    });
    let job = answer
        .metadata()
        .get("traceparent")
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        job.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && !job.contains("00f067aa0ba902b7"),
        "{job}"
    );
    site.cluster.client("cancel").args(["1"]).run().must_succeed();
    coordinator.signal(Signal::TERM);
    coordinator.wait().must_succeed();
    let spans = receiver.spans();
    let told = one(&spans, "job");
    let hex = |bytes: &[u8]| {
        let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        digits.concat()
    };
    assert_eq!(hex(&told.span.trace_id), "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(hex(&told.span.parent_span_id), "00f067aa0ba902b7");
    assert_eq!(
        job,
        format!("00-{}-{}-01", hex(&told.span.trace_id), hex(&told.span.span_id))
    );
    assert_eq!(told.text("trc2npy.state"), "cancelled");
}
