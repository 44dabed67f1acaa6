//! Machines that fetch their certificates over the wire.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, must_equal, poll};

use crate::common::Sealed;

fn spec() -> RunSpec {
    RunSpec {
        channels: vec![1, 2],
        ..RunSpec::new(100, 1_000)
    }
}

#[test]
fn a_lab_with_certificates_makes_what_convert_makes_and_notes_who_asked() {
    let lab = Sealed::new(&spec());
    let reference = lab.reference();
    let mut coordinator = lab.start_coordinator();
    coordinator.says("certificate: pc1 (pc1, localhost, 127.0.0.1, ::1), valid until");
    // One is given its certificate on a stick, the other one fetches it.
    let given = lab.issue("ca", "pc2", &[]);
    let fetched = lab.path("fetched");
    let token = lab.token(&[]);
    let join = || {
        let worker = lab.cluster.worker("pc3").args(["--join", &token, "--certs"]);
        worker.args([&fetched]).start()
    };
    let first = lab.start_worker("pc2", &given);
    let mut second = join();
    second.says("certificate of pc3 fetched into");
    second.says("connected to");
    second.kill();
    // The same command line again: the token is used up, and is not needed.
    let mut second = join();
    second.says("there is a certificate already; --join is not needed");
    second.says("connected to");

    let anna = lab.issue("ca", "anna", &["--role", "client"]);
    let submit = lab
        .client("submit", &anna)
        .args(["data:run", "--out", "data:npy", "--wait"]);
    submit.run().must_succeed();
    must_equal(&lab.cluster.root().join("npy"), &reference);
    lab.client("cancel", &anna).args(["1"]).run().must_succeed();
    // Whoever leads may do what a client may.
    lab.client("drain", &lab.of_coordinator())
        .args(["pc2"])
        .run()
        .must_succeed();
    first.wait().must_succeed();

    let audit = fs::read_to_string(lab.cluster.state().join("audit.jsonl")).unwrap();
    let lines: Vec<Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            (
                line["what"].as_str().unwrap(),
                line["who"].as_str(),
                line["of"].as_str().unwrap(),
            )
        })
        .collect();
    assert!(
        told[0].0 == "certificate" && told[0].1.is_none() && told[0].2.starts_with("pc3 (worker), valid until"),
        "{told:?}"
    );
    assert_eq!(
        told[1..],
        [
            ("submit", Some("anna"), "job 1, run -> data:npy"),
            ("cancel", Some("anna"), "job 1"),
            ("drain", Some("pc1"), "worker pc2"),
        ]
    );
    assert!(lines.iter().all(|line| line["from"] == "127.0.0.1"));
    coordinator.says("audit: submit by anna (client) at 127.0.0.1: job 1, run -> data:npy");
    // What the CA has issued stands there, too.
    let issued = fs::read_to_string(lab.path("ca").join("issued.jsonl")).unwrap();
    let names: Vec<Value> = issued.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = names
        .iter()
        .map(|line| (line["name"].as_str().unwrap(), line["by"].as_str().unwrap()))
        .collect();
    assert_eq!(
        names,
        [("pc1", "issue"), ("pc2", "issue"), ("pc3", "join"), ("anna", "issue")]
    );
    drop((second, coordinator));
}

#[test]
fn a_token_works_once_in_its_time_and_for_whom_it_was_made() {
    let lab = Sealed::new(&RunSpec::new(1, 500));
    let mut coordinator = lab.start_coordinator();
    let address = lab.cluster.address();
    let join = |token: &str, name: &str| {
        let call = Call::of("certs").args(["join", token, "--coordinator", &address, "--name", name, "--certs"]);
        (call.args([lab.path(name)]).run(), lab.path(name))
    };
    let token = lab.token(&["--role", "client"]);
    let (joined, folder) = join(&token, "anna");
    joined.must_succeed();
    lab.client("jobs", &folder).run().must_succeed();
    let (again, folder) = join(&token, "bob");
    again
        .must_end_with(1)
        .must_say(&["it was used already", "trc2npy certs join-token"]);
    assert!(!folder.join("tls.key").exists(), "nothing is written");

    let token = lab.token(&["--name", "pc5"]);
    join(&token, "pc6")
        .0
        .must_end_with(1)
        .must_say(&["this join token is for pc5, not for pc6"]);
    join(&token, "pc5").0.must_succeed();

    let token = lab.token(&[]);
    let tokens = fs::read_dir(lab.path("ca").join("tokens")).unwrap();
    for record in tokens.flatten() {
        // As if a quarter of an hour had gone by.
        let mut value: Value = serde_json::from_str(&fs::read_to_string(record.path()).unwrap()).unwrap();
        value["until_ms"] = 1.into();
        fs::write(record.path(), value.to_string()).unwrap();
    }
    join(&token, "pc7")
        .0
        .must_end_with(1)
        .must_say(&["this join token was valid for 15 minutes, until 1970-01-01"]);

    // One that another lab's coordinator is asked with: it is not believed, and does not learn the token.
    lab.init("other");
    let made = lab.certs("other", "join-token", &[]);
    join(made.stdout.trim(), "pc8")
        .0
        .must_end_with(1)
        .must_say(&["its certificate comes from another lab CA than the one that is trusted here"]);
    let unknown = format!("trc2npy-join-{}{}", "0".repeat(32), &token[token.len() - 32..]);
    join(&unknown, "pc9")
        .0
        .must_end_with(1)
        .must_say(&["the coordinator does not know this join token"]);
    join("trc2npy-join-12", "pc9")
        .0
        .must_end_with(2)
        .must_say(&["this is no join token"]);
    join(&lab.token(&[]), "a b")
        .0
        .must_end_with(2)
        .must_say(&["a certificate's name is 1 to 64 letters"]);
    coordinator.says("no certificate is issued: this join token was valid for 15 minutes");
}

#[test]
fn of_many_who_come_with_one_token_one_gets_a_certificate() {
    let lab = Sealed::new(&RunSpec::new(1, 500));
    let coordinator = lab.start_coordinator();
    let address = lab.cluster.address();
    let token = lab.token(&[]);
    let calls: Vec<_> = (0..8)
        .map(|index| {
            let name = format!("pc{index}");
            let call = Call::of("certs").args(["join", &token, "--coordinator", &address, "--name", &name, "--certs"]);
            call.args([lab.path(&name)]).start()
        })
        .collect();
    let ended: Vec<_> = calls.into_iter().map(|call| call.wait().status.code()).collect();
    assert_eq!(ended.iter().filter(|code| **code == Some(0)).count(), 1, "{ended:?}");
    drop(coordinator);
}

#[test]
fn a_coordinator_without_the_ca_says_so() {
    let lab = Sealed::new(&RunSpec::new(1, 500));
    let mut coordinator = lab
        .cluster
        .coordinator()
        .args(["--certs"])
        .args([lab.of_coordinator()])
        .start();
    coordinator.says("listening on");
    let token = lab.token(&[]);
    let worker = lab
        .cluster
        .worker("pc2")
        .args(["--join", &token, "--certs"])
        .args([lab.path("pc2")])
        .run();
    worker
        .must_end_with(1)
        .must_say(&["this coordinator has no lab CA", "start it with --ca"]);
}

#[test]
fn private_keys_are_their_owners_alone() {
    let lab = Sealed::new(&RunSpec::new(1, 500));
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let ca = lab.path("ca");
    assert_eq!(mode(&ca.join("ca.key")), 0o600);
    assert_eq!(mode(&ca), 0o700);
    let folder = lab.of_coordinator();
    assert_eq!(mode(&folder.join("tls.key")), 0o600);
    // A second CA in one place would leave half of the lab outside.
    lab.certs("ca", "init", &[])
        .must_end_with(1)
        .must_say(&["there is a lab CA already"]);
    // A key that lies open is told of.
    fs::set_permissions(folder.join("tls.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let told = Call::of("certs").args(["show"]).args([&folder]).run();
    told.must_succeed()
        .must_say(&["tls.key: everyone on this machine can read this private key"]);
    let mut coordinator = lab.start_coordinator();
    coordinator.says("everyone on this machine can read this private key");
}

#[test]
fn nothing_that_is_there_is_lost() {
    let lab = Sealed::new(&RunSpec::new(1, 500));
    let mut coordinator = lab.start_coordinator();
    let address = lab.cluster.address();
    let join = |token: &str, name: &str, folder: &std::path::Path| {
        let call = Call::of("certs").args(["join", token, "--coordinator", &address, "--name", name, "--certs"]);
        call.args([folder]).run()
    };
    let token = lab.token(&[]);
    let own = lab.of_coordinator();
    let before = fs::read(own.join("tls.crt")).unwrap();
    join(&token, "pc2", &own)
        .must_end_with(1)
        .must_say(&["holds the certificate of pc1 (coordinator)"]);
    join(&token, "pc2", &lab.path("ca"))
        .must_end_with(1)
        .must_say(&["holds a lab CA"]);
    let file = lab.path("file");
    fs::write(&file, "mine").unwrap();
    join(&token, "pc2", &file).must_end_with(1).must_say(&["file: "]);
    // Nobody becomes somebody else by a token for whoever comes.
    join(&token, "pc1", &lab.path("pc1")).must_end_with(1).must_say(&[
        "a certificate was issued to pc1 before",
        "trc2npy certs join-token --name pc1",
    ]);
    // Where the CA cannot write, the token stays good.
    let issued = lab.path("ca").join("issued.jsonl");
    fs::rename(&issued, lab.path("aside")).unwrap();
    fs::create_dir(&issued).unwrap();
    join(&token, "pc2", &lab.path("pc2"))
        .must_end_with(1)
        .must_say(&["the coordinator cannot issue certificates"]);
    fs::remove_dir(&issued).unwrap();
    fs::rename(lab.path("aside"), &issued).unwrap();
    join(&token, "pc2", &lab.path("pc2")).must_succeed();
    assert_eq!(fs::read(own.join("tls.crt")).unwrap(), before);
    coordinator.says("no certificate is issued");

    lab.init("other");
    let other = lab.path("other");
    let issue = |args: &[&str], out: &std::path::Path| {
        Call::of("certs")
            .args(["issue", "--ca"])
            .args([lab.path("ca")])
            .args(args)
            .args(["--out"])
            .args([out])
            .run()
    };
    issue(&["pc3"], &other).must_end_with(1).must_say(&["holds a lab CA"]);
    issue(&["pc3"], &lab.path("pc2"))
        .must_end_with(1)
        .must_say(&["holds the certificate of pc2"]);
    // Half of a CA, and a CA's certificate with another one's key.
    fs::copy(other.join("ca.crt"), lab.path("ca").join("ca.crt")).unwrap();
    lab.certs("ca", "issue", &["pc4"])
        .must_end_with(1)
        .must_say(&["ca.key is not the key of ca.crt"]);
    fs::remove_file(lab.path("ca").join("ca.crt")).unwrap();
    for action in [&["init"][..], &["issue", "pc4"]] {
        lab.certs("ca", action[0], &action[1..])
            .must_end_with(1)
            .must_say(&["half of a lab CA: ca.crt is missing"]);
    }
}

/// Whoever asks and goes away has asked all the same.
#[test]
fn who_does_not_wait_for_the_answer_is_noted() {
    let lab = Sealed::new(&RunSpec::new(3_000, 500));
    let coordinator = lab.start_coordinator();
    let anna = lab.issue("ca", "anna", &["--role", "client"]);
    let submits = 4;
    for number in 0..submits {
        let out = format!("data:npy-{number}");
        let mut submit = lab
            .client("submit", &anna)
            .args(["data:run", "--out", &out, "--probe", "all"])
            .start();
        poll("the coordinator to plan", || {
            // Whatever it is at: the call has come, or is about to.
            let jobs = lab.client("jobs", &anna).args(["--json"]).run();
            (jobs.status.code() == Some(0)).then_some(())
        });
        submit.kill_now();
    }
    poll("a line for each job", || {
        let jobs = lab.client("jobs", &anna).args(["--json"]).run();
        let jobs: Vec<Value> = serde_json::from_str(&jobs.stdout).unwrap();
        let audit = fs::read_to_string(lab.cluster.state().join("audit.jsonl")).unwrap_or_default();
        let noted = audit.lines().filter(|line| line.contains("\"submit\"")).count();
        (noted == jobs.len()).then_some(())
    });
    drop(coordinator);
}
