//! `trc2npy convert`, started as a user starts it, and how it ended.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::tools;

/// No test converts for so long: what is still running then hangs, and is ended.
const DEADLINE: Duration = Duration::from_mins(2);

/// One call of `trc2npy convert`, without progress.
#[derive(Debug)]
pub struct Convert {
    command: Command,
}

impl Convert {
    /// Will convert `inputs` (folders, files or patterns) into the folder `out`, which may hold `{run}`.
    pub fn new<P: AsRef<OsStr>>(inputs: impl IntoIterator<Item = P>, out: impl AsRef<Path>) -> Self {
        let mut call = Self::subcommand("convert");
        call.command.args(inputs).arg("--out").arg(out.as_ref());
        call.command.args(["--progress", "none"]);
        call
    }

    /// Another subcommand, started in the same way.
    pub fn subcommand(name: &str) -> Self {
        let mut command = Command::new(tools::binary());
        command.arg(name);
        // The options of whoever runs the tests are none of theirs.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TRC2NPY_") {
                command.env_remove(name);
            }
        }
        Self { command }
    }

    /// More arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Relative paths are meant from here.
    #[must_use]
    pub fn from(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// Where it cannot be started, panics, or does not end.
    pub fn run(mut self) -> Ended {
        let mut child = self
            .command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stdout = collect(child.stdout.take());
        let stderr = collect(child.stderr.take());
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("the state of a child is known") {
                break status;
            }
            if started.elapsed() > DEADLINE {
                child.kill().expect("a child of our own can be ended");
                panic!("{:?} does not end", self.command);
            }
            thread::sleep(Duration::from_millis(2));
        };
        let text = |collected: thread::JoinHandle<Vec<u8>>| {
            String::from_utf8(collected.join().expect("the reader does not panic")).expect("its output is Unicode")
        };
        let ended = Ended {
            status,
            stdout: text(stdout),
            stderr: text(stderr),
        };
        assert!(!ended.stderr.contains("a state that must not occur"), "{ended:#?}");
        ended
    }
}

fn collect(from: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut from) = from {
            from.read_to_end(&mut bytes).expect("a pipe can be read");
        }
        bytes
    })
}

/// How a call ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code is in here.
    pub status: ExitStatus,
    /// What it showed.
    pub stdout: String,
    /// What it said beside that.
    pub stderr: String,
}

impl Ended {
    /// Fails the test where the exit code is another one.
    ///
    /// # Panics
    /// Then, with all that was said.
    pub fn must_end_with(&self, code: i32) -> &Self {
        assert_eq!(
            self.status.code(),
            Some(code),
            "stdout:\n{}\nstderr:\n{}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// Fails the test where the exit code is not 0.
    pub fn must_succeed(&self) -> &Self {
        self.must_end_with(0)
    }

    /// Fails the test where stdout and stderr together lack one of these texts.
    ///
    /// # Panics
    /// Then, with all that was said.
    pub fn must_say(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(
                self.stdout.contains(text) || self.stderr.contains(text),
                "{text:?} is not said in\nstdout:\n{}\nstderr:\n{}",
                self.stdout,
                self.stderr
            );
        }
        self
    }
}
