//! The worker as a service of Windows. The program for Windows runs under Wine, whose service manager installs, starts, stops
//! and removes it; the coordinator and the judge are this system's.
//!
//! `TRC2NPY_WINDOWS_BIN` names the program: an .exe, or whatever starts it. `TRC2NPY_WINE` is Wine's command, in the
//! environment of a prefix of its own (`WINEPREFIX`). Of the event log Wine has the registration alone: nothing reads an event.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "clippy knows tests by their attribute, and their helpers have none"
)]
#![cfg(target_os = "linux")]

mod wine;

use std::fs;
use std::path::Path;
use std::process::Command;

use trc2npy_tests::{Call, Cluster, must_equal, outputs, poll, python, scratch, workspace};
use wine::Wine;

#[test]
fn here_a_service_of_windows_is_one_sentence_that_names_systemds_unit() {
    for words in [
        &["service"][..],
        &["service", "install"],
        &["service", "install", "--root", "data=/nowhere"],
        &["service", "run"],
        &["--color", "never", "service", "start"],
    ] {
        let ended = Call::of("worker").args(words).run();
        ended.must_end_with(2);
        if words[0] == "service" {
            ended.must_say(&["only there on Windows", "deploy/systemd/trc2npy-worker.service"]);
            assert_eq!(ended.stderr.trim().lines().count(), 1, "{ended}");
        }
    }
    let help = Call::of("worker").args(["--help"]).run();
    assert!(!help.stdout.contains("service"), "it is not offered: {help}");
}

#[test]
fn a_service_works_ends_as_the_console_program_does_and_leaves_nothing_behind() {
    let Some(wine) = Wine::ready() else { return };
    let folder = scratch();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    synthesise(&root.join("r005"));
    Call::of("convert")
        .args([&root.join("r005"), Path::new("--out"), &folder.path().join("alone")])
        .run()
        .must_succeed();
    let expected = outputs(&folder.path().join("alone"));
    let cluster = Cluster::new(&root);

    nothing_is_changed_by_what_is_refused(&wine, folder.path(), &cluster);

    // From the folder that the relative paths are meant from; the service begins elsewhere.
    let address = cluster.address();
    let install = [
        "install",
        "--coordinator",
        &address,
        "--root",
        "data=root",
        "--name",
        "service",
        "--cpus",
        "1",
        "--log-file",
        "log/worker",
    ];
    wine.service(folder.path(), &install).succeeds("is installed");
    assert!(!folder.path().join("log").exists(), "the log is the service's alone");
    let registered = wine.run(folder.path(), &["reg", "query", SERVICE]);
    for text in [
        "worker service run --coordinator=",
        "LocalService",
        r"--root=data=Z:\",
        r"--log-file=Z:\",
    ] {
        registered.says(text);
    }
    wine.run(folder.path(), &["reg", "query", EVENTS])
        .says("EventCreate.exe");
    wine.service(folder.path(), &install).succeeds("was installed already");

    let mut coordinator = cluster.start_coordinator();
    wine.service(folder.path(), &["start"]).succeeds("trc2npy-worker runs");
    wine.service(folder.path(), &["start"]).succeeds("runs already");
    coordinator.says("worker service has come");
    // Its rows are asked for in many leases, so that some are in hand when it is stopped.
    cluster
        .client("submit")
        .args(["data:r005", "--out", "data:npy", "--range-size", "64kiB"])
        .run()
        .must_succeed();
    poll("rows of the service", || {
        let begun = fs::read_dir(root.join("npy/.trc2npy")).ok()?.count() > 0;
        let job = cluster.client("job").args(["1", "--json"]).run();
        (begun && !job.stdout.contains("\"queued\"")).then_some(())
    });
    wine.service(folder.path(), &["stop"]).succeeds("has ended");
    coordinator.says("worker service has gone");
    let said = log_of(folder.path());
    assert!(said.contains("a stop was asked for"), "{said}");
    assert!(said.contains("ended: what was in hand is done"), "{said}");
    wine.service(folder.path(), &["stop"]).succeeds("does not run");

    // It goes on where it stopped, and what it makes is what this system makes.
    wine.service(folder.path(), &["start"]).succeeds("trc2npy-worker runs");
    cluster.client("job").args(["1", "--wait"]).run().must_succeed();
    must_equal(&root.join("npy"), &expected);

    // What runs is stopped before it is removed.
    wine.service(folder.path(), &["remove"]).succeeds("is removed");
    let said = log_of(folder.path());
    assert_eq!(said.matches("ended: what was in hand is done").count(), 2, "{said}");
    wine.service(folder.path(), &["remove"]).succeeds("is not installed");
    for key in [SERVICE, EVENTS] {
        wine.run(folder.path(), &["reg", "query", key]).says("Unable to find");
    }
    for action in ["start", "stop"] {
        wine.service(folder.path(), &[action])
            .fails(1, "it is not installed; `trc2npy worker service install");
    }
}

#[test]
fn the_scripts_for_windows_are_powershell_5() {
    let here = workspace().join("tests/tests/windows_service/check_powershell.py");
    let parser = |script: &Path| Command::new(python()).arg(&here).arg(script).output().unwrap();
    let ready = Command::new(python())
        .args(["-c", "import tree_sitter, tree_sitter_powershell"])
        .output();
    if !ready.unwrap().status.success() {
        eprintln!(
            "left out: this Python has no tree-sitter-powershell (pip install tree-sitter tree-sitter-powershell)"
        );
        return;
    }
    // What the parser must not let pass.
    let folder = scratch();
    for newer in [
        "$a = $b ? 1 : 2",
        "$a = $b ?? 2",
        "Get-Item a && Get-Item b",
        "if ($a {",
    ] {
        let script = folder.path().join("newer.ps1");
        fs::write(&script, newer).unwrap();
        assert_eq!(parser(&script).status.code(), Some(1), "{newer}");
    }
    for name in ["install.ps1", "uninstall.ps1"] {
        let script = workspace().join("deploy/windows").join(name);
        let parsed = parser(&script);
        assert!(parsed.status.success(), "{}", String::from_utf8_lossy(&parsed.stdout));
        let text = fs::read_to_string(script).unwrap();
        // Windows PowerShell reads a file without a mark in the machine's own code page.
        assert!(text.is_ascii(), "{name}");
    }
}

const SERVICE: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\trc2npy-worker";
const EVENTS: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\trc2npy";

fn synthesise(run: &Path) {
    Call::of("synth")
        .args([run.as_os_str()])
        .args(["--files", "400", "--samples", "2502"])
        .run()
        .must_succeed();
}

/// Each with what to do, before anything is there.
fn nothing_is_changed_by_what_is_refused(wine: &Wine, folder: &Path, cluster: &Cluster) {
    // A drive that the person who is logged on has from a share, and administrators do not have.
    let drive = r"HKCU\Network\Y";
    wine.run(
        folder,
        &["reg", "add", drive, "/v", "RemotePath", "/d", r"\\nas\lab", "/f"],
    )
    .says("successfully");
    let address = cluster.address();
    for (words, code, sentence) in [
        (
            vec!["--root", r"data=Y:\run", "--coordinator", &address],
            2,
            r"network drive of whoever is logged on, and services have none; give the share itself: \\nas\lab\run",
        ),
        (
            vec!["--root", r"data=X:\run", "--coordinator", &address],
            2,
            "there is no drive X: here",
        ),
        (
            vec!["--root", "data=missing", "--coordinator", &address],
            2,
            "cannot be opened",
        ),
        (
            vec!["--root", "data=root", "--coordinator", "pc1:7070"],
            2,
            "add --insecure",
        ),
        (
            vec!["--root", "data=root", "--account", r"LAB\daq"],
            2,
            "TRC2NPY_SERVICE_PASSWORD",
        ),
    ] {
        let words: Vec<&str> = std::iter::once("install").chain(words).collect();
        wine.service(folder, &words).fails(code, sentence);
    }
    wine.service(folder, &["run", "--root", "data=root"])
        .fails(1, "is what Windows itself starts");
    for key in [SERVICE, EVENTS] {
        wine.run(folder, &["reg", "query", key]).says("Unable to find");
    }
}

fn log_of(folder: &Path) -> String {
    let mut said = String::new();
    for entry in fs::read_dir(folder.join("log")).unwrap() {
        said += &fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    said
}
