//! numpy's verdict on what the binary has written.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use crate::tools;

/// Reads the inputs again with `tests/oracle/oracle.py` and compares every row and record of the outputs.
#[derive(Debug)]
pub struct Oracle {
    command: Command,
}

impl Oracle {
    /// Will compare the files in `out` with what the folders of one run must give.
    pub fn new<P: AsRef<Path>>(out: &Path, folders: impl IntoIterator<Item = P>) -> Self {
        let mut command = Command::new(tools::python());
        command.arg(tools::workspace().join("tests/oracle/oracle.py")).arg(out);
        for folder in folders {
            command.arg(folder.as_ref());
        }
        Self { command }
    }

    /// The options that the binary was given: `--baseline N`, `--method`, `--dtype`, `--events`, `--ragged`,
    /// `--on-bad-file`, `--channels`, `--name`.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// What the oracle says: its summary, or the first difference.
    pub fn verdict(mut self) -> Result<String, String> {
        let output = self.command.output().expect("the oracle can be started");
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        if output.status.success() { Ok(said) } else { Err(said) }
    }

    /// Fails the test with the first difference, if there is one.
    ///
    /// # Panics
    /// On a difference.
    pub fn must_agree(self) {
        if let Err(difference) = self.verdict() {
            panic!("{difference}");
        }
    }
}
