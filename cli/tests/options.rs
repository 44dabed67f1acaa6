//! Where options come from, and what is said of wrong ones: the real program in a folder of its own.

#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and their helpers have none"
)]

use std::fs;
use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use tempfile::TempDir;

fn trc2npy(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trc2npy"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRC2NPY_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).args(words);
    command
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What `--print-config` says: name, value, origin.
fn settings(command: &mut Command) -> Vec<[String; 3]> {
    let output = command.arg("--print-config").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line
                .split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect();
            <[&str; 3]>::try_from(cells)
                .unwrap_or_else(|cells| panic!("{cells:?}"))
                .map(str::to_owned)
        })
        .collect()
}

#[track_caller]
fn assert_setting(all: &[[String; 3]], name: &str, value: &str, origin: &str) {
    let found = all
        .iter()
        .find(|row| row[0] == name)
        .unwrap_or_else(|| panic!("{name} is not shown: {all:?}"));
    assert_eq!((found[1].as_str(), found[2].as_str()), (value, origin), "{name}");
}

#[test]
fn each_layer_wins_over_the_one_below() {
    let folder = TempDir::new().unwrap();
    fs::write(
        folder.path().join("trc2npy.toml"),
        "baseline = 1\nevents = \"separate\"\nragged = \"pad\"\nchannels = [\"C1\", 3]\nrecursive = true\njoin = true\n\
         memory_threshold = 0.5\nsettle = 3\ninput = [\"a b\", \"c\"]\n",
    )
    .unwrap();
    let all = settings(
        trc2npy(folder.path(), &["convert", "--baseline", "3", "--join=no"])
            .env("TRC2NPY_BASELINE", "2")
            .env("TRC2NPY_EVENTS", "complete"),
    );
    assert_setting(&all, "baseline", "3", "command line");
    assert_setting(&all, "events", "complete", "TRC2NPY_EVENTS");
    assert_setting(&all, "ragged", "pad", "trc2npy.toml");
    assert_setting(&all, "channels", "C1,3", "trc2npy.toml");
    assert_setting(&all, "recursive", "yes", "trc2npy.toml");
    assert_setting(&all, "join", "no", "command line");
    assert_setting(&all, "memory-threshold", "0.5", "trc2npy.toml");
    assert_setting(&all, "settle", "3", "trc2npy.toml");
    assert_setting(&all, "input", "a b,c", "trc2npy.toml");
    assert_setting(&all, "mixed", "error", "default");
    assert_setting(&all, "out", "-", "default");
}

/// Samples by number and by time are one choice: whichever is made above leaves none below.
#[test]
fn a_choice_that_two_options_make_is_the_upper_layers() {
    let folder = TempDir::new().unwrap();
    let file = |text: &str| fs::write(folder.path().join("trc2npy.toml"), text).unwrap();
    let convert = |words: &[&str]| trc2npy(folder.path(), &[&["convert"], words].concat());
    let from_file = "trc2npy.toml";
    for (text, variable, words, name, value, origin) in [
        (
            "samples = \"1:2\"",
            None,
            &["--time", "0:"][..],
            "time",
            "0:",
            "command line",
        ),
        (
            "time = \"1:2\"",
            None,
            &["--samples", "3:4"],
            "samples",
            "3:4",
            "command line",
        ),
        (
            "",
            Some(("TRC2NPY_TIME", "0:")),
            &["--samples", "3:4"],
            "samples",
            "3:4",
            "command line",
        ),
        // What does not count is not looked at.
        (
            "",
            Some(("TRC2NPY_TIME", "soon")),
            &["--samples", "3:4"],
            "samples",
            "3:4",
            "command line",
        ),
        (
            "samples = \"1:2\"",
            Some(("TRC2NPY_TIME", "0:")),
            &[],
            "time",
            "0:",
            "TRC2NPY_TIME",
        ),
        (
            "time = \"1:2\"",
            Some(("TRC2NPY_SAMPLES", "3:")),
            &[],
            "samples",
            "3:",
            "TRC2NPY_SAMPLES",
        ),
        ("time = \"1:2\"", None, &["--rows", "3:4"], "time", "1:2", from_file),
        (
            "samples = \"1:2\"",
            Some(("TRC2NPY_TIME", "0:")),
            &["--samples", "5:6"],
            "samples",
            "5:6",
            "command line",
        ),
    ] {
        file(text);
        let mut command = convert(words);
        command.envs(variable);
        let all = settings(&mut command);
        assert_setting(&all, name, value, origin);
        let other = if name == "time" { "samples" } else { "time" };
        assert_setting(&all, other, "-", "default");
    }
    // In one layer they are a contradiction, of which the layer is told.
    let refused = |command: &mut Command, words: &[&str]| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let told = told(&output);
        for word in words {
            assert!(told.contains(word), "{word}: {told}");
        }
        told
    };
    file("");
    refused(
        &mut convert(&["--samples", "1:2", "--time", "0:"]),
        &["'--samples <A:B>' cannot be used with '--time <A:B>'"],
    );
    let told = refused(
        convert(&[]).env("TRC2NPY_SAMPLES", "1:2").env("TRC2NPY_TIME", "0:"),
        &["TRC2NPY_SAMPLES and TRC2NPY_TIME cannot be used together"],
    );
    assert!(!told.contains("Usage"), "{told}");
    file("samples = \"1:2\"\ntime = \"0:\"");
    refused(
        &mut convert(&[]),
        &["trc2npy.toml: samples and time cannot be used together"],
    );
}

#[test]
fn inputs_of_the_command_line_replace_those_of_the_file() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("trc2npy.toml"), "input = [\"file\"]").unwrap();
    let all = settings(&mut trc2npy(folder.path(), &["convert", "typed"]));
    assert_setting(&all, "input", "typed", "command line");
}

#[test]
fn a_named_file_stands_in_for_the_one_in_the_folder() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("trc2npy.toml"), "baseline = 1\nragged = \"pad\"").unwrap();
    fs::write(folder.path().join("other.toml"), "baseline = 2").unwrap();
    for command in [
        &mut trc2npy(folder.path(), &["convert", "--config", "other.toml"]),
        trc2npy(folder.path(), &["convert"]).env("TRC2NPY_CONFIG", "other.toml"),
    ] {
        let all = settings(command);
        assert_setting(&all, "baseline", "2", "other.toml");
        assert_setting(&all, "ragged", "error", "default");
    }
}

#[test]
fn every_setting_can_come_from_the_environment() {
    let folder = TempDir::new().unwrap();
    let values = [
        ("channels", "1,3"),
        ("stem", "Trace"),
        ("recursive", "yes"),
        ("join", "1"),
        ("events", "complete"),
        ("probe", "all"),
        ("trust-size", "true"),
        ("out", "out"),
        ("name", "{channel}.npy"),
        ("overwrite", "on"),
        ("rows", "1:5"),
        ("every", "2"),
        ("samples", "10:"),
        ("array", "2"),
        ("dtype", "int16"),
        ("baseline", "5"),
        ("baseline-method", "median"),
        ("on-bad-file", "fail"),
        ("ragged", "bad"),
        ("mixed", "warn"),
        ("settle", "1m"),
        ("threads", "2"),
        ("memory-limit", "1GiB"),
        ("memory-threshold", "0.9"),
        ("io", "read"),
        ("range-size", "1MiB"),
        ("sync-every", "2GiB"),
        ("nice", "yes"),
        ("allow-sleep", "yes"),
        ("on-finish", "true"),
        ("progress", "none"),
    ];
    let mut command = trc2npy(folder.path(), &["convert"]);
    for (name, value) in values {
        command.env(format!("TRC2NPY_{}", name.replace('-', "_").to_uppercase()), value);
    }
    let all = settings(&mut command);
    for (name, _, origin) in all.iter().map(|[name, value, origin]| (name, value, origin)) {
        // Times and samples exclude one another.
        let expected = if name == "input" || name == "time" {
            "default".to_owned()
        } else {
            format!("TRC2NPY_{}", name.replace('-', "_").to_uppercase())
        };
        assert_eq!(*origin, expected, "{name}");
    }
    assert_eq!(
        all.len(),
        values.len() + 2,
        "a setting is not in this test's list: {all:?}"
    );
}

#[test]
fn what_the_machine_decides_says_so() {
    let folder = TempDir::new().unwrap();
    let all = settings(&mut trc2npy(folder.path(), &["convert"]));
    for name in ["threads", "memory-limit"] {
        let row = all.iter().find(|row| row[0] == name).unwrap();
        assert!(row[1].starts_with(|c: char| c.is_ascii_digit()), "{row:?}");
        assert_eq!(row[2], "chosen for this machine");
    }
}

#[test]
fn wrong_values_are_told_with_their_place() {
    let cases: [(&str, &[&str]); 9] = [
        (
            "baselin = 3",
            &["trc2npy.toml", "unknown option baselin", "did you mean baseline?"],
        ),
        ("zebra = 3", &["trc2npy.toml", "unknown option zebra", "--help"]),
        (
            "baseline = \"many\"",
            &["trc2npy.toml: baseline: ", "'many'", "number of samples"],
        ),
        (
            "dtype = \"float64\"",
            &["trc2npy.toml: dtype: ", "'float64'", "float32, int16, int8, native"],
        ),
        (
            "baseline = [1]",
            &["trc2npy.toml: baseline = [1]: expected a text, a number"],
        ),
        ("channels = [\"Q\"]", &["trc2npy.toml: channels: ", "not a channel"]),
        ("dry_run = true", &["trc2npy.toml: dry_run belongs on the command line"]),
        ("sync_every = 1\nsync-every = 2", &["trc2npy.toml", "set twice"]),
        ("a = = 1", &["trc2npy.toml: not TOML", "line 1"]),
    ];
    for (text, parts) in cases {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("trc2npy.toml"), text).unwrap();
        let output = trc2npy(folder.path(), &["convert", "x", "--out", "y"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}: {}", told(&output));
        for part in parts {
            assert!(
                told(&output).contains(part),
                "{text}: {part:?} is not in {}",
                told(&output)
            );
        }
    }
    let folder = TempDir::new().unwrap();
    let output = trc2npy(folder.path(), &["convert", "x"])
        .env("TRC2NPY_CHANNELS", "C1,Q")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        told(&output).contains("environment variable TRC2NPY_CHANNELS: "),
        "{}",
        told(&output)
    );
}

#[test]
fn wrong_command_lines_are_usage_errors_that_say_what_is_possible() {
    let folder = TempDir::new().unwrap();
    let cases: [(&[&str], &str); 10] = [
        (&["convert", "x"], "--out"),
        (&["convert", "--out", "y"], "INPUT"),
        (&["convert", "x", "--baseline", "-1"], "--baseline"),
        (&["convert", "x", "--memory-threshold", "85"], "write 0.85 for 85 %"),
        (&["convert", "x", "--memory-limit", "lots"], "512MiB"),
        (&["convert", "x", "--settle", "soon"], "10s, 2m or 500ms"),
        (&["convert", "x", "--threads", "0"], "1 to 1024"),
        (&["convert", "x", "--name", "Trace.npy"], "{channel}"),
        (&["convert", "x", "--out", "y", "--json"], "--dry-run"),
        (
            &["convert", "x", "--out", "y", "--config", "nowhere.toml"],
            "nowhere.toml: no such option file",
        ),
    ];
    for (words, part) in cases {
        let output = trc2npy(folder.path(), words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", told(&output));
        assert!(
            told(&output).contains(part),
            "{words:?}: {part:?} is not in {}",
            told(&output)
        );
        assert!(!folder.path().join("y").exists(), "{words:?} made the output folder");
    }
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_gone_is_no_error() {
    use std::process::{Command, Stdio};
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_trc2npy"))
        .args(["convert", "--print-config"])
        .env_clear()
        .stdout(writer)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(told(&output), "");
    assert_eq!(output.status.code(), Some(0));
}

/// The file is for both commands, and so is the environment: what only one of them knows is no mistake in the other.
#[test]
fn convert_and_batch_share_one_file() {
    let folder = TempDir::new().unwrap();
    fs::write(
        folder.path().join("trc2npy.toml"),
        "input = [\"a\"]\njoin = true\nidle = \"5m\"\nbaseline = 7\nout = \"npy/{run}\"\n",
    )
    .unwrap();
    let batch = settings(trc2npy(folder.path(), &["batch", "lab"]).env("TRC2NPY_RECURSIVE", "yes"));
    assert_setting(&batch, "idle", "5m", "trc2npy.toml");
    assert_setting(&batch, "baseline", "7", "trc2npy.toml");
    assert_setting(&batch, "out", "npy/{run}", "trc2npy.toml");
    assert!(
        !batch.iter().any(|[name, ..]| name == "input" || name == "join"),
        "{batch:?}"
    );
    let convert = settings(trc2npy(folder.path(), &["convert"]).env("TRC2NPY_IDLE", "1h"));
    assert_setting(&convert, "input", "a", "trc2npy.toml");
    assert_setting(&convert, "join", "yes", "trc2npy.toml");
    assert_setting(&convert, "baseline", "7", "trc2npy.toml");
    assert!(!convert.iter().any(|[name, ..]| name == "idle"), "{convert:?}");

    let mut batch = trc2npy(folder.path(), &["batch", "lab", "--print-config"]);
    let output = batch.env("TRC2NPY_BASELIN", "3").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        told(&output).contains("did you mean TRC2NPY_BASELINE?"),
        "{}",
        told(&output)
    );
    let mut batch = trc2npy(folder.path(), &["batch", "lab", "--print-config"]);
    let output = batch.env("TRC2NPY_IDLE", "soon").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let expected = "environment variable TRC2NPY_IDLE: ";
    assert!(told(&output).contains(expected), "{}", told(&output));
}

/// What the command of `--on-finish` finds in its environment is no option that somebody has misspelt.
#[test]
fn what_a_command_is_told_at_the_end_is_passed_over() {
    let folder = TempDir::new().unwrap();
    let mut command = trc2npy(folder.path(), &["convert", "--print-config"]);
    let facts = ["OUTCOME", "OUT", "ROWS", "SAMPLES", "ON_FINISH"];
    for fact in facts {
        command.env(format!("TRC2NPY_FINISH_{fact}"), "x");
    }
    let output = command.output().unwrap();
    assert_eq!((output.status.code(), told(&output).as_str()), (Some(0), ""));
}
