//! The real binary as a process that a test watches, disturbs and ends.

use std::ffi::OsStr;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::tools;

/// Generous: a test that reaches it has failed, however slow the machine is.
const DEADLINE: Duration = Duration::from_mins(1);
/// Between two looks at a condition.
const LOOK: Duration = Duration::from_micros(200);

/// Looks again and again until there is an answer.
///
/// # Panics
/// Where there is none for a minute, with `what` was waited for.
pub fn poll<T>(what: impl fmt::Display, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = look() {
            return answer;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(LOOK);
    }
}

/// A `trc2npy convert` to be started, perhaps several times.
#[derive(Clone, Debug)]
pub struct Conversion {
    inputs: Vec<PathBuf>,
    out: PathBuf,
    options: Vec<String>,
    /// Program and arguments that start the binary.
    launcher: Vec<String>,
}

impl Conversion {
    /// `inputs` into `out`, without progress.
    pub fn new<P: AsRef<Path>>(inputs: impl IntoIterator<Item = P>, out: &Path) -> Self {
        Self {
            inputs: inputs.into_iter().map(|input| input.as_ref().to_owned()).collect(),
            out: out.to_owned(),
            options: ["--progress", "none"].map(ToOwned::to_owned).to_vec(),
            launcher: Vec::new(),
        }
    }

    /// Further options; one that was given before may be given again, and the last one counts.
    #[must_use]
    pub fn options<S: AsRef<str>>(mut self, options: impl IntoIterator<Item = S>) -> Self {
        for option in options {
            let option = option.as_ref().to_owned();
            if option.starts_with("--")
                && let Some(at) = self.options.iter().position(|known| *known == option)
            {
                let has_value = self.options.get(at + 1).is_some_and(|next| !next.starts_with("--"));
                self.options.drain(at..=at + usize::from(has_value));
            }
            self.options.push(option);
        }
        self
    }

    /// Another output folder.
    #[must_use]
    pub fn into_folder(mut self, out: &Path) -> Self {
        out.clone_into(&mut self.out);
        self
    }

    /// Starts the binary by another program, which is given its path and arguments.
    #[must_use]
    pub fn launched_by<S: AsRef<str>>(mut self, launcher: impl IntoIterator<Item = S>) -> Self {
        self.launcher = launcher.into_iter().map(|word| word.as_ref().to_owned()).collect();
        self
    }

    /// The output folder.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// The command as it would be started.
    pub fn command(&self) -> Command {
        let mut words = self.launcher.iter();
        let mut command = match words.next() {
            Some(program) => {
                let mut command = Command::new(program);
                command.args(words).arg(tools::binary());
                command
            }
            None => Command::new(tools::binary()),
        };
        command
            .arg("convert")
            .args(&self.inputs)
            .arg("--out")
            .arg(&self.out)
            .args(&self.options);
        command
    }

    /// Starts it.
    pub fn start(&self) -> Running {
        let mut child = self
            .command()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let stdout = Heard::listen(child.stdout.take().expect("stdout is piped"));
        let stderr = Heard::listen(child.stderr.take().expect("stderr is piped"));
        Running { child, stdout, stderr }
    }

    /// Runs it to its end.
    pub fn run(&self) -> Ended {
        self.start().wait()
    }
}

/// What comes out of a pipe, taken at once so that the writer never waits.
#[derive(Debug)]
struct Heard {
    text: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Heard {
    fn listen(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&text);
        let thread = std::thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(count @ 1..) = pipe.read(&mut block) {
                shared
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend_from_slice(&block[..count]);
            }
        });
        Self {
            text,
            thread: Some(thread),
        }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn all(&mut self) -> String {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.so_far()
    }
}

/// A running conversion; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Heard,
    stderr: Heard,
}

impl Running {
    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to stderr until now.
    pub fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// What it has written to stdout until now.
    pub fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Looks until there is an answer, or until the process has ended: then none.
    pub fn poll<T>(&mut self, what: impl fmt::Display, mut look: impl FnMut(&Self) -> Option<T>) -> Option<T> {
        poll(what, || {
            let ended = !self.runs();
            look(self).map(Some).or_else(|| ended.then_some(None))
        })
    }

    /// Waits until stderr holds `text`.
    ///
    /// # Panics
    /// Where the process ends without having said it.
    pub fn says(&mut self, text: &str) {
        let heard = self.poll(format_args!("{text:?} on stderr"), |running| {
            running.stderr().contains(text).then_some(())
        });
        // What was written last may arrive after the process has gone.
        if heard.is_none() {
            let all = self.stderr.all();
            assert!(all.contains(text), "ended without saying {text:?}:\n{all}");
        }
    }

    /// SIGKILL, or what comes nearest to it; then waits.
    pub fn kill(mut self) -> Ended {
        let _ = self.child.kill();
        self.end()
    }

    /// Sends a signal.
    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.pid())
            .ok()
            .and_then(rustix::process::Pid::from_raw)
            .expect("a process number");
        rustix::process::kill_process(pid, signal).expect("the signal is sent");
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Ended {
        // Polled, so that a process that hangs fails the test instead of hanging it.
        let _ = self.poll("the end of the process", |_| None::<()>);
        self.end()
    }

    fn end(&mut self) -> Ended {
        let status = self.child.wait().expect("the process can be waited for");
        Ended {
            status,
            stdout: self.stdout.all(),
            stderr: self.stderr.all(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A conversion that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub status: ExitStatus,
    /// All it wrote to stdout.
    pub stdout: String,
    /// All it wrote to stderr.
    pub stderr: String,
}

impl Ended {
    /// Checks the exit code and that nothing panicked; gives itself back.
    ///
    /// # Panics
    /// With what was said, where another code came.
    #[must_use]
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{self}");
        assert!(!self.stderr.contains("must not occur"), "{self}");
        self
    }

    /// Checks that stderr holds all of `texts`.
    ///
    /// # Panics
    /// Where one is missing.
    #[must_use]
    pub fn saying<S: AsRef<str>>(self, texts: impl IntoIterator<Item = S>) -> Self {
        for text in texts {
            assert!(
                self.stderr.contains(text.as_ref()),
                "{:?} is not said:\n{self}",
                text.as_ref()
            );
        }
        self
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nstdout:\n{}\nstderr:\n{}", self.status, self.stdout, self.stderr)
    }
}

/// Whether a program can be started at all, with the arguments given; says why not.
#[expect(clippy::print_stderr, reason = "what a test leaves out it says")]
pub fn usable<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> bool {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => true,
        Ok(output) => {
            eprintln!(
                "left out: {program} cannot be used here: {} {}",
                output.status,
                String::from_utf8_lossy(&output.stderr).trim()
            );
            false
        }
        Err(error) => {
            eprintln!("left out: {program} cannot be started here: {error}");
            false
        }
    }
}
