//! `--quiet`, `--verbose` and `--color`: how much is said, and how.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

const RED: &str = "\u{1b}[1m\u{1b}[31m";

fn trc2npy(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::cargo_bin("trc2npy").unwrap();
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM"] {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRC2NPY_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).args(words);
    command
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// A run of six files, one of them cut short.
fn lab(bad: &str) -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut words = vec!["synth", "run", "--files", "6", "--samples", "300", "--quiet"];
    words.extend((!bad.is_empty()).then_some(["--bad", bad]).into_iter().flatten());
    let output = trc2npy(folder.path(), &words).assert().success().get_output().clone();
    assert_eq!(said(&output), (String::new(), String::new()));
    folder
}

#[test]
fn quiet_says_what_is_bad_alone() {
    let good = lab("");
    let convert = ["convert", "run", "--out", "out"];
    for order in [[&convert[..], &["-q"]].concat(), [&["--quiet"][..], &convert].concat()] {
        let output = trc2npy(good.path(), &order).assert().success().get_output().clone();
        assert_eq!(said(&output), (String::new(), String::new()), "{order:?}");
    }
    let verify = trc2npy(good.path(), &["verify", "out", "-q"])
        .assert()
        .success()
        .get_output()
        .clone();
    assert_eq!(said(&verify), (String::new(), String::new()));
    for words in [
        &["demo", "-q"][..],
        &["man", "man1", "-q"],
        &["convert", "run", "--out", "out", "-qq"],
    ] {
        let output = trc2npy(good.path(), words).assert().success().get_output().clone();
        assert_eq!(said(&output), (String::new(), String::new()), "{words:?}");
    }
    assert!(good.path().join("man1/trc2npy.1").exists() && good.path().join("trc2npy-demo/npy").exists());
    let batch = trc2npy(good.path(), &["batch", ".", "--idle", "0", "-q", "--out", "npy/{run}"]);
    let output = { batch }.assert().success().get_output().clone();
    assert_eq!(said(&output), (String::new(), String::new()));

    let bad = lab("truncated");
    let output = trc2npy(bad.path(), &[&convert[..], &["-q", "--settle", "0s"]].concat())
        .assert()
        .code(3)
        .get_output()
        .clone();
    let (stdout, stderr) = said(&output);
    assert!(stdout.is_empty(), "{stdout}");
    assert!(stderr.starts_with("BAD ROWS: 1 of 6"), "{stderr}");
    assert!(stderr.contains("good = index[\"status\"] == 0"), "{stderr}");
    fs::write(bad.path().join("out/C1--Trace.npy"), "mine").unwrap();
    let output = trc2npy(bad.path(), &[&convert[..], &["-q"]].concat())
        .assert()
        .code(1)
        .get_output()
        .clone();
    assert!(said(&output).1.starts_with("error: "), "{output:?}");
    trc2npy(bad.path(), &[&convert[..], &["-q", "-v"]].concat())
        .assert()
        .code(2);
}

/// A text that is not Unicode cannot be read, and clap alone does not say which.
#[cfg(unix)]
#[test]
fn a_word_that_is_not_unicode_is_named() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let lab = lab("");
    let odd = OsStr::from_bytes(b"echo \xff");
    let mut command = trc2npy(lab.path(), &["convert", "run", "--out", "out", "--on-finish"]);
    let (_, stderr) = said(&command.arg(odd).assert().code(2).get_output().clone());
    assert!(stderr.starts_with("error: not Unicode: 'echo \u{fffd}'"), "{stderr}");
}

/// Where stdout takes nothing, the work is done and the end says what could not be said.
#[cfg(target_os = "linux")] // /dev/full
#[test]
fn a_full_standard_output_is_an_error_and_the_work_is_done() {
    let lab = lab("");
    let tree = lab.path().join("tree");
    for run in ["a", "b"] {
        let spec = ["synth", "--files", "3", "--samples", "300", "-q"];
        trc2npy(lab.path(), &spec).arg(tree.join(run)).assert().success();
    }
    let convert = ["convert", "run", "--out"];
    let batch = ["batch", "tree", "--idle", "0", "-v", "--out"];
    for (words, out, array) in [
        (&convert[..], "out", "out/C1--Trace.npy"),
        (&batch, "npy/{run}", "npy/b/C1--Trace.npy"),
    ] {
        for style in ["json", "none"] {
            let mut call = std::process::Command::new(env!("CARGO_BIN_EXE_trc2npy"));
            let full = fs::File::options().write(true).open("/dev/full").unwrap();
            call.current_dir(lab.path())
                .args(words)
                .args([out, "--progress", style])
                .stdout(full);
            let output = call.output().unwrap();
            let (_, stderr) = said(&output);
            assert_eq!(output.status.code(), Some(1), "{words:?} {style}: {stderr}");
            assert!(
                stderr.contains("cannot write to the standard output"),
                "{words:?} {style}: {stderr}"
            );
            assert!(lab.path().join(array).exists(), "{stderr}");
            fs::remove_file(lab.path().join(array)).unwrap();
        }
    }
}

#[test]
fn verbose_says_also_what_is_as_it_should_be() {
    let lab = lab("");
    fs::write(lab.path().join("run/notes.txt"), "x").unwrap();
    let convert = ["convert", "run", "--out", "out"];
    let usual = trc2npy(lab.path(), &convert).assert().success().get_output().clone();
    assert!(!said(&usual).1.contains("notes.txt"), "{usual:?}");
    let more = trc2npy(lab.path(), &[&convert[..], &["-v"]].concat())
        .assert()
        .success()
        .get_output()
        .clone();
    let note = "note: left out: 1 file of another kind than .trc (run/notes.txt)";
    assert!(said(&more).1.contains(note), "{more:?}");
}

#[test]
fn colours_are_shown_where_they_are_wanted() {
    let lab = lab("truncated");
    let convert = ["convert", "run", "--out", "out", "--settle", "0s"];
    let colored = |words: &[&str], variables: &[(&str, &str)]| {
        let mut command = trc2npy(lab.path(), &[&convert[..], words].concat());
        command.envs(variables.iter().copied());
        let (stdout, _) = said(&command.assert().code(3).get_output().clone());
        assert!(stdout.contains("BAD ROWS:"), "{stdout}");
        stdout.contains(&format!("{RED}BAD ROWS:"))
    };
    assert!(!colored(&[], &[]), "into a pipe");
    assert!(colored(&["--color", "always"], &[]));
    assert!(colored(&["--color=always"], &[("NO_COLOR", "1")]), "the option wins");
    assert!(colored(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!colored(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));

    // What is wrong with the command line itself.
    let mut wrong = trc2npy(lab.path(), &["convert", "--bas", "--color", "always"]);
    let (_, stderr) = said(&wrong.assert().code(2).get_output().clone());
    assert!(stderr.contains('\u{1b}'), "{stderr}");
    let mut none = trc2npy(lab.path(), &["convert", "nothing", "--out", "out", "--color=always"]);
    let (_, stderr) = said(&none.assert().code(2).get_output().clone());
    assert!(stderr.contains(&format!("{RED}error:")), "{stderr}");
    trc2npy(lab.path(), &[&convert[..], &["--color", "red"]].concat())
        .assert()
        .code(2);
}
