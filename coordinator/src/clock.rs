//! The one place that reads clocks for the core.

use std::time::Instant;

use trc2npy_coordinator_core::Millis;

/// Milliseconds since the coordinator's process began.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    began: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { began: Instant::now() }
    }

    pub(crate) fn now(self) -> Millis {
        self.began.elapsed().into()
    }
}

/// Milliseconds since 1970, for people.
pub(crate) fn wall_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}
