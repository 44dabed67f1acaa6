//! Metrics: judged by Prometheus's own tool, by what a job was, and by that counters never fall.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use trc2npy_synth::RunSpec;
use trc2npy_tests::{poll, usable};

use crate::common::Watched;

/// Each line that has a value, by what stands before it.
fn values(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.parse().unwrap())
        })
        .collect()
}

/// Names of the families of a kind.
fn families<'t>(text: &'t str, kind: &str) -> Vec<&'t str> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .filter_map(|line| line.split_once(' ').filter(|(_, of)| *of == kind).map(|(name, _)| name))
        .collect()
}

fn promtool(text: &str) {
    if !usable("promtool", ["--version"]) {
        eprintln!("left out: promtool would judge the metrics (Debian: apt install prometheus)");
        return;
    }
    let mut tool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    tool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success() && said.is_empty(), "{said}\nin\n{text}");
}

#[test]
fn metrics_tell_what_a_job_was_and_only_go_up() {
    let spec = RunSpec {
        bad: vec!["truncated:3".parse().unwrap()],
        ..RunSpec::new(60, 500)
    };
    let watched = Watched::new(&RunSpec {
        channels: vec![1, 2],
        ..spec
    });
    let metrics = || watched.get("/metrics").body;
    let before = metrics();
    promtool(&before);
    let counters = families(&before, "counter");
    assert!(counters.len() >= 8, "{counters:?}");
    watched.submit("npy");
    let worker = watched.cluster.start_worker("pc1 \"q\" \\");
    let mut last = values(&before);
    let mut looks = 0;
    poll("the job's end", || {
        let text = metrics();
        let now = values(&text);
        for (name, value) in &last {
            let of_counter = counters.iter().any(|counter| name.starts_with(counter));
            let of_histogram = name.contains("_bucket{") || name.ends_with("_count") || name.ends_with("_sum");
            if of_counter || of_histogram {
                assert!(now[name] >= *value, "{name} fell from {value} to {}", now[name]);
            }
        }
        looks += 1;
        let done = now["trc2npy_jobs{state=\"done\"}"] == 1.0;
        last = now;
        done.then_some(())
    });
    assert!(looks > 1);
    let text = metrics();
    promtool(&text);
    let now = values(&text);
    let value = |name: &str| *now.get(name).unwrap_or_else(|| panic!("{name} is not in\n{text}"));
    assert_eq!(value("trc2npy_committed_rows_total"), 120.0);
    assert_eq!(value("trc2npy_written_bytes_total"), 120.0 * 500.0 * 4.0);
    assert_eq!(value("trc2npy_granted_leases_total"), 120.0);
    assert_eq!(value("trc2npy_lease_seconds_count"), 120.0);
    assert_eq!(value("trc2npy_landing_seconds_count"), 120.0);
    assert_eq!(value("trc2npy_bad_rows_total"), 3.0);
    let read: u64 = std::fs::read_dir(watched.cluster.root().join("run"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert_eq!(value("trc2npy_read_bytes_total"), read as f64);
    for more in [
        "trc2npy_stitch_seconds_count",
        "trc2npy_journal_commit_seconds_count",
        "trc2npy_owner_wait_seconds_count",
    ] {
        assert!(value(more) > 0.0, "{more}");
    }
    assert_eq!(value("trc2npy_workers_connected"), 1.0);
    let name = r#"trc2npy_worker_memory_total_bytes{worker="pc1 \"q\" \\"}"#;
    assert!(value(name) > 0.0);
    worker.kill();
    poll("the worker's loss", || {
        let now = values(&metrics());
        (now["trc2npy_lost_workers_total{class=\"broken\"}"] == 1.0).then_some(())
    });
    let text = metrics();
    promtool(&text);
    assert!(!text.contains("pc1"), "a worker that has gone has no gauges");
}
