//! Wire <-> what the coordinator's core thinks in. Whatever comes in is checked; an error names the field.

use trc2npy_common::roots::{BadPlace, RootName};
use trc2npy_common::units::{Bytes, RowRange};
use trc2npy_coordinator_core as core;
use trc2npy_coordinator_core::{ChannelIndex, Epoch, Fault, JobId, LeaseId, Millis, Shard, Terms, Work};

use crate::v1;
use crate::worker_name::{BadWorkerName, worker_name};

/// A message that does not hold what it must.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A field that must be there is not.
    #[error("the field `{0}` is missing")]
    Missing(&'static str),
    /// A field holds what it cannot hold.
    #[error("the field `{field}` holds {found}, {expected} expected")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What it may hold.
        expected: &'static str,
        /// What it holds.
        found: String,
    },
    /// A worker that cannot be called so.
    #[error(transparent)]
    Name(#[from] BadWorkerName),
    /// A root that cannot be called so.
    #[error(transparent)]
    Root(#[from] BadPlace),
}

pub(crate) fn invalid(field: &'static str, expected: &'static str, found: impl std::fmt::Display) -> WireError {
    WireError::Invalid {
        field,
        expected,
        found: format!("{found}"),
    }
}

impl From<LeaseId> for v1::Lease {
    fn from(lease: LeaseId) -> Self {
        Self {
            epoch: lease.epoch.0,
            attempt: lease.attempt,
        }
    }
}

impl From<v1::Lease> for LeaseId {
    fn from(lease: v1::Lease) -> Self {
        Self {
            epoch: Epoch(lease.epoch),
            attempt: lease.attempt,
        }
    }
}

impl From<Terms> for v1::Terms {
    fn from(terms: Terms) -> Self {
        let Terms {
            settled,
            take_unreadable,
            apart,
            give_up,
        } = terms;
        Self {
            settled,
            take_unreadable,
            apart,
            give_up,
        }
    }
}

impl From<v1::Terms> for Terms {
    fn from(terms: v1::Terms) -> Self {
        Self {
            settled: terms.settled,
            take_unreadable: terms.take_unreadable,
            apart: terms.apart,
            give_up: terms.give_up,
        }
    }
}

fn rows(start: u64, end: u64) -> Result<RowRange, WireError> {
    if start < end {
        Ok(RowRange::new(start, end))
    } else {
        Err(invalid(
            "rows",
            "a first row before the last",
            format!("{start}..{end}"),
        ))
    }
}

impl From<core::Grant> for v1::Grant {
    fn from(grant: core::Grant) -> Self {
        Self {
            lease: Some(grant.lease.into()),
            job: grant.job.0,
            channel: u32::from(grant.channel.0),
            row_start: grant.rows.start,
            row_end: grant.rows.end,
            terms: Some(grant.terms.into()),
        }
    }
}

impl TryFrom<v1::Grant> for core::Grant {
    type Error = WireError;

    fn try_from(grant: v1::Grant) -> Result<Self, WireError> {
        Ok(Self {
            lease: grant.lease.ok_or(WireError::Missing("lease"))?.into(),
            job: JobId(grant.job),
            channel: u16::try_from(grant.channel)
                .map(ChannelIndex)
                .map_err(|_| invalid("channel", "a position in a plan", grant.channel))?,
            rows: rows(grant.row_start, grant.row_end)?,
            terms: grant.terms.unwrap_or_default().into(),
        })
    }
}

/// The shard of a lease that was delivered.
impl TryFrom<v1::Delivered> for (Shard, Work) {
    type Error = WireError;

    fn try_from(delivered: v1::Delivered) -> Result<Self, WireError> {
        let grant: core::Grant = delivered.grant.ok_or(WireError::Missing("grant"))?.try_into()?;
        let shard = Shard {
            lease: grant.lease,
            job: grant.job,
            channel: grant.channel,
            rows: grant.rows,
        };
        let work = delivered.work.ok_or(WireError::Missing("work"))?;
        Ok((shard, work.into()))
    }
}

impl From<v1::Work> for Work {
    fn from(work: v1::Work) -> Self {
        Self {
            bytes: Bytes(work.bytes),
            took: Millis(work.took_ms),
            bad_rows: work.bad_rows,
            unreadable: work.unreadable,
        }
    }
}

impl From<Work> for v1::Work {
    fn from(work: Work) -> Self {
        Self {
            bytes: work.bytes.0,
            took_ms: work.took.0,
            bad_rows: work.bad_rows,
            unreadable: work.unreadable,
        }
    }
}

impl TryFrom<v1::Hello> for core::Hello {
    type Error = WireError;

    fn try_from(hello: v1::Hello) -> Result<Self, WireError> {
        let name = worker_name(&hello.name)?;
        let roots = hello.roots.iter().map(|root| Ok(root.parse::<RootName>()?.to_string()));
        Ok(Self {
            name: name.to_owned(),
            slots: hello.slots,
            roots: roots.collect::<Result<_, WireError>>()?,
            in_hand: hello
                .in_hand
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<v1::Beat> for core::Beat {
    type Error = WireError;

    fn try_from(beat: v1::Beat) -> Result<Self, WireError> {
        Ok(Self {
            slots: beat.slots,
            memory_pressure: beat.memory_pressure,
            disk_free: beat.disk_free.map(Bytes),
            draining: beat.draining,
            progress: beat
                .progress
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<v1::LeaseProgress> for core::LeaseProgress {
    type Error = WireError;

    fn try_from(progress: v1::LeaseProgress) -> Result<Self, WireError> {
        let step = match progress.step() {
            v1::Step::Preparing => core::Step::Preparing,
            v1::Step::Converting => core::Step::Converting,
            v1::Step::Syncing => core::Step::Syncing,
            v1::Step::Delivering => core::Step::Delivering,
            v1::Step::Unspecified => return Err(invalid("step", "a step", progress.step)),
        };
        Ok(Self {
            lease: progress.lease.ok_or(WireError::Missing("lease"))?.into(),
            bytes: Bytes(progress.bytes),
            step,
        })
    }
}

impl From<core::LeaseProgress> for v1::LeaseProgress {
    fn from(progress: core::LeaseProgress) -> Self {
        let step = match progress.step {
            core::Step::Preparing => v1::Step::Preparing,
            core::Step::Converting => v1::Step::Converting,
            core::Step::Syncing => v1::Step::Syncing,
            core::Step::Delivering => v1::Step::Delivering,
        };
        Self {
            lease: Some(progress.lease.into()),
            bytes: progress.bytes.0,
            step: step.into(),
        }
    }
}

impl v1::Failed {
    /// The message that gives a lease back.
    pub fn new(lease: LeaseId, fault: Fault) -> Self {
        let (kind, why, rows) = match fault {
            Fault::Returned => (v1::Fault::Returned, String::new(), Vec::new()),
            Fault::StillWriting(rows) => (v1::Fault::StillWriting, String::new(), rows),
            Fault::Unfit(why) => (v1::Fault::Unfit, why, Vec::new()),
            Fault::Input(why) => (v1::Fault::Input, why, Vec::new()),
            Fault::Output(why) => (v1::Fault::Output, why, Vec::new()),
            Fault::Crashed(why) => (v1::Fault::Crashed, why, Vec::new()),
            Fault::Ended(why) => (v1::Fault::Ended, why, Vec::new()),
            Fault::Hopeless(why) => (v1::Fault::Hopeless, why, Vec::new()),
        };
        let rows = rows.into_iter().map(|RowRange { start, end }| v1::Rows { start, end });
        Self {
            lease: Some(lease.into()),
            fault: kind.into(),
            why,
            rows: rows.collect(),
        }
    }
}

/// Characters of a worker's sentence that are kept.
const LONGEST_REASON: usize = 2000;

impl TryFrom<v1::Failed> for (LeaseId, Fault) {
    type Error = WireError;

    fn try_from(failed: v1::Failed) -> Result<Self, WireError> {
        let kind = failed.fault();
        let lease = failed.lease.ok_or(WireError::Missing("lease"))?.into();
        // For people, who will not read more; and kept for as long as the job is.
        let why = failed.why.chars().take(LONGEST_REASON).collect();
        let fault = match kind {
            v1::Fault::Returned => Fault::Returned,
            v1::Fault::StillWriting => Fault::StillWriting(
                failed
                    .rows
                    .into_iter()
                    .map(|range| rows(range.start, range.end))
                    .collect::<Result<_, _>>()?,
            ),
            v1::Fault::Unfit => Fault::Unfit(why),
            v1::Fault::Input => Fault::Input(why),
            v1::Fault::Output => Fault::Output(why),
            v1::Fault::Crashed => Fault::Crashed(why),
            v1::Fault::Ended => Fault::Ended(why),
            v1::Fault::Hopeless => Fault::Hopeless(why),
            v1::Fault::Unspecified => return Err(invalid("fault", "a known fault", failed.fault)),
        };
        Ok((lease, fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant() -> core::Grant {
        core::Grant {
            lease: LeaseId {
                epoch: Epoch(3),
                attempt: 17,
            },
            job: JobId(5),
            channel: ChannelIndex(1),
            rows: RowRange::new(10, 20),
            terms: Terms {
                settled: true,
                take_unreadable: false,
                apart: true,
                give_up: true,
            },
        }
    }

    #[test]
    fn a_lease_comes_over_as_it_was() {
        let wire = v1::Grant::from(grant());
        assert_eq!(core::Grant::try_from(wire), Ok(grant()));
    }

    #[test]
    fn what_cannot_be_is_refused_with_the_name_of_the_field() {
        let error = |change: &dyn Fn(&mut v1::Grant)| {
            let mut wire = v1::Grant::from(grant());
            change(&mut wire);
            core::Grant::try_from(wire).unwrap_err().to_string()
        };
        assert_eq!(error(&|wire| wire.lease = None), "the field `lease` is missing");
        assert_eq!(
            error(&|wire| wire.row_end = 10),
            "the field `rows` holds 10..10, a first row before the last expected"
        );
        assert!(error(&|wire| wire.channel = 70_000).contains("`channel` holds 70000"));
    }

    #[test]
    fn every_fault_comes_over_as_it_was() {
        let why = || "C1--Trace--00003.trc: no".to_owned();
        for fault in [
            Fault::Returned,
            Fault::StillWriting(vec![RowRange::new(3, 4), RowRange::new(7, 9)]),
            Fault::Unfit(why()),
            Fault::Input(why()),
            Fault::Output(why()),
            Fault::Crashed(why()),
            Fault::Ended(why()),
            Fault::Hopeless(why()),
        ] {
            let wire = v1::Failed::new(grant().lease, fault.clone());
            assert_eq!(<(LeaseId, Fault)>::try_from(wire), Ok((grant().lease, fault)));
        }
        let unknown = v1::Failed {
            fault: 99,
            ..v1::Failed::new(grant().lease, Fault::Returned)
        };
        assert!(<(LeaseId, Fault)>::try_from(unknown).is_err());
    }

    #[test]
    fn a_worker_or_a_root_that_cannot_be_called_so_is_refused() {
        let good = v1::Hello {
            name: "pc1".to_owned(),
            roots: vec!["data".to_owned()],
            ..v1::Hello::default()
        };
        assert!(core::Hello::try_from(good.clone()).is_ok());
        for (name, root) in [("a\nb", "data"), ("pc1", "da\nta"), ("pc1", "")] {
            let hello = v1::Hello {
                name: name.to_owned(),
                roots: vec![root.to_owned()],
                ..good.clone()
            };
            let told = core::Hello::try_from(hello).unwrap_err().to_string();
            assert!(!told.contains(char::is_control), "{told}");
        }
    }
}
