//! `--on-finish`: the user's own command, run when the work has ended, with what became of it in its environment.
//!
//! The names begin with `TRC2NPY_FINISH_`, since those of options are taken: a command that calls this program again is
//! to find `TRC2NPY_OUT` and `TRC2NPY_ROWS` as the user has set them.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use trc2npy_common::convert::{Converted, State};

use crate::failure::{BAD_ROWS, Failure, INTERRUPTED, USAGE};
use crate::options::{ComfortOptions, FINISH, Origin, Settled};
use crate::screen::{self, count, counted};

/// Of a text in the environment; some systems take no more than 32,767 characters.
const LONGEST: usize = 30_000;

/// What there is to tell when everything is over.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    /// The output folders of the runs that came to an end.
    out: Vec<PathBuf>,
    runs: usize,
    failed: usize,
    rows: u64,
    bad_rows: u64,
    /// Whether something was done that had not been done before.
    worked: bool,
}

impl Ending {
    /// Adds what became of some runs.
    pub(crate) fn add(&mut self, converted: &Converted) {
        for outcome in &converted.outcomes {
            self.out.push(outcome.out.clone());
            self.worked |= outcome.state != State::AlreadyDone;
            self.runs += usize::from(outcome.state != State::Interrupted);
            self.rows += outcome.channels.iter().map(|channel| channel.rows).sum::<u64>();
            self.bad_rows += outcome.channels.iter().map(screen::bad_rows).sum::<u64>();
        }
        self.failed += converted.failures.len() + converted.not_begun.len();
    }

    /// Adds a run that failed, or a call that was refused, before the engine could count runs.
    pub(crate) fn add_failed(&mut self) {
        self.failed += 1;
    }

    fn outcome(&self, code: u8) -> &'static str {
        match code {
            INTERRUPTED => "interrupted",
            0 | BAD_ROWS if !self.worked => "nothing-to-do",
            0 => "finished",
            BAD_ROWS => "bad-rows",
            _ => "failed",
        }
    }

    /// A sentence for people.
    fn sentence(&self, code: u8) -> String {
        let done = format!(
            "{} finished, {}, {} bad",
            counted(self.runs as u64, "run"),
            counted(self.rows, "row"),
            count(self.bad_rows)
        );
        match code {
            INTERRUPTED => format!("interrupted; {done}"),
            _ if self.failed > 0 => format!("{done}; {} failed", counted(self.failed as u64, "run")),
            _ => done,
        }
    }
}

/// The command, and what it is told beside the ending.
#[derive(Debug)]
pub(crate) struct OnFinish<'a> {
    command: Option<&'a str>,
    argv: &'a [OsString],
    began: Instant,
}

impl<'a> OnFinish<'a> {
    /// The command that was asked for. Inside of one only the command line counts: it would call itself for ever where
    /// it calls this program, and finds the same file or environment.
    pub(crate) fn new(comfort: &'a ComfortOptions, settled: &Settled, argv: &'a [OsString]) -> Self {
        let inside = std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with(FINISH));
        let of_this_call = |name: &str| {
            let mut settings = settled.iter().filter(|setting| setting.name == name);
            settings.all(|setting| setting.origin == Origin::Flag)
        };
        let command = comfort
            .on_finish
            .as_deref()
            .filter(|command| !command.trim().is_empty());
        Self {
            command: command.filter(|_| !inside || of_this_call("on-finish")),
            argv,
            began: Instant::now(),
        }
    }

    /// Says how it ended, and runs the command, unless nothing was begun. Its own failure is a warning.
    pub(crate) fn end(self, ended: Result<u8, Failure>, ending: &Ending) -> ExitCode {
        let (code, why) = match ended {
            Ok(code) => (code, None),
            Err(failure) => {
                failure.tell();
                (failure.code(), Some(failure.to_string()))
            }
        };
        if let Some(command) = self.command.filter(|_| code != USAGE) {
            let message = why.unwrap_or_else(|| ending.sentence(code));
            self.run(command, code, ending, &message);
        }
        code.into()
    }

    fn run(&self, command: &str, code: u8, ending: &Ending, message: &str) {
        let out: Vec<String> = ending.out.iter().map(|out| out.display().to_string()).collect();
        let facts = [
            ("OUTCOME", ending.outcome(code).to_owned()),
            ("EXIT_CODE", code.to_string()),
            ("OUT", out.join("\n")),
            ("RUNS", ending.runs.to_string()),
            ("FAILED_RUNS", ending.failed.to_string()),
            ("ROWS", ending.rows.to_string()),
            ("BAD_ROWS", ending.bad_rows.to_string()),
            ("SECONDS", format!("{:.0}", self.began.elapsed().as_secs_f64())),
            ("MESSAGE", message.to_owned()),
            ("COMMAND", screen::command_line(self.argv)),
        ];
        let facts = facts.map(|(name, fact)| (format!("{FINISH}{name}"), shortened(fact)));
        let status = shell(command)
            .envs(facts)
            .stdin(Stdio::null())
            // What goes to stdout is this program's own result.
            .stdout(io::stderr())
            .status();
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => screen::remark(&format!("warning: --on-finish: {command}: ended with {status}")),
            Err(error) => screen::remark(&format!("warning: --on-finish: {command}: cannot be started: {error}")),
        }
    }
}

/// As much of it as every system takes; no system takes a zero.
fn shortened(mut fact: String) -> String {
    fact.retain(|c| c != '\0');
    if let Some((end, _)) = fact.char_indices().nth(LONGEST) {
        fact.truncate(end);
    }
    fact
}

#[cfg(not(windows))]
fn shell(command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]);
    shell
}

#[cfg(windows)]
fn shell(command: &str) -> Command {
    use std::os::windows::process::CommandExt as _;
    let mut shell = Command::new("cmd");
    // With /S it takes off the outer quotes and reads the rest as it was typed.
    shell.raw_arg(format!("/S /C \"{command}\""));
    shell
}
