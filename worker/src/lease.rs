//! A lease in a worker's hands, seen by the thread that works on it and by the session that tells of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Instant;

use trc2npy_common::convert::Pulse;
use trc2npy_coordinator_core::{Fault, Grant, LeaseProgress, Millis, Step, Work};
use trc2npy_telemetry::Place;

/// What the session and the crew share of a lease.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) grant: Grant,
    /// The range's place in the job's trace.
    pub(crate) place: Option<Place>,
    /// Shows how far it is; revoked by the coordinator, or where the worker ends.
    pub(crate) pulse: Pulse,
    granted: Instant,
    step: AtomicU8,
}

const STEPS: [Step; 4] = [Step::Preparing, Step::Converting, Step::Syncing, Step::Delivering];

impl Lease {
    pub(crate) fn new(grant: Grant, place: Option<Place>) -> Arc<Self> {
        Arc::new(Self {
            grant,
            place,
            pulse: Pulse::new(),
            granted: Instant::now(),
            step: AtomicU8::new(0),
        })
    }

    pub(crate) fn enter(&self, step: Step) {
        let at = STEPS.iter().position(|&known| known == step).unwrap_or_default();
        self.step
            .store(u8::try_from(at).expect("there are four"), Ordering::Relaxed);
    }

    pub(crate) fn progress(&self) -> LeaseProgress {
        LeaseProgress {
            lease: self.grant.lease,
            bytes: self.pulse.bytes(),
            step: STEPS[usize::from(self.step.load(Ordering::Relaxed))],
        }
    }

    /// How long it has been in hand.
    pub(crate) fn took(&self) -> Millis {
        self.granted.elapsed().into()
    }
}

/// What became of a lease.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Done {
    /// Its shard is on the storage.
    Delivered(Work),
    /// It comes back.
    Failed(Fault),
    /// It was revoked, and nothing is left of it.
    Revoked,
}
