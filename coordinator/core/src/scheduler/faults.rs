//! Leases that come back without a shard.

use std::sync::Arc;

use trc2npy_common::units::RowRange;

use super::Core;
use super::leases::each_care;
use crate::effect::{Effect, Ending};
use crate::event::Fault;
use crate::ids::{JobId, LeaseId, Millis, SessionId};
use crate::job::Unfit;
use crate::lease::Lease;
use crate::rows::Pieces;

/// Rest of a worker that gives a lease back.
const RETURNED: Millis = Millis::seconds(1);
/// Rest of a worker whose process for a lease was ended from outside.
const ENDED: Millis = Millis::seconds(5);
/// Most that a worker rests after failed outputs; the first time it is 5 s, and doubles.
const OUTPUT_MOST: Millis = Millis::seconds(60);
/// Outputs in succession that may fail, on whatever workers, before the job does.
const OUTPUTS_FAILED: u32 = 6;
/// How long a worker gets nothing of a job on which it cannot work.
const UNFIT: Millis = Millis::seconds(300);
/// Leases in succession whose files a worker cannot read, while others deliver, before it gets no more of the job.
const UNREADABLE_HERE: u32 = 3;

impl Core {
    pub(super) fn fault(&mut self, session: SessionId, id: LeaseId, fault: Fault) {
        self.hear(session);
        // A late word of a lease that others have by now, or nobody.
        let Some(lease) = self.leases.get(&id).filter(|lease| lease.session() == Some(session)) else {
            return;
        };
        let lease = lease.clone();
        match fault {
            Fault::Returned => {
                self.end_attempt(id, |_, pieces| pieces);
                self.rest(session, RETURNED, "gave a lease back");
            }
            Fault::StillWriting(rows) if rows.iter().all(|&part| overlap(part, lease.rows).is_none()) => {
                self.end_attempt(id, |_, pieces| pieces);
                self.rest(session, RETURNED, "gave a lease back");
            }
            Fault::StillWriting(rows) => self.wait_for_writer(id, &lease, &rows),
            Fault::Unfit(why) => {
                self.make_unfit(lease.job, session, why);
                self.end_attempt(id, |_, pieces| pieces);
                self.effects.push(Effect::Look(lease.job));
            }
            Fault::Input(why) => self.unreadable(session, id, &lease, &why),
            Fault::Output(why) => self.unwritable(session, id, &lease, &why),
            Fault::Crashed(_) => self.strike(id, true),
            Fault::Ended(why) => {
                // Half of the rows may find room where all did not.
                self.strike(id, false);
                self.rest(session, ENDED, &format!("could not keep a process: {why}"));
            }
            Fault::Hopeless(why) => self.hopeless(session, id, &lease, &why),
        }
    }

    /// Ends the job where two workers say so, or where nobody else could do better: one alone may see other files than
    /// the others do (a copy, an old state of a share).
    fn hopeless(&mut self, session: SessionId, id: LeaseId, lease: &Lease, why: &str) {
        let now = self.now();
        let Some(job) = self.jobs.get_mut(&lease.job) else {
            return;
        };
        let agrees = job.hopeless_on.as_ref().is_some_and(|first| *first != lease.name);
        let mut others = self.workers.iter().filter(|(other, _)| **other != session);
        if !agrees && others.any(|(other, worker)| worker.stays(now) && job.suits_rows(*other, worker, now, lease)) {
            job.hopeless_on = Some(Arc::clone(&lease.name));
            self.make_unfit(lease.job, session, format!("the files are others there: {why}"));
            self.end_attempt(id, |_, pieces| pieces);
            return;
        }
        let first = job.hopeless_on.take().filter(|first| *first != lease.name);
        let on = first.map_or_else(|| lease.name.to_string(), |first| format!("{first} and {}", lease.name));
        self.end_job(lease.job, Ending::Hopeless(format!("{why} (found by {on})")));
    }

    fn rest(&mut self, session: SessionId, time: Millis, why: &str) {
        let until = self.now() + time;
        if let Some(worker) = self.workers.get_mut(&session) {
            worker.rest(until, why);
        }
    }

    fn make_unfit(&mut self, job: JobId, session: SessionId, why: String) {
        let until = self.now() + UNFIT;
        if let Some(job) = self.jobs.get_mut(&job) {
            job.unfit.insert(session, Unfit { why, until });
            job.unreadable_on.remove(&session);
        }
    }

    /// Opens the rows of finished files at once, those of the others when they have had time to settle.
    fn wait_for_writer(&mut self, id: LeaseId, lease: &Lease, writing: &[RowRange]) {
        let settle = self.jobs.get(&lease.job).map_or(Millis(0), |job| job.settle);
        let not_before = self.now() + settle;
        let mut writing: Vec<_> = writing.iter().filter_map(|&rows| overlap(rows, lease.rows)).collect();
        writing.sort_unstable_by_key(|rows| rows.start);
        self.end_attempt(id, |_, pieces| {
            let mut all = Pieces::new();
            for (rows, care) in pieces {
                let mut at = rows.start;
                for part in writing.iter().filter_map(|&part| overlap(part, rows)) {
                    let part = RowRange::new(part.start.max(at), part.end.max(at));
                    if part.is_empty() {
                        continue;
                    }
                    all.push((RowRange::new(at, part.start), care.clone()));
                    let waits = vec![(part, care.clone())];
                    all.extend(each_care(waits, |_, care| {
                        care.settled = true;
                        care.not_before = not_before;
                    }));
                    at = part.end;
                }
                all.push((RowRange::new(at, rows.end), care));
            }
            all.retain(|(rows, _)| !rows.is_empty());
            all
        });
    }

    /// The rows go to another worker, where there is one. A worker that fails on everything while others do not sees
    /// other files than they, or none.
    fn unreadable(&mut self, session: SessionId, id: LeaseId, lease: &Lease, why: &str) {
        let now = self.now();
        let name = Arc::clone(&lease.name);
        self.end_attempt(id, |_, pieces| each_care(pieces, |_, care| care.fail(&name, now)));
        let Some(job) = self.jobs.get_mut(&lease.job) else {
            return;
        };
        let shards = job.shards;
        let (failed, since) = job.unreadable_on.entry(session).or_insert((0, shards));
        *failed += 1;
        if *failed >= UNREADABLE_HERE && shards > *since {
            let why = format!("could not read the files of {failed} leases in succession; the last time: {why}");
            self.make_unfit(lease.job, session, why);
        }
    }

    fn unwritable(&mut self, session: SessionId, id: LeaseId, lease: &Lease, why: &str) {
        self.end_attempt(id, |_, pieces| pieces);
        self.effects.push(Effect::Look(lease.job));
        if let Some(worker) = self.workers.get_mut(&session) {
            let rest = worker.output_rest;
            worker.output_rest = Millis(rest.0 * 2).min(OUTPUT_MOST);
            self.rest(session, rest, &format!("could not write a shard: {why}"));
        }
        let Some(job) = self.jobs.get_mut(&lease.job) else {
            return;
        };
        job.outputs_failed += 1;
        if job.outputs_failed >= OUTPUTS_FAILED {
            let name = &lease.name;
            let why =
                format!("{OUTPUTS_FAILED} shards in succession could not be written; the last one, on {name}: {why}");
            self.end_job(lease.job, Ending::Failed(why));
        }
    }
}

/// The rows that both have, if any.
fn overlap(rows: RowRange, within: RowRange) -> Option<RowRange> {
    Some(rows.intersection(within)).filter(|rows| !rows.is_empty())
}
