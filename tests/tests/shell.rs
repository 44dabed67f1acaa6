//! Completions in real shells, and manual pages in the programs that read them.
#![cfg(unix)] // The shells and readers of manual pages that are tried here.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;
use trc2npy_tests::{binary, usable};

fn run(program: &Path, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output().unwrap();
    said(&output)
}

#[track_caller]
fn said(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{stderr}", output.status);
    assert_eq!(stderr, "");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The file with a shell's completions.
fn script(folder: &TempDir, shell: &str) -> String {
    let path = folder.path().join("_trc2npy");
    fs::write(&path, run(&binary(), &["completions", shell])).unwrap();
    path.to_str().unwrap().to_owned()
}

/// What is tried in each shell: the words typed, the last one unfinished, and what must be proposed, all of it.
const TYPED: [(&str, &[&str]); 4] = [
    ("conv", &["convert"]),
    ("convert --baseline", &["--baseline", "--baseline-method"]),
    ("convert --events com", &["complete"]),
    ("completions z", &["zsh"]),
];

#[test]
fn bash_completes_commands_options_and_their_words() {
    let folder = TempDir::new().unwrap();
    let script = script(&folder, "bash");
    let bash = |typed: &str| {
        // As readline calls it: the function that `complete` has registered, with the words of the line.
        let program = format!(
            "set -eu; source '{script}'; registered=$(complete -p trc2npy); function=${{registered##*-F }}; \
             COMP_WORDS=(trc2npy {typed}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMPREPLY=(); \
             ${{function% *}} trc2npy \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        run(Path::new("bash"), &["--noprofile", "--norc", "-c", &program])
    };
    for (typed, expected) in TYPED {
        assert_eq!(bash(typed).lines().collect::<Vec<_>>(), expected, "{typed}");
    }
}

#[test]
fn fish_completes_commands_options_and_their_words() {
    if !usable("fish", ["--version"]) {
        return;
    }
    let folder = TempDir::new().unwrap();
    let script = script(&folder, "fish");
    // The words of arguments without a name it is not told.
    for (typed, expected) in TYPED.iter().filter(|(typed, _)| !typed.starts_with("completions")) {
        let program = format!("source '{script}'; complete -C 'trc2npy {typed}'");
        let proposed = run(Path::new("fish"), &["--no-config", "-c", &program]);
        // What it means stands behind a tab.
        let words: Vec<&str> = proposed.lines().filter_map(|line| line.split('\t').next()).collect();
        assert_eq!(words, *expected, "{typed}");
    }
}

#[test]
fn zsh_takes_the_completions() {
    if !usable("zsh", ["--version"]) {
        return;
    }
    let folder = TempDir::new().unwrap();
    script(&folder, "zsh");
    // Found in $fpath and loaded, as an interactive shell does it.
    let program = "fpath=($1 $fpath); autoload -Uz compinit; compinit -u -D; autoload -Uz +X _trc2npy; \
                   print $_comps[trc2npy]; functions _trc2npy | grep -c -- --baseline-method";
    let words = ["-f", "-c", program, "zsh", folder.path().to_str().unwrap()];
    let told = run(Path::new("zsh"), &words);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "_trc2npy", "{told}");
    assert_ne!(lines[1], "0", "{told}");
}

#[test]
fn every_command_has_a_manual_page_that_its_readers_take() {
    let folder = TempDir::new().unwrap();
    let pages = folder.path().join("man/man1");
    let told = run(&binary(), &["man", pages.to_str().unwrap()]);
    let written: BTreeSet<String> = fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().path().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(told.lines().map(str::to_owned).collect::<BTreeSet<_>>(), written);

    let help = run(&binary(), &["--help"]);
    let commands = help.split("Commands:\n").nth(1).unwrap().lines();
    let commands = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split("  ").next())
        // What is said of a command can go on in a line of its own.
        .filter(|name| !name.is_empty());
    let mut expected: BTreeSet<String> = commands
        .filter(|name| *name != "help")
        .map(|name| format!("trc2npy-{name}.1"))
        .collect();
    for sure in ["trc2npy-convert.1", "trc2npy-batch.1", "trc2npy-man.1"] {
        assert!(expected.contains(sure), "{help}");
    }
    expected.insert("trc2npy.1".to_owned());
    let names = written.iter().map(|path| path.rsplit('/').next().unwrap().to_owned());
    assert_eq!(names.collect::<BTreeSet<_>>(), expected);

    let convert = fs::read_to_string(pages.join("trc2npy-convert.1")).unwrap();
    for part in [
        "baseline\\-method",
        "TRC2NPY_BASELINE=2000",
        "goes on where an interrupted",
    ] {
        assert!(convert.contains(part), "{part} is not in\n{convert}");
    }
    for page in &written {
        if usable("sh", ["-c", "command -v mandoc"]) {
            run(Path::new("mandoc"), &["-T", "lint", "-W", "error", page]);
        }
        // As the next one, it complains on stderr.
        if usable("man", ["--version"]) && usable("groff", ["--version"]) {
            run(Path::new("man"), &["--warnings", "-l", page]);
        }
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let output = Command::new(binary())
        .arg("man")
        .arg(file.join("man1"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.contains("file/man1"), "{stderr}");
}
