//! What someone meets who tries the program for the first time, mistakes included: the real program in a folder of its
//! own.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and their helpers have none"
)]

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// Starts the program with words as they are typed, parted by blanks.
fn trc2npy(folder: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trc2npy"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRC2NPY_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).args(words.split(' '));
    command
}

#[track_caller]
fn run(folder: &Path, words: &str, code: i32) -> (String, String) {
    let output: Output = trc2npy(folder, words).output().unwrap();
    let (told, shown) = (
        String::from_utf8(output.stderr).unwrap(),
        String::from_utf8(output.stdout).unwrap(),
    );
    assert_eq!(output.status.code(), Some(code), "{words}\n{told}\n{shown}");
    (shown, told)
}

/// A folder with the run `r`: so many files of 502 samples.
fn with_run(files: u32) -> TempDir {
    let folder = TempDir::new().unwrap();
    run(
        folder.path(),
        &format!("synth r --files {files} --samples 502 --channels 1,2"),
        0,
    );
    folder
}

fn dry_run(folder: &Path, options: &str) -> Value {
    let (shown, _) = run(folder, &format!("convert r --out out --dry-run --json{options}"), 0);
    serde_json::from_str(&shown).unwrap()
}

#[test]
fn a_dry_run_announces_what_the_conversion_then_does() {
    let folder = with_run(30);
    let announced = dry_run(folder.path(), "");
    let said = &announced["runs"][0];
    // 4 MiB a range at least: each channel of this small run is one.
    assert_eq!(said["channels"][0]["ranges"], 1, "{announced}");
    assert_eq!(said["channels"][1]["bytes_out"], 30 * 502 * 4);
    assert!(
        !folder.path().join("out").exists(),
        "the dry run made the output folder"
    );

    let each_row = dry_run(folder.path(), " --range-size 1");
    assert_eq!(each_row["runs"][0]["channels"][0]["ranges"], 30);

    let small = dry_run(folder.path(), " --memory-limit 2MiB --threads 64");
    let small = &small["runs"][0];
    let number = |key: &str| small[key].as_u64().unwrap();
    assert!((1..64).contains(&number("threads")), "{small}");
    assert!(number("buffer_memory") > 0 && number("plan_memory") > 0, "{small}");
    assert!(number("plan_memory") + number("buffer_memory") <= 2 << 20, "{small}");

    run(folder.path(), "convert r --out out --progress none", 0);
    let written: u64 = fs::read_dir(folder.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap())
        // A run does not fail for the want of its page.
        .filter(|entry| entry.file_name() != "report.html")
        .map(|entry| entry.metadata().unwrap())
        .filter(fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum();
    let needed = said["bytes_out"].as_u64().unwrap();
    // The JSON files are allowed 64 KiB a channel.
    assert!(
        (written..written + (256 << 10)).contains(&needed),
        "{needed} announced, {written} written"
    );
}

#[test]
fn a_dry_run_is_read_by_people_too() {
    let folder = with_run(30);
    let (shown, _) = run(folder.path(), "convert r --out out --dry-run --threads 2", 0);
    for part in [
        "Run r (r)",
        "C1",
        "out/C2--Trace.npy",
        "to write into out, ",
        "on 2 threads: ",
        "Nothing was written.",
    ] {
        let part = if cfg!(windows) {
            part.replace('/', "\\")
        } else {
            part.to_owned()
        };
        assert!(shown.contains(&part), "{part} is not in\n{shown}");
    }
    assert!(!shown.contains("NOT ENOUGH ROOM"), "{shown}");
}

#[test]
fn a_dry_run_refuses_what_the_conversion_would_refuse() {
    let folder = with_run(3);
    run(folder.path(), "synth s --files 3", 0);
    let (_, told) = run(folder.path(), "convert r s --out out --dry-run", 2);
    assert!(told.contains("--out out/{run}") && told.contains("--join"), "{told}");
    let (_, told) = run(folder.path(), "convert r --out out --dry-run --memory-limit 1kB", 2);
    assert!(told.contains("--memory-limit of 1,000 bytes: at least"), "{told}");
}

#[test]
fn an_output_folder_that_cannot_be_one_is_refused_at_once() {
    let folder = with_run(3);
    fs::write(folder.path().join("notes.txt"), "x").unwrap();
    for out in ["notes.txt", "notes.txt/below/{run}"] {
        let (shown, told) = run(folder.path(), &format!("convert r --out {out}"), 2);
        assert!(told.contains("notes.txt is a file; name a folder"), "{told}");
        // One sentence: nothing was begun that could be shown.
        assert_eq!((shown.as_str(), told.lines().count()), ("", 1), "{told}");
    }
}

#[test]
fn mistakes_are_told_with_what_is_there_instead() {
    let folder = with_run(3);
    let at = folder.path();
    run(at, "synth stems --files 3 --samples 20", 0);
    run(
        at,
        "synth stems --files 1 --samples 20 --name C{c}--wave--{i:05}.trc",
        0,
    );
    run(at, "synth ragged --files 3 --samples 20", 0);
    run(at, "synth ragged --files 1 --samples 30 --start 3", 0);
    run(at, "synth mixed --files 3 --samples 20", 0);
    run(at, "synth mixed --files 1 --samples 20 --start 3 --interval 2e-9", 0);
    fs::create_dir(at.join("empty")).unwrap();
    let cases: [(&str, i32, &[&str]); 9] = [
        (
            "convert rr --out o",
            2,
            &["rr: no such file or folder", "holds empty, mixed, r, ragged, stems"],
        ),
        ("convert x* --out o", 2, &["x*: nothing matches this pattern"]),
        (
            "convert empty --out o",
            2,
            &["no traces found", "C1--Trace--00000.trc", "holds nothing"],
        ),
        (
            "convert . --out o",
            2,
            &["5 folders (empty, mixed, r, ...): name them, or use --recursive"],
        ),
        (
            "convert r --out o --channels 9",
            2,
            &["no files of channel C9 (there are C1: 3 files, C2: 3 files)"],
        ),
        (
            "convert stems --out o",
            2,
            &["\"Trace\": 3 files, \"wave\": 1 file; choose one with --stem"],
        ),
        (
            "convert ragged --out o",
            1,
            &[
                "20 samples in 3 files",
                "30 samples in 1 file of",
                "--ragged bad",
                "pad or truncate",
            ],
        ),
        (
            "convert mixed --out o",
            1,
            &[
                "HORIZ_INTERVAL changes from 1e-9 (mixed/C1--Trace--00002.trc) to 2e-9 (mixed/C1--Trace--00003.trc)",
                "--mixed warn",
            ],
        ),
        (
            "convert r --out o --baseline 502",
            2,
            &[
                "--baseline 502: channel C1 has 502 samples",
                "choose a smaller --baseline",
            ],
        ),
    ];
    for (words, code, parts) in cases {
        let (_, told) = run(at, words, code);
        for part in parts {
            assert!(told.contains(part), "{words}: {part:?} is not in\n{told}");
        }
        assert!(!at.join("o").exists(), "{words} made the output folder");
    }
}

#[test]
fn bad_files_are_named_at_the_end() {
    let folder = TempDir::new().unwrap();
    run(
        folder.path(),
        "synth r --files 40 --samples 502 --bad truncated:3,garbage:2",
        0,
    );
    let (shown, told) = run(folder.path(), "convert r --out out --settle 0 --progress none", 3);
    assert!(shown.contains("BAD ROWS: 5 of 40 are not to be used."), "{shown}");
    let named = shown.lines().filter(|line| line.starts_with("  r/C1--Trace--")).count();
    assert_eq!(named, 3, "{shown}");
    assert!(
        shown.contains("  more in out") && shown.contains("report.json"),
        "{shown}"
    );
    // What planning had guessed of them is settled by then.
    assert!(!told.contains("warning"), "{told}");
}

#[test]
fn files_that_are_new_since_the_plan_are_a_warning() {
    let folder = with_run(5);
    run(folder.path(), "convert r --out out --progress none", 0);
    run(folder.path(), "synth r --files 1 --samples 502 --start 5", 0);
    let (_, told) = run(folder.path(), "convert r --out out --progress none", 0);
    assert!(
        told.contains("warning: new since the run was planned, without rows: 1 file (r/C1--Trace--00005.trc)"),
        "{told}"
    );
    assert!(told.contains("nothing to do"), "{told}");
}

#[test]
fn a_misspelt_variable_is_refused() {
    let folder = with_run(3);
    for (name, part) in [
        ("TRC2NPY_BASELNE", "did you mean TRC2NPY_BASELINE?"),
        ("TRC2NPY_THREAD", "did you mean TRC2NPY_THREADS?"),
        ("TRC2NPY_ON_BAD_FILES", "did you mean TRC2NPY_ON_BAD_FILE?"),
    ] {
        let output = trc2npy(folder.path(), "convert r --out out")
            .env(name, "20")
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {told}");
        assert!(told.contains(name) && told.contains(part), "{told}");
    }
    // These are no options, and nobody's mistake.
    let output = trc2npy(folder.path(), "convert r --out out --dry-run")
        .env("TRC2NPY_PYTHON", "python3")
        .env("TRC2NPYX", "1")
        .env("TRC2NPY_ZEBRA", "1")
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert_eq!(
        told,
        "warning: environment variable TRC2NPY_ZEBRA is not used: no option has this name\n"
    );
}

#[test]
fn a_folder_without_a_verb_is_told_of_the_verb() {
    let folder = with_run(3);
    let (_, told) = run(folder.path(), "r", 2);
    assert!(
        told.contains("'r' is a folder") && told.contains("trc2npy batch r"),
        "{told}"
    );
    let (_, told) = run(folder.path(), "s", 2);
    assert!(!told.contains("batch"), "{told}");
}
