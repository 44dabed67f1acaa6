//! What the page says while jobs run, and what can be seen of their rows.

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::poll;

use crate::common::{Events, Watched, ask};

fn spec() -> RunSpec {
    RunSpec {
        bad: vec!["truncated:3".parse().unwrap()],
        ..RunSpec::new(120, 500)
    }
}

/// All texts of a page's tree.
fn words(node: &Value, into: &mut String) {
    match node {
        Value::String(text) => {
            into.push_str(text);
            into.push('\n');
        }
        Value::Array(parts) => parts[2].as_array().unwrap().iter().for_each(|child| words(child, into)),
        other => panic!("{other} is no node"),
    }
}

fn said(node: &Value) -> String {
    let mut text = String::new();
    words(node, &mut text);
    text
}

#[test]
fn snapshots_change_while_a_job_runs() {
    let watched = Watched::new(&spec());
    let mut events = Events::watch(&watched.page).unwrap();
    assert!(said(&events.next()).contains("Nothing was submitted yet."));
    watched.submit("npy");
    let mut until = |text: &str| loop {
        let page = said(&events.next());
        if page.contains(text) {
            return page;
        }
    };
    let open = until("0 of 120 rows (0 %)");
    assert!(
        open.contains("running\n") && open.contains("No worker is connected."),
        "{open}"
    );
    let worker = watched.cluster.start_worker("pc1");
    until("worker pc1 has come");
    let done = until("job 1: done");
    for text in ["120 of 120 rows (100 %), 3 bad", "1 connected worker"] {
        assert!(done.contains(text), "{text} is not in\n{done}");
    }
    drop(worker);
    until("worker pc1 is lost");
    // Without a script the page says the same.
    let shown = watched.get("/").body;
    for text in [
        "120 of 120 rows (100 %), 3 bad",
        "worker pc1 is lost",
        "No worker is connected.",
    ] {
        assert!(shown.contains(text), "{text} is not in\n{shown}");
    }
}

#[test]
fn only_so_many_may_watch() {
    let watched = Watched::new(&RunSpec::new(2, 200));
    let mut watchers: Vec<_> = (0..64).map(|_| Events::watch(&watched.page).unwrap()).collect();
    assert!(Events::watch(&watched.page).is_err_and(|told| told.contains("503")));
    // Once one has gone there is room; that is noticed when something is sent.
    watchers.pop();
    watched.submit("npy");
    poll("room for one more", || Events::watch(&watched.page).ok());
    assert_eq!(watched.get("/api/status").code, 200);
}

#[test]
fn programs_are_told_the_same_as_json() {
    let watched = Watched::new(&spec());
    let worker = watched.cluster.start_worker("pc1");
    watched.submit("npy");
    watched.wait(1);
    let status = watched.status();
    let job = &status["jobs"][0];
    assert_eq!((&job["id"], &job["state"]), (&1.into(), &"done".into()), "{job}");
    assert_eq!(
        (&job["rows"], &job["rows_done"], &job["bad_rows"]),
        (&120.into(), &120.into(), &3.into())
    );
    let bad = job["bad_files"].as_array().unwrap();
    assert_eq!(bad.len(), 3, "{job}");
    assert!(bad[0]["why"].as_str().unwrap().contains("expected"), "{job}");
    let strip = job["channels"][0]["strip"].as_str().unwrap();
    assert_eq!(strip.len(), 120);
    assert_eq!(strip.matches('b').count(), 3, "{strip}");
    assert_eq!(strip.matches('d').count(), 117, "{strip}");
    let of_worker = &status["workers"][0];
    assert_eq!((&of_worker["name"], &of_worker["heard_s"]), (&"pc1".into(), &0.into()));
    assert!(of_worker["memory_total"].as_u64().unwrap() > 0 && of_worker["cores"].as_u64().unwrap() > 0);
    drop(worker);
}

#[test]
fn bad_files_are_told_while_a_job_runs() {
    let half = RunSpec {
        bad: vec!["truncated:300".parse().unwrap()],
        ..RunSpec::new(600, 500)
    };
    let watched = Watched::new(&half);
    watched.submit("npy");
    let worker = watched.cluster.start_worker("pc1");
    watched.rows_beyond(20);
    worker.kill();
    let job = poll("a bad file", || {
        let job = watched.status()["jobs"][0].clone();
        (!job["bad_files"].as_array()?.is_empty()).then_some(job)
    });
    assert_eq!(job["state"], "running", "{job}");
    assert_eq!(job["bad_files"][0]["what"], "cut short", "{job}");
    assert!(job["channels"][0]["strip"].as_str().unwrap().contains('b'), "{job}");
}

#[test]
fn traces_are_seen_as_they_arrive_and_when_all_are_there() {
    let watched = Watched::new(&spec());
    let look = |job: u64, what: &str| watched.get(&format!("/jobs/{job}/channels/0/{what}"));
    watched.submit("npy");
    let early = look(1, "first.svg");
    assert_eq!(early.code, 404);
    assert!(early.body.contains("no row of job 1 C1 is there yet"), "{early:?}");
    let worker = watched.cluster.start_worker("pc1");
    watched.rows_beyond(0);
    worker.kill();
    // Whatever has landed by now: nobody makes more.
    let first = poll("the first traces", || {
        Some(look(1, "first.svg")).filter(|seen| seen.code == 200)
    });
    assert_eq!(first.header("content-type"), Some("image/svg+xml; charset=utf-8"));
    assert!(
        first.body.contains("the first ") && first.body.contains("<polyline"),
        "{}",
        first.body
    );
    let last = look(1, "last.svg");
    assert!(last.code == 200 && last.body.contains("the last "), "{last:?}");
    let worker = watched.cluster.start_worker("pc2");
    watched.wait(1);
    for (what, text) in [
        ("first.svg", "C1: the first 6 traces"),
        ("last.svg", "C1: the last 6 traces"),
        ("overlay.svg", "C1: 100 of 120 traces"),
        ("overlay.svg?dark", "C1: 100 of 120 traces"),
        ("baselines.svg", "baselines of 117 rows"),
        ("rate.svg", "triggers over the run"),
        ("drift.svg", "baseline over the run"),
    ] {
        let seen = look(1, what);
        assert!(seen.code == 200 && seen.body.contains(text), "{what}: {seen:?}");
        assert!(!seen.body.contains("style=") && !seen.body.contains("NaN"), "{what}");
    }
    let curves = |what: &str| {
        let drawn = look(1, what).body;
        let curves: Vec<String> = drawn.split("<polyline").skip(1).map(str::to_owned).collect();
        curves
    };
    assert!(curves("first.svg") != curves("last.svg"), "other rows are drawn");
    let facts: Value = serde_json::from_str(&look(1, "glance.json").body).unwrap();
    assert_eq!(
        (&facts["rows"], &facts["bad_rows"]),
        (&120.into(), &3.into()),
        "{facts}"
    );
    assert!(facts["rate"].as_f64().unwrap() > 0.0, "{facts}");
    for (job, what) in [(1, "other.svg"), (2, "overlay.svg")] {
        assert_eq!(look(job, what).code, 404, "{what}");
    }
    assert_eq!(watched.get("/jobs/1/channels/9/overlay.svg").code, 404);
    assert_eq!(
        ask(&watched.page, "GET", "/jobs/x/channels/0/overlay.svg", &[]).code,
        400
    );
    // A later job with the same folder: these are its arrays.
    let again = watched.cluster.client("submit");
    let words = [
        "data:run",
        "--out",
        "data:npy",
        "--baseline",
        "50",
        "--overwrite",
        "--settle",
        "0",
    ];
    again.args(words).args(["--wait"]).run().must_end_with(3);
    let replaced = look(1, "overlay.svg");
    assert!(
        replaced.code == 404 && replaced.body.contains("a later job has"),
        "{replaced:?}"
    );
    assert_eq!(look(2, "overlay.svg").code, 200);
    drop(worker);
}
