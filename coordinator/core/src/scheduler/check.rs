//! What holds after every step.

use std::collections::BTreeMap;

use super::Core;
use crate::ids::SessionId;
use crate::lease::Holder;
use crate::rows::Hands;

impl Core {
    /// Whether all that must hold after a step does; else what does not. For tests: it looks at everything.
    ///
    /// Every row of each channel is open, held or committed, and one of these only (so none is committed twice). Every
    /// held range has one or two leases, or a shard that is being landed; each lease has a held range of a living job.
    /// No worker has more leases than it had slots when it got the last one. All sums and indices agree.
    pub fn check(&self) -> Result<(), String> {
        let mut unsettled: BTreeMap<SessionId, u64> = BTreeMap::new();
        let mut held_leases = 0;
        for (id, job) in &self.jobs {
            for (index, channel) in job.each_channel() {
                let place = format!("job {id}, channel {}", index.0);
                channel.check().map_err(|error| format!("{place}: {error}"))?;
                for held in channel.all_held() {
                    for lease in held.hands.leases() {
                        held_leases += 1;
                        let known = self.leases.get(&lease);
                        let agrees = known.is_some_and(|known| {
                            (known.job, known.channel, known.rows) == (*id, index, held.rows)
                                && known.bytes == channel.cost.bytes(held.rows)
                        });
                        ensure(agrees, || {
                            format!("{place}: {:?} is held by {lease}, which is {known:?}", held.rows)
                        })?;
                    }
                    if let Hands::Landing(landing) = held.hands
                        && let Some(maker) = landing.maker
                    {
                        *unsettled.entry(maker).or_default() += 1;
                    }
                    if let Hands::Two(first, second) = held.hands {
                        let session = |lease| self.leases.get(&lease).and_then(crate::lease::Lease::session);
                        let same = session(first).is_some() && session(first) == session(second);
                        ensure(!same, || {
                            format!("{place}: both attempts of {:?} are on one worker", held.rows)
                        })?;
                    }
                }
            }
            let ready = job.held_until <= self.now() && job.has_open();
            // A job that was held is noticed at the next sweep.
            ensure(!self.open.contains(id) || ready, || {
                format!("job {id} has no open rows")
            })?;
            ensure(!ready || self.open.contains(id) || job.held_until.0 > 0, || {
                format!("job {id} is not looked at")
            })?;
        }
        ensure(self.leases.len() == held_leases, || {
            format!("{} leases, {held_leases} hold rows", self.leases.len())
        })?;
        ensure(self.deadlines.len() == self.leases.len(), || {
            "a lease without deadline".to_owned()
        })?;
        self.check_leases()?;
        self.check_workers(&unsettled)
    }

    fn check_leases(&self) -> Result<(), String> {
        for (id, lease) in &self.leases {
            ensure(self.deadlines.contains(&(lease.deadline, *id)), || {
                format!("{id}: wrong deadline")
            })?;
            if let Holder::Worker(session) = lease.holder {
                let has = self
                    .workers
                    .get(&session)
                    .is_some_and(|worker| worker.leases.contains(id));
                ensure(has, || format!("{id}: {session:?} does not know of it"))?;
            }
            let lone = lease.holder != Holder::Orphan && self.other_attempt(*id, lease).is_none();
            let (in_lone, in_stalled) = (self.lone.contains(&(lease.end, *id)), self.stalled.contains(id));
            let expected = (lone && !lease.stalled, lone && lease.stalled);
            ensure((in_lone, in_stalled) == expected, || {
                format!(
                    "{id}: in the lists of lone and of stalled leases {:?}, not {expected:?}",
                    (in_lone, in_stalled)
                )
            })?;
        }
        let listed = self.lone.len() + self.stalled.len();
        ensure(listed <= self.leases.len(), || {
            "leases listed that are not there".to_owned()
        })
    }

    fn check_workers(&self, unsettled: &BTreeMap<SessionId, u64>) -> Result<(), String> {
        let mut slots = 0;
        for (session, worker) in &self.workers {
            slots += u64::from(worker.slots);
            let name = &worker.name;
            let bytes = worker
                .leases
                .iter()
                .filter_map(|lease| self.leases.get(lease))
                .map(|lease| lease.bytes)
                .sum();
            ensure(worker.bytes == bytes, || {
                format!("{name}: {:?} in hand said, {bytes:?} found", worker.bytes)
            })?;
            ensure(worker.leases.len() <= worker.allowed, || {
                format!(
                    "{name}: {} leases where {} were allowed",
                    worker.leases.len(),
                    worker.allowed
                )
            })?;
            ensure(
                worker.leases.iter().all(|lease| self.leases.contains_key(lease)),
                || format!("{name}: has a lease that is not there"),
            )?;
            let awaits = unsettled.get(session).copied().unwrap_or_default();
            ensure(worker.unsettled == awaits, || {
                format!("{name}: waits for {} shards, {awaits} are landed", worker.unsettled)
            })?;
            ensure(worker.rank == worker.place(*session), || format!("{name}: wrong rank"))?;
            let listed = worker.rank.is_some_and(|rank| self.idle.contains(&rank));
            ensure(listed == worker.rank.is_some(), || {
                format!("{name}: not among the idle ones")
            })?;
        }
        ensure(slots == self.slots, || {
            format!("{} slots said, {slots} found", self.slots)
        })?;
        let ranked = self.workers.values().filter(|worker| worker.rank.is_some()).count();
        ensure(ranked == self.idle.len(), || {
            "a lost worker among the idle ones".to_owned()
        })
    }
}

fn ensure(holds: bool, else_what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(else_what()) }
}
