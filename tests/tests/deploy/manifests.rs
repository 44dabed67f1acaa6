//! The files of deploy/kubernetes: kustomize makes them into what Kubernetes' schemas allow, and what they name is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{scratch, tool, usable, workspace, yaml};

use crate::common::{Lab, at, read};

/// What can be given to a cluster.
const WHOLE: [&str; 3] = ["base", "overlays/example", "overlays/plain-text"];

fn folder(name: &str) -> PathBuf {
    at("kubernetes").join(name)
}

/// What kustomize makes of a folder; none where there is no kustomize, which is said.
fn kustomized(name: &str) -> Option<String> {
    let [kubectl, kustomize] = ["kubectl", "kustomize"].map(tool);
    let mut command = if usable(&kubectl.to_string_lossy(), ["kustomize", "--help"]) {
        let mut command = Command::new(kubectl);
        command.arg("kustomize");
        command
    } else if usable(&kustomize.to_string_lossy(), ["version"]) {
        let mut command = Command::new(kustomize);
        command.arg("build");
        command
    } else {
        eprintln!(
            "LEFT OUT: kustomize is not run on {name}; only its files are looked at (tests/deploy-tools fetches kubectl)"
        );
        return None;
    };
    let output = command.arg(folder(name)).output().unwrap();
    must_succeed(&output, name);
    let warned = String::from_utf8_lossy(&output.stderr);
    assert!(warned.is_empty(), "{name}: {warned}");
    Some(String::from_utf8(output.stdout).unwrap())
}

fn must_succeed(output: &Output, what: &str) {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{what}\n{out}{err}");
}

fn documents(name: &str) -> Option<Vec<Value>> {
    yaml(&kustomized(name)?)
}

/// The only object of a kind with a name.
fn object<'a>(all: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found: Vec<_> = all
        .iter()
        .filter(|object| object["kind"] == kind && object["metadata"]["name"] == name)
        .collect();
    assert_eq!(found.len(), 1, "{kind} {name}");
    found[0]
}

fn workloads(all: &[Value]) -> impl Iterator<Item = &Value> {
    all.iter()
        .filter(|object| matches!(object["kind"].as_str(), Some("StatefulSet" | "Deployment")))
}

/// Whether labels have all that a selector asks for.
fn selects(selector: &Value, labels: &Value) -> bool {
    let selector = selector.as_object().unwrap();
    assert!(!selector.is_empty(), "a selector that takes everything");
    selector.iter().all(|(name, value)| labels[name] == *value)
}

#[test]
fn every_file_is_named_and_every_named_file_is_there() {
    for name in WHOLE {
        let Some(named) = yaml(&read(&folder(name).join("kustomization.yaml"))) else {
            return;
        };
        let paths = |key: &str, at: &str| -> Vec<String> {
            let all = named[0][key].as_array().into_iter().flatten();
            all.filter_map(|entry| Some(if at.is_empty() { entry } else { &entry[at] }.as_str()?.to_owned()))
                .collect()
        };
        let mut all = BTreeSet::from(["kustomization.yaml".to_owned()]);
        all.extend(paths("resources", ""));
        all.extend(paths("patches", "path"));
        for path in &all {
            let path = folder(name).join(path);
            let is_there = path.is_file() || path.join("kustomization.yaml").is_file();
            assert!(is_there, "{} is named and not there", path.display());
        }
        for entry in fs::read_dir(folder(name)).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            assert!(all.contains(&file), "{name}: {file} is in no kustomization");
            assert!(!yaml(&read(&folder(name).join(&file))).unwrap().is_empty(), "{file}");
        }
    }
}

#[test]
fn kubernetes_allows_what_kustomize_makes() {
    let validate = tool("kubernetes-validate");
    if !usable(&validate.to_string_lossy(), ["--version"]) {
        eprintln!("LEFT OUT: nothing is held against Kubernetes' schemas (pip install kubernetes-validate)");
        return;
    }
    let scratch = scratch();
    let judge = |name: &str, text: &str| {
        let file = scratch.path().join("all.yaml");
        fs::write(&file, text).unwrap();
        let output = Command::new(&validate).arg("--strict").arg(&file).output().unwrap();
        must_succeed(&output, name);
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        for unknown in told.lines().filter(|line| line.contains("Couldn't find schema")) {
            // Its own definitions are not Kubernetes'.
            assert!(unknown.contains("cert-manager.io/v1"), "{unknown}");
        }
    };
    let shares = fs::read_to_string(workspace().join("deploy/kubernetes/indexed-job.yaml")).unwrap();
    // The image has no shell.
    assert!(!shares.contains("\"sh\"") && !shares.contains("command:"), "{shares}");
    judge("indexed-job", &shares);
    for name in WHOLE {
        match kustomized(name) {
            Some(text) => judge(name, &text),
            None if name == "base" => {
                for file in [
                    "service-account",
                    "shared-volume",
                    "coordinator",
                    "workers",
                    "network-policies",
                ] {
                    judge(file, &read(&folder(name).join(file).with_extension("yaml")));
                }
            }
            None => {}
        }
    }
}

#[test]
fn no_pod_may_more_than_it_needs() {
    for name in WHOLE {
        let Some(all) = documents(name) else { return };
        assert_eq!(workloads(&all).count(), 2);
        for workload in workloads(&all) {
            let pod = &workload["spec"]["template"]["spec"];
            let what = format!("{name}: {}", workload["metadata"]["name"]);
            assert_eq!(pod["automountServiceAccountToken"], false, "{what}");
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{what}");
            assert!(pod["securityContext"]["runAsUser"].as_u64().unwrap() > 0, "{what}");
            assert_eq!(
                pod["securityContext"]["fsGroupChangePolicy"], "OnRootMismatch",
                "{what}"
            );
            assert_eq!(
                pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault",
                "{what}"
            );
            let account = pod["serviceAccountName"].as_str().unwrap();
            object(&all, "ServiceAccount", account);
            for container in pod["containers"].as_array().unwrap() {
                let context = &container["securityContext"];
                assert_eq!(context["allowPrivilegeEscalation"], false, "{what}");
                assert_eq!(context["readOnlyRootFilesystem"], true, "{what}");
                assert_eq!(context["capabilities"]["drop"][0], "ALL", "{what}");
                for resource in ["cpu", "memory", "ephemeral-storage"] {
                    assert!(
                        container["resources"]["requests"][resource].is_string(),
                        "{what}: {resource}"
                    );
                }
                assert!(container["resources"]["limits"]["memory"].is_string(), "{what}");
            }
        }
    }
}

#[test]
fn names_and_labels_meet() {
    for name in WHOLE {
        let Some(all) = documents(name) else { return };
        let pods: Vec<_> = workloads(&all).map(|workload| &workload["spec"]["template"]).collect();
        let taken = |selector: &Value| {
            let taken: Vec<_> = pods
                .iter()
                .filter(|pod| selects(selector, &pod["metadata"]["labels"]))
                .collect();
            assert_eq!(taken.len(), 1, "{name}: {selector} takes {} kinds of pods", taken.len());
            taken[0]["metadata"]["labels"]["app.kubernetes.io/component"].clone()
        };
        for workload in workloads(&all) {
            let own = &workload["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"];
            assert_eq!(taken(&workload["spec"]["selector"]["matchLabels"]), *own);
            let pod = &workload["spec"]["template"]["spec"];
            let templates = workload["spec"]["volumeClaimTemplates"]
                .as_array()
                .into_iter()
                .flatten();
            let mut volumes: BTreeSet<&str> = templates
                .map(|claim| claim["metadata"]["name"].as_str().unwrap())
                .collect();
            for volume in pod["volumes"].as_array().unwrap() {
                volumes.insert(volume["name"].as_str().unwrap());
                if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() {
                    let claim = object(&all, "PersistentVolumeClaim", claim);
                    assert_eq!(claim["spec"]["accessModes"][0], "ReadWriteMany");
                }
            }
            let mounts = pod["containers"][0]["volumeMounts"].as_array().unwrap().iter();
            let mounted: BTreeSet<&str> = mounts.map(|mount| mount["name"].as_str().unwrap()).collect();
            assert_eq!(mounted, volumes, "{name}: {own}: volumes and mounts");
        }
        let service = object(&all, "Service", "trc2npy-coordinator");
        assert_eq!(taken(&service["spec"]["selector"]), "coordinator");
        let budget = object(&all, "PodDisruptionBudget", "trc2npy-worker");
        assert_eq!(taken(&budget["spec"]["selector"]["matchLabels"]), "worker");
        for who in ["coordinator", "worker"] {
            let policy = object(&all, "NetworkPolicy", &format!("trc2npy-{who}"));
            assert_eq!(taken(&policy["spec"]["podSelector"]["matchLabels"]), who);
        }
        // What workers call is what the coordinator listens on, and the service has.
        let text = Value::from(all.clone()).to_string();
        assert!(text.contains("--coordinator=trc2npy-coordinator:7070") && text.contains("--listen=0.0.0.0:7070"));
        assert_eq!(service["spec"]["ports"][0]["port"], 7070);
    }
}

#[test]
fn the_example_makes_the_secrets_that_are_mounted_with_the_roles_of_their_pods() {
    let Some(all) = documents("overlays/example") else {
        return;
    };
    for workload in workloads(&all) {
        let pod = &workload["spec"]["template"];
        let who = pod["metadata"]["labels"]["app.kubernetes.io/component"]
            .as_str()
            .unwrap();
        let mut volumes = pod["spec"]["volumes"].as_array().unwrap().iter();
        let secret = volumes
            .find_map(|volume| volume["secret"]["secretName"].as_str())
            .unwrap();
        let certificate = all
            .iter()
            .find(|object| object["kind"] == "Certificate" && object["spec"]["secretName"] == secret);
        let certificate = &certificate.unwrap_or_else(|| panic!("nothing makes {secret}"))["spec"];
        assert_eq!(
            certificate["uris"],
            serde_json::json!([format!("urn:trc2npy:role:{who}")])
        );
        let usages = certificate["usages"].as_array().unwrap();
        assert!(usages.contains(&"client auth".into()), "{who}");
        assert_eq!(usages.contains(&"server auth".into()), who == "coordinator");
    }
    let certificate = &object(&all, "Certificate", "trc2npy-coordinator")["spec"];
    assert_eq!(
        certificate["dnsNames"][0], "trc2npy-coordinator",
        "the name that workers call"
    );
    assert_eq!(
        certificate["ipAddresses"][0], "127.0.0.1",
        "the address that probes call"
    );
    // All lies in one namespace, but for what has none.
    for object in &all {
        let has_none = matches!(object["kind"].as_str(), Some("Namespace" | "PersistentVolume"));
        assert_eq!(object["metadata"]["namespace"].is_null(), has_none, "{object}");
    }
}

#[test]
fn without_certificates_the_kubelet_asks_and_it_is_said_aloud() {
    let Some(all) = documents("overlays/plain-text") else {
        return;
    };
    for workload in workloads(&all) {
        let container = &workload["spec"]["template"]["spec"]["containers"][0];
        let args = container["args"].as_array().unwrap();
        assert!(args.contains(&"--insecure".into()));
        assert!(!container.to_string().contains("certs"), "{container}");
    }
    let pod = &object(&all, "StatefulSet", "trc2npy-coordinator")["spec"]["template"]["spec"];
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let probe = &pod["containers"][0][probe];
        assert_eq!(probe["grpc"]["port"], 7070);
        assert!(probe["exec"].is_null());
    }
}

/// Until the kubelet gives a coordinator up, longer than a probe of the program's own takes.
#[test]
fn a_busy_coordinator_is_left_alone_and_a_worker_has_time_to_finish() {
    for name in WHOLE {
        let Some(all) = documents(name) else { return };
        let pod = |kind, name| &object(&all, kind, name)["spec"]["template"]["spec"];
        let coordinator = &pod("StatefulSet", "trc2npy-coordinator")["containers"][0];
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            assert!(
                coordinator[probe]["timeoutSeconds"].as_u64().unwrap() > 8,
                "{probe}: its own deadline is 8 s"
            );
        }
        let live = &coordinator["livenessProbe"];
        let patience = live["periodSeconds"].as_u64().unwrap() * live["failureThreshold"].as_u64().unwrap();
        assert!(patience >= 180, "{patience} s");
        // Leases are of about 15 seconds.
        let grace = pod("Deployment", "trc2npy-worker")["terminationGracePeriodSeconds"].as_u64();
        assert!(grace.unwrap() >= 60);
    }
}

#[test]
fn yamllint_has_nothing_to_say() {
    let yamllint = tool("yamllint");
    if !usable(&yamllint.to_string_lossy(), ["--version"]) {
        eprintln!("LEFT OUT: yamllint (pip install yamllint)");
        return;
    }
    let rules = "{extends: default, rules: {line-length: {max: 130}, document-start: disable}}";
    let output = Command::new(yamllint)
        .args(["--strict", "-d", rules])
        .args([at("kubernetes"), at("container")])
        .output()
        .unwrap();
    must_succeed(&output, "yamllint");
}

/// The page's commands for secrets give the files that the program asks for, under the names that are mounted.
#[test]
fn the_secrets_by_hand_are_those_that_are_mounted() {
    let kubectl = tool("kubectl");
    if !usable(&kubectl.to_string_lossy(), ["version", "--client"]) {
        eprintln!("LEFT OUT: the page's commands for secrets (tests/deploy-tools fetches kubectl)");
        return;
    }
    let lab = Lab::new(&RunSpec::new(1, 500));
    let page = read(&workspace().join("docs/kubernetes.md"));
    let commands: Vec<&str> = page
        .lines()
        .filter(|line| line.contains("kubectl -n lab create secret"))
        .collect();
    assert_eq!(commands.len(), 3);
    let mut made = BTreeSet::new();
    for command in commands {
        let (before, folder) = command.split_once("trc2npy-ca/machines/").unwrap();
        let folder = lab.certs(folder);
        // Only what would be sent is made: there is nobody to send it to.
        let output = Command::new(&kubectl)
            .args(before.split_whitespace().skip(1))
            .arg(folder)
            .args(["--dry-run=client", "--output=json"])
            .env("KUBECONFIG", "/nonexistent")
            .output()
            .unwrap();
        must_succeed(&output, command);
        let secret: Value = serde_json::from_slice(&output.stdout).unwrap();
        let files: Vec<&String> = secret["data"].as_object().unwrap().keys().collect();
        assert_eq!(files, ["ca.crt", "tls.crt", "tls.key"]);
        made.insert(secret["metadata"]["name"].as_str().unwrap().to_owned());
    }
    let Some(all) = documents("base") else { return };
    for workload in workloads(&all) {
        let volumes = workload["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
        let mounted = volumes
            .iter()
            .find_map(|volume| volume["secret"]["secretName"].as_str());
        assert!(made.contains(mounted.unwrap()), "{mounted:?}");
    }
}
