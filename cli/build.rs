//! Tells the program which commit it is built from, for `trc2npy --version`. No time and no host: the same sources give
//! the same program.
//!
//! Without git, or from sources that are no checkout (a tarball, a crate), there is no commit, and the program says so.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What the program is made of, seen from the workspace: a change elsewhere makes no other program.
const CRATES: [&str; 8] = [
    "cli",
    "common",
    "coordinator",
    "coordinator/core",
    "proto",
    "synth",
    "telemetry",
    "worker",
];
const OF_A_CRATE: [&str; 5] = ["Cargo.toml", "build.rs", "src", "assets", "trc2npy"];
const OF_ALL: [&str; 2] = ["Cargo.toml", "Cargo.lock"];

fn main() {
    let folder = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo says where the package is"));
    let workspace = folder.parent().unwrap_or(&folder);
    println!("cargo::rerun-if-changed=build.rs");
    if let Some(commit) = commit(workspace) {
        println!("cargo::rustc-env=BUILT_FROM={commit}");
    }
    for (name, variable) in [("BUILT_FOR", "TARGET"), ("BUILT_WITH", "CARGO_CFG_FEATURE")] {
        println!(
            "cargo::rustc-env={name}={}",
            std::env::var(variable).unwrap_or_default()
        );
    }
}

/// The checkout's commit, and whether the sources are others than its. Says to cargo when to ask again.
fn commit(workspace: &Path) -> Option<String> {
    // The repository around an unpacked tarball is not the program's.
    git(workspace, &["ls-files", "--error-unmatch", "cli/build.rs"])?;
    let commit = git(workspace, &["rev-parse", "--short=12", "HEAD"])?;
    // The log of HEAD has a line for each commit, checkout and reset; where none is kept, the index changes with them. (A
    // path that is not there would ask at each build.)
    let [head, log, index] =
        ["HEAD", "logs/HEAD", "index"].map(|name| git(workspace, &["rev-parse", "--git-path", name]));
    let place = |path: Option<String>| path.map(|path| workspace.join(path)).filter(|path| path.exists());
    let moved = [place(head), place(log).or_else(|| place(index))];
    let sources = sources(workspace);
    let watched = moved
        .into_iter()
        .flatten()
        .chain(sources.iter().map(|path| workspace.join(path)));
    for path in watched {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
    let changed = git(workspace, &[&["status", "--porcelain", "--"], &sources[..]].concat())?;
    Some(if changed.is_empty() { commit } else { commit + "-dirty" })
}

fn sources(workspace: &Path) -> Vec<String> {
    let of_crates = CRATES
        .iter()
        .flat_map(|name| OF_A_CRATE.iter().map(move |part| format!("{name}/{part}")));
    of_crates
        .chain(OF_ALL.map(str::to_owned))
        .filter(|path| workspace.join(path).exists())
        .collect()
}

/// What git answers; none where it cannot.
fn git(workspace: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(workspace)
        // `status` would write the index, of which cargo may be watching the time.
        .arg("--no-optional-locks")
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
