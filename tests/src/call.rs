//! Any other subcommand, started as a user starts it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

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
        Self::of_command(Command::new(tools::binary()), subcommand)
    }

    /// The same, of the build that tests can make crash.
    pub fn of_test_build(subcommand: &str) -> Self {
        Self::of_command(Command::new(tools::test_binary()), subcommand)
    }

    /// The same, of another build of it.
    pub fn of_program(program: &Path, subcommand: &str) -> Self {
        Self::of_command(Command::new(program), subcommand)
    }

    /// The same, started by another program, which is given the binary's path and arguments.
    pub fn launched_by(program: impl AsRef<OsStr>, args: &[impl AsRef<OsStr>], subcommand: &str) -> Self {
        let mut command = Command::new(program);
        command.args(args).arg(tools::binary());
        Self::of_command(command, subcommand)
    }

    /// The same, started by another program whose last argument is the binary's path.
    pub fn by(program: &Path, args: &[impl AsRef<OsStr>], subcommand: &str) -> Self {
        let mut command = Command::new(program);
        command.args(args);
        Self::of_command(command, subcommand)
    }

    fn of_command(mut command: Command, subcommand: &str) -> Self {
        command.arg(subcommand);
        tools::undisturbed(&mut command);
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

    /// Starts it.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn start(self) -> Running {
        Running::start(self.command)
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// Where it cannot be started, panics, or does not end.
    pub fn run(self) -> Ended {
        self.start().wait()
    }
}
