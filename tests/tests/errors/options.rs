//! What is said of a command line, the environment and the option file.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::page::Page;

#[test]
fn command_lines() {
    let mut page = Page::new();
    page.run("run", 3, |_| {});
    page.says("no command", &[]);
    page.says("a command that is none", &["convrt", "run"]);
    page.says("help of a command that is none", &["help", "convrt"]);
    page.says("options that batch has not", &["batch", "run", "--recursive"]);
    page.says("options that batch has not", &["batch", "run", "--join=yes"]);
    let convert = |words: &[&'static str]| [&["convert", "run", "--out", "out"], words].concat();
    for (title, words) in [
        ("a misspelt option", &["--base-line", "20"][..]),
        ("an option that lacks a letter", &["--ou", "there"]),
        ("the beginning of an option", &["--chan", "1"]),
        ("an option that is none", &["--wavelength", "3"]),
        ("an option without its value", &["--baseline"]),
        ("a value for a switch", &["--join=perhaps"]),
        ("a choice that is none", &["--dtype", "float64"]),
        ("a choice that is almost one", &["--ragged", "padd"]),
        ("a number that is none", &["--baseline", "many"]),
        ("a negative number", &["--baseline", "-5"]),
        ("no thread", &["--threads", "0"]),
        ("a negative thread", &["--threads", "-1"]),
        ("a size that is none", &["--memory-limit", "4 parsecs"]),
        ("a share that is none", &["--memory-threshold", "85"]),
        ("a time that is none", &["--settle", "soon"]),
        ("a channel that is none", &["--channels", "X0"]),
        ("a name without a channel", &["--name", "Trace.npy"]),
        ("a name with a folder", &["--name", "a/{channel}.npy"]),
        ("a span that is none", &["--rows", "7"]),
        ("an empty span", &["--samples", "5:5"]),
        ("samples before the first", &["--samples", "-1:5"]),
        ("rows before the first", &["--rows", "-5:"]),
        ("a size below nothing", &["--memory-limit", "-5MB"]),
        ("a time before now", &["--settle", "-5s"]),
        ("samples and times", &["--samples", "0:5", "--time", "0:1us"]),
        ("json without a dry run", &["--json"]),
    ] {
        page.says(title, &convert(words));
    }
    insta::assert_snapshot!("command_lines", page.text());
}

#[test]
fn variables_and_files() {
    let mut page = Page::new();
    page.run("run", 3, |_| {});
    let convert = ["convert", "run", "--out", "out"];
    for (title, name, value) in [
        ("a wrong value", "TRC2NPY_DTYPE", OsStr::new("float64")),
        ("no text", "TRC2NPY_DTYPE", OsStr::from_bytes(b"\xff")),
        ("a misspelt variable", "TRC2NPY_BASELIN", OsStr::new("20")),
    ] {
        page.says_with(title, &[(name, value)], &convert);
    }
    page.says_with(
        "samples and times",
        &[
            ("TRC2NPY_SAMPLES", OsStr::new("0:5")),
            ("TRC2NPY_TIME", OsStr::new("0:1us")),
        ],
        &convert,
    );
    for (title, text) in [
        ("samples and times", "samples = \"0:5\"\ntime = \"0:1us\""),
        ("not TOML", "dtype = int16"),
        ("a misspelt key", "base-line = 20"),
        ("a key that is none", "wavelength = 3"),
        ("a table", "[convert]\nbaseline = 20"),
        ("an action", "dry-run = true"),
        ("a wrong value", "dtype = \"float64\""),
        ("a wrong type", "baseline = [1, 2]"),
        ("a key twice", "on-bad-file = \"nan\"\non_bad_file = \"nan\""),
    ] {
        page.bytes("trc2npy.toml", text.as_bytes());
        page.says(&format!("{title}: {text:?} in trc2npy.toml"), &convert);
    }
    std::fs::remove_file(page.at("trc2npy.toml")).unwrap();
    page.says(
        "an option file that is not there",
        &[&convert[..], &["--config", "lab.toml"]].concat(),
    );
    insta::assert_snapshot!("variables_and_files", page.text());
}
