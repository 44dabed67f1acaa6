//! `trc2npy doctor`: machines, folders and clocks, good and bad, as a user looks at them.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};
use trc2npy_proto::v1::fleet_server::{Fleet, FleetServer};
use trc2npy_proto::v1::{DrainReply, DrainRequest, ListWorkersReply, ListWorkersRequest};
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Cluster, Ended, scratch, write_run};

fn doctor(folder: &Path, words: &[&str]) -> Ended {
    Call::of("doctor").from(folder).args(words).run()
}

/// What `--json` shows, which ends with `code`.
#[track_caller]
fn json(folder: &Path, words: &[&str], code: i32) -> Vec<Value> {
    let ended = Call::of("doctor").from(folder).args(words).args(["--json"]).run();
    ended.must_end_with(code);
    let value: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:#?}"));
    value["findings"].as_array().unwrap().clone()
}

#[track_caller]
fn of<'a>(findings: &'a [Value], what: &str) -> &'a Value {
    let found = findings.iter().find(|finding| finding["what"] == what);
    found.unwrap_or_else(|| panic!("nothing of {what} in {findings:#?}"))
}

#[track_caller]
fn must_be_empty(folder: &Path) {
    let left: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_good_folder_ends_with_0_and_is_left_as_it_was() {
    let folder = scratch();
    let ended = doctor(folder.path(), &[]);
    ended.must_succeed().must_say(&[
        "ok    folder",
        "., writable",
        "memory",
        "a long run should go well here",
    ]);
    must_be_empty(folder.path());

    doctor(folder.path(), &["out/deep"])
        .must_succeed()
        .must_say(&["out/deep, not there yet"]);
    must_be_empty(folder.path());
}

#[test]
fn json_has_every_finding_and_advice_where_something_is_to_be_done() {
    let folder = scratch();
    let findings = json(folder.path(), &["."], 0);
    for what in ["folder", "file system", "free space", "processor", "memory"] {
        of(&findings, what);
    }
    for finding in &findings {
        assert!(!finding["found"].as_str().unwrap().is_empty(), "{finding}");
        let verdict = finding["verdict"].as_str().unwrap();
        assert!(["ok", "note"].contains(&verdict), "{finding}");
        assert_eq!(finding["advice"].is_null(), verdict == "ok", "{finding}");
    }
}

#[test]
fn a_run_is_weighed_against_the_room() {
    let folder = scratch();
    let run = folder.path().join("r005");
    write_run(&RunSpec::new(40, 500), &run);
    doctor(folder.path(), &["out", "--for", "r005"])
        .must_succeed()
        .must_say(&["ok    run", "the arrays of 1 run need ", " and fit"]);
    doctor(folder.path(), &["out", "--for", "r006"])
        .must_end_with(1)
        .must_say(&["bad   run", "r006", "--dry-run"]);
    doctor(folder.path(), &["r005/C1--Trace--00000.trc"])
        .must_end_with(2)
        .must_say(&["is a file; name the folder"]);
    assert!(!folder.path().join("out").exists());
}

#[cfg(unix)]
#[test]
fn a_disk_too_small_for_the_run_is_bad() {
    let Some(disk) = trc2npy_tests::SmallDisk::mount(1 << 20) else {
        return;
    };
    let folder = scratch();
    let run = folder.path().join("r005");
    write_run(&RunSpec::new(40, 20_000), &run);
    let out = disk.out();
    let words = [out.to_str().unwrap(), "--for", run.to_str().unwrap()];
    doctor(folder.path(), &words).must_end_with(1).must_say(&[
        "bad   run",
        "the arrays of 1 run need ",
        " are free",
        "free some space, name a folder on another disk",
        "a long run would fail here: 1 thing is bad",
    ]);
    assert_eq!(of(&json(folder.path(), &words, 1), "run")["verdict"], "bad");
    must_be_empty(disk.path());
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_to_is_bad() {
    let folder = scratch();
    // Nobody makes files there, not even root.
    doctor(folder.path(), &["/proc/self/out"]).must_end_with(1).must_say(&[
        "bad   folder",
        "could not write into /proc/self",
        "a long run would fail here",
    ]);
}

#[cfg(unix)]
#[test]
fn a_read_only_disk_is_bad() {
    let Some(disk) = trc2npy_tests::SmallDisk::mount(4 << 20) else {
        return;
    };
    let path = disk.path().to_str().unwrap();
    let remounted = std::process::Command::new("mount")
        .args(["-o", "remount,ro", path])
        .status();
    assert!(remounted.unwrap().success());
    doctor(disk.path(), &[]).must_end_with(1).must_say(&[
        "bad   folder",
        "the file system is read-only",
        "choose another folder or mount it writable",
    ]);
}

#[cfg(unix)]
#[test]
fn too_few_open_files_are_bad() {
    let folder = scratch();
    let limited = |limit: &str| {
        let script = format!("ulimit -n {limit}; exec \"$@\"");
        Call::launched_by("sh", &["-c", &script, "sh"], "doctor")
            .from(folder.path())
            .run()
    };
    limited("100")
        .must_end_with(1)
        .must_say(&["bad   open files", "at most 100, 256 are needed", "ulimit -n 4096"]);
    limited("300")
        .must_succeed()
        .must_say(&["ok    open files", "at most 300"]);
}

#[test]
fn quiet_shows_only_what_there_is_to_do() {
    let folder = scratch();
    let ended = doctor(folder.path(), &["--quiet", "out", "--for", "nothing"]);
    ended.must_end_with(1).must_say(&["bad   run"]);
    assert!(!ended.stdout.lines().any(|line| line.starts_with("ok ")), "{ended:#?}");
    assert!(!ended.stdout.contains("a long run"), "{ended:#?}");
    assert_eq!(ended.stderr, "");
}

#[test]
fn the_clock_of_a_coordinator_on_this_machine_agrees() {
    let folder = scratch();
    let root = folder.path().join("data");
    fs::create_dir(&root).unwrap();
    let cluster = Cluster::new(&root);
    let address = cluster.address();
    // Nobody listens yet.
    doctor(folder.path(), &["--coordinator", &address])
        .must_end_with(1)
        .must_say(&["bad   coordinator", "no coordinator answers at"]);

    let coordinator = cluster.start_coordinator();
    let ended = doctor(folder.path(), &["--coordinator", &address]);
    ended
        .must_succeed()
        .must_say(&["ok    clock", "the coordinator's is 0."]);
    // The variable names it too.
    let ended = Call::of("doctor")
        .env("TRC2NPY_COORDINATOR", &address)
        .from(&root)
        .run();
    ended.must_succeed().must_say(&["ok    clock"]);
    drop(coordinator);
    doctor(folder.path(), &["--coordinator", "192.0.2.1:7070"])
        .must_end_with(2)
        .must_say(&["add --insecure where you trust the network"]);
}

/// A coordinator that knows nothing but its own time: so many ms off ours, or none.
struct Skewed(Option<i64>);

#[tonic::async_trait]
impl Fleet for Skewed {
    async fn list(&self, _: Request<ListWorkersRequest>) -> Result<Response<ListWorkersReply>, Status> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = u64::try_from(now.as_millis()).unwrap();
        let now_ms = self.0.map_or(0, |off| now.checked_add_signed(off).unwrap());
        Ok(Response::new(ListWorkersReply {
            now_ms,
            ..ListWorkersReply::default()
        }))
    }

    async fn drain(&self, _: Request<DrainRequest>) -> Result<Response<DrainReply>, Status> {
        Err(Status::unimplemented("not here"))
    }
}

/// Runs `look` while such a coordinator listens.
fn beside(off: Option<i64>, look: impl FnOnce(SocketAddr)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (over, ends) = tokio::sync::oneshot::channel::<()>();
    let serving = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let server = tonic::transport::Server::builder()
                .add_service(FleetServer::new(Skewed(off)))
                .serve_with_incoming(TcpListenerStream::new(listener));
            tokio::select! {
                ended = server => ended.unwrap(),
                _ = ends => {}
            }
        });
    });
    look(address);
    drop(over);
    serving.join().unwrap();
}

#[test]
fn a_clock_that_is_off_is_told_by_how_much() {
    let folder = scratch();
    for (off, code, verdict, words) in [
        (Some(500), 0, "ok", "s ahead of this one"),
        (Some(30_000), 0, "note", "s ahead of this one"),
        (Some(-30_000), 0, "note", "s behind this one"),
        (Some(3_600_000), 1, "bad", "s ahead of this one"),
        // One that was built before there was such a field.
        (None, 0, "note", "the coordinator does not tell its own"),
    ] {
        beside(off, |address| {
            let findings = json(folder.path(), &["--coordinator", &address.to_string()], code);
            let clock = of(&findings, "clock");
            assert_eq!(clock["verdict"], verdict, "{clock}");
            assert!(clock["found"].as_str().unwrap().contains(words), "{clock}");
            if let Some(off) = off {
                let told = clock["found"].as_str().unwrap().split(' ').nth(3).unwrap();
                let told: f64 = told.parse().unwrap();
                #[expect(clippy::cast_precision_loss, reason = "some ms")]
                let apart = (told * 1000.0 - off.unsigned_abs() as f64).abs();
                assert!(apart < 1500.0, "{clock}");
            }
        });
    }
}
