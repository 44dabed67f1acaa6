//! A lease in flight.

use std::sync::Arc;

use trc2npy_common::units::{Bytes, RowRange};

use crate::event::{Grant, Step, Terms};
use crate::ids::{ChannelIndex, JobId, Millis, SessionId};
use crate::placement::{self, Course, patience};

/// Who has a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A connected worker.
    Worker(SessionId),
    /// One whose connection broke, and which may come back with it.
    Orphan,
}

/// A lease that was granted, and of which neither shard nor fault has come.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) holder: Holder,
    /// Of the worker, also where the holder is gone.
    pub(crate) name: Arc<str>,
    pub(crate) job: JobId,
    pub(crate) channel: ChannelIndex,
    pub(crate) rows: RowRange,
    pub(crate) terms: Terms,
    /// What its rows cost.
    pub(crate) bytes: Bytes,
    pub(crate) granted: Millis,
    pub(crate) step: Step,
    /// Input bytes done.
    pub(crate) done: Bytes,
    /// When it last got on.
    pub(crate) moved: Millis,
    /// Until then it must get on, or an orphan's worker come back.
    pub(crate) deadline: Millis,
    /// As it looks now.
    pub(crate) end: Millis,
    /// Nobody gets a second attempt before.
    pub(crate) no_second_before: Millis,
    /// It gives no sign of getting on.
    pub(crate) stalled: bool,
}

impl Lease {
    /// One that begins now, in the hands of the worker `name`.
    pub(crate) fn begun(grant: &Grant, session: SessionId, name: Arc<str>, bytes: Bytes, now: Millis) -> Self {
        Self {
            holder: Holder::Worker(session),
            name,
            job: grant.job,
            channel: grant.channel,
            rows: grant.rows,
            terms: grant.terms,
            bytes,
            granted: now,
            step: Step::Preparing,
            done: Bytes(0),
            moved: now,
            deadline: now + patience(Step::Preparing),
            end: now,
            no_second_before: now,
            stalled: false,
        }
    }

    /// The worker that has it.
    pub(crate) fn session(&self) -> Option<SessionId> {
        match self.holder {
            Holder::Worker(session) => Some(session),
            Holder::Orphan => None,
        }
    }

    /// As it was granted.
    pub(crate) fn is(&self, grant: &Grant) -> bool {
        (self.job, self.channel, self.rows) == (grant.job, grant.channel, grant.rows)
    }

    /// Takes a worker's word of how far it is now; says whether it gets on.
    pub(crate) fn advance(&mut self, now: Millis, bytes: Bytes, step: Step) -> bool {
        let further = step > self.step || (step == self.step && bytes > self.done);
        if further {
            self.moved = now;
            self.step = step;
            self.done = self.done.max(bytes);
        }
        further
    }

    /// When it will be done. `input`: input bytes for each byte that rows cost, as a ratio of two sums.
    pub(crate) fn look_ahead(&mut self, now: Millis, speed: Option<Bytes>, input: (Bytes, Bytes)) {
        let (read, cost) = input;
        let scaled = u128::from(self.bytes.0) * u128::from(read.0.max(1)) / u128::from(cost.0.max(1));
        let course = Course {
            now,
            granted: self.granted,
            moved: self.moved,
            bytes: if cost.0 == 0 {
                self.bytes
            } else {
                Bytes(u64::try_from(scaled).unwrap_or(u64::MAX))
            },
            done: self.done,
            step: self.step,
            speed,
        };
        self.end = placement::expected_end(&course);
    }
}
