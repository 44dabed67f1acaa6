//! What people are told where certificates do not fit.

use std::fs;
use std::path::Path;

use time::Duration;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Cluster, python};

use crate::common::{Odd, Sealed};

fn lab() -> Sealed {
    Sealed::new(&RunSpec::new(1, 500))
}

#[test]
fn certificates_out_of_their_time_are_told_with_the_dates() {
    let lab = lab();
    let expired = |role| Odd {
        role,
        until: Duration::days(-1),
        ..Odd::default()
    };
    let early = |role| Odd {
        role,
        from: Duration::days(2),
        ..Odd::default()
    };
    let old = lab.odd("old", &expired("client"));
    let told = [
        "tls.crt: this certificate (old) has expired on",
        "trc2npy certs issue old",
    ];
    lab.client("jobs", &old).run().must_end_with(1).must_say(&told);
    Call::of("certs")
        .args(["show"])
        .args([&old])
        .run()
        .must_end_with(1)
        .must_say(&told);
    let young = lab.odd("young", &early("worker"));
    let worker = lab.cluster.worker("young").args(["--certs"]).args([&young]).run();
    worker.must_end_with(1).must_say(&[
        "this certificate (young) is valid from",
        "this machine's clock says",
        "is the clock right?",
    ]);
    let leads = |folder: &Path| lab.cluster.coordinator().args(["--certs"]).args([folder]).run();
    leads(&lab.odd("older", &expired("coordinator")))
        .must_end_with(1)
        .must_say(&["has expired on"]);
    leads(&lab.odd("younger", &early("coordinator")))
        .must_end_with(1)
        .must_say(&["is the clock right?"]);
    assert!(!lab.cluster.state().exists(), "nothing was begun");
}

#[test]
fn machines_of_two_labs_say_whose_certificate_is_wrong() {
    let lab = lab();
    let mut coordinator = lab.start_coordinator();
    lab.init("other");
    let bob = lab.issue("other", "bob", &["--role", "client"]);
    lab.client("jobs", &bob)
        .run()
        .must_end_with(1)
        .must_say(&["its certificate comes from another lab CA than the one that is trusted here"]);
    coordinator.says("it does not trust this coordinator's certificate: its ca.crt is of another lab CA");
    // One that trusts both is not trusted by the coordinator.
    let both =
        [lab.path("ca").join("ca.crt"), lab.path("other").join("ca.crt")].map(|path| fs::read_to_string(path).unwrap());
    fs::write(bob.join("ca.crt"), both.concat()).unwrap();
    lab.client("jobs", &bob)
        .run()
        .must_end_with(1)
        .must_say(&["it does not accept this machine's certificate: it comes from another lab CA"]);
    coordinator.says("its certificate comes from another lab CA");
    // Files of two folders in one.
    fs::copy(lab.path("ca").join("ca.crt"), bob.join("ca.crt")).unwrap();
    lab.client("jobs", &bob)
        .run()
        .must_end_with(1)
        .must_say(&["tls.crt: this certificate (bob) was issued by another lab CA than"]);
    let anna = lab.issue("ca", "anna", &["--role", "client"]);
    fs::copy(lab.of_coordinator().join("tls.key"), anna.join("tls.key")).unwrap();
    lab.client("jobs", &anna)
        .run()
        .must_end_with(1)
        .must_say(&["tls.key: this key is not the one of", "copy both from the same folder"]);
    fs::remove_file(anna.join("tls.key")).unwrap();
    lab.client("jobs", &anna)
        .run()
        .must_end_with(1)
        .must_say(&["tls.key: cannot be read: No such file", "made by trc2npy certs issue"]);
}

#[test]
fn a_coordinator_that_is_none_or_is_called_by_another_name_is_not_believed() {
    let lab = lab();
    let anna = lab.issue("ca", "anna", &["--role", "client"]);
    let elsewhere = lab.odd(
        "elsewhere",
        &Odd {
            hosts: &["pc7.lab.example", "192.0.2.7"],
            ..Odd::default()
        },
    );
    let mut coordinator = lab.cluster.coordinator().args(["--certs"]).args([&elsewhere]).start();
    coordinator.says("listening on");
    lab.client("jobs", &anna)
        .run()
        .must_end_with(1)
        .must_say(&["its certificate is for pc7.lab.example, 192.0.2.7: use one of these names"]);
    coordinator.kill();
    // A worker's certificate with a forged role cannot lead: the CA has not let it serve.
    let forged = lab.odd(
        "forged",
        &Odd {
            may_serve: false,
            ..Odd::default()
        },
    );
    let leads = lab.cluster.coordinator().args(["--certs"]).args([&forged]).run();
    leads
        .must_end_with(1)
        .must_say(&["cannot be used as coordinator: it lacks the purpose"]);
}

#[test]
fn who_speaks_openly_to_who_does_not_is_told_what_is_missing() {
    let lab = lab();
    let anna = lab.issue("ca", "anna", &["--role", "client"]);
    let of_worker = lab.issue("ca", "pc2", &[]);
    let mut coordinator = lab.start_coordinator();
    for call in [
        lab.cluster.client("jobs"),
        lab.cluster.worker("pc2"),
        lab.cluster.submit("run", "npy"),
    ] {
        call.run()
            .must_end_with(1)
            .must_say(&["this coordinator asks for certificates: say where this machine's is (--certs DIR)"]);
    }
    coordinator.says("a connection is refused: it speaks without a certificate (from 127.0.0.1)");
    coordinator.kill();
    let coordinator = lab.cluster.start_coordinator();
    lab.client("jobs", &anna)
        .run()
        .must_end_with(1)
        .must_say(&["it speaks without certificates: start it with --certs"]);
    // A worker waits until that is mended: it may have been started first.
    let mut worker = lab.cluster.worker("pc2").args(["--certs"]).args([&of_worker]).start();
    worker.says("it speaks without certificates");
    drop(coordinator);
    let coordinator = lab.start_coordinator();
    worker.says("connected to");
    drop(coordinator);
}

#[test]
fn nothing_is_said_openly_over_a_network_unless_that_was_asked_for() {
    let lab = lab();
    let token = lab.path("token");
    fs::write(&token, "0123456789abcdef").unwrap();
    let at = |listen: &str| {
        let cluster = Cluster::new(lab.cluster.root());
        let call = Call::of("coordinator").args(["--listen", listen, "--root", &cluster.mapping(), "--state"]);
        call.args([lab.cluster.state()])
    };
    at("0.0.0.0:0")
        .run()
        .must_end_with(2)
        .must_say(&["give it a certificate (--certs DIR; see trc2npy certs)"]);
    let page = at("127.0.0.1:0")
        .args(["--http", "0.0.0.0:0", "--http-token-file"])
        .args([&token])
        .run();
    page.must_end_with(2)
        .must_say(&["the token and the page would go over the network in plain text"]);
    let both = at("0.0.0.0:0")
        .args(["--insecure", "--certs"])
        .args([lab.of_coordinator()])
        .run();
    both.must_end_with(2)
        .must_say(&["--insecure and --certs contradict each other"]);
    let mut open = at("0.0.0.0:0").args(["--insecure"]).start();
    open.says("warning: --insecure: nothing is encrypted");
    open.says("listening on");
    open.kill();
    let mut sealed = at("0.0.0.0:0").args(["--certs"]).args([lab.of_coordinator()]).start();
    sealed.says("listening on");
    assert!(!sealed.stderr().contains("--insecure"), "{}", sealed.stderr());
}

/// The status page of a coordinator with a certificate is sealed by it.
#[test]
fn the_page_is_served_with_the_same_certificate() {
    const SCRIPT: &str = "
import json, ssl, sys, urllib.request
page, ca = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
with urllib.request.urlopen(page + 'api/status', context=context) as answer:
    print(sorted(json.load(answer))[0])
";
    let lab = lab();
    let mut coordinator = lab.coordinator().args(["--http", "127.0.0.1:0"]).start();
    coordinator.says("status page on https://127.0.0.1:");
    let told = coordinator.stderr();
    let page = told
        .split("status page on ")
        .nth(1)
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned();
    let asked = std::process::Command::new(python())
        .args(["-c", SCRIPT, &page])
        .arg(lab.path("ca").join("ca.crt"))
        .output()
        .unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    assert!(!asked.stdout.is_empty());
}

#[test]
fn certificates_that_others_would_refuse_are_told_before() {
    let lab = lab();
    let show = |folder: &Path| Call::of("certs").args(["show"]).args([folder]).run();
    let none = lab.odd(
        "none",
        &Odd {
            role: "emperor",
            ..Odd::default()
        },
    );
    show(&none)
        .must_end_with(1)
        .must_say(&["this certificate (none) is for no role"]);
    let nowhere = lab.odd(
        "nowhere",
        &Odd {
            hosts: &[],
            ..Odd::default()
        },
    );
    show(&nowhere)
        .must_end_with(1)
        .must_say(&["cannot be used as coordinator: it has no host's name or address in it"]);
    let forged = lab.odd(
        "purpose",
        &Odd {
            may_serve: false,
            ..Odd::default()
        },
    );
    show(&forged)
        .must_end_with(1)
        .must_say(&["it lacks the purpose (extended key usage)"]);
    lab.init("other");
    let two = lab.cluster.coordinator().args(["--certs"]).args([lab.of_coordinator()]);
    let two = two.args(["--ca"]).args([lab.path("other")]).run();
    two.must_end_with(1)
        .must_say(&["this lab CA is another one than that of the coordinator's certificate"]);
}

/// A web server of the same CA, say.
#[test]
fn another_server_of_the_same_ca_is_no_coordinator() {
    const SCRIPT: &str = "
import socket, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + '/tls.crt', sys.argv[1] + '/tls.key')
context.set_alpn_protocols(['h2'])
listener = socket.create_server(('127.0.0.1', int(sys.argv[2])))
print('listening', flush=True)
while True:
    try:
        context.wrap_socket(listener.accept()[0], server_side=True).recv(1)
    except OSError:
        pass
";
    let lab = lab();
    let anna = lab.issue("ca", "anna", &["--role", "client"]);
    let web = lab.odd(
        "web",
        &Odd {
            role: "worker",
            ..Odd::default()
        },
    );
    let port = lab.cluster.address().rsplit_once(':').unwrap().1.to_owned();
    let mut server = std::process::Command::new(python())
        .args(["-c", SCRIPT])
        .arg(&web)
        .arg(&port)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(server.stdout.take().unwrap()), &mut line).unwrap();
    let asked = lab.client("jobs", &anna).run();
    server.kill().unwrap();
    server.wait().unwrap();
    asked
        .must_end_with(1)
        .must_say(&["its certificate is not a coordinator's"]);
}
