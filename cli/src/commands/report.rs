//! `report`: the page of a finished run, made again of what lies in its output folder.

use std::process::ExitCode;

use trc2npy_common::report::{self, ReportError};

use super::inspect::damaged;
use crate::failure::Failure;
use crate::options::ReportOptions;
use crate::screen;

/// Writes `report.html` into each output folder, and says where it is.
pub(crate) fn run(options: &ReportOptions) -> Result<ExitCode, Failure> {
    for path in &options.outputs {
        for folder in report::folders(path)? {
            let page = report::write(&folder).map_err(failed)?;
            screen::tell(&page.display().to_string())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn failed(error: ReportError) -> Failure {
    match error {
        ReportError::Output(error) => damaged(error),
        error => Failure::work(1, &error),
    }
}
