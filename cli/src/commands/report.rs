//! `report`: the page of a finished run, made again of what lies in its output folder.

use std::process::ExitCode;

use trc2npy_common::report::{self, ReportError};

use super::inspect::damaged;
use crate::failure::{DIFFERS, Failure};
use crate::options::ReportOptions;
use crate::screen;

/// Writes `report.html` into each output folder, and says where it is. A folder that fails keeps none of the others from
/// their pages.
pub(crate) fn run(options: &ReportOptions) -> Result<ExitCode, Failure> {
    let mut failures = Vec::new();
    let mut is_damaged = false;
    for path in &options.outputs {
        let folders = match report::folders(path) {
            Ok(folders) => folders,
            Err(error) => {
                failures.push(failed(error.into()));
                continue;
            }
        };
        for folder in folders {
            match report::write(&folder) {
                Ok(written) => {
                    for (file, why) in &written.broken {
                        is_damaged = true;
                        screen::remark(&format!(
                            "warning: {}: {why}; the page shows nothing of it, and trc2npy verify looks at all of it",
                            folder.join(file).display()
                        ));
                    }
                    screen::tell(&written.page.display().to_string())?;
                }
                Err(error) => failures.push(failed(error)),
            }
        }
    }
    let last = failures.pop();
    for failure in &failures {
        failure.tell();
    }
    match last {
        Some(failure) => Err(failure),
        None if is_damaged => Ok(DIFFERS.into()),
        None => Ok(ExitCode::SUCCESS),
    }
}

fn failed(error: ReportError) -> Failure {
    match error {
        ReportError::Output(error) => damaged(error),
        error => Failure::work(1, &error),
    }
}
