//! The service manager of Windows: what `worker service` asks it to do.
//!
//! `manager` registers, starts, stops and removes; `serve` is the service itself; `source` its name in the event log; `right` is
//! what its account needs. Unsafe code is in `calls` and `right` alone.

mod calls;
mod failure;
mod manager;
mod right;
mod serve;
mod source;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use super::LAUNCH;
use crate::failure::Failure;
use crate::options::ServiceAction;

/// What the system calls it.
const NAME: &str = "trc2npy-worker";

/// How long a stop lets the worker finish what it has in hand; then it gives it back, for others to make. The system's own
/// window of services waits for two minutes.
const DRAINING: Duration = Duration::from_secs(90);
/// From then on: how long until the process ends whatever its threads do. Giving back takes up to 12 s.
const GIVING_BACK: Duration = Duration::from_secs(20);

/// Where the system has started a service, that; none for every other command line.
pub(crate) fn instead(argv: &[OsString]) -> Option<Result<ExitCode, Failure>> {
    let asked = argv.get(1..=LAUNCH.len()).is_some_and(|words| words == LAUNCH);
    asked.then(serve::serve)
}

/// Does what is asked of the service manager.
pub(crate) fn act(action: &ServiceAction) -> Result<ExitCode, Failure> {
    match action {
        ServiceAction::Install(options) => manager::install(options),
        ServiceAction::Start => manager::start(),
        ServiceAction::Stop => manager::stop(),
        ServiceAction::Remove => manager::remove(),
        // With options before it, it is no command line that the system has.
        ServiceAction::Run(_) => serve::serve(),
    }
}
