//! deploy/observability: what it asks of the coordinator is there, and its files are what their programs read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{poll, run_python, scratch, usable, workspace, yaml};

use crate::common::Watched;

/// Below deploy/observability.
fn at(path: &str) -> PathBuf {
    workspace().join("deploy/observability").join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(at(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn dashboard() -> Value {
    serde_json::from_str(&read("grafana/dashboards/trc2npy.json")).unwrap()
}

const COMPOSE: &str = "docker-compose.yaml";
const YAML: [&str; 7] = [
    COMPOSE,
    "collector/config.yaml",
    "grafana/provisioning/dashboards/dashboards.yaml",
    "grafana/provisioning/datasources/datasources.yaml",
    "prometheus/prometheus.yaml",
    "prometheus/rules.yaml",
    "prometheus/rules.test.yaml",
];

/// The one document of a file of YAML; none where no Python here can read it, which is said.
fn document(path: &str) -> Option<Value> {
    let mut documents = yaml(&read(path))?;
    assert_eq!(documents.len(), 1, "{path}");
    documents.pop()
}

/// Every metric that a text names: a histogram by its own name, not by those of its parts.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !word(c)).filter(|word| word.starts_with("trc2npy_"));
    words
        .map(|word| {
            let whole = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|part| word.strip_suffix(part));
            whole.unwrap_or(word).to_owned()
        })
        .collect()
}

/// All names of metrics that a coordinator serves.
fn served(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .filter_map(|line| Some(line.split_once(' ')?.0.to_owned()))
        .collect()
}

/// Runs promtool in a folder; where it is not there, that is said.
fn promtool(folder: &Path, words: &[&str]) {
    if !usable("promtool", ["--version"]) {
        eprintln!(
            "LEFT OUT: promtool {} (Debian: apt install prometheus)",
            words.join(" ")
        );
        return;
    }
    let output = Command::new("promtool")
        .args(words)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "promtool {}\n{}{}",
        words.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn every_metric_that_is_asked_for_is_served() {
    let watched = Watched::new(&RunSpec::new(20, 200));
    let _worker = watched.cluster.start_worker("pc1");
    watched.submit("npy");
    watched.wait(1);
    // What a worker's machine has to tell comes with its words.
    let text = poll("all metrics of a worker", || {
        let text = watched.get("/metrics").body;
        text.contains("trc2npy_worker_disk_free_bytes{").then_some(text)
    });
    let there = served(&text);
    for path in [
        "grafana/dashboards/trc2npy.json",
        "prometheus/rules.yaml",
        "prometheus/rules.test.yaml",
        "README.md",
    ] {
        let asked = metrics_in(&read(path));
        assert!(asked.len() > 3, "{path} asks for {asked:?}");
        let missing: Vec<_> = asked.difference(&there).collect();
        assert!(missing.is_empty(), "{path} asks for {missing:?}; there is\n{there:#?}");
    }
    // Nor is anything forgotten: what is counted is seen.
    let shown = metrics_in(&read("grafana/dashboards/trc2npy.json"));
    let unseen: Vec<_> = there.difference(&shown).collect();
    assert!(unseen.is_empty(), "the dashboard does not show {unseen:?}");
}

#[test]
fn every_panel_has_a_title_and_asks_for_something() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 10);
    let mut titles = BTreeSet::new();
    let mut ids = BTreeSet::new();
    let mut places = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap_or_default();
        assert!(!title.is_empty() && titles.insert(title), "a title of its own: {panel}");
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: an id of its own");
        let place = &panel["gridPos"];
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| place[side].as_u64().unwrap());
        assert!(x + w <= 24, "{title} is too wide");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(places.insert(cell), "{title} lies over another");
        }
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title} asks for nothing");
        for target in targets {
            let asked = target["expr"].as_str().unwrap_or_default();
            assert!(asked.contains("trc2npy_"), "{title}: {asked:?}");
            assert_eq!(target["datasource"]["uid"], "prometheus", "{title}");
        }
    }
    if let Some(sources) = document("grafana/provisioning/datasources/datasources.yaml") {
        let uids: Vec<_> = sources["datasources"].as_array().unwrap().iter().collect();
        assert!(uids.iter().any(|source| source["uid"] == "prometheus"), "{uids:?}");
    }
}

/// Queries of the dashboard are what Prometheus understands: as rules, with Grafana's interval filled in.
#[test]
fn prometheus_understands_rules_configuration_and_queries() {
    let folder = scratch();
    let here = folder.path();
    for name in ["rules.yaml", "rules.test.yaml"] {
        fs::copy(at("prometheus").join(name), here.join(name)).unwrap();
    }
    // The token lies where the container has it.
    let token = here.join("token");
    fs::write(&token, "a-token-of-25-characters-\n").unwrap();
    let configuration = read("prometheus/prometheus.yaml");
    let secret = "/run/secrets/trc2npy_token";
    assert!(configuration.contains(secret));
    let configuration = configuration.replace(secret, token.to_str().unwrap());
    fs::write(here.join("prometheus.yaml"), configuration).unwrap();
    let dashboard = dashboard();
    let targets = dashboard["panels"].as_array().unwrap().iter();
    let targets = targets.flat_map(|panel| panel["targets"].as_array().unwrap());
    let rules: Vec<Value> = targets
        .zip(1..)
        .map(|(target, number)| {
            let asked = target["expr"].as_str().unwrap().replace("$__rate_interval", "1m");
            serde_json::json!({ "record": format!("query:{number}"), "expr": asked })
        })
        .collect();
    let queries = serde_json::json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    fs::write(here.join("queries.yaml"), queries.to_string()).unwrap();
    promtool(here, &["check", "rules", "rules.yaml"]);
    promtool(here, &["check", "rules", "queries.yaml"]);
    promtool(here, &["check", "config", "prometheus.yaml"]);
    promtool(here, &["test", "rules", "rules.test.yaml"]);
}

#[test]
fn all_files_are_what_they_are_called() {
    let dashboard = at("grafana/dashboards/trc2npy.json");
    run_python(
        "import json, sys; json.load(open(sys.argv[1], encoding='utf-8'))",
        [dashboard],
    );
    for path in YAML {
        if let Some(read) = document(path) {
            assert!(read.is_object(), "{path}: {read}");
        }
    }
}

#[test]
fn versions_are_fixed_ports_stay_here_and_every_service_is_asked_how_it_is() {
    let Some(compose) = document(COMPOSE) else { return };
    let services = compose["services"].as_object().unwrap();
    for (name, service) in services {
        let (_, version) = service["image"].as_str().unwrap().rsplit_once(':').unwrap();
        let numbers = version.trim_start_matches('v').split('.');
        assert!(
            numbers.clone().count() == 3 && numbers.clone().all(|number| number.parse::<u32>().is_ok()),
            "{name}: {version} is no fixed version"
        );
        for port in service["ports"].as_array().into_iter().flatten() {
            let port = port.as_str().unwrap();
            assert!(
                port.starts_with("127.0.0.1:") || port.starts_with("${OTLP_BIND:-127.0.0.1}:"),
                "{name}: {port}"
            );
        }
        let asked = if name == "collector" { "collector-health" } else { name };
        assert!(services[asked]["healthcheck"]["test"].is_array(), "{name}");
        for volume in service["volumes"].as_array().into_iter().flatten() {
            let from = volume.as_str().unwrap().split(':').next().unwrap();
            let there = from
                .strip_prefix("./")
                .map_or_else(|| compose["volumes"].get(from).is_some(), |path| at(path).exists());
            assert!(there, "{name}: {from} is neither a file here nor a volume with a name");
        }
    }
    // Each variable is in the example, which gives no password.
    let text = read(COMPOSE);
    let example = read(".env.example");
    for variable in text.split("${").skip(1) {
        let variable = variable.split([':', '}']).next().unwrap();
        let line = example.lines().find(|line| line.starts_with(&format!("{variable}=")));
        let line = line.unwrap_or_else(|| panic!("{variable} is not in .env.example"));
        let secret = variable.ends_with("PASSWORD") || variable.ends_with("TOKEN_FILE");
        assert!(!secret || line.ends_with('='), "{line}");
    }
}
