//! What the units start, started without systemd: the same words, the same environment, an account without rights; and
//! every system call must be one that the unit leaves to it.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};

use rustix::process::{Signal, getuid};
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Running, scratch, usable, write_run};

use super::unit::{self, Unit};

/// Whom a service is run as here: an account that owns nothing.
const NOBODY: u32 = 65534;

/// A service on its way, and where strace writes what it does.
struct Service {
    running: Running,
    traced: Option<PathBuf>,
    unit: Unit,
}

impl Service {
    /// Starts what the unit says, with options as they stand in the unit's environment file.
    fn start(name: &str, folder: &Path, binary: &Path, options: &str, watches: bool) -> Self {
        let unit = Unit::of(name);
        let state = folder.join("state");
        let variable = format!("{}_OPTIONS", name.to_uppercase());
        let arguments = unit.arguments(&[("STATE_DIRECTORY", state.to_str().unwrap()), (&variable, options)]);
        let mut launcher: Vec<String> = Vec::new();
        if getuid().is_root() {
            let rights = [
                "--clear-groups",
                "--no-new-privs",
                "--bounding-set=-all",
                "--inh-caps=-all",
            ];
            launcher.extend([format!("--reuid={NOBODY}"), format!("--regid={NOBODY}")]);
            launcher.extend(rights.map(str::to_owned));
        } else {
            launcher.push("--no-new-privs".to_owned());
        }
        // systemd gives a service little more than this.
        launcher.extend(["env", "-i", "LANG=C.UTF-8", "PATH=/usr/bin:/bin"].map(str::to_owned));
        launcher.push(format!("STATE_DIRECTORY={}", state.display()));
        launcher.push(format!("{variable}={options}"));
        let traced = watches.then(|| folder.join(format!("{name}.strace")));
        if let Some(traced) = &traced {
            launcher.extend(["strace", "-f", "-qq", "-o"].map(str::to_owned));
            launcher.push(traced.to_str().unwrap().to_owned());
        }
        launcher.push(binary.to_str().unwrap().to_owned());
        let (subcommand, rest) = arguments.split_first().unwrap();
        let running = Call::by(Path::new("setpriv"), &launcher, subcommand)
            .args(rest)
            .from(Path::new("/"))
            .start();
        Self { running, traced, unit }
    }

    /// SIGTERM, as `systemctl stop` sends it; then what it did.
    fn stop(self, ends_with: &str, binary: &Path) {
        let pid = program_below(self.running.pid(), binary);
        rustix::process::kill_process(pid, Signal::TERM).unwrap();
        let ended = self.running.wait();
        ended.must_succeed().must_say(&[ends_with]);
        let Some(traced) = self.traced else { return };
        let text = fs::read_to_string(traced).unwrap();
        let allowed = self.unit.allowed_calls();
        let called: BTreeSet<&str> = text.lines().filter_map(call_of).collect();
        assert!(called.contains("execve") && called.contains("openat"), "{called:?}");
        let refused: Vec<_> = called.iter().filter(|call| !allowed.contains(**call)).collect();
        assert!(
            refused.is_empty(),
            "{} would refuse {refused:?}",
            self.unit.path.display()
        );
    }
}

/// `1234  openat(AT_FDCWD, ...` -> `openat`
fn call_of(line: &str) -> Option<&str> {
    let (_, call) = line.split_once(' ')?;
    let (name, _) = call.trim_start().split_once('(')?;
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    is_name.then_some(name)
}

/// The process of the binary itself: strace, where it runs, is its parent and takes no signal for it.
fn program_below(start: u32, binary: &Path) -> rustix::process::Pid {
    trc2npy_tests::poll("the service's own process", || {
        let mut pids = vec![start];
        while let Some(pid) = pids.pop() {
            if fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == binary) {
                return rustix::process::Pid::from_raw(i32::try_from(pid).unwrap());
            }
            let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
            pids.extend(children.split_whitespace().map(|pid| pid.parse::<u32>().unwrap()));
        }
        None
    })
}

#[test]
fn a_job_runs_through_as_an_account_without_rights() {
    if !unit::has_tools() || !usable("setpriv", ["--version"]) {
        return;
    }
    let traces = usable("strace", ["-o", "/dev/null", "true"]);
    let folder = scratch();
    let folder = folder.path();
    let binary = unit::public_binary(folder);
    // The path has a blank, as the comment in the environment file has it.
    let root = folder.join("my lab");
    write_run(&RunSpec::new(20, 500), &root.join("run"));
    fs::create_dir(folder.join("state")).unwrap();
    if getuid().is_root() {
        for path in [folder, &folder.join("state"), &root] {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    } else {
        eprintln!("left out: only root can start a service as another account");
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("127.0.0.1:{port}");

    let options = format!("--listen {address} --root 'data={}'", root.display());
    let mut coordinator = Service::start("coordinator", folder, &binary, &options, traces);
    coordinator.running.says("listening on");
    let options = format!(
        "--coordinator {address} --root 'data={}' --name pc1 --cpus 2 --nice",
        root.display()
    );
    let mut worker = Service::start("worker", folder, &binary, &options, traces);
    worker.running.says("connected to");
    let submit = ["data:run", "--out", "data:npy", "--wait", "--coordinator", &address];
    Call::of("submit").args(submit).run().must_succeed();
    let verified = Call::of("verify").args([root.join("npy")]).args(["--sources"]).run();
    verified.must_succeed();
    assert!(
        !worker.running.stderr().contains("--nice"),
        "{}",
        worker.running.stderr()
    );
    worker.stop("ended: what was in hand is done", &binary);
    coordinator.stop("ended; the same command goes on with its jobs", &binary);

    let array = fs::metadata(root.join("npy/C1--Trace.npy")).unwrap();
    assert_eq!(array.uid(), if getuid().is_root() { NOBODY } else { getuid().as_raw() });
}

/// As it is installed, nothing is set: the service says what it needs, and is not started again and again.
#[test]
fn a_service_without_options_says_what_it_needs() {
    for name in unit::NAMES {
        let env_file = fs::read_to_string(unit::folder().join(format!("{name}.env"))).unwrap();
        assert!(
            env_file.lines().all(|line| line.is_empty() || line.starts_with('#')),
            "{env_file}"
        );
        let unit = Unit::of(name);
        assert_eq!(unit.one("EnvironmentFile"), format!("/etc/trc2npy/{name}.env"));
        let arguments = unit.arguments(&[("STATE_DIRECTORY", "/nowhere")]);
        let (subcommand, rest) = arguments.split_first().unwrap();
        let ended = Call::of(subcommand).args(rest).run();
        ended.must_end_with(2).must_say(&["--root <NAME=PATH>"]);

        // The example in the file, with everything that it says: it is understood.
        let (_, example) = env_file
            .split_once("\n#")
            .map(|(_, rest)| rest.rsplit_once('#').unwrap_or(("", rest)))
            .unwrap();
        let (variable, options) = example.trim().split_once('=').unwrap();
        assert_eq!(variable, format!("{}_OPTIONS", name.to_uppercase()));
        let arguments = unit.arguments(&[("STATE_DIRECTORY", "/nowhere"), (variable, options.trim_matches('"'))]);
        assert!(arguments.iter().any(|word| word.starts_with("data=/")), "{arguments:?}");
        let (subcommand, rest) = arguments.split_first().unwrap();
        // `--help` behind it: all options before it are known.
        Call::of(subcommand).args(rest).args(["--help"]).run().must_succeed();
    }
}
