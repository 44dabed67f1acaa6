//! Any other subcommand, started as a user starts it and run to its end.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::{Ended, Running};
use crate::tools;

/// A call of one subcommand.
#[derive(Debug)]
pub struct Call {
    command: Command,
}

impl Call {
    /// Will call `trc2npy` with this subcommand.
    pub fn of(subcommand: &str) -> Self {
        let mut command = Command::new(tools::binary());
        command.arg(subcommand).stdin(Stdio::null());
        tools::without_options(&mut command);
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

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    #[cfg(unix)] // Terminals are made on Unix alone.
    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// Where it cannot be started, panics, or does not end.
    pub fn run(self) -> Ended {
        Running::start(self.command).wait()
    }
}
