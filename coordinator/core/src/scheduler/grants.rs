//! Who gets what: stalled leases first, then open rows, then second attempts of what is expected to end last.

use trc2npy_common::units::{Bytes, RowRange};

use super::Core;
use crate::effect::Effect;
use crate::event::{Grant, Terms};
use crate::ids::{ChannelIndex, JobId, LeaseId, Millis, SessionId};
use crate::job::Job;
use crate::lease::{Holder, Lease};
use crate::placement::{self, Fleet, Obstacle, Sizing};
use crate::rows::{Care, Hands};
use crate::worker::Worker;

/// Leases that an idle worker looks at for a second attempt: near the end those that matter are among the last.
const LOOKED_AT: usize = 16;

/// Rows that a worker could have.
struct Choice {
    job: JobId,
    channel: ChannelIndex,
    rows: RowRange,
    terms: Terms,
}

impl Core {
    /// Gives leases to those that have room for them.
    pub(super) fn place(&mut self) {
        if std::mem::take(&mut self.look_at_all) {
            self.ready.clear();
            // One each, the fastest first, and again: a fast worker with many slots does not take all.
            let mut able: Vec<SessionId> = self.idle.iter().map(|&(_, session)| session).collect();
            while !able.is_empty() && self.is_something_to_do() {
                able.retain(|&session| self.give(session));
            }
            self.ready.clear();
        }
        while let Some(session) = self.ready.pop_first() {
            while self.give(session) {}
            self.ready.remove(&session);
        }
        self.look_at_all = false;
    }

    fn is_something_to_do(&self) -> bool {
        !(self.open.is_empty() && self.stalled.is_empty() && self.lone.is_empty())
    }

    /// Gives a worker one lease, if it can have one.
    fn give(&mut self, session: SessionId) -> bool {
        let now = self.now();
        let Some(worker) = self.workers.get(&session) else {
            return false;
        };
        if !self.is_something_to_do() || placement::obstacle(&worker.condition(now)).is_some() {
            return false;
        }
        let stalled = self.stalled.iter().copied();
        if let Some(first) = stalled
            .into_iter()
            .find(|&first| self.may_second(session, worker, first))
        {
            return self.grant_second(session, first);
        }
        if let Some(choice) = self.choose(session, worker) {
            return self.grant_open(session, &choice);
        }
        let late = self.lone.iter().rev().take(LOOKED_AT);
        let first = late
            .map(|&(_, first)| first)
            .find(|&first| self.may_second(session, worker, first) && self.second_pays(session, worker, first));
        first.is_some_and(|first| self.grant_second(session, first))
    }

    /// The rows that a worker gets next: of the oldest job, of its first channel, the lowest.
    fn choose(&self, session: SessionId, worker: &Worker) -> Option<Choice> {
        let now = self.now();
        for id in &self.open {
            let Some(job) = self.jobs.get(id).filter(|job| job.suits(session, worker, now)) else {
                continue;
            };
            let room = placement::room(worker.disk_free, worker.bytes, job.unfinished());
            if room < placement::LEAST {
                continue;
            }
            for (index, channel) in job.each_channel() {
                let may = |roots: &[String], care: Option<&Care>| {
                    let others = |care| move || self.others_may(job, roots, care, now);
                    worker.sees(roots) && care.is_none_or(|care| care.may_try(&worker.name, now, others(care)))
                };
                let Some((rows, care)) = channel.first(may) else {
                    continue;
                };
                let fleet = self.fleet(*id, index, rows);
                let sizing = Sizing {
                    pace: worker.pace,
                    rate: fleet.rate,
                    asked: job.lease_bytes,
                    remaining: job.remaining(),
                    slots: self.slots,
                    room,
                };
                let end = channel.cost.cut(rows, placement::target(&sizing));
                let rows = RowRange::new(rows.start, end);
                let bytes = channel.cost.bytes(rows);
                if bytes > room || placement::better_left(bytes, worker.pace.speed(), job.unfinished(), fleet) {
                    continue;
                }
                return Some(Choice {
                    job: *id,
                    channel: index,
                    rows,
                    terms: care.map(Care::terms).unwrap_or_default(),
                });
            }
        }
        None
    }

    /// The workers that may take rows of one lease.
    fn fleet(&self, id: JobId, index: ChannelIndex, rows: RowRange) -> Fleet {
        let job = self.jobs.get(&id);
        let Some((job, channel)) = job.and_then(|job| Some((job, job.channel(index)?))) else {
            return Fleet::default();
        };
        let key = (id, index, channel.region(rows));
        *self
            .fleets
            .borrow_mut()
            .entry(key)
            .or_insert_with(|| self.count_fleet(job, channel.roots(rows)))
    }

    /// One with a lease that does not get on may never take any.
    fn count_fleet(&self, job: &Job, roots: &[String]) -> Fleet {
        let now = self.now();
        let stalls = |worker: &Worker| {
            let mut leases = worker.leases.iter().filter_map(|lease| self.leases.get(lease));
            leases.any(|lease| lease.stalled)
        };
        let mut fleet = Fleet::default();
        for (&session, worker) in &self.workers {
            let obstacle = placement::obstacle(&worker.condition(now));
            let takes = matches!(obstacle, None | Some(Obstacle::Busy)) && !stalls(worker);
            if let Some(speed) = worker.pace.speed()
                && takes
                && job.suits(session, worker, now)
                && worker.sees(roots)
            {
                fleet.rate += Bytes(speed.0.saturating_mul(worker.slots.into()));
                fleet.fastest = fleet.fastest.max(speed);
            }
        }
        fleet
    }

    /// Whether there is a worker for rows that some could not read, which has not tried them.
    fn others_may(&self, job: &Job, roots: &[String], care: &Care, now: Millis) -> bool {
        self.workers.iter().any(|(&session, worker)| {
            let fit = worker.stays(now) && job.suits(session, worker, now) && worker.sees(roots);
            fit && !care.failed_on.contains(&worker.name)
        })
    }

    /// Whether a worker may have a second attempt of a lease.
    fn may_second(&self, session: SessionId, worker: &Worker, first: LeaseId) -> bool {
        let now = self.now();
        let Some(lease) = self.leases.get(&first) else {
            return false;
        };
        let Some(job) = self.jobs.get(&lease.job) else {
            return false;
        };
        let held = job.channel(lease.channel).and_then(|channel| channel.held(lease.rows));
        let failed = held.is_none_or(|held| held.cares().any(|care| care.failed_on.contains(&worker.name)));
        let room = placement::room(worker.disk_free, worker.bytes, job.unfinished());
        let idle = lease.holder != Holder::Worker(session) && lease.no_second_before <= now;
        idle && !failed && job.suits_rows(session, worker, now, lease) && lease.bytes <= room
    }

    fn second_pays(&self, session: SessionId, worker: &Worker, first: LeaseId) -> bool {
        let Some(lease) = self.leases.get(&first) else {
            return false;
        };
        debug_assert_ne!(lease.holder, Holder::Worker(session));
        let Some(job) = self.jobs.get(&lease.job) else {
            return false;
        };
        let fleet = self.fleet(lease.job, lease.channel, lease.rows);
        let speed = worker.pace.speed().or_else(|| job.speed());
        speed.is_some_and(|speed| placement::second_pays(self.now(), lease.end, lease.bytes, speed))
            && !placement::better_left(lease.bytes, speed, job.unfinished(), fleet)
    }

    fn grant_open(&mut self, session: SessionId, choice: &Choice) -> bool {
        let id = self.next_lease();
        let Some(channel) = self
            .jobs
            .get_mut(&choice.job)
            .and_then(|job| job.channel_mut(choice.channel))
        else {
            return false;
        };
        channel.hold(choice.rows, Hands::One(id));
        self.grant(session, id, choice);
        self.note_open(choice.job);
        true
    }

    fn grant_second(&mut self, session: SessionId, first: LeaseId) -> bool {
        let id = self.next_lease();
        let Some(lease) = self.leases.get(&first) else {
            return false;
        };
        let mut choice = Choice {
            job: lease.job,
            channel: lease.channel,
            rows: lease.rows,
            terms: lease.terms,
        };
        let Some(job) = self.jobs.get_mut(&choice.job) else {
            return false;
        };
        job.second_attempts += 1;
        let Some(held) = job
            .channel_mut(choice.channel)
            .and_then(|channel| channel.held_mut(choice.rows))
        else {
            return false;
        };
        // What has come of others since may ask for more than the first attempt was asked.
        choice.terms = held.terms();
        held.hands = Hands::Two(first, id);
        self.index(first);
        self.grant(session, id, &choice);
        true
    }

    fn next_lease(&mut self) -> LeaseId {
        self.attempts += 1;
        LeaseId {
            epoch: self.epoch,
            attempt: self.attempts,
        }
    }

    /// Gives held rows to a worker.
    fn grant(&mut self, session: SessionId, id: LeaseId, choice: &Choice) {
        let now = self.now();
        let (Some(worker), Some(job)) = (self.workers.get_mut(&session), self.jobs.get(&choice.job)) else {
            return;
        };
        let bytes = job
            .channel(choice.channel)
            .map_or(Bytes(0), |channel| channel.cost.bytes(choice.rows));
        worker.allowed = worker.slots as usize;
        let grant = Grant {
            lease: id,
            job: choice.job,
            channel: choice.channel,
            rows: choice.rows,
            terms: choice.terms,
        };
        let mut lease = Lease::begun(&grant, session, worker.name.clone(), bytes, now);
        lease.look_ahead(now, worker.pace.speed(), (job.read, job.cost));
        self.effects.push(Effect::Grant { session, grant });
        self.add_lease(id, lease);
    }
}
