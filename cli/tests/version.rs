//! What `--version` says.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and their helpers have none"
)]

use std::process::Command;

fn trc2npy(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_trc2npy"))
        .args(words)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_short_version_is_a_line_and_the_long_one_tells_one_build_from_another() {
    let short = format!("trc2npy {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(trc2npy(&["-V"]), short);
    let long = trc2npy(&["--version"]);
    let facts: Vec<(&str, &str)> = long
        .strip_prefix(&short)
        .unwrap()
        .lines()
        .map(|line| line.split_once(": ").unwrap())
        .collect();
    let names: Vec<&str> = facts.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["commit", "target", "features", "protocol"]);
    let [(_, commit), (_, target), (_, features), (_, protocol)] = facts[..] else {
        unreachable!()
    };
    let digits = commit.strip_suffix("-dirty").unwrap_or(commit);
    let is_commit = digits.len() >= 12 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    assert!(
        is_commit || commit == "unknown (not built from a git checkout)",
        "{commit}"
    );
    assert!(target.contains(std::env::consts::ARCH), "{target}");
    assert_eq!((features, protocol), ("none", "1"));
    // Whatever the command, it is the same program.
    assert_eq!(
        trc2npy(&["convert", "--version"]).lines().skip(1).collect::<Vec<_>>(),
        long.lines().skip(1).collect::<Vec<_>>()
    );
}
