//! `synth`: writes a run of `.trc` files.

use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use trc2npy_common::fs::StorageError;
use trc2npy_common::units::Bytes;
use trc2npy_synth::{Broken, RunError};

use crate::failure::Failure;
use crate::options::SynthOptions;
use crate::screen;

/// Writes the run and says what it wrote.
pub(crate) fn run(options: &SynthOptions) -> Result<ExitCode, Failure> {
    let spec = options.spec();
    // Draws itself only on a terminal.
    let bar = ProgressBar::new(spec.file_count());
    bar.set_style(
        ProgressStyle::with_template("{wide_bar:.cyan/dim} {human_pos} of {human_len} files  {eta} left")
            .expect("the template is fixed"),
    );
    let bytes = AtomicU64::new(0);
    let done = spec.write(&options.dir, &|written| {
        bytes.fetch_add(written.bytes, Ordering::Relaxed);
        bar.inc(1);
        ControlFlow::Continue(())
    });
    bar.finish_and_clear();
    done?;
    let of_kind = |is: fn(Broken) -> bool| {
        spec.bad
            .iter()
            .filter(|bad| is(bad.kind))
            .map(|bad| u64::from(bad.files))
            .sum()
    };
    let (missing, broken): (u64, u64) = (
        of_kind(|kind| kind == Broken::Missing),
        of_kind(|kind| kind != Broken::Missing),
    );
    let asked: Vec<String> = [(broken, "broken"), (missing, "missing")]
        .iter()
        .filter(|(files, _)| *files > 0)
        .map(|(files, what)| format!(", {} {what} as asked", screen::count(*files)))
        .collect();
    let files = screen::counted(spec.file_count() - missing, "file");
    let size = Bytes(bytes.into_inner());
    screen::tell(&format!(
        "{files}, {size}, in {}{}",
        options.dir.display(),
        asked.concat()
    ))?;
    Ok(ExitCode::SUCCESS)
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Spec(_) => Self::Options(error.to_string()),
            RunError::Io { path, error } => Self::work(1, &StorageError::new("write", &path, error)),
            RunError::Exists(_) | RunError::Stopped => Self::work(1, &error),
        }
    }
}
