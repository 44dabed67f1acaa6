//! The pods of deploy/kubernetes, as they are written: their arguments, variables and probes, with this machine's folders in
//! the place of the volumes. Each is the first process of its namespace; certificates are what
//! cert-manager would make of the example.

use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Ended, Running, must_equal, poll, yaml};

use crate::common::{Lab, alone, at, first_of, namespaces, read, signal};
use crate::secrets::CertManager;

/// A container of a pod.
struct Container<'a> {
    lab: &'a Lab,
    spec: Value,
    /// The folder in the place of `/certs`.
    certs: &'a Path,
}

impl<'a> Container<'a> {
    /// The only container of the only workload in this file of the base.
    fn of(file: &str, lab: &'a Lab, certs: &'a Path) -> Option<Self> {
        let documents = yaml(&read(&at("kubernetes/base").join(file)))?;
        let workload = documents
            .iter()
            .find(|document| matches!(document["kind"].as_str(), Some("StatefulSet" | "Deployment")));
        let containers = &workload.unwrap()["spec"]["template"]["spec"]["containers"];
        assert_eq!(containers.as_array().unwrap().len(), 1);
        let spec = containers[0].clone();
        Some(Self { lab, spec, certs })
    }

    /// What stands in the manifest, for this machine.
    fn here(&self, word: &Value) -> String {
        let address = self.lab.cluster.address();
        let certs = self.certs.to_string_lossy();
        let root = self.lab.cluster.root().to_string_lossy();
        let state = self.lab.cluster.state().to_string_lossy();
        let places = [
            ("0.0.0.0:7070", address.as_str()),
            ("127.0.0.1:7070", &address),
            ("trc2npy-coordinator:7070", &address),
            ("/certs", &certs),
            ("=/data", &format!("={root}")),
            ("=/state", &format!("={state}")),
        ];
        places
            .iter()
            .fold(word.as_str().unwrap().to_owned(), |word, (there, here)| {
                word.replace(there, here)
            })
    }

    fn words(&self, words: &Value) -> Vec<String> {
        words.as_array().unwrap().iter().map(|word| self.here(word)).collect()
    }

    fn with_variables(&self, call: Call) -> Call {
        let variables = self.spec["env"].as_array().unwrap();
        variables.iter().fold(call, |call, variable| {
            call.env(variable["name"].as_str().unwrap(), &self.here(&variable["value"]))
        })
    }

    /// Starts it as the first process of its namespace.
    fn start(&self, more: &[&str]) -> Running {
        let words = self.words(&self.spec["args"]);
        let (subcommand, args) = words.split_first().unwrap();
        let call = self.with_variables(alone(subcommand)).args(args);
        call.args(more).start()
    }

    /// Runs the command of a probe.
    fn probe(&self, probe: &str) -> Ended {
        let words = self.words(&self.spec[probe]["exec"]["command"]);
        assert_eq!(words[0], "/usr/local/bin/trc2npy", "{probe}: where the image has it");
        self.with_variables(Call::of(&words[1])).args(&words[2..]).run()
    }
}

#[test]
fn the_pods_do_a_job_and_are_drained_while_it_runs() {
    if !namespaces() {
        return;
    }
    let lab = Lab::new(&RunSpec::new(300, 500));
    let Some(cert_manager) = CertManager::new() else { return };
    let mount = |who: &str| cert_manager.mount(&format!("trc2npy-{who}-tls"), &lab.path(who));
    let [of_coordinator, of_worker, of_client] = ["coordinator", "worker", "client"].map(mount);
    let Some(coordinator) = Container::of("coordinator.yaml", &lab, &of_coordinator) else {
        return;
    };
    let Some(worker) = Container::of("workers.yaml", &lab, &of_worker) else {
        return;
    };
    let probes = ["startupProbe", "livenessProbe", "readinessProbe"];
    for probe in probes {
        coordinator.probe(probe).must_end_with(1);
    }
    let mut leading = coordinator.start(&[]);
    leading.says("listening on");
    for probe in probes {
        coordinator.probe(probe).must_succeed();
    }

    // One stands still with rows in hand when its node is emptied, and a second one, of the same certificate, comes for it.
    let mut first = worker.start(&["--name=trc2npy-worker-1"]);
    first.says("connected to");
    let process = first_of(&first);
    signal(process, Signal::STOP);
    let certs = ["--certs", of_client.to_str().unwrap()];
    let submit = lab.cluster.client("submit").args(["data:run", "--out", "data:npy"]);
    submit.args(certs).run().must_succeed();
    lab.lease_is_given(&certs);
    signal(process, Signal::TERM);
    signal(process, Signal::CONT);
    first.wait().must_succeed().must_say(&["what was in hand is done"]);
    let mut second = worker.start(&["--name=trc2npy-worker-2"]);
    second.says("connected to");
    lab.cluster
        .client("job")
        .args(["1", "--wait"])
        .args(certs)
        .run()
        .must_succeed();
    must_equal(&lab.cluster.root().join("npy"), &lab.reference());
    lab.nothing_is_left("npy");

    // A secret that is renewed is taken as it is mounted anew, and nobody is cut off.
    mount("coordinator");
    poll("the renewed certificate", || {
        // The files are looked at when somebody calls.
        coordinator.probe("livenessProbe").must_succeed();
        let told = leading.stderr();
        told.contains("new certificate: trc2npy-coordinator").then_some(())
    });
    assert!(second.runs() && leading.runs());
    assert!(
        !leading.stderr().contains("everyone on this machine can read"),
        "{}",
        leading.stderr()
    );

    // All is deleted.
    for (pod, code) in [(second, 0), (leading, 0)] {
        signal(first_of(&pod), Signal::TERM);
        pod.wait().must_end_with(code);
    }
}

/// What a worker's certificate is not for.
#[test]
fn the_secret_of_the_workers_does_not_let_them_submit() {
    let lab = Lab::new(&RunSpec::new(1, 500));
    let [of_coordinator, of_worker] = ["coordinator", "worker"].map(|role| lab.certs(role));
    let mut coordinator = lab
        .cluster
        .coordinator()
        .args(["--certs"])
        .args([&of_coordinator])
        .start();
    coordinator.says("listening on");
    let submit = lab
        .cluster
        .client("submit")
        .args(["data:run", "--out", "data:npy", "--certs"]);
    let refused = submit.args([&of_worker]).run();
    refused
        .must_end_with(1)
        .must_say(&["is for worker, and client is needed here"]);
    drop(coordinator);
}
