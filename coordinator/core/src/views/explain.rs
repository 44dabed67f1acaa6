//! Why rows of a job wait, and why each worker gets none.

use std::collections::{BTreeMap, BTreeSet};

use super::reason::{Idle, Reason};
use crate::ids::{JobId, Millis, SessionId};
use crate::job::{Job, Phase};
use crate::lease::Holder;
use crate::placement;
use crate::rows::{Care, Channel, Hands};
use crate::scheduler::Core;
use crate::worker::Worker;

/// Leases that do not get on, of which each is named.
const STALLED_NAMED: usize = 20;

impl Core {
    /// Why a job is not further, the weightiest reason first; then of each worker that gets nothing of it, why.
    pub fn explain(&self, job: JobId, now: Millis) -> Vec<Reason> {
        let now = self.clock.at(now);
        let Some(found) = self.jobs.get(&job) else {
            return vec![Reason::NoSuchJob];
        };
        if found.phase == Phase::Publishing {
            return vec![Reason::Publishing];
        }
        let mut reasons = self.of_everyone(job, found, now);
        reasons.extend(of_rows(found, now));
        reasons.extend(self.of_leases(found, now));
        reasons.extend(self.workers.iter().filter_map(|(&session, worker)| {
            let why = why_idle(found, session, worker, now)?;
            Some(Reason::Worker {
                worker: worker.name.to_string(),
                why,
            })
        }));
        reasons
    }

    /// What holds for the job as a whole.
    fn of_everyone(&self, id: JobId, job: &Job, now: Millis) -> Vec<Reason> {
        let rows = sum(job, |channel| channel.rows_open.rows + channel.rows_waiting.rows);
        let mut reasons = Vec::new();
        if rows == 0 {
            return reasons;
        }
        if job.held_until > now {
            reasons.push(Reason::AwaitingWorkers {
                rest: job.held_until.since(now),
            });
        }
        if self.workers.is_empty() {
            reasons.push(Reason::NoWorkers { rows });
        } else if !self
            .workers
            .iter()
            .any(|(&session, worker)| job.suits(session, worker, now))
        {
            reasons.push(Reason::NoneFit { rows });
        } else {
            let unseen = unseen(job, &self.workers).into_iter();
            reasons.extend(unseen.map(|(roots, rows)| Reason::NoneSees { rows, roots }));
        }
        let older = self.jobs.range(..id).filter(|(_, older)| older.has_open()).count() as u64;
        if older > 0 {
            reasons.push(Reason::OlderJobs { jobs: older });
        }
        reasons
    }

    fn of_leases(&self, job: &Job, now: Millis) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let (mut working, mut leases, mut landing, mut named) = (0, 0, 0, 0);
        for held in job.channels.iter().flat_map(Channel::all_held) {
            let rows = held.rows.len();
            match held.hands {
                Hands::Landing(_) => landing += rows,
                Hands::One(_) | Hands::Two(..) => working += rows,
            }
            for lease in held.hands.leases() {
                leases += 1;
                let Some(lease) = self.leases.get(&lease) else { continue };
                let worker = lease.name.to_string();
                if lease.holder == Holder::Orphan {
                    let rest = lease.deadline.since(now);
                    reasons.push(Reason::AwaitingWorker { worker, rows, rest });
                } else if lease.stalled && named < STALLED_NAMED {
                    named += 1;
                    reasons.push(Reason::Stalled {
                        worker,
                        rows,
                        age: now.since(lease.granted),
                        second: matches!(held.hands, Hands::Two(..)),
                    });
                }
            }
        }
        if working > 0 {
            reasons.push(Reason::Working { rows: working, leases });
        }
        if landing > 0 {
            reasons.push(Reason::Landing { rows: landing });
        }
        reasons
    }
}

fn sum(job: &Job, of: impl Fn(&Channel) -> u64) -> u64 {
    job.channels.iter().map(of).sum()
}

/// What the histories of open rows say.
fn of_rows(job: &Job, now: Millis) -> Vec<Reason> {
    let (mut writing, mut unreadable, mut struck, mut quarantined) = (0, 0, 0, 0);
    let mut rest: Option<Millis> = None;
    let mut workers = BTreeSet::new();
    for (rows, _, care) in job.channels.iter().flat_map(Channel::open_parts) {
        let Some(care) = care else { continue };
        let rows = rows.len();
        if care.not_before > now {
            writing += rows;
            let left = care.not_before.since(now);
            rest = Some(rest.map_or(left, |rest| rest.min(left)));
        }
        if !care.failed_on.is_empty() {
            unreadable += rows;
            workers.extend(care.failed_on.iter().map(ToString::to_string));
        }
        if care.terms().give_up {
            quarantined += rows;
        } else if !care.lost.is_empty() {
            struck += rows;
        }
    }
    let workers = workers.into_iter().collect();
    let all = [
        rest.map(|rest| Reason::StillWriting { rows: writing, rest }),
        (unreadable > 0).then_some(Reason::Unreadable {
            rows: unreadable,
            workers,
        }),
        (struck > 0).then_some(Reason::Struck { rows: struck }),
        (quarantined > 0).then_some(Reason::Quarantined { rows: quarantined }),
    ];
    all.into_iter().flatten().collect()
}

/// The roots for want of which a worker can make none of the rows that nobody has.
fn missing_roots(job: &Job, worker: &Worker) -> Vec<String> {
    let lacks = |roots: &[String]| -> Vec<String> {
        let missing = roots.iter().filter(|&root| !worker.roots.contains(root));
        missing.cloned().collect()
    };
    let of_all = lacks(&job.roots);
    if !of_all.is_empty() {
        return of_all;
    }
    let parts = || job.channels.iter().flat_map(Channel::open_parts);
    if parts().any(|(_, roots, _)| worker.sees(roots)) {
        return of_all;
    }
    let missing: BTreeSet<String> = parts().flat_map(|(_, roots, _)| lacks(roots)).collect();
    missing.into_iter().collect()
}

/// Rows that nobody has and that no connected worker sees, by the roots that they need.
fn unseen(job: &Job, workers: &BTreeMap<SessionId, Worker>) -> BTreeMap<Vec<String>, u64> {
    let mut unseen = BTreeMap::new();
    for (rows, roots, _) in job.channels.iter().flat_map(Channel::open_parts) {
        if !roots.is_empty() && !workers.values().any(|worker| worker.sees(roots)) {
            *unseen.entry(roots.to_vec()).or_default() += rows.len();
        }
    }
    unseen
}

/// Why a worker gets nothing of a job, if there is something for it to get.
fn why_idle(job: &Job, session: SessionId, worker: &Worker, now: Millis) -> Option<Idle> {
    let missing = missing_roots(job, worker);
    if !missing.is_empty() {
        return Some(Idle::RootsMissing(missing));
    }
    if let Some(unfit) = job.unfit.get(&session).filter(|unfit| unfit.until > now) {
        return Some(Idle::Unfit {
            why: unfit.why.clone(),
            rest: unfit.until.since(now),
        });
    }
    if let Some(idle) = super::idleness(worker, now) {
        return Some(idle);
    }
    if !job.has_open() {
        return None;
    }
    if let Some(free) = worker.disk_free
        && placement::room(worker.disk_free, worker.bytes, job.unfinished()) < placement::LEAST
    {
        return Some(Idle::DiskFull(free));
    }
    let failed = |care: &Care| care.failed_on.contains(&worker.name);
    let all = job
        .channels
        .iter()
        .flat_map(Channel::open_parts)
        .filter(|(_, roots, _)| worker.sees(roots))
        .all(|(.., care)| care.is_some_and(failed));
    all.then_some(Idle::FailedOnAll)
}
