//! How the program ends: exit codes, the last sentence on stderr, and what is shown where a panic would be.

use std::fmt;
use std::io;
use std::panic;
use std::process::ExitCode;

use crate::{options, screen};

/// Wrong usage: nothing was begun.
pub(crate) const USAGE: u8 = 2;
/// Finished, and some rows are bad.
pub(crate) const BAD_ROWS: u8 = 3;
/// What was verified is not as it should be.
pub(crate) const DIFFERS: u8 = 3;
/// Stopped by Ctrl-C; the same command goes on.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why the program ends without having done what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line is wrong, or help was asked for.
    #[error(transparent)]
    Usage(clap::Error),
    /// An option is wrong, whoever set it.
    #[error("{0}")]
    Options(String),
    /// The work failed.
    #[error("{message}")]
    Work { code: u8, message: String },
    /// Stdout refuses what it is given (a full disk behind it).
    #[error("cannot write to the standard output: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// The work failed with this error.
    pub(crate) fn work(code: u8, error: &impl fmt::Display) -> Self {
        Self::Work {
            code,
            message: error.to_string(),
        }
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(error) => u8::try_from(error.exit_code()).unwrap_or(USAGE),
            Self::Options(_) => USAGE,
            Self::Work { code, .. } => *code,
            Self::Output(_) => 1,
        }
    }

    /// Says it.
    pub(crate) fn tell(&self) {
        match self {
            Self::Usage(error) if error.use_stderr() && screen::log::is_json() => screen::remark(&error.to_string()),
            // Help and version go to stdout, which may be closed (`| head`).
            Self::Usage(error) => drop(error.print()),
            _ => complain(format_args!("error: {self}")),
        }
    }
}

/// A line on stderr; where that is closed there is nobody left to tell.
fn complain(line: fmt::Arguments) {
    screen::remark(&line.to_string());
}

/// Runs the program. A panic is a mistake in it: says so in a sentence, with what its author needs to find it.
pub(crate) fn guarded(run: impl FnOnce() -> Result<ExitCode, Failure> + panic::UnwindSafe) -> ExitCode {
    explain_panics();
    match panic::catch_unwind(run) {
        Ok(Ok(code)) => code,
        Ok(Err(failure)) => {
            failure.tell();
            failure.code().into()
        }
        // The hook has said what there is to say.
        Err(_) => 1.into(),
    }
}

fn explain_panics() {
    panic::set_hook(Box::new(|info| {
        let what = info.payload_as_str().unwrap_or("no message");
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        complain(format_args!(
            "error: trc2npy {} met a state that must not occur: {what} ({place})\n\
             This is a mistake in trc2npy, not in your files: please report the line above. \
             What is written so far is kept; the same command goes on.",
            options::built::short()
        ));
    }));
}
