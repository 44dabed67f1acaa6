//! The computer stays awake: asked of the real login manager, which tells whose wish it holds.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;
use tempfile::TempDir;
use trc2npy_tests::{Convert, poll, usable};

use crate::waiting;

const LOGIND: &str = "/lib/systemd/systemd-logind";

/// systemd's login manager: the machine's own, or one on a bus of its own where the machine runs none.
struct LoginManager {
    folder: TempDir,
    parts: Vec<Child>,
}

impl LoginManager {
    /// None where there can be none; says why.
    fn find() -> Option<Self> {
        let mut found = Self {
            folder: TempDir::new().unwrap(),
            parts: Vec::new(),
        };
        if Path::new("/run/dbus/system_bus_socket").exists() {
            return usable("systemd-inhibit", ["--mode=block", "true"]).then_some(found);
        }
        for needed in [
            "command -v dbus-daemon",
            "command -v systemd-inhibit",
            "test \"$(id -u)\" = 0",
        ] {
            if !usable("sh", ["-c", needed]) {
                eprintln!("left out for want of: {needed}");
                return None;
            }
        }
        if !Path::new(LOGIND).exists() {
            eprintln!("left out for want of {LOGIND}");
            return None;
        }
        found.start();
        Some(found)
    }

    fn start(&mut self) {
        let bus = self.folder.path().join("bus");
        let config = self.folder.path().join("bus.conf");
        let text = format!(
            "<busconfig><type>system</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
             <policy context=\"default\"><allow own=\"*\"/><allow send_destination=\"*\"/>\
             <allow receive_sender=\"*\"/></policy></busconfig>",
            bus.display()
        );
        fs::write(&config, text).unwrap();
        let mut daemon = Command::new("dbus-daemon");
        daemon.arg("--nofork").arg("--config-file").arg(&config);
        self.parts.push(daemon.stdin(Stdio::null()).spawn().unwrap());
        poll("the bus", || bus.exists().then_some(()));
        let mut logind = Command::new(LOGIND);
        logind
            .env("DBUS_SYSTEM_BUS_ADDRESS", self.address())
            .stderr(Stdio::null());
        self.parts.push(logind.stdin(Stdio::null()).spawn().unwrap());
        poll("the login manager", || self.wishes());
    }

    fn address(&self) -> String {
        if self.parts.is_empty() {
            "unix:path=/run/dbus/system_bus_socket".to_owned()
        } else {
            format!("unix:path={}", self.folder.path().join("bus").display())
        }
    }

    /// What the manager says it is asked for by trc2npy; none where it does not answer.
    fn wishes(&self) -> Option<Vec<String>> {
        let output = Command::new("systemd-inhibit")
            .args(["--list", "--no-pager"])
            .env("DBUS_SYSTEM_BUS_ADDRESS", self.address())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines = text.lines().filter(|line| line.contains("trc2npy"));
        output.status.success().then(|| lines.map(str::to_owned).collect())
    }

    fn wait_until(&self, awake: bool) -> String {
        poll(format_args!("a wish: {awake}"), || {
            let wishes = self.wishes()?;
            (wishes.is_empty() != awake).then(|| wishes.concat())
        })
    }

    fn launcher(&self) -> [String; 2] {
        ["env".to_owned(), format!("DBUS_SYSTEM_BUS_ADDRESS={}", self.address())]
    }
}

impl Drop for LoginManager {
    fn drop(&mut self) {
        for part in self.parts.iter_mut().rev() {
            let _ = part.kill();
            let _ = part.wait();
        }
    }
}

#[test]
fn the_computer_stays_awake_as_long_as_the_conversion_works() {
    let Some(manager) = LoginManager::find() else { return };
    let start = |args: &[&str]| {
        let bench = waiting::bench();
        let conversion = Convert::new([&bench.run], bench.path("out"))
            .args(args)
            .launched_by(manager.launcher());
        let running = waiting::start(&bench, &conversion);
        (bench, running)
    };

    let (_bench, running) = start(&[]);
    let wish = manager.wait_until(true);
    for part in ["sleep", "idle", "block", "converts"] {
        assert!(wish.contains(part), "{part} is not in {wish}");
    }
    // What is in flight at Ctrl-C is finished awake, and then the wish ends.
    running.signal(Signal::INT);
    let ended = running.wait();
    ended.must_end_with(130);
    manager.wait_until(false);

    // Nothing is left of a process that could not clean up.
    let (_bench, running) = start(&[]);
    manager.wait_until(true);
    running.kill();
    manager.wait_until(false);

    // Another conversion beside it shows when the wish would have been there.
    let (_bench, may_sleep) = start(&["--allow-sleep"]);
    let (_bench, awake) = start(&[]);
    manager.wait_until(true);
    assert_eq!(manager.wishes().unwrap().len(), 1);
    awake.kill();
    manager.wait_until(false);
    may_sleep.kill();
}

#[test]
fn where_nobody_can_be_asked_nothing_is_said() {
    let bench = waiting::bench();
    let out = bench.path("out");
    let conversion = Convert::new([&bench.run], &out);
    for nobody in ["DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere", "PATH=/nowhere"] {
        let ended = conversion.clone().launched_by(["/usr/bin/env", nobody]).run();
        ended.must_succeed();
        // The block at the start, and nothing else.
        let mut lines = ended.stderr.lines().filter(|line| !line.is_empty());
        let (first, last) = (lines.next().unwrap(), lines.next_back().unwrap());
        assert!(first.starts_with("machine ") && last.starts_with("writing "), "{ended}");
        assert!(!ended.stderr.to_lowercase().contains("inhibit"), "{ended}");
        fs::remove_dir_all(&out).unwrap();
    }
}
