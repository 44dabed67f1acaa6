//! What the status page shows and the meters count. Decides nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use trc2npy_common::convert;
use trc2npy_common::outputs::Unfinished;
use trc2npy_common::units::RowRange;
use trc2npy_coordinator_core::{Bin, ChannelIndex, Effect, Event, JobId, LeaseId, Shard};
use trc2npy_proto::v1;

use super::{JobEntry, Owner};
use crate::http::metrics::Meters;
use crate::http::snapshot::{
    self, BadFile, Channel, ENDED_SHOWN, Gauges, IN_HAND, Job, JobStates, Part, RowStates, STRIP, Status,
};
use crate::journal::Ended;

/// Bad files, reasons and warnings of a job that are shown.
const SHOWN: usize = 10;

/// What the owner keeps for whoever watches.
pub(super) struct Watched {
    pub(super) meters: Arc<Meters>,
    /// Since when each shard is being taken in.
    landing: HashMap<LeaseId, (JobId, Instant)>,
}

impl Watched {
    pub(super) fn new(meters: Arc<Meters>) -> Self {
        Self {
            meters,
            landing: HashMap::new(),
        }
    }
}

/// What can be looked at of a channel.
pub(crate) enum Look {
    /// Rows of an array that is being made.
    Unfinished {
        of: Unfinished,
        /// Those that are committed, from the first on.
        rows: RowRange,
    },
    /// A finished array: the output folder, the array's path below it, and its rows.
    Finished { out: String, array: String, rows: u64 },
}

/// Parts of a channel that hold bad rows.
pub(super) type BadParts = Vec<[bool; STRIP]>;

impl Owner {
    /// Counts what happens, before the core is told.
    pub(super) fn watch(&mut self, event: &Event) {
        let leases = match event {
            Event::Lost { session, .. } => self.leases_of(*session).into(),
            _ => 0,
        };
        self.watched.meters.heard(event, leases);
        match event {
            Event::Landed { shard, found } => {
                if let Some((_, then)) = self.watched.landing.remove(&shard.lease) {
                    self.watched.meters.landed(then.elapsed());
                }
                if found.bad_rows > 0 {
                    self.note_bad(shard);
                }
            }
            Event::LandingFailed { shard, .. } => {
                self.watched.landing.remove(&shard.lease);
            }
            _ => {}
        }
    }

    /// Counts what comes of it.
    pub(super) fn watch_effects(&mut self, effects: &[Effect]) {
        self.watched.meters.saw(effects);
        for effect in effects {
            match effect {
                Effect::Land(shard) => {
                    self.watched.landing.insert(shard.lease, (shard.job, Instant::now()));
                }
                // Of shards that still wait nothing more is told.
                Effect::Close { job, .. } | Effect::SetAside { job, .. } => {
                    self.watched.landing.retain(|_, (of, _)| of != job);
                }
                _ => {}
            }
        }
    }

    fn note_bad(&mut self, shard: &Shard) {
        let Some(entry) = self.jobs.get_mut(&shard.job) else {
            return;
        };
        let position = usize::from(shard.channel.0);
        let Some(channel) = entry.record.channels.get(position) else {
            return;
        };
        entry.bad_parts.resize(entry.record.channels.len(), [false; STRIP]);
        let parts = STRIP.min(usize::try_from(channel.rows.max(1)).unwrap_or(STRIP));
        let rows = u128::from(channel.rows.max(1));
        let part = |row: u64| {
            let part = u128::from(row) * parts as u128 / rows;
            // Or the one behind it: parts begin at rounded rows.
            part as usize + usize::from(rows * (part + 1) / parts as u128 <= u128::from(row))
        };
        let (first, last) = (part(shard.rows.start), part(shard.rows.end.saturating_sub(1)));
        entry.bad_parts[position]
            .iter_mut()
            .take(last + 1)
            .skip(first)
            .for_each(|bad| *bad = true);
    }

    /// The first of them; once the job is done its record has them in order.
    pub(super) fn note_bad_files(&mut self, job: JobId, files: Vec<convert::BadFile>) {
        let Some(entry) = self.jobs.get_mut(&job) else { return };
        for file in files {
            if entry.bad_files.len() < SHOWN && !entry.bad_files.contains(&file) {
                entry.bad_files.push(file);
            }
        }
    }

    /// Everything that the page shows but the sentences.
    pub(crate) fn status(&self) -> Status {
        let over = |entry: &JobEntry| entry.live.is_none() && entry.waits.is_none();
        let mut ended = 0;
        let mut more_jobs = 0;
        let mut jobs = Vec::new();
        for (&id, entry) in self.jobs.iter().rev() {
            if over(entry) {
                ended += 1;
                if ended > ENDED_SHOWN {
                    more_jobs += 1;
                    continue;
                }
            }
            jobs.extend(self.job_status(id, entry));
        }
        Status {
            version: env!("CARGO_PKG_VERSION"),
            jobs,
            more_jobs,
            workers: self.worker_statuses(),
            events: Vec::new(),
        }
    }

    fn job_status(&self, id: JobId, entry: &JobEntry) -> Option<Job> {
        let view = self.job_view(id, 0)?;
        let live = self.core.job(id);
        let state = state(view.state());
        let is_done = view.state() == v1::JobState::Done;
        let newest = is_done && self.is_newest_of_its_folder(id, &view.out);
        let channels = view.channels.iter().enumerate().map(|(position, channel)| {
            let index = ChannelIndex(u16::try_from(position).unwrap_or(u16::MAX));
            let bins = self.core.bins(id, index, STRIP);
            let bad = entry.bad_parts.get(position);
            let there = match &live {
                Some(_) if entry.live.is_some() => self.core.first_committed(id, index).map_or(0, first_rows),
                _ if newest => channel.rows,
                _ => 0,
            };
            let pictures = match there {
                0 => Vec::new(),
                _ if is_done => vec!["overlay", "baselines"],
                _ => vec!["first", "last"],
            };
            Channel {
                name: channel.name.clone(),
                rows: channel.rows,
                rows_done: channel.rows_done,
                rows_leased: bins.iter().map(|bin| bin.leased).sum(),
                bad_rows: channel.bad_rows,
                samples: channel.samples,
                dtype: channel.dtype.clone(),
                array: channel.array.clone(),
                strip: strip(&bins, bad, channel),
                pictures,
                there,
            }
        });
        let channels = channels.collect();
        let recorded = &entry.record.bad_files;
        let bad_files = if recorded.is_empty() {
            &entry.bad_files
        } else {
            recorded
        }
        .iter();
        let reasons = if live.is_some() { self.explanation(id) } else { None };
        let left = view.bytes.saturating_sub(view.bytes_done);
        Some(Job {
            id: id.0,
            state,
            eta_s: (view.speed > 0 && state == "running").then(|| (left / view.speed).max(1)),
            rows: view.rows,
            rows_done: view.rows_done,
            bad_rows: view.bad_rows,
            bytes: view.bytes,
            bytes_done: view.bytes_done,
            speed: view.speed,
            leases: view.leases,
            workers: view.workers,
            submitted_ms: view.submitted_ms,
            ended_ms: view.ended_ms,
            warnings: view.warnings.into_iter().take(SHOWN).collect(),
            reasons: reasons.into_iter().flatten().take(SHOWN).collect(),
            bad_files: bad_files.take(SHOWN).map(bad_file).collect(),
            channels,
            run: view.run,
            out: view.out,
            error: view.error,
        })
    }

    /// Whether no later job has replaced its arrays, or is about to.
    fn is_newest_of_its_folder(&self, id: JobId, out: &str) -> bool {
        let mut later = self.jobs.range(JobId(id.0 + 1)..);
        !later.any(|(_, entry)| entry.record.out == out)
    }

    fn worker_statuses(&self) -> Vec<snapshot::Worker> {
        let mut sessions: HashMap<String, _> = self
            .sessions
            .iter()
            .map(|(session, known)| (known.name().to_owned(), (*session, known)))
            .collect();
        let known = |view: v1::Worker| {
            let (session, known) = sessions.remove(&view.name)?;
            let in_hand = self.core.in_hand(session).into_iter().take(IN_HAND);
            let in_hand = in_hand.map(|(job, channel, rows)| {
                let channel = self.channel_name(job, channel);
                format!(
                    "job {job} {channel} rows {} to {}",
                    rows.start,
                    rows.end.saturating_sub(1)
                )
            });
            let heard = known.heard.elapsed().as_secs();
            Some(snapshot::Worker {
                in_hand: in_hand.collect(),
                heard_s: if heard < 3 { 0 } else { heard },
                memory_own: known.beat.memory_own,
                cpu_used: (view.cpu_used * 100.0).round() / 100.0,
                name: view.name,
                version: view.version,
                system: view.system,
                state: view.state,
                why: view.why,
                cores: view.cores,
                memory_total: view.memory_total,
                memory_available: (known.beat.memory_available > 0).then_some(known.beat.memory_available),
                disk_free: known.beat.disk_free,
                slots: view.slots,
                leases: view.leases,
                speed: view.speed,
                bytes_done: view.bytes_done,
                roots: view.roots,
            })
        };
        self.worker_views().into_iter().filter_map(known).collect()
    }

    fn channel_name(&self, job: JobId, channel: ChannelIndex) -> &str {
        let channels = self.jobs.get(&job).map(|entry| &entry.record.channels);
        let channel = channels.and_then(|channels| channels.get(usize::from(channel.0)));
        channel.map_or("?", |channel| channel.name.as_str())
    }

    /// What only the gauges tell.
    pub(crate) fn gauges(&self) -> Gauges {
        let mut rows = RowStates::default();
        let mut jobs = JobStates::default();
        for view in self.core.jobs() {
            for channel in &view.channels {
                rows.open += channel.open.rows;
                rows.waiting += channel.waiting.rows;
                rows.leased += channel.leased.rows;
                rows.committed += channel.committed.rows;
            }
        }
        for (&id, entry) in &self.jobs {
            let ended = entry.record.end.as_ref().filter(|_| entry.live.is_none());
            let publishing = || self.core.job(id).is_some_and(|job| job.publishing);
            let count = match ended.map(|end| &end.ending) {
                Some(Ended::Done { .. }) => &mut jobs.done,
                Some(Ended::Cancelled) => &mut jobs.cancelled,
                Some(Ended::Failed { .. }) => &mut jobs.failed,
                None if entry.waits.is_some() => &mut jobs.waiting,
                None if publishing() => &mut jobs.publishing,
                None => &mut jobs.running,
            };
            *count += 1;
        }
        Gauges {
            ranges: self.core.ranges(),
            rows,
            jobs,
        }
    }

    /// What can be looked at of a channel now; why nothing, for people, else.
    pub(crate) fn look(&self, id: JobId, position: usize) -> Result<Look, String> {
        let entry = self.jobs.get(&id).ok_or_else(|| format!("there is no job {id}"))?;
        let channel = entry.record.channels.get(position);
        let channel = channel.ok_or_else(|| format!("job {id} has no such channel"))?;
        if let Some(live) = &entry.live {
            let index = ChannelIndex(u16::try_from(position).unwrap_or(u16::MAX));
            let rows = self.core.first_committed(id, index);
            let of = live.unfinished.get(position).cloned();
            let (Some(rows), Some(of)) = (rows, of) else {
                return Err(format!("no row of job {id} {} is there yet", channel.name));
            };
            return Ok(Look::Unfinished { of, rows });
        }
        match entry.record.end.as_ref().map(|end| &end.ending) {
            Some(Ended::Done { .. }) if self.is_newest_of_its_folder(id, &entry.record.out) => Ok(Look::Finished {
                out: entry.record.out.clone(),
                array: channel.array.clone(),
                rows: channel.rows,
            }),
            Some(Ended::Done { .. }) => Err(format!("a later job has the output folder of job {id}")),
            _ => Err(format!("job {id} is not done, and nobody works on it")),
        }
    }

    /// Whether rows that were read of an unfinished array are still what they were.
    pub(crate) fn are_committed(&self, id: JobId, position: usize, rows: RowRange) -> bool {
        let index = ChannelIndex(u16::try_from(position).unwrap_or(u16::MAX));
        let over = self.jobs.get(&id).is_some_and(|entry| entry.live.is_none());
        let first = self.core.first_committed(id, index);
        over || first.is_some_and(|first| first.start <= rows.start && first.end >= rows.end)
    }
}

/// How many rows the pictures of a running job rest on: a few steps, so that they are not made anew for each range.
fn first_rows(committed: RowRange) -> u64 {
    let rows = committed.len();
    if rows < 16 { rows } else { 1 << rows.ilog2() }
}

const fn state(state: v1::JobState) -> &'static str {
    match state {
        v1::JobState::Publishing => "publishing",
        v1::JobState::Done => "done",
        v1::JobState::Cancelled => "cancelled",
        v1::JobState::Failed => "failed",
        v1::JobState::Waiting => "waiting",
        v1::JobState::Running | v1::JobState::Unspecified => "running",
    }
}

fn bad_file(file: &convert::BadFile) -> BadFile {
    BadFile {
        file: file.file.clone(),
        what: file.status.describe(),
        why: file.why.clone(),
    }
}

/// A channel's strip: by its bins while it is worked on, else by what is known of its rows.
fn strip(bins: &[Bin], bad: Option<&[bool; STRIP]>, channel: &v1::JobChannel) -> String {
    let is_bad = |at: usize| bad.is_some_and(|bad| bad.get(at).is_some_and(|bad| *bad));
    if !bins.is_empty() {
        let parts = bins.iter().enumerate().map(|(at, bin)| part(bin, is_bad(at)));
        return parts.map(Part::letter).collect();
    }
    let parts = usize::try_from(channel.rows).unwrap_or(STRIP).min(STRIP);
    let rows = u128::from(channel.rows.max(1));
    let done = u128::from(channel.rows_done) * parts as u128 / rows;
    let whole = channel.rows_done == channel.rows;
    let part = |at: usize| match (at as u128) < done {
        true if is_bad(at) => Part::Bad,
        true if whole => Part::Done,
        true => Part::Partly,
        false => Part::Open,
    };
    (0..parts).map(|at| part(at).letter()).collect()
}

fn part(bin: &Bin, bad: bool) -> Part {
    match bin {
        bin if bin.committed == bin.rows && bad => Part::Bad,
        bin if bin.committed == bin.rows => Part::Done,
        bin if bin.leased > 0 => Part::Leased,
        bin if bin.committed > 0 => Part::Partly,
        _ => Part::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strip_has_a_letter_for_each_part() {
        let bin = |committed, leased| Bin {
            rows: 10,
            committed,
            leased,
        };
        let bins = [bin(0, 0), bin(0, 4), bin(5, 1), bin(5, 0), bin(10, 0), bin(10, 0)];
        let mut bad = [false; STRIP];
        bad[0] = true;
        bad[5] = true;
        let channel = v1::JobChannel::default();
        assert_eq!(strip(&bins, Some(&bad), &channel), "ollpdb");
        assert_eq!(strip(&bins, None, &channel), "ollpdd");
    }

    #[test]
    fn the_strip_of_an_ended_channel_goes_by_its_rows() {
        let ended = |rows, rows_done| v1::JobChannel {
            rows,
            rows_done,
            ..v1::JobChannel::default()
        };
        assert_eq!(strip(&[], None, &ended(4, 4)), "dddd");
        assert_eq!(
            strip(&[], None, &ended(4, 2)),
            "ppoo",
            "where the rows are is not known"
        );
        assert_eq!(strip(&[], None, &ended(1_000_000, 1_000_000)).len(), STRIP);
        assert_eq!(strip(&[], None, &ended(0, 0)), "");
    }

    #[test]
    fn pictures_of_a_running_job_change_in_steps() {
        let rows = |n| first_rows(RowRange::new(0, n));
        assert_eq!([rows(1), rows(15), rows(17), rows(63), rows(64)], [1, 15, 16, 32, 64]);
    }
}
