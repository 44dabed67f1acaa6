//! `trc2npy convert` as a user starts it: to its end, or as a process that a test watches, disturbs and ends.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Ended, Running};
use crate::tools;

/// A call of `trc2npy convert`, without progress; may be started several times.
#[derive(Clone, Debug)]
pub struct Convert {
    inputs: Vec<OsString>,
    out: PathBuf,
    args: Vec<OsString>,
    folder: Option<PathBuf>,
    /// Program and arguments that start the binary.
    launcher: Vec<OsString>,
}

impl Convert {
    /// Will convert `inputs` (folders, files or patterns) into the folder `out`, which may hold `{run}`.
    pub fn new<P: AsRef<OsStr>>(inputs: impl IntoIterator<Item = P>, out: impl AsRef<Path>) -> Self {
        Self {
            inputs: owned(inputs),
            out: out.as_ref().to_owned(),
            args: owned(["--progress", "none"]),
            folder: None,
            launcher: Vec::new(),
        }
    }

    /// More arguments. An option that was given before may be given again, and the last one counts.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        for arg in owned(args) {
            if is_option(&arg)
                && let Some(at) = self.args.iter().position(|known| *known == arg)
            {
                let has_value = self.args.get(at + 1).is_some_and(|next| !is_option(next));
                self.args.drain(at..=at + usize::from(has_value));
            }
            self.args.push(arg);
        }
        self
    }

    /// Another output folder.
    #[must_use]
    pub fn into_folder(mut self, out: &Path) -> Self {
        out.clone_into(&mut self.out);
        self
    }

    /// Relative paths are meant from here.
    #[must_use]
    pub fn from(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Starts the binary by another program, which is given its path and arguments.
    #[must_use]
    pub fn launched_by(mut self, launcher: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.launcher = owned(launcher);
        self
    }

    /// The output folder.
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// Starts it.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn start(&self) -> Running {
        Running::start(self.command())
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// Where it cannot be started, panics, or does not end.
    pub fn run(&self) -> Ended {
        self.start().wait()
    }

    pub(crate) fn command(&self) -> Command {
        let binary = tools::binary().into_os_string();
        let mut words = self.launcher.iter().chain([&binary]);
        let mut command = Command::new(words.next().expect("the binary at least"));
        command.args(words).arg("convert").args(&self.inputs);
        command.arg("--out").arg(&self.out).args(&self.args);
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        tools::undisturbed(&mut command);
        command
    }
}

fn owned(words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Vec<OsString> {
    words.into_iter().map(|word| word.as_ref().to_owned()).collect()
}

fn is_option(word: &OsStr) -> bool {
    word.as_encoded_bytes().starts_with(b"--")
}
