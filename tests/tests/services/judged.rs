//! Units, account and folders, by systemd's own tools.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Output};

use trc2npy_tests::{scratch, usable, workspace};

use super::unit::{self, NAMES, Unit};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn systemd_finds_no_fault_in_the_units() {
    if !unit::has_tools() {
        return;
    }
    let binaries = scratch();
    let binary = unit::public_binary(binaries.path());
    // Its manual page is installed with the package, whose test looks for it.
    let verify = |name: &str, text: &str, drop_in: &str| {
        let folder = scratch();
        let path = folder.path().join(format!("trc2npy-{name}.service"));
        fs::write(&path, text).unwrap();
        let more = path.with_extension("service.d");
        fs::create_dir(&more).unwrap();
        fs::write(more.join("roots.conf"), drop_in).unwrap();
        let mut command = Command::new("systemd-analyze");
        said(&command.args(["verify", "--man=no"]).arg(path).output().unwrap())
    };
    // As docs/services.md tells to write it.
    let page = fs::read_to_string(workspace().join("docs/services.md")).unwrap();
    let (_, drop_in) = page.split_once("```text\n[Unit]").unwrap();
    let drop_in = format!("[Unit]{}", drop_in.split_once("```").unwrap().0);
    assert!(drop_in.contains("\nReadWritePaths=/mnt/lab\n"), "{drop_in}");
    for name in NAMES {
        let text = Unit::of(name).text_with(&binary);
        assert_eq!(verify(name, &text, &drop_in), "");
        // What is wrong would be found.
        let wrong = verify(name, &text.replace("Restart=on-failure", "Restart=sometimes"), &drop_in);
        assert!(wrong.contains("sometimes"), "{wrong}");
        let wrong = verify(name, &text, &drop_in.replace("ReadWritePaths=/", "ReadWritePaths="));
        assert!(wrong.contains("mnt/lab"), "{wrong}");
    }
}

/// Of ten; what is left is the network, and files that others may read.
#[test]
fn the_units_leave_little_to_whoever_takes_a_service_over() {
    if !unit::has_tools() {
        return;
    }
    for name in NAMES {
        let output = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--threshold=20", "--no-pager"])
            .arg(Unit::of(name).path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains("OK"), "{}", said(&output));
    }
}

#[test]
fn account_and_folder_are_made() {
    if !usable("systemd-sysusers", ["--version"]) || !usable("systemd-tmpfiles", ["--version"]) {
        return;
    }
    let scratch = scratch();
    let root = format!("--root={}", scratch.path().display());
    for folder in ["etc", "var/lib", "run"] {
        fs::create_dir_all(scratch.path().join(folder)).unwrap();
    }
    let made = |program: &str, options: &[&str], file: &str| {
        let mut command = Command::new(program);
        let output = command.args(options).arg(&root).arg(unit::folder().join(file)).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{program}: {}", said(&output));
    };
    made("systemd-sysusers", &[], "trc2npy.sysusers");
    let accounts = fs::read_to_string(scratch.path().join("etc/passwd")).unwrap();
    let account = accounts.lines().find(|line| line.starts_with("trc2npy:")).unwrap();
    assert!(account.ends_with(":/var/lib/trc2npy:/usr/sbin/nologin"), "{account}");

    // Only root can give a folder to another account.
    if rustix::process::getuid().is_root() {
        made("systemd-tmpfiles", &["--create"], "trc2npy.tmpfiles");
        let folder = fs::metadata(scratch.path().join("var/lib/trc2npy")).unwrap();
        let uid = account.split(':').nth(2).unwrap();
        assert_eq!(folder.uid().to_string(), uid);
        assert_eq!(folder.mode() & 0o7777, 0o755);
    } else {
        eprintln!("left out: systemd-tmpfiles gives a folder to another account as root only");
    }
    for name in NAMES {
        assert_eq!(Unit::of(name).one("User"), "trc2npy");
    }
}

/// A worker that was asked to end does so in peace: what it started is not asked at the same time.
#[test]
fn a_worker_is_asked_alone_and_has_time() {
    let worker = Unit::of("worker");
    assert_eq!(worker.one("KillMode"), "mixed");
    assert_eq!(worker.one("SuccessExitStatus"), "130");
    let seconds: u32 = worker.one("TimeoutStopSec").strip_suffix('s').unwrap().parse().unwrap();
    // Leases are 10 to 20 seconds of work, and the disk has to take it.
    assert!(seconds >= 60, "{seconds}");
    for name in NAMES {
        let unit = Unit::of(name);
        assert_eq!(unit.one("Restart"), "on-failure");
        // Wrong usage (exit code 2) stays wrong.
        assert_eq!(unit.one("RestartPreventExitStatus"), "2");
    }
}
