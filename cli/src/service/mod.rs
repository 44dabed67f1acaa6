//! The worker as a service of Windows: registering it, starting and stopping it, and being one.
//!
//! What only Windows has is in `windows`; `elsewhere` is its twin, which names what other systems have instead. Nothing here
//! converts: a service's worker is the console program's, and its stop is what the first Ctrl-C asks.

#[cfg(any(windows, test))]
mod account;
#[cfg(any(windows, test))]
mod drive;
#[cfg(not(windows))]
mod elsewhere;
#[cfg(windows)]
mod windows;

#[cfg(not(windows))]
use elsewhere as system;
#[cfg(windows)]
use windows as system;

pub(crate) use system::{act, instead};

/// The words before the options of a worker that is a service. The system starts it with these alone in front, so that
/// it is known before anything else is looked at.
#[cfg(windows)]
const LAUNCH: [&str; 3] = ["worker", "service", "run"];
