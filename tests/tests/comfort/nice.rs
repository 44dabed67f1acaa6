//! `--nice`: every thread gives way, at the processor and at the disk.

use std::fs;
use std::path::Path;
use std::process::Command;

use trc2npy_tests::{Convert, usable};

use crate::waiting;

/// The 19th field of `stat`; the second one is a name in brackets that may hold blanks.
fn nice(stat: &Path) -> i32 {
    let text = fs::read_to_string(stat).unwrap();
    let behind_name = text.rsplit_once(')').unwrap().1;
    behind_name.split_whitespace().nth(16).unwrap().parse().unwrap()
}

/// Of each thread its number, and how nice it is.
fn threads(pid: u32) -> Vec<(String, i32)> {
    fs::read_dir(format!("/proc/{pid}/task"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let number = entry.file_name().into_string().unwrap();
            (number, nice(&entry.path().join("stat")))
        })
        .collect()
}

fn disk_place(thread: &str) -> String {
    let output = Command::new("ionice").args(["-p", thread]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn every_thread_gives_way() {
    let own = nice(Path::new("/proc/self/stat"));
    for (args, expected) in [
        (&["--threads", "3"][..], own),
        (&["--threads", "3", "--nice"], own.max(10)),
    ] {
        let bench = waiting::bench();
        let conversion = Convert::new([&bench.run], bench.path("out")).args(args);
        let running = waiting::start(&bench, &conversion);
        let threads = threads(running.pid());
        assert!(threads.len() > 1, "{threads:?}");
        for (thread, nice) in &threads {
            assert_eq!(*nice, expected, "{args:?}: {threads:?}");
            if expected > own && usable("ionice", ["--version"]) {
                assert_eq!(disk_place(thread), "best-effort: prio 7");
            }
        }
        assert!(!running.stderr().contains("warning"), "{}", running.stderr());
        running.kill();
    }
}

#[test]
fn who_gives_way_already_stays_as_he_is() {
    if !usable("ionice", ["-c", "3", "nice", "-n", "15", "true"]) {
        return;
    }
    let bench = waiting::bench();
    let conversion = Convert::new([&bench.run], bench.path("out"))
        .args(["--nice"])
        .launched_by(["ionice", "-c", "3", "nice", "-n", "15"]);
    let running = waiting::start(&bench, &conversion);
    for (thread, nice) in threads(running.pid()) {
        assert!(nice >= 15, "{nice}");
        assert_eq!(disk_place(&thread), "idle");
    }
    running.kill();
}
