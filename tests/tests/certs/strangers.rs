//! What somebody on the network can do who has no business there: nothing that lasts.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::runtime::Runtime;
use tonic::Code;
use trc2npy_proto::link::{Announce, Destination};
use trc2npy_proto::v1::jobs_client::JobsClient;
use trc2npy_proto::v1::{GetRequest, ListJobsRequest, SubmitRequest};
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Running, must_equal, poll, python};

use crate::common::Sealed;

/// Opens connections from many addresses of this machine, says half of something on each, and holds them until its input
/// ends. Those that are closed at once count as well.
const HALF_OPEN: &str = "
import resource, socket, sys
port, count = int(sys.argv[1]), int(sys.argv[2])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
said = [b'', b'P', b'PRI * HTTP/2.0', b'\\x16\\x03\\x01\\x02\\x00\\x01']
held = []
for index in range(count):
    one = socket.socket()
    one.settimeout(5)
    try:
        one.bind((f'127.0.0.{2 + index % 25}', 0))
        one.connect(('127.0.0.1', port))
        one.sendall(said[index % len(said)])
        held.append(one)
    except OSError:
        one.close()
    if index == count // 2:
        print('half', flush=True)
print(len(held), flush=True)
sys.stdin.read()
";

/// What a process holds.
struct Held {
    files: usize,
    /// Resident, in KiB.
    memory: u64,
    threads: usize,
}

impl Held {
    fn by(process: &Running) -> Self {
        let path = format!("/proc/{}", process.pid());
        let count = |what: &str| fs::read_dir(format!("{path}/{what}")).unwrap().count();
        let status = fs::read_to_string(format!("{path}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        Self {
            files: count("fd"),
            memory: line.split_whitespace().nth(1).unwrap().parse().unwrap(),
            threads: count("task"),
        }
    }
}

fn port(lab: &Sealed) -> String {
    lab.cluster.address().rsplit_once(':').unwrap().1.to_owned()
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn crowd(lab: &Sealed, count: usize) -> Child {
    Command::new(python())
        .args(["-c", HALF_OPEN, &port(lab), &count.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The coordinator has let go of all that strangers held, and serves.
fn is_as_before(lab: &Sealed, coordinator: &Running, before: &Held, trusted: &dyn Fn() -> Option<i32>) {
    poll("the coordinator to let go", || {
        let now = Held::by(coordinator);
        (now.files <= before.files + 2).then_some(())
    });
    poll("an answer", || (trusted() == Some(0)).then_some(()));
    let now = Held::by(coordinator);
    let grown = now.memory.saturating_sub(before.memory);
    assert!(grown < 48 << 10, "{grown} KiB more than before");
    // A job's plan is read, and sent, by threads that stay for a while.
    assert!(
        now.threads <= before.threads + 4,
        "{} threads, {} before",
        now.threads,
        before.threads
    );
    assert!(lab.cluster.state().exists());
}

fn ten_thousand(
    lab: &Sealed,
    coordinator: &mut Running,
    worker: &Running,
    trusted: &dyn Fn() -> Option<i32>,
    submit: &dyn Fn() -> Running,
) {
    let reference = lab.reference();
    let before = Held::by(coordinator);
    let mut strangers = crowd(lab, 10_000);
    let mut told = std::io::BufReader::new(strangers.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut told, &mut line).unwrap();
    assert_eq!(line, "half\n");
    // While they come and stay: a job from its submit to its end.
    let job = submit();
    line.clear();
    std::io::BufRead::read_line(&mut told, &mut line).unwrap();
    let held: usize = line.trim().parse().unwrap();
    assert!(held > 5_000, "only {held} connections came about");
    job.wait().must_succeed();
    must_equal(&lab.cluster.root().join("npy"), &reference);
    // They are still there, and are let go of one after the other: nobody closes on this side.
    poll("the coordinator to let go", || {
        (Held::by(coordinator).files <= before.files + 4).then_some(())
    });
    drop(strangers.stdin.take());
    strangers.wait().unwrap();
    is_as_before(lab, coordinator, &before, trusted);
    assert!(coordinator.runs());
    // The log has not been filled: a few sentences an address.
    let told = coordinator.stderr().matches("a connection is refused").count();
    assert!((1..=25 * 8).contains(&told), "{told} sentences");
    assert_eq!(
        worker.stderr().matches("connected to").count(),
        1,
        "{}",
        worker.stderr()
    );
}

#[test]
fn ten_thousand_half_open_connections_cost_nothing_that_lasts() {
    let lab = Sealed::new(&RunSpec::new(200, 1_000));
    let mut coordinator = lab.start_coordinator();
    let pc2 = lab.issue("ca", "pc2", &[]);
    let anna = lab.issue("ca", "anna", &["--role", "client"]);
    let worker = lab.start_worker("pc2", &pc2);
    let trusted = || lab.client("jobs", &anna).run().status.code();
    let submit = || {
        lab.client("submit", &anna)
            .args(["data:run", "--out", "data:npy", "--wait"])
            .start()
    };
    ten_thousand(&lab, &mut coordinator, &worker, &trusted, &submit);
}

#[test]
fn the_same_without_certificates() {
    let lab = Sealed::new(&RunSpec::new(200, 1_000));
    let mut coordinator = lab.cluster.start_coordinator();
    let worker = lab.cluster.start_worker("pc2");
    let trusted = || lab.cluster.client("jobs").run().status.code();
    let submit = || lab.cluster.submit("run", "npy").start();
    ten_thousand(&lab, &mut coordinator, &worker, &trusted, &submit);
}

/// What begins an HTTP/2 connection: the preface and an empty SETTINGS.
const BEGIN: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

#[test]
fn rubbish_and_oversized_frames_end_a_connection_and_nothing_else() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for is_sealed in [true, false] {
        let lab = Sealed::new(&RunSpec::new(1, 500));
        let mut coordinator = if is_sealed {
            lab.start_coordinator()
        } else {
            lab.cluster.start_coordinator()
        };
        let anna = lab.issue("ca", "anna", &["--role", "client"]);
        let trusted = || {
            let client = if is_sealed {
                lab.client("jobs", &anna)
            } else {
                lab.cluster.client("jobs")
            };
            client.run().status.code()
        };
        let before = Held::by(&coordinator);
        let rubbish: Vec<Vec<u8>> = vec![
            (0..100_000).map(|_| random.u8(..)).collect(),
            // A frame that says it is 16 MiB long.
            [BEGIN, b"\xff\xff\xff\0\0\0\0\0\x01"].concat(),
            // Headers without end, and headers that are none.
            [BEGIN, &b"\0\x40\0\x01\0\0\0\0\x01".repeat(3), &[0x82; 40_000]].concat(),
            [BEGIN, b"\0\0\x04\x01\x04\0\0\0\x01\xff\xff\xff\xff"].concat(),
            // Ten thousand requests that are taken back at once.
            (0..10_000u32)
                .flat_map(|index| {
                    let stream = (2 * index + 1).to_be_bytes();
                    let headers = [&b"\0\0\x03\x01\x04"[..], &stream, b"\x83\x86\x84"].concat();
                    [headers, [&b"\0\0\x04\x03\0"[..], &stream, b"\0\0\0\x08"].concat()].concat()
                })
                .fold(BEGIN.to_vec(), |mut all, byte| {
                    all.push(byte);
                    all
                }),
            // A TLS record that is longer than one may be, and one of another version.
            [&b"\x16\x03\x01\xff\xff"[..], &[0; 70_000]].concat(),
            b"\x16\x02\x00\x00\x05hello".to_vec(),
            b"GET / HTTP/1.1\r\nHost: pc1\r\n\r\n".to_vec(),
        ];
        for bytes in &rubbish {
            let mut stream = TcpStream::connect(lab.cluster.address()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
            // It may be closed before all is said.
            let _ = stream.write_all(bytes);
            let mut answer = Vec::new();
            let ended = stream.read_to_end(&mut answer);
            let is_open = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
            assert!(!is_open, "{:?} is still listened to", &bytes[..20.min(bytes.len())]);
            assert!(answer.len() < 1 << 20);
        }
        is_as_before(&lab, &coordinator, &before, &trusted);
        assert!(coordinator.runs());
    }
}

#[test]
fn a_message_that_is_too_large_is_refused_before_it_is_in_memory() {
    let lab = Sealed::new(&RunSpec::new(1, 500));
    let coordinator = lab.cluster.start_coordinator();
    let before = Held::by(&coordinator);
    runtime().block_on(async {
        let channel = Destination::open(lab.cluster.address().parse().unwrap())
            .connect()
            .await
            .unwrap();
        let mut jobs = JobsClient::with_interceptor(channel, Announce).max_encoding_message_size(usize::MAX);
        let large = SubmitRequest {
            inputs: vec!["x".repeat(64 << 20)],
            ..SubmitRequest::default()
        };
        let refused = jobs.submit(large).await.unwrap_err();
        assert_eq!(refused.code(), Code::OutOfRange, "{refused:?}");
        assert_eq!(
            jobs.get(GetRequest { job: 1 }).await.unwrap_err().code(),
            Code::NotFound
        );
    });
    let grown = Held::by(&coordinator).memory.saturating_sub(before.memory);
    assert!(grown < 32 << 10, "{grown} KiB more than before");
}

/// Asks again and again, and never reads an answer.
#[test]
fn who_does_not_read_is_let_go_of() {
    let lab = Sealed::new(&RunSpec::new(1, 500));
    let coordinator = lab.cluster.start_coordinator();
    let trusted = || lab.cluster.client("jobs").run().status.code();
    let before = Held::by(&coordinator);
    let mut strangers = Vec::new();
    for _ in 0..20 {
        let mut stream = TcpStream::connect(lab.cluster.address()).unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        let ping = b"\0\0\x08\x06\0\0\0\0\0trc2npy!";
        let _ = stream.write_all(BEGIN);
        // Each is to be answered with as much. Once the buffers between both are full, no more can be sent.
        while stream.write_all(&ping.repeat(1_000)).is_ok() {}
        strangers.push(stream);
    }
    poll("the coordinator to let go", || {
        (Held::by(&coordinator).files <= before.files + 2).then_some(())
    });
    is_as_before(&lab, &coordinator, &before, &trusted);
    drop(strangers);
}

#[test]
fn one_who_asks_too_often_is_told_so_and_others_are_served() {
    let lab = Sealed::new(&RunSpec::new(1, 500));
    let mut coordinator = lab.start_coordinator();
    let anna = lab.issue("ca", "anna", &["--role", "client"]);
    let bob = lab.issue("ca", "bob", &["--role", "client"]);
    runtime().block_on(async {
        let destination = Destination {
            address: lab.cluster.address().parse().unwrap(),
            trust: trc2npy_proto::link::Trust::Certs {
                folder: anna.clone(),
                role: trc2npy_certs::Role::Client,
            },
        };
        let channel = destination.connect().await.unwrap();
        let mut jobs = JobsClient::with_interceptor(channel, Announce);
        for _ in 0..100_000 {
            if let Err(status) = jobs.list(ListJobsRequest {}).await {
                assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
                assert!(
                    status
                        .message()
                        .contains("anna (client) at 127.0.0.1 asks more than 200 times a second"),
                    "{status:?}"
                );
                // Another one at the same address.
                lab.client("jobs", &bob).run().must_succeed();
                return;
            }
        }
        panic!("100,000 calls were answered");
    });
    coordinator.says("anna (client) at 127.0.0.1 asks more than");
}
