//! Certificates that change while the coordinator runs.

use std::fs;

use trc2npy_synth::RunSpec;
use trc2npy_tests::{poll, run_python};

use crate::common::{Odd, Sealed};

/// The certificate that is shown at an address, as the standard library of another language sees it.
fn shown(address: &str) -> String {
    const SCRIPT: &str = "
import ssl, sys
host, port = sys.argv[1].split(':')
print(ssl.get_server_certificate((host, int(port))))
";
    run_python(SCRIPT, [address]).trim().to_owned()
}

#[test]
fn a_new_certificate_is_taken_without_a_restart_and_nobody_is_cut_off() {
    let lab = Sealed::new(&RunSpec::new(4, 500));
    let mut coordinator = lab.start_coordinator();
    let address = lab.cluster.address();
    let of_worker = lab.issue("ca", "pc2", &[]);
    let worker = lab.start_worker("pc2", &of_worker);
    let file = lab.of_coordinator().join("tls.crt");
    let read = || fs::read_to_string(&file).unwrap().trim().to_owned();
    let before = read();
    assert_eq!(shown(&address), before);

    let renewed = lab.certs("ca", "issue", &["pc1", "--role", "coordinator"]);
    renewed.must_succeed();
    assert!(
        renewed.stdout.contains("it replaces the one that was there"),
        "{}",
        renewed.stdout
    );
    assert_ne!(read(), before);
    // The files are looked at once a second.
    poll("the new certificate", || (shown(&address) == read()).then_some(()));
    coordinator.says("new certificate: pc1");

    // One that cannot be used does not replace it.
    let good = read();
    fs::write(&file, "nothing").unwrap();
    poll("the complaint", || {
        assert_eq!(shown(&address), good);
        let told = coordinator.stderr();
        told.contains(
            "a certificate was expected in PEM form, found 7 bytes of something else; going on with the former",
        )
        .then_some(())
    });
    fs::write(&file, &good).unwrap();

    // Clients and workers read theirs at each connection.
    let other = lab.issue("ca", "pc2", &[]);
    assert_eq!(other, of_worker);
    let submit = lab.client("submit", &lab.of_coordinator());
    submit
        .args(["data:run", "--out", "data:npy", "--wait"])
        .run()
        .must_succeed();
    assert_eq!(
        worker.stderr().matches("connected to").count(),
        1,
        "{}",
        worker.stderr()
    );
    drop(coordinator);
}

/// A coordinator whose certificate ends while it runs: who calls is told, and a new one mends it.
#[test]
fn a_certificate_that_ends_meanwhile_is_told_by_who_calls() {
    let lab = Sealed::new(&RunSpec::new(1, 500));
    let anna = lab.issue("ca", "anna", &["--role", "client"]);
    let short = lab.odd(
        "short",
        &Odd {
            until: time::Duration::seconds(4),
            ..Odd::default()
        },
    );
    let mut coordinator = lab.cluster.coordinator().args(["--certs"]).args([&short]).start();
    coordinator.says("this certificate (short) ends on");
    coordinator.says("listening on");
    let ended = poll("its end", || {
        let ended = lab.client("jobs", &anna).run();
        (ended.status.code() != Some(0)).then_some(ended)
    });
    ended
        .must_end_with(1)
        .must_say(&["its certificate has expired on", "issue a new one for the coordinator"]);
    for name in ["tls.crt", "tls.key"] {
        fs::copy(lab.of_coordinator().join(name), short.join(name)).unwrap();
    }
    poll("the new one", || {
        (lab.client("jobs", &anna).run().status.code() == Some(0)).then_some(())
    });
}

/// A key was stolen: a new CA is made, and the coordinator gets a certificate of it.
#[test]
fn who_was_let_in_by_a_ca_that_counts_no_more_is_cut_off() {
    let lab = Sealed::new(&RunSpec::new(4, 500));
    let mut coordinator = lab.start_coordinator();
    let stolen = lab.issue("ca", "pc2", &[]);
    let mut thief = lab.start_worker("pc2", &stolen);
    lab.init("new");
    let fresh = lab.issue("new", "pc1", &["--role", "coordinator"]);
    for name in ["ca.crt", "tls.key", "tls.crt"] {
        fs::copy(fresh.join(name), lab.of_coordinator().join(name)).unwrap();
    }
    coordinator.says("another lab CA counts now");
    thief.says("its certificate comes from another lab CA");
    let boss = lab.issue("new", "boss", &["--role", "client"]);
    let workers = poll("the thief to be gone", || {
        let workers = lab.client("workers", &boss).args(["--json"]).run();
        let known: serde_json::Value = serde_json::from_str(&workers.stdout).unwrap();
        let works = known.as_array().unwrap().iter().any(|worker| worker["state"] == "idle");
        (!works).then_some(known)
    });
    println!("{workers}");
    drop(thief);
}

#[test]
fn a_connection_ends_with_its_certificate() {
    let lab = Sealed::new(&RunSpec::new(4, 500));
    let coordinator = lab.start_coordinator();
    let brief = lab.odd(
        "brief",
        &Odd {
            role: "worker",
            until: time::Duration::seconds(4),
            ..Odd::default()
        },
    );
    let mut worker = lab.cluster.worker("brief").args(["--certs"]).args([&brief]).start();
    worker.says("connected to");
    worker.says("this certificate (brief) has expired on");
    drop(coordinator);
}

#[test]
fn a_renewed_certificate_is_for_what_it_was_for() {
    let lab = Sealed::new(&RunSpec::new(1, 500));
    lab.issue("ca", "pc1", &["--role", "coordinator", "--host", "pc1.lab"]);
    let show = || {
        let told = trc2npy_tests::Call::of("certs")
            .args(["show", "--json"])
            .args([lab.of_coordinator()])
            .run();
        told.must_succeed();
        let told: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
        (
            told["roles"].clone(),
            told["hosts"].clone(),
            told["fingerprint"].clone(),
        )
    };
    let before = show();
    assert_eq!(
        before.1,
        serde_json::json!(["pc1.lab", "localhost", "127.0.0.1", "::1"])
    );
    lab.issue("ca", "pc1", &[]);
    let after = show();
    assert_eq!((&before.0, &before.1), (&after.0, &after.1));
    assert_ne!(before.2, after.2);
}
