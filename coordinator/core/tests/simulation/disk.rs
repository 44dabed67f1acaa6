//! What lies on disks: the journal, of which the newest records may not be durable yet, and the shards.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use trc2npy_common::units::RowRange;
use trc2npy_coordinator_core::{ChannelIndex, Found, JobId, LeaseId, Record, Shard};

/// Names a shard's files.
pub(crate) type Name = (JobId, ChannelIndex, RowRange, LeaseId);

pub(crate) fn name(shard: &Shard) -> Name {
    (shard.job, shard.channel, shard.rows, shard.lease)
}

/// What records come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    pub(crate) committed: BTreeSet<Name>,
    pub(crate) ended: BTreeSet<JobId>,
}

impl State {
    /// Takes a record in; a row that is committed twice is what must never be.
    fn take(&mut self, record: &Record) {
        match record {
            Record::Committed(shard) => {
                let twice = self.committed.iter().find(|(job, channel, rows, _)| {
                    (*job, *channel) == (shard.job, shard.channel) && !rows.intersection(shard.rows).is_empty()
                });
                assert_eq!(twice, None, "{shard:?} commits rows that are committed");
                self.committed.insert(name(shard));
            }
            Record::Reopened { job, channel, rows } => {
                let before = self.committed.len();
                self.committed
                    .retain(|(its, on, these, _)| (its, on, these) != (job, channel, rows));
                assert_eq!(
                    self.committed.len() + 1,
                    before,
                    "{rows:?} are reopened and were not committed"
                );
            }
            Record::Ended { job, .. } => {
                assert!(self.ended.insert(*job), "job {job} ends twice");
            }
        }
    }

    pub(crate) fn shards_of(&self, job: JobId) -> Vec<Shard> {
        let its = self.committed.iter().filter(|(its, ..)| *its == job);
        its.map(|&(job, channel, rows, lease)| Shard {
            lease,
            job,
            channel,
            rows,
        })
        .collect()
    }
}

/// Records in the order in which they came; only those of `durable` outlast a crash.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub(crate) durable: State,
    /// With all records.
    pub(crate) newest: State,
    pending: VecDeque<(u64, Record)>,
    next: u64,
}

impl Journal {
    pub(crate) fn append(&mut self, record: Record) {
        self.newest.take(&record);
        self.next += 1;
        self.pending.push_back((self.next, record));
    }

    /// Number of the newest record, to ask [`Self::is_durable`] for.
    pub(crate) fn last(&self) -> u64 {
        self.next
    }

    pub(crate) fn sync(&mut self, records: usize) {
        for _ in 0..records {
            if let Some((_, record)) = self.pending.pop_front() {
                self.durable.take(&record);
            }
        }
    }

    pub(crate) fn is_durable(&self, number: u64) -> bool {
        self.pending.front().is_none_or(|&(first, _)| number < first)
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The first of the pending records made it, the others did not.
    pub(crate) fn crash(&mut self, kept: usize) {
        self.sync(kept);
        self.pending.clear();
        self.newest = self.durable.clone();
    }
}

/// The shards on the shared storage, with what is in each that is whole.
#[derive(Debug, Default)]
pub(crate) struct Storage {
    shards: BTreeMap<Name, Option<Found>>,
}

impl Storage {
    pub(crate) fn write(&mut self, shard: &Shard, found: Option<Found>) {
        self.shards.insert(name(shard), found);
    }

    pub(crate) fn remove(&mut self, shard: &Shard) {
        self.shards.remove(&name(shard));
    }

    pub(crate) fn read(&self, shard: &Shard) -> Option<Found> {
        self.shards.get(&name(shard)).copied().flatten()
    }

    pub(crate) fn remove_job(&mut self, job: JobId) {
        self.shards.retain(|(its, ..), _| *its != job);
    }
}
