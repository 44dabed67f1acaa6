//! Systems without Windows' services.

use std::ffi::OsString;
use std::process::ExitCode;

use crate::failure::Failure;
use crate::options::ServiceAction;

fn sentence() -> Failure {
    Failure::Options(
        "worker service: services of Windows are only there on Windows; here systemd starts a worker with the machine: see \
         the unit deploy/systemd/trc2npy-worker.service"
            .to_owned(),
    )
}

/// What is done with a command line before its options are read: whatever they are, here is no such service.
pub(crate) fn instead(argv: &[OsString]) -> Option<Result<ExitCode, Failure>> {
    let asked = argv.get(1..3).is_some_and(|words| words == ["worker", "service"]);
    asked.then(|| Err(sentence()))
}

/// Says where it would be.
pub(crate) fn act(_: &ServiceAction) -> Result<ExitCode, Failure> {
    Err(sentence())
}
