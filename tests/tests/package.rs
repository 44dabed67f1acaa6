//! The Debian package: installed for real, updated, removed and purged, by the commands of docs/services.md.
//!
//! `TRC2NPY_DEB` names it (`tests/run package` makes one). It is installed into the system that runs the tests, by root
//! only, and only where there is no trc2npy yet.
#![cfg(target_os = "linux")] // Where dpkg is.
#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and their helpers have none"
)]
#![expect(clippy::print_stderr, reason = "what is left out is said")]

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::getuid;
use trc2npy_tests::{scratch, usable, workspace};

/// No package may be larger than this.
const LARGEST: u64 = 25_000_000;
const UNITS: [&str; 2] = ["trc2npy-coordinator.service", "trc2npy-worker.service"];
const STATE: &str = "/var/lib/trc2npy";
const WORKER_ENV: &str = "/etc/trc2npy/worker.env";

fn package() -> Option<PathBuf> {
    let path = std::env::var_os("TRC2NPY_DEB").map(|path| workspace().join(path));
    if path.is_none() {
        eprintln!("left out: TRC2NPY_DEB names no Debian package (`tests/run package` makes one)");
    }
    path.filter(|_| usable("dpkg-deb", ["--version"]))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What a command says, which must succeed; the first word is the program.
#[track_caller]
fn run(words: &str) -> String {
    let output = sh(words);
    assert!(output.status.success(), "{words}: {}", said(&output));
    said(&output)
}

fn sh(words: &str) -> Output {
    Command::new("sh")
        .args(["-euc", words])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env_remove("TRC2NPY_DEB")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn the_package_says_what_it_is() {
    let Some(deb) = package() else { return };
    let deb = deb.display();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        run(&format!("dpkg-deb --field {deb} Version")).trim(),
        format!("{version}-1")
    );
    let changelog = fs::read_to_string(workspace().join("deploy/debian/changelog")).unwrap();
    assert!(changelog.starts_with(&format!("trc2npy ({version}-1) ")), "{changelog}");
    let depends = run(&format!("dpkg-deb --field {deb} Depends"));
    for name in ["libc6 (>= ", "systemd | systemd-sysusers", "systemd | systemd-tmpfiles"] {
        assert!(depends.contains(name), "{name} is not in {depends}");
    }
    assert!(fs::metadata(deb.to_string()).unwrap().len() < LARGEST);
    let contents = run(&format!("dpkg-deb --contents {deb}"));
    let of_binary = contents
        .lines()
        .find(|line| line.ends_with(" ./usr/bin/trc2npy"))
        .unwrap();
    let size: u64 = of_binary.split_whitespace().nth(2).unwrap().parse().unwrap();
    assert!(size < LARGEST, "the binary has {size} bytes: is it stripped?");
    // No user and no folder of whoever made it.
    assert!(
        contents
            .lines()
            .all(|line| matches!(line.split_whitespace().nth(1), Some("root/root" | "0/0"))),
        "{contents}"
    );

    if usable("lintian", ["--version"]) {
        let judged = sh(&format!(
            "lintian --fail-on error --tag-display-limit 0 --allow-root {deb}"
        ));
        assert!(judged.status.success(), "{}", said(&judged));
        eprintln!("{}", said(&judged));
    }
}

/// What can be done here with a system of its own: all of it is taken back at the end, also where the test fails.
struct Machine {
    had_account: bool,
}

impl Machine {
    fn ours() -> Option<Self> {
        if !getuid().is_root() {
            eprintln!("left out: only root can install a package");
            return None;
        }
        if sh("dpkg-query --show trc2npy").status.success() || Path::new("/usr/bin/trc2npy").exists() {
            eprintln!("left out: there is a trc2npy on this machine, which is not the tests' to remove");
            return None;
        }
        let had_account = sh("getent passwd trc2npy").status.success();
        Some(Self { had_account })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        sh("dpkg --purge trc2npy");
        if !self.had_account {
            sh("userdel trc2npy");
        }
    }
}

/// The commands of the page that change the system, in their order.
fn page_commands() -> Vec<String> {
    let page = fs::read_to_string(workspace().join("docs/services.md")).unwrap();
    let commands = page.lines().filter_map(|line| line.strip_prefix("sudo "));
    commands.map(str::to_owned).collect()
}

#[test]
fn the_package_is_installed_updated_removed_and_purged() {
    let Some(deb) = package() else { return };
    let Some(machine) = Machine::ours() else { return };
    let folder = scratch();
    let deb_name = deb.file_name().unwrap().to_str().unwrap();
    fs::copy(&deb, folder.path().join(deb_name)).unwrap();

    let mut commands = page_commands().into_iter();
    let mut next = |beginning: &str| {
        let command = commands
            .by_ref()
            .inspect(|command| {
                if !command.starts_with("apt ") {
                    eprintln!("not run: {command} (systemd does not lead this machine, or is not the tests' to lead)");
                }
            })
            .find(|command| command.starts_with(beginning))
            .unwrap_or_else(|| panic!("docs/services.md has no further {beginning}"));
        // apt's packages of other machines have another architecture in their name.
        let command = command.replace("_amd64.deb", &deb_name[deb_name.rfind('_').unwrap()..]);
        run(&format!(
            "cd {}; {} --yes -o DPkg::Lock::Timeout=120",
            folder.path().display(),
            command.trim()
        ))
    };

    next("apt install ./trc2npy_");
    installed();
    fs::write(Path::new(STATE).join("coordinator.test"), "records").unwrap();
    let ours = fs::read_to_string(WORKER_ENV).unwrap() + "WORKER_OPTIONS=\"--root data=/mnt/lab\"\n";
    fs::write(WORKER_ENV, &ours).unwrap();

    // A later version, whose own files of options are as they were.
    let newer = newer(folder.path(), &deb);
    run(&format!("dpkg --install {}", newer.display()));
    assert!(run("dpkg-query --show trc2npy").contains("99.0.0-1"));
    assert_eq!(
        fs::read_to_string(WORKER_ENV).unwrap(),
        ours,
        "an update keeps what was written"
    );
    assert!(Path::new(STATE).join("coordinator.test").exists());

    let files: Vec<PathBuf> = run("dpkg --listfiles trc2npy").lines().map(PathBuf::from).collect();
    let own = |path: &&PathBuf| path.to_string_lossy().contains("trc2npy");
    assert!(files.iter().filter(own).count() > 40, "{files:?}");
    next("apt remove trc2npy");
    assert!(!Path::new("/usr/bin/trc2npy").exists());
    assert_eq!(
        fs::read_to_string(WORKER_ENV).unwrap(),
        ours,
        "a removal keeps the options"
    );
    assert!(
        Path::new(STATE).join("coordinator.test").exists(),
        "a removal keeps the records"
    );

    next("apt purge trc2npy");
    let left: Vec<_> = files.iter().filter(own).filter(|path| path.exists()).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!Path::new(STATE).exists() && !Path::new("/etc/trc2npy").exists());
    assert!(!sh("dpkg-query --show trc2npy").status.success());
    // Files on the disks may be its.
    assert!(sh("getent passwd trc2npy").status.success());
    drop(machine);
}

/// All is where its readers look for it.
fn installed() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(run("trc2npy -V").trim(), format!("trc2npy {version}"));
    for page in ["trc2npy", "trc2npy-convert", "trc2npy-coordinator", "trc2npy-worker"] {
        let found = run(&format!("man -w {page}"));
        assert_eq!(found.trim(), format!("/usr/share/man/man1/{page}.1.gz"));
    }
    let completed =
        run("bash --noprofile --norc -ec '. /usr/share/bash-completion/completions/trc2npy; complete -p trc2npy'");
    assert!(completed.contains("trc2npy"), "{completed}");
    for path in [
        "/usr/share/zsh/vendor-completions/_trc2npy",
        "/usr/share/fish/vendor_completions.d/trc2npy.fish",
        "/usr/share/doc/trc2npy/copyright",
        "/usr/share/doc/trc2npy/changelog.Debian.gz",
        "/usr/share/doc/trc2npy/docs/services.md",
        "/usr/share/doc/trc2npy/LICENSE-MIT",
        "/usr/share/doc/trc2npy/dependencies.txt",
    ] {
        assert!(fs::metadata(path).unwrap().len() > 0, "{path}");
    }
    // As they are installed, with their binary, their page of the manual, and their files.
    for unit in UNITS {
        assert_eq!(run(&format!("systemd-analyze verify {unit}")), "");
        assert!(
            !Path::new("/etc/systemd/system/multi-user.target.wants")
                .join(unit)
                .exists(),
            "{unit} is enabled"
        );
    }
    let uid: u32 = run("id --user trc2npy").trim().parse().unwrap();
    assert_eq!(fs::metadata(STATE).unwrap().uid(), uid);
    assert!(run("getent passwd trc2npy").trim().ends_with("/nologin"));
    // Its account can start it.
    let told = run("setpriv --reuid=trc2npy --regid=trc2npy --clear-groups trc2npy worker probe --root data=/ --json");
    assert!(told.contains("\"memory_total\""), "{told}");
}

/// The same package, of a later version.
fn newer(folder: &Path, deb: &Path) -> PathBuf {
    let unpacked = folder.join("unpacked");
    run(&format!(
        "dpkg-deb --raw-extract {} {}",
        deb.display(),
        unpacked.display()
    ));
    let control = unpacked.join("DEBIAN/control");
    let text = fs::read_to_string(&control).unwrap();
    let version = format!("Version: {}-1\n", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "{text}");
    fs::write(&control, text.replace(&version, "Version: 99.0.0-1\n")).unwrap();
    let newer = folder.join("newer.deb");
    run(&format!(
        "dpkg-deb -Znone --build {} {}",
        unpacked.display(),
        newer.display()
    ));
    newer
}
