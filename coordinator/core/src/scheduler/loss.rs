//! The one path on which a worker is lost: broken stream, good-bye, second connection and silence.

use trc2npy_common::units::RowRange;

use super::Core;
use super::leases::each_care;
use crate::event::Loss;
use crate::ids::{LeaseId, Millis, SessionId};
use crate::lease::Holder;
use crate::rows::Pieces;

/// How long a worker may take to come back with what it has in hand.
const GRACE: Millis = Millis::seconds(5);

/// How a worker was lost, silence included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// Its process may come back.
    MayReturn,
    /// It has ended in good order.
    Ended,
    /// It is taken for dead.
    Dead,
}

impl From<Loss> for Gone {
    fn from(loss: Loss) -> Self {
        match loss {
            Loss::StreamBroken | Loss::Replaced => Self::MayReturn,
            Loss::Goodbye => Self::Ended,
        }
    }
}

impl Core {
    pub(super) fn lose(&mut self, session: SessionId, gone: Gone) {
        let Some(worker) = self.workers.remove(&session) else {
            return;
        };
        if let Some(rank) = worker.rank {
            self.idle.remove(&rank);
        }
        self.slots -= u64::from(worker.slots);
        for job in self.jobs.values_mut() {
            job.unfit.remove(&session);
            job.unreadable_on.remove(&session);
        }
        for id in worker.leases {
            match gone {
                Gone::MayReturn => self.orphan(id),
                Gone::Ended => self.end_attempt(id, |_, pieces| pieces),
                Gone::Dead => self.strike(id, false),
            }
        }
    }

    fn orphan(&mut self, id: LeaseId) {
        let deadline = self.now() + GRACE;
        if let Some(lease) = self.leases.get_mut(&id) {
            lease.holder = Holder::Orphan;
            self.set_deadline(id, deadline);
            self.index(id);
        }
    }

    /// An attempt has ended with its process: its rows may be the reason. They are tried in halves from now on, so that
    /// in the end one file stands alone. `crashed`: the worker is alive and says that they were.
    pub(super) fn strike(&mut self, id: LeaseId, crashed: bool) {
        let Some(rows) = self.leases.get(&id).map(|lease| lease.rows) else {
            return;
        };
        self.end_attempt(id, |cost, pieces| {
            let crashed_alone = crashed && cost.in_one_file(rows);
            let mut halves = Pieces::with_capacity(2 * pieces.len());
            for (rows, care) in each_care(pieces, |_, care| care.lose(id, crashed_alone)) {
                let middle = cost.middle(rows).unwrap_or(rows.end);
                halves.push((RowRange::new(rows.start, middle), care.clone()));
                halves.push((RowRange::new(middle, rows.end), care));
            }
            halves.retain(|(rows, _)| !rows.is_empty());
            halves
        });
    }
}
