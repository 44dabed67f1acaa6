//! What lies where, range by range and lease by lease: for counts and for whoever looks closely.

use trc2npy_common::units::RowRange;

use crate::ids::{ChannelIndex, JobId, SessionId};
use crate::lease::Holder;
use crate::rows::Hands;
use crate::scheduler::Core;

/// How many ranges of rows are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// To be had, now or later.
    pub open: u64,
    /// In a worker's hands.
    pub leased: u64,
    /// Of shards that are being checked and copied.
    pub landing: u64,
    /// Done, neighbours merged.
    pub committed: u64,
}

impl Core {
    /// The ranges of all jobs together.
    pub fn ranges(&self) -> Ranges {
        let mut ranges = Ranges::default();
        for channel in self.jobs.values().flat_map(|job| &job.channels) {
            ranges.open += channel.open_parts().count() as u64;
            ranges.committed += channel.all_committed().count() as u64;
            for held in channel.all_held() {
                match held.hands {
                    Hands::Landing(_) => ranges.landing += 1,
                    Hands::One(_) | Hands::Two(..) => ranges.leased += 1,
                }
            }
        }
        ranges
    }

    /// The first rows of a channel that are done, up to the first that are not.
    pub fn first_committed(&self, job: JobId, channel: ChannelIndex) -> Option<RowRange> {
        self.jobs.get(&job)?.channel(channel)?.all_committed().next()
    }

    /// The leases of a connected worker, the oldest first.
    pub fn in_hand(&self, session: SessionId) -> Vec<(JobId, ChannelIndex, RowRange)> {
        let leases = self.workers.get(&session).map(|worker| worker.leases.iter());
        let leases = leases.into_iter().flatten().filter_map(|id| self.leases.get(id));
        leases
            .filter(|lease| lease.holder == Holder::Worker(session))
            .map(|lease| (lease.job, lease.channel, lease.rows))
            .collect()
    }
}
