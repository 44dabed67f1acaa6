//! A folder with a run in it, and calls of the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Generous: a test that reaches it has failed, however slow the machine is.
const DEADLINE: Duration = Duration::from_mins(2);

pub(crate) struct Bench {
    pub(crate) folder: TempDir,
}

impl Bench {
    /// With the run `r005` of so many files of two channels.
    pub(crate) fn new(files: u32) -> Self {
        let bench = Self {
            folder: TempDir::new().unwrap(),
        };
        bench.synth(Path::new("r005"), files);
        bench
    }

    /// A run at a path below the folder.
    pub(crate) fn synth(&self, run: &Path, files: u32) {
        let files = files.to_string();
        let args = ["--files", &files, "--samples", "502", "--channels", "1,2"];
        let mut command = self.command("synth");
        must_end(&command.arg(run).args(args).output().unwrap(), 0);
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A call in the folder; the options of whoever runs the tests are none of it.
    pub(crate) fn command(&self, subcommand: &str) -> Command {
        let mut command = program(self.folder.path());
        command.arg(subcommand);
        command
    }

    /// Converts, and must end with this code; what was said.
    #[track_caller]
    pub(crate) fn convert(&self, args: &[&str], code: i32) -> String {
        let mut command = self.command("convert");
        must_end(&command.args(args).args(["--progress", "none"]).output().unwrap(), code)
    }
}

pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trc2npy"));
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TRC2NPY_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).stdin(Stdio::null());
    command
}

/// What was said, on both streams.
#[track_caller]
pub(crate) fn must_end(output: &Output, code: i32) -> String {
    let said = [&output.stdout, &output.stderr].map(|stream| String::from_utf8(stream.clone()).expect("UTF-8"));
    let said = said.concat();
    assert_eq!(output.status.code(), Some(code), "{said}");
    said
}

/// The outputs by name, without the reports, which tell of the day.
pub(crate) fn outputs(out: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(out)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && !path.file_stem().unwrap().eq("report"))
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read(&path).unwrap(),
            )
        })
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

/// Looks again and again until there is an answer.
pub(crate) fn poll<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

/// A process that is ended with the test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
