//! README.md and the pages in docs/ are run: their commands with the real binary, their Python with numpy.
//!
//! Each page gets a folder of its own, in which its blocks run in order:
//!
//! - `sh`: every command must succeed (`sh exit=3`: the last one ends with that code)
//! - `text output`: its lines must be among those that the commands before it printed, numbers apart
//! - `python`: a program of its own
//! - `toml`: becomes `trc2npy.toml`
//! - `text`, `powershell`: only read
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "clippy knows tests by their attribute, and their helpers have none"
)]
#![cfg_attr(
    windows,
    allow(dead_code, reason = "the pages' commands are written for a POSIX shell")
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use trc2npy_tests::{binary, python, workspace};

/// Commands that are not run here, and why.
const NOT_RUN: [(&str, &str); 9] = [
    ("cargo nextest", "it would build and run these very tests"),
    ("cargo test", "it would build and run these very tests"),
    ("tests/run", "it is what runs this test"),
    ("tests/soak", "it takes hours"),
    ("tests/windows", "it builds the program for another system"),
    ("cargo install", "it would install outside of the build folder"),
    (
        "sudo ",
        "it changes the system; the package's tests run what needs no systemd that leads the machine",
    ),
    (
        "cargo bench",
        "it takes minutes and proves nothing that can be right or wrong",
    ),
    (
        "cargo +nightly fuzz",
        "it needs another compiler and runs until it is stopped",
    ),
];

/// What is written from the checkout's point of view: the binary that is there takes the place of one that cargo would
/// build anew.
const FROM_CHECKOUT: [(&str, &str); 3] = [
    ("cargo run --release --", "trc2npy"),
    ("python tests/", "\"$PYTHON\" \"$CHECKOUT\"/tests/"),
    ("cp python/", "cp \"$CHECKOUT\"/python/"),
];

struct Block {
    line: usize,
    language: String,
    /// What follows the language: `output`, `exit=3`.
    more: String,
    text: String,
}

fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = [workspace().to_owned(), workspace().join("docs")]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    pages
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(page.lines()) {
        match (line.strip_prefix("```"), open) {
            (Some(fence), false) => {
                let (language, more) = fence.split_once(' ').unwrap_or((fence, ""));
                blocks.push(Block {
                    line: number,
                    language: language.to_owned(),
                    more: more.to_owned(),
                    text: String::new(),
                });
                open = true;
            }
            (Some(_), true) => open = false,
            (None, true) => {
                let text = &mut blocks.last_mut().unwrap().text;
                text.push_str(line);
                text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!open, "a block is not closed");
    blocks
}

/// A line without what differs from run to run: numbers, and the blanks that align them.
fn normal(line: &str) -> String {
    let digits_alike: String = line
        .chars()
        .map(|c| if c.is_ascii_digit() || ".,".contains(c) { '0' } else { c })
        .collect();
    let mut normal = String::new();
    for c in digits_alike.chars() {
        let repeated = normal.ends_with(c) && (c == '0' || c == ' ');
        if !repeated {
            normal.push(c);
        }
    }
    normal.trim().to_owned()
}

/// The commands of a block that can be run here.
fn runnable(text: &str) -> String {
    let mut script = String::new();
    for line in text.lines() {
        if let Some((command, why)) = NOT_RUN.iter().find(|(command, _)| line.starts_with(command)) {
            eprintln!("    not run: {command} ({why})");
            continue;
        }
        let line = FROM_CHECKOUT
            .iter()
            .fold(line.to_owned(), |line, (there, here)| line.replace(there, here));
        script.push_str(&line);
        script.push('\n');
    }
    script
}

fn in_folder(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    let own = binary().parent().unwrap().to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(own).chain(std::env::split_paths(&path));
    // What the tests are told is no option of the pages' commands.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRC2NPY_")) {
        command.env_remove(name);
    }
    command
        .current_dir(folder)
        .env("PATH", std::env::join_paths(all).unwrap())
        .env("PYTHON", python())
        .env("CHECKOUT", workspace())
        // The pages show what is drawn with every character that there is.
        .env("LC_ALL", "C.UTF-8")
        .env("MPLBACKEND", "Agg");
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[track_caller]
fn must_end(output: &Output, code: i32, place: &str) {
    assert_eq!(output.status.code(), Some(code), "{place}\n{}", said(output));
}

fn run_python(folder: &Path, text: &str) -> Output {
    in_folder(&python(), folder)
        .args(["-W", "error", "-c", text])
        .output()
        .unwrap()
}

#[cfg(unix)] // The pages' commands are written for a POSIX shell.
#[test]
fn every_command_and_program_of_the_pages_runs() {
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let folder = tempfile::tempdir().unwrap();
        let mut printed = BTreeSet::new();
        for block in blocks(&page) {
            let place = format!("{name}:{}", block.line);
            eprintln!("{place} {} {}", block.language, block.more);
            match (block.language.as_str(), block.more.as_str()) {
                ("sh", more) => {
                    let code = more.strip_prefix("exit=").map_or(0, |code| code.parse().unwrap());
                    // What a block leaves running, it takes along, also where it fails.
                    let script = format!(
                        "trap 'kill $(jobs -p) 2>/dev/null || :' EXIT\n{}",
                        runnable(&block.text)
                    );
                    let output = in_folder(Path::new("sh"), folder.path())
                        .args(["-euc", &script])
                        .output()
                        .unwrap();
                    must_end(&output, code, &place);
                    printed.extend(said(&output).lines().map(normal));
                }
                ("python", "") => must_end(&run_python(folder.path(), &block.text), 0, &place),
                ("toml", "") => fs::write(folder.path().join("trc2npy.toml"), &block.text).unwrap(),
                ("text", "output") => {
                    for line in block.text.lines().map(normal) {
                        assert!(printed.contains(&line), "{place}: {line:?} is not among\n{printed:#?}");
                    }
                }
                ("text" | "powershell", "") => {}
                _ => panic!("{place}: a block of an unknown kind"),
            }
        }
    }
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap();
            let there = link.contains("://") || target.is_empty() || path.parent().unwrap().join(target).exists();
            assert!(there, "{}: {link} leads nowhere", path.display());
        }
    }
}

/// An option as the help shows it.
#[derive(Debug)]
struct Shown {
    name: String,
    /// Words that it takes, and its default, where the help has them.
    words: Vec<String>,
}

fn shown_options(subcommand: &str) -> Vec<Shown> {
    let output = Command::new(binary()).args([subcommand, "--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let mut shown: Vec<Shown> = Vec::new();
    for line in help.lines().map(str::trim_start) {
        let long = line
            .split_once("--")
            .filter(|(before, _)| before.is_empty() || before.ends_with(", "));
        if let Some((_, rest)) = long.filter(|_| line.starts_with('-') && !line.starts_with("- ")) {
            let name: String = rest
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            shown.push(Shown {
                name,
                words: Vec::new(),
            });
            continue;
        }
        let Some(option) = shown.last_mut() else { continue };
        if let Some(word) = line.strip_prefix("- ").and_then(|rest| rest.split(':').next()) {
            option.words.push(word.to_owned());
        }
        if let Some(default) = line.strip_prefix("[default: ").and_then(|rest| rest.strip_suffix(']')) {
            option.words.push(default.to_owned());
        }
    }
    assert!(shown.len() > 1, "{help}");
    shown
}

/// Rows of the tables below `## heading`: the option's name and the whole row.
fn documented_options(page: &str, heading: &str) -> Vec<(String, String)> {
    let section = page
        .split("\n## ")
        .find(|section| section.lines().next() == Some(heading))
        .unwrap_or_else(|| panic!("docs/options.md has no section {heading}"));
    section
        .lines()
        .filter_map(|line| {
            let rest = line.strip_prefix("| `--")?;
            let name = rest
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            Some((name, line.to_owned()))
        })
        .collect()
}

/// Options of every subcommand; the page tells of them once.
const COMMON: [&str; 9] = [
    "help",
    "version",
    "color",
    "quiet",
    "verbose",
    "log-format",
    "log-level",
    "log-file",
    "otlp-endpoint",
];

#[test]
fn the_options_of_the_help_are_those_of_the_page() {
    let page = fs::read_to_string(workspace().join("docs/options.md")).unwrap();
    let of_all: BTreeSet<_> = documented_options(&page, "Every command")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    assert_eq!(of_all, COMMON.map(str::to_owned).into());
    for subcommand in [
        "convert",
        "batch",
        "tes-ana",
        "plan",
        "run-range",
        "stitch",
        "inspect",
        "preview",
        "verify",
        "doctor",
        "synth",
        "demo",
        "completions",
        "man",
    ] {
        let mut documented = documented_options(&page, subcommand);
        let shown = shown_options(subcommand);
        if ["batch", "plan"].contains(&subcommand) {
            // What it shares with the other one stands there.
            let own: BTreeSet<_> = documented.iter().map(|(name, _)| name.clone()).collect();
            let shared = documented_options(&page, "convert").into_iter();
            documented
                .extend(shared.filter(|(name, _)| !own.contains(name) && shown.iter().any(|one| one.name == *name)));
        }
        let names = |common: bool| {
            shown
                .iter()
                .map(|option| option.name.as_str())
                .filter(|name| COMMON.contains(name) == common)
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(names(true).len(), COMMON.len());
        let on_page: BTreeSet<_> = documented.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names(false),
            on_page,
            "{subcommand}: in the help, and in docs/options.md"
        );
        assert_eq!(
            on_page.len(),
            documented.len(),
            "{subcommand}: an option stands twice in docs/options.md"
        );
        for option in shown {
            let Some((_, row)) = documented.iter().find(|(name, _)| *name == option.name) else {
                continue;
            };
            for word in &option.words {
                let quoted = format!("`{word}`");
                assert!(
                    row.contains(&quoted),
                    "{subcommand} --{}: {quoted} is not in {row}",
                    option.name
                );
            }
        }
    }
}

#[test]
fn the_table_of_the_index_is_the_type_that_numpy_reads() {
    let folder = tempfile::tempdir().unwrap();
    for words in ["synth r --files 2", "convert r --out out --progress none"] {
        let output = in_folder(&binary(), folder.path())
            .args(words.split(' '))
            .output()
            .unwrap();
        must_end(&output, 0, words);
    }
    let program = "import numpy as np\n\
                   dtype = np.load('out/C1--Trace.index.npy').dtype\n\
                   print(*(f'{name} {dtype[name].str}' for name in dtype.names), sep='\\n')";
    let output = run_python(folder.path(), program);
    must_end(&output, 0, program);
    let read = String::from_utf8(output.stdout).unwrap();

    let readme = fs::read_to_string(workspace().join("README.md")).unwrap();
    let table = readme
        .split("| column | type | meaning |")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next())
        .unwrap();
    let mut documented = Vec::new();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let kind = cells[2].trim_matches('`');
        // numpy writes a byte, which has no order, with a bar.
        let kind = if kind == "u1" { "|u1" } else { kind };
        documented.extend(
            cells[1]
                .split(", ")
                .map(|name| format!("{} {kind}", name.trim_matches('`'))),
        );
    }
    assert_eq!(documented, read.lines().collect::<Vec<_>>());
}

/// The lines that the demo prints are Python: what stands indented behind them is run as it is pasted.
#[test]
fn the_lines_that_the_demo_prints_run() {
    let folder = tempfile::tempdir().unwrap();
    let output = in_folder(&binary(), folder.path()).arg("demo").output().unwrap();
    must_end(&output, 0, "demo");
    let text = String::from_utf8(output.stdout).unwrap();
    let programs: Vec<String> = text
        .split("Python:\n\n")
        .skip(1)
        .map(|rest| {
            let lines = rest.lines().map_while(|line| line.strip_prefix("  "));
            lines.flat_map(|line| [line, "\n"]).collect()
        })
        .collect();
    assert_eq!(programs.len(), 2, "{text}");
    for program in programs {
        let plots = program.contains("matplotlib");
        if plots && !run_python(folder.path(), "import matplotlib").status.success() {
            eprintln!("not run, for want of matplotlib (tests/run installs it where it can):\n{program}");
            continue;
        }
        let checked = program + "assert traces.shape == (500, 5000) and traces.dtype == 'float32'\n";
        let output = in_folder(&python(), folder.path())
            .args(["-c", &checked])
            .output()
            .unwrap();
        must_end(&output, 0, &checked);
    }
}
