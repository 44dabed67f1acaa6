//! What is said beside results: for programs, in files, and as much as is asked for.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Cluster, poll, scratch, write_run};

fn lines(text: &str) -> Vec<Value> {
    let parsed = text.lines().map(serde_json::from_str);
    parsed
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The one file that a log has on its first day.
fn of_the_day(log: &Path) -> PathBuf {
    let name = log.file_name().unwrap().to_str().unwrap();
    let mut files = fs::read_dir(log.parent().unwrap()).unwrap().flatten();
    let day = files.find(|file| file.file_name().to_str().unwrap().starts_with(&format!("{name}.2")));
    day.unwrap_or_else(|| panic!("no {name} of a day")).path()
}

#[cfg(unix)]
#[test]
fn a_jobs_lines_are_objects_with_the_ids_of_its_trace() {
    let folder = scratch();
    let root = folder.path().join("root");
    write_run(&RunSpec::new(20, 500), &root.join("run"));
    let cluster = Cluster::new(&root);
    let log = folder.path().join("coordinator.log");
    let mut coordinator = cluster
        .coordinator()
        .args(["--log-format", "json", "--log-file"])
        .args([&log])
        .start();
    coordinator.says("listening on");
    let worker_log = folder.path().join("worker.log");
    let worker = cluster.worker("one").args(["--log-file"]).args([&worker_log]).start();
    cluster.submit("run", "npy").run().must_succeed();
    let journal = || {
        Call::of("coordinator")
            .args(["journal", "dump", "--state"])
            .args([cluster.state()])
    };
    for running in [worker, coordinator] {
        running.signal(rustix::process::Signal::TERM);
        let ended = running.wait();
        ended.must_succeed();
        if ended.stderr.starts_with('{') {
            let on_stderr = lines(&ended.stderr);
            assert!(
                on_stderr
                    .iter()
                    .all(|line| line["timestamp"].is_string() && (line["level"] == "INFO" || line["level"] == "WARN"))
            );
        }
    }
    let told = lines(&fs::read_to_string(of_the_day(&log)).unwrap());
    assert!(told.len() < 20, "only what the program itself says: {}", told.len());
    let dumped = journal().run();
    let of_job: Vec<&Value> = told
        .iter()
        .filter(|line| line["message"].as_str().unwrap().starts_with("job 1: "))
        .collect();
    assert_eq!(of_job.len(), 2, "begun and done: {told:?}");
    for line in of_job {
        let (trace, span) = (line["trace_id"].as_str().unwrap(), line["span_id"].as_str().unwrap());
        let place = format!("00-{trace}-{span}-01");
        assert!(dumped.stdout.contains(&place), "{place} is not the job's");
    }
    assert!(
        told.iter()
            .any(|line| line["message"].as_str().unwrap().contains("worker one has come"))
    );
    // For people, in a file.
    let text = fs::read_to_string(of_the_day(&worker_log)).unwrap();
    let line = text
        .lines()
        .find(|line| line.contains("connected to the coordinator"))
        .unwrap();
    assert!(line.starts_with("20") && line.contains(" INFO "), "{line}");
}

#[test]
fn as_much_is_said_as_is_asked_for() {
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);
    let spec = RunSpec {
        bad: vec!["garbage:1".parse().unwrap()],
        ..RunSpec::new(30, 200)
    };
    write_run(&spec, &at("run"));
    let call = |out: &str| {
        Call::of("convert")
            .args([at("run"), "--out".into(), at(out)])
            .args(["--settle", "0s"])
    };
    let all = call("a").args(["--log-format", "json"]).run();
    all.must_end_with(3);
    let told = lines(&all.stderr);
    let levels = |told: &[Value]| {
        let mut levels: Vec<String> = told
            .iter()
            .map(|line| line["level"].as_str().unwrap().to_owned())
            .collect();
        levels.sort();
        levels.dedup();
        levels
    };
    assert_eq!(levels(&told), ["INFO", "WARN"]);
    let few = call("b").args(["--log-format", "json", "--log-level", "warning"]).run();
    few.must_end_with(3);
    assert_eq!(levels(&lines(&few.stderr)), ["WARN"]);
    let none = call("c").args(["--log-level", "error"]).run();
    none.must_end_with(3);
    assert_eq!(none.stderr, "");
    // Who asks for little on the screen has all of it in the file.
    let quiet = call("d").args(["--quiet", "--log-file"]).args([at("log")]).run();
    quiet.must_end_with(3);
    assert!(!quiet.stderr.contains("threads"), "{}", quiet.stderr);
    let file = poll("the log", || fs::read_to_string(of_the_day(&at("log"))).ok());
    assert!(file.contains("threads") && file.contains(" WARN "), "{file}");
    let failed = call("e").args(["--log-format", "json", "--on-bad-file", "fail"]).run();
    failed.must_end_with(1);
    assert_eq!(lines(&failed.stderr).last().unwrap()["level"], "ERROR");
    let wrong = call("e").args(["--log-format", "json", "--nosuch"]).run();
    wrong.must_end_with(2);
    let told = lines(&wrong.stderr);
    assert!(told.len() == 1 && told[0]["level"] == "ERROR", "{told:?}");
    assert!(
        told[0]["message"]
            .as_str()
            .unwrap()
            .contains("unexpected argument '--nosuch'"),
        "{told:?}"
    );
    fs::write(at("file"), "").unwrap();
    call("f")
        .args(["--log-file"])
        .args([at("file/log")])
        .run()
        .must_end_with(2)
        .must_say(&["--log-file", "file/log"]);
}
