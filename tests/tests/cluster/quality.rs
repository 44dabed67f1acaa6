//! Whatever `convert` says of a run, the cluster says the same way: in the report, in `job`, and after a restart too.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Convert, must_equal, outputs, poll, usable, write_run};

use crate::common::Lab;

/// A run with something to be told of, and the options with which it is converted all the same.
struct Case {
    what: &'static str,
    args: &'static [&'static str],
    /// What must be said of it, on the screen or in the report: else nothing is shown here.
    said: &'static str,
    make: fn(&Path),
    /// Reads of this file fail.
    unreadable: Option<&'static str>,
}

fn run(files: u64) -> RunSpec {
    RunSpec {
        channels: vec![1, 2],
        ..RunSpec::new(files, 500)
    }
}

const CASES: [Case; 7] = [
    Case {
        what: "bad files, missing events, a folder that is not there, copies",
        args: &["--settle", "0s"],
        said: "missing between the folders of the run",
        make: |run_folder| {
            let bad = ["truncated:3", "garbage:4", "missing:5"]
                .map(|bad| bad.parse().unwrap())
                .to_vec();
            write_run(&RunSpec { bad, ..run(60) }, run_folder);
            write_run(&run(5), &run_folder.with_file_name("run-3"));
            let copy = run_folder.join("C1--Trace--00003 (1).trc");
            fs::copy(run_folder.join("C1--Trace--00003.trc"), copy).unwrap();
        },
        unreadable: None,
    },
    Case {
        what: "mixed settings",
        args: &["--mixed", "warn", "--settle", "0s"],
        said: "HORIZ_INTERVAL changes",
        make: |run_folder| {
            write_run(&run(30), run_folder);
            let other = RunSpec {
                start: 30,
                horiz_interval: 2e-9,
                ..run(30)
            };
            write_run(&other, run_folder);
        },
        unreadable: None,
    },
    Case {
        what: "other lengths",
        args: &["--ragged", "bad", "--settle", "0s"],
        said: "others are bad files",
        make: |run_folder| {
            write_run(&run(30), run_folder);
            let other = RunSpec {
                start: 30,
                samples: 400,
                ..run(3)
            };
            write_run(&other, run_folder);
        },
        unreadable: None,
    },
    Case {
        what: "two stems",
        args: &["--stem", "Trace"],
        said: "other-stems",
        make: |run_folder| {
            write_run(&run(10), run_folder);
            for index in 0..3 {
                let name = |stem: &str| run_folder.join(format!("C1--{stem}--{index:05}.trc"));
                fs::copy(name("Trace"), name("bias")).unwrap();
            }
        },
        unreadable: None,
    },
    Case {
        what: "fewer events in one channel",
        args: &[],
        said: "missing-events",
        make: |run_folder| {
            write_run(&run(40), run_folder);
            for index in 10..20 {
                fs::remove_file(run_folder.join(format!("C2--Trace--{index:05}.trc"))).unwrap();
            }
        },
        unreadable: None,
    },
    Case {
        what: "still being written",
        args: &["--settle", "1s"],
        said: "still being written",
        make: |run_folder| {
            write_run(&run(10), run_folder);
            let last = File::options()
                .write(true)
                .open(run_folder.join("C2--Trace--00009.trc"))
                .unwrap();
            last.set_len(700).unwrap();
            // However slow the machine is, it has been written a moment ago.
            last.set_modified(SystemTime::now() + Duration::from_hours(1)).unwrap();
        },
        unreadable: None,
    },
    Case {
        what: "unreadable",
        args: &[],
        said: "unreadable",
        make: |run_folder| write_run(&run(300), run_folder),
        unreadable: Some("C1--Trace--00107.trc"),
    },
];

/// A call whose reads of the file fail.
fn failing(file: &Path, subcommand: &str) -> Call {
    let name = file.file_name().unwrap().to_str().unwrap();
    let path = file.to_str().unwrap();
    let words = [
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-P",
        name,
        "-P",
        path,
        "-e",
        "inject=pread64,read:error=EIO",
    ];
    Call::launched_by("strace", &words, subcommand)
}

/// The report without what is of the machine, the moment or the way there.
fn told(out: &Path) -> Value {
    let mut report: Value = serde_json::from_str(&fs::read_to_string(out.join("report.json")).unwrap()).unwrap();
    let top = report.as_object_mut().unwrap();
    for key in [
        "crc32c", "finished", "machine", "output", "pace", "plan", "settings", "speed", "workers",
    ] {
        top.remove(key);
    }
    top["input"].as_object_mut().unwrap().remove("asked");
    for folder in top["input"]["folders"].as_array_mut().unwrap() {
        folder.as_object_mut().unwrap().retain(|key, _| key == "label");
    }
    for channel in top["channels"].as_array_mut().unwrap() {
        channel.as_object_mut().unwrap().remove("seconds");
    }
    report
}

/// What is said of bad rows, warnings, and bad files, one line each, without the place of the report.
fn sentences(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim_end);
    let telling = |line: &&str| {
        line.starts_with("warning: ")
            || line.starts_with("BAD ROWS: ")
            || line.starts_with("  C")
            || line.contains(".trc: ")
    };
    let mut lines: Vec<String> = lines.filter(telling).map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn what_convert_says_the_cluster_says() {
    for Case {
        what,
        args,
        said,
        make,
        unreadable,
    } in CASES
    {
        if unreadable.is_some() && !usable("strace", ["-f", "-qq", "-o", "/dev/null", "true"]) {
            continue;
        }
        let lab = Lab::empty();
        let folder = lab.path("run");
        make(&folder);
        let unreadable = unreadable.map(|name| folder.join(name));
        let second = folder.with_file_name("run-3");
        let runs: Vec<_> = [folder, second].into_iter().filter(|run| run.exists()).collect();
        let alone = lab.path("alone");
        let mut convert = Convert::new(&runs, &alone).args(args);
        if let Some(file) = &unreadable {
            let path = file.to_str().unwrap();
            let name = file.file_name().unwrap().to_str().unwrap();
            let words = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", name, "-P", path, "-e"];
            convert = convert.launched_by(words.into_iter().chain(["inject=pread64,read:error=EIO"]));
        }
        let converted = convert.run();
        let expected = format!("{}{}", converted.stdout, converted.stderr);
        let report = fs::read_to_string(alone.join("report.json")).unwrap();
        assert!(expected.contains(said) || report.contains(said), "{what}: {expected}");

        let mut coordinator = lab.cluster.start_coordinator();
        let places: Vec<String> = runs
            .iter()
            .map(|run| format!("data:{}", run.file_name().unwrap().to_str().unwrap()))
            .collect();
        let submitted = lab
            .cluster
            .client("submit")
            .args(places)
            .args(["--out", "data:npy"])
            .args(args)
            .run();
        submitted.must_succeed();
        // What planning found must not be lost with the process.
        coordinator.kill_now();
        coordinator = lab.cluster.start_coordinator();
        let worker = |name: &str| {
            let call = unreadable
                .as_deref()
                .map_or_else(|| Call::of("worker"), |file| failing(file, "worker"));
            lab.cluster.as_worker(call, name, &lab.cluster.mapping()).start()
        };
        let workers = ["pc1", "pc2"].map(worker);
        let job = |args: &[&str]| lab.cluster.client("job").args(["1"]).args(args).run().stdout;
        poll(format_args!("{what}: the end of the job"), || {
            let seen: Value = serde_json::from_str(&job(&["--json"])).ok()?;
            (seen["state"] == "done").then_some(())
        });
        must_equal(&lab.path("npy"), &outputs(&alone));
        assert_eq!(told(&lab.path("npy")), told(&alone), "{what}");
        assert_eq!(sentences(&job(&[])), sentences(&expected), "{what}");
        // And from the journal alone.
        coordinator.kill_now();
        coordinator = lab.cluster.start_coordinator();
        assert_eq!(sentences(&job(&[])), sentences(&expected), "{what}, after a restart");
        drop((workers, coordinator));
    }
}
