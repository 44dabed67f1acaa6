//! deploy/container/compose.yaml: its containers' commands, run as they are written, with this machine's folders in the place
//! of their volumes. That compose itself reads the file is seen where there is one.

use std::fs;
use std::process::Command;

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, must_equal, tool, usable, yaml};

use crate::common::{Lab, at, read};

fn compose() -> Option<Value> {
    Some(yaml(&read(&at("container/compose.yaml")))?[0].clone())
}

/// A command of the file, for this machine.
fn words(lab: &Lab, service: &str, command: &Value) -> Vec<String> {
    let machine = if service == "coordinator" { service } else { "worker" };
    let folders = [
        ("/certs", lab.path("trc2npy-ca/machines").join(machine)),
        ("/data", lab.cluster.root().to_owned()),
        ("/state", lab.cluster.state().to_owned()),
    ];
    let words = command.as_array().unwrap().iter().map(|word| word.as_str().unwrap());
    words
        .map(|word| {
            let word = word.replace("0.0.0.0:7070", &lab.cluster.address());
            let word = word.replace("coordinator:7070", &lab.cluster.address());
            folders
                .iter()
                .fold(word, |word, (there, here)| word.replace(there, here.to_str().unwrap()))
        })
        .collect()
}

#[test]
fn the_containers_do_a_job() {
    let Some(compose) = compose() else { return };
    let services = &compose["services"];
    let lab = Lab::new(&RunSpec::new(60, 500));
    // As the page says, in the folder of the file.
    let certs = |args: &str| {
        let call = Call::of("certs").from(&lab.path("")).args(args.split(' '));
        call.run().must_succeed();
    };
    let page = read(&trc2npy_tests::workspace().join("docs/containers.md"));
    let asked = page
        .lines()
        .filter_map(|line| line.strip_prefix("docker compose --profile setup run --rm certs "));
    let asked: Vec<&str> = asked.collect();
    assert_eq!(asked.len(), 4, "{asked:?}");
    asked.into_iter().for_each(certs);

    let call = |service: &str, command: &Value| {
        let words = words(&lab, service, command);
        Call::of(&words[0]).args(&words[1..])
    };
    let mut coordinator = call("coordinator", &services["coordinator"]["command"]).start();
    coordinator.says("listening on");
    let health = services["coordinator"]["healthcheck"]["test"].as_array().unwrap();
    assert_eq!(health[..2], ["CMD".into(), Value::from("/usr/local/bin/trc2npy")]);
    let health = Value::from(health[2..].to_vec());
    call("coordinator", &health)
        .args(["--coordinator", &lab.cluster.address()])
        .run()
        .must_succeed();
    let workers = ["worker1", "worker2", "worker3"].map(|service| {
        let mut worker = call(service, &services[service]["command"])
            .args(["--name", service])
            .start();
        worker.says("connected to");
        worker
    });
    let client = lab.path("trc2npy-ca/machines/client");
    lab.cluster
        .submit("run", "npy")
        .args(["--certs"])
        .args([client])
        .run()
        .must_succeed();
    must_equal(&lab.cluster.root().join("npy"), &lab.reference());
    drop((workers, coordinator));
}

#[test]
fn every_container_is_bound_as_a_pod_and_every_variable_is_in_the_example() {
    let Some(compose) = compose() else { return };
    for (name, service) in compose["services"].as_object().unwrap() {
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"][0], "ALL", "{name}");
        assert_eq!(service["security_opt"][0], "no-new-privileges:true", "{name}");
        let user = service["user"].as_str().unwrap();
        assert!(
            user.starts_with("${LAB_USER:?"),
            "{name}: nobody is root unless he says so"
        );
        let command = service["command"].to_string();
        assert!(!command.contains("insecure"), "{name}");
        let volumes = service["volumes"].as_array().unwrap().iter();
        let keys = volumes.filter(|volume| volume.as_str().unwrap().contains("machines/"));
        // The CA's key is in sight of the one that makes certificates alone.
        assert_eq!(keys.count(), usize::from(name != "certs"), "{name}");
    }
    let text = read(&at("container/compose.yaml"));
    let example = read(&at("container/.env.example"));
    for variable in text.split("${").skip(1) {
        let variable = variable.split([':', '}']).next().unwrap();
        let is_there = example.lines().any(|line| line.starts_with(&format!("{variable}=")));
        assert!(is_there, "{variable} is not in .env.example");
    }
}

#[test]
fn compose_reads_it() {
    let compose = tool("podman-compose");
    if !usable(&compose.to_string_lossy(), ["--version"]) {
        eprintln!("LEFT OUT: no compose reads compose.yaml (pip install podman-compose)");
        return;
    }
    let lab = Lab::new(&RunSpec::new(1, 500));
    let folder = lab.path("compose");
    fs::create_dir(&folder).unwrap();
    for (from, to) in [("compose.yaml", "compose.yaml"), (".env.example", ".env")] {
        fs::copy(at("container").join(from), folder.join(to)).unwrap();
    }
    let output = Command::new(compose)
        .arg("config")
        .current_dir(&folder)
        .output()
        .unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(output.status.success() && out.contains("worker3:"), "{out}{err}");
}
