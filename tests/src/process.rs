//! The real binary as a process: watched, disturbed, ended, and what it said.

use std::ffi::OsStr;
use std::fmt;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Generous: a test that reaches it has failed, however slow the machine is.
const DEADLINE: Duration = Duration::from_mins(2);
/// Between two looks at a condition.
const LOOK: Duration = Duration::from_micros(200);

/// Looks again and again until there is an answer.
///
/// # Panics
/// Where there is none for two minutes, with `what` was waited for.
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
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = spawn(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let stdout = Heard::listen(child.stdout.take().expect("stdout is piped"));
        let stderr = Heard::listen(child.stderr.take().expect("stderr is piped"));
        Self { child, stdout, stderr }
    }

    /// Starts what writes to the other end of `terminal` alone: all of it is taken for stdout.
    #[cfg(unix)]
    pub(crate) fn start_on(mut command: Command, terminal: std::fs::File) -> Self {
        let child = spawn(&mut command);
        // Once the child has ended nothing else holds the other end, and the reading ends too.
        drop(command);
        Self {
            child,
            stdout: Heard::listen(terminal),
            stderr: Heard::listen(std::io::empty()),
        }
    }

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

    /// SIGKILL, and its end; what it said can still be read.
    pub fn kill_now(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal.
    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.number(), signal).expect("the signal is sent");
    }

    /// SIGSTOP; returns once every thread stands still. False: it had ended before.
    #[cfg(unix)]
    pub fn stop(&mut self) -> bool {
        use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
        if !self.runs() {
            return false;
        }
        self.signal(Signal::STOP);
        // An end is only looked at: it is for the child's own handle to take.
        let options = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let _ = waitid(WaitId::Pid(self.number()), options).expect("a child of our own");
        self.runs()
    }

    #[cfg(unix)]
    fn number(&self) -> rustix::process::Pid {
        let number = i32::try_from(self.pid()).ok();
        number
            .and_then(rustix::process::Pid::from_raw)
            .expect("a process number")
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Ended {
        // Polled, so that a process that hangs fails the test instead of hanging it.
        let _ = self.poll("the end of the process", |_| None::<()>);
        self.end()
    }

    fn end(&mut self) -> Ended {
        let status = self.child.wait().expect("the process can be waited for");
        let ended = Ended {
            status,
            stdout: self.stdout.all(),
            stderr: self.stderr.all(),
        };
        assert!(!ended.stderr.contains("a state that must not occur"), "{ended}");
        ended
    }
}

fn spawn(command: &mut Command) -> Child {
    command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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
        assert_eq!(self.status.code(), Some(code), "{self}");
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
            let said = self.stdout.contains(text) || self.stderr.contains(text);
            assert!(said, "{text:?} is not said:\n{self}");
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
