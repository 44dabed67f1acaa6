//! What people see of jobs and workers, as messages.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tonic::Status;
use trc2npy_common::convert::BadFile;
use trc2npy_coordinator_core::{Bin, ChannelIndex, Idle, JobId, Millis, SessionId, Step, WorkerView};
use trc2npy_proto::v1;

use super::{JobEntry, Owner, TRY_AGAIN, sum};
use crate::job::Handout;
use crate::journal::{ChannelSummary, Ended, Unfinished};

impl Owner {
    /// What workers need for the leases of a job.
    pub(crate) fn handout(&self, job: JobId) -> Option<Arc<Handout>> {
        let live = self.jobs.get(&job)?.live.as_ref()?;
        Some(Arc::clone(&live.handout))
    }

    /// Tells when nothing of a job will change any more.
    pub(crate) fn end_of(&self, job: JobId) -> Option<watch::Receiver<bool>> {
        self.jobs.get(&job).map(|entry| entry.over.subscribe())
    }

    pub(crate) fn no_such_job(&self, job: JobId) -> Status {
        let known = match self.jobs.keys().next_back() {
            None => "nothing was submitted yet".to_owned(),
            Some(last) => format!("the last one is {last} (trc2npy jobs lists them)"),
        };
        Status::not_found(format!("there is no job {job}; {known}"))
    }

    pub(crate) fn job_views(&self) -> Vec<v1::Job> {
        self.jobs.keys().filter_map(|job| self.job_view(*job, 0)).collect()
    }

    /// A job, with so many parts in each channel's progress.
    pub(crate) fn job_view(&self, id: JobId, bins: usize) -> Option<v1::Job> {
        let entry = self.jobs.get(&id)?;
        let record = &entry.record;
        let mut job = v1::Job {
            id: id.0,
            run: record.run.clone(),
            out: record.out.clone(),
            submitted_ms: record.submitted_ms,
            warnings: record.warnings.clone(),
            bad_files: record.bad_files.iter().map(bad_file).collect(),
            ..v1::Job::default()
        };
        let ended = record.end.as_ref().filter(|_| entry.live.is_none());
        job.channels = record
            .channels
            .iter()
            .map(|channel| channel_view(channel, ended.map(|end| &end.ending)))
            .collect();
        if let Some(end) = ended {
            job.ended_ms = end.at_ms;
            let state = match &end.ending {
                Ended::Done { already } => {
                    job.already_done = *already;
                    v1::JobState::Done
                }
                Ended::Cancelled => v1::JobState::Cancelled,
                Ended::Failed { why } => {
                    job.error.clone_from(why);
                    v1::JobState::Failed
                }
            };
            job.set_state(state);
            job.bad = bad_rows(&record.channels);
        } else {
            self.fill_in(id, entry, bins, &mut job);
        }
        job.rows = job.channels.iter().map(|channel| channel.rows).sum();
        job.rows_done = job.channels.iter().map(|channel| channel.rows_done).sum();
        job.bad_rows = job.channels.iter().map(|channel| channel.bad_rows).sum();
        Some(job)
    }

    fn fill_in(&self, id: JobId, entry: &JobEntry, bins: usize, job: &mut v1::Job) {
        if let Some(why) = &entry.waits {
            job.set_state(v1::JobState::Waiting);
            job.error.clone_from(why);
            return;
        }
        job.set_state(v1::JobState::Running);
        let Some(view) = self.core.job(id) else {
            // The core has forgotten it, and its files are being let go of.
            if let Some(end) = &entry.record.end {
                job.set_state(v1::JobState::Publishing);
                let channels = entry.record.channels.iter();
                job.channels = channels
                    .map(|channel| channel_view(channel, Some(&end.ending)))
                    .collect();
                job.bad = bad_rows(&entry.record.channels);
            }
            return;
        };
        if view.publishing {
            job.set_state(v1::JobState::Publishing);
        }
        job.bytes = sum(&view, |channel| channel.all).bytes.0;
        job.bytes_done = sum(&view, |channel| channel.committed).bytes.0;
        job.leases = u32::try_from(view.leases).unwrap_or(u32::MAX);
        job.workers = u32::try_from(view.workers).unwrap_or(u32::MAX);
        job.speed = entry.speed.bytes_per_second();
        for (position, (channel, of)) in job.channels.iter_mut().zip(&view.channels).enumerate() {
            channel.rows_done = of.committed.rows;
            channel.bad_rows = of.bad_rows;
            if bins > 0 {
                let index = ChannelIndex(u16::try_from(position).unwrap_or(u16::MAX));
                channel.progress = self.core.bins(id, index, bins).iter().map(filled).collect();
            }
        }
    }

    pub(crate) fn explanation(&self, job: JobId) -> Option<Vec<String>> {
        let entry = self.jobs.get(&job)?;
        if let Some(why) = &entry.waits {
            let again = TRY_AGAIN.as_secs();
            return Some(vec![format!("it waits, and is tried again every {again} s: {why}")]);
        }
        if entry.live.is_none() {
            let told = match entry.record.end.as_ref().map(|end| &end.ending) {
                Some(Ended::Failed { why }) => format!("it has failed: {why}"),
                Some(Ended::Cancelled) => "it was cancelled".to_owned(),
                _ => "it is done".to_owned(),
            };
            return Some(vec![told]);
        }
        let reasons = self.core.explain(job, self.clock.now());
        Some(reasons.iter().map(ToString::to_string).collect())
    }

    pub(crate) fn leases_of(&self, session: SessionId) -> u32 {
        let workers = self.core.workers();
        workers
            .iter()
            .find(|worker| worker.session == session)
            .map_or(0, |worker| u32::try_from(worker.leases).unwrap_or(u32::MAX))
    }

    pub(crate) fn worker_views(&self) -> Vec<v1::Worker> {
        let workers = self.core.workers();
        let view = |worker: &WorkerView| {
            let known = self.sessions.get(&worker.session)?;
            Some(v1::Worker {
                name: worker.name.clone(),
                version: known.hello.version.clone(),
                system: known.hello.system.clone(),
                cores: known.hello.cores,
                memory_total: known.hello.memory_total,
                memory_available: known.beat.memory_available,
                cpu_used: known.beat.cpu_used,
                slots: worker.slots,
                leases: u32::try_from(worker.leases).unwrap_or(u32::MAX),
                speed: worker.speed.map_or(0, |speed| speed.0),
                bytes_done: worker.delivered.0,
                state: state_of(worker, known.heard.elapsed()).to_owned(),
                why: held_up(worker, known.heard.elapsed()),
                roots: known.hello.roots.clone(),
                disk_free: known.beat.disk_free.unwrap_or_default(),
            })
        };
        workers.iter().filter_map(view).collect()
    }
}

/// How full a part of a channel is, 0 to 255; full only where nothing is left.
fn filled(bin: &Bin) -> u8 {
    u8::try_from(bin.committed * 255 / bin.rows.max(1)).unwrap_or(u8::MAX)
}

/// A lease that gives no sign for so long is told of. Its deadline is later by far.
const LONG: Millis = Millis::seconds(5);

/// A worker that speaks every second and says nothing for so long is told of. It is taken for lost later by far.
const SILENT: Duration = Duration::from_secs(5);

/// A worker's state in a word; `heard`: since its last one.
fn state_of(worker: &WorkerView, heard: Duration) -> &'static str {
    match &worker.idle {
        _ if heard >= SILENT => "silent",
        _ if worker.draining => "draining",
        Some(Idle::Silent(_)) => "silent",
        _ if worker.leases > 0 => "working",
        None => "idle",
        Some(_) => "waiting",
    }
}

/// Why a worker gets nothing, or does not get on, where that is not as it should be.
fn held_up(worker: &WorkerView, heard: Duration) -> String {
    if heard >= SILENT {
        return format!(
            "has not been heard for {} s: see whether it still runs, and its network",
            heard.as_secs()
        );
    }
    match (&worker.idle, worker.quiet) {
        (Some(idle), _) if !matches!(idle, Idle::Busy(_)) => idle.to_string(),
        (_, Some((step, time))) if time >= LONG => {
            let seconds = time.0 / 1000;
            match step {
                Step::Syncing => format!("has been waiting for {seconds} s until a shard is on the disk"),
                Step::Preparing | Step::Converting | Step::Delivering => {
                    format!("a lease has not got on for {seconds} s")
                }
            }
        }
        _ => String::new(),
    }
}

/// Of a job that is worked on the core knows the rest.
fn channel_view(channel: &ChannelSummary, ended: Option<&Ended>) -> v1::JobChannel {
    let bad_rows = channel.bad.iter().map(|(_, rows)| rows).sum();
    let reached = match (ended, channel.unfinished) {
        (Some(Ended::Done { .. }), _) => Unfinished {
            rows: channel.rows,
            bad_rows,
        },
        (_, Some(unfinished)) => unfinished,
        (_, None) => Unfinished { rows: 0, bad_rows: 0 },
    };
    v1::JobChannel {
        name: channel.name.clone(),
        rows: channel.rows,
        rows_done: reached.rows,
        bad_rows: reached.bad_rows,
        samples: channel.samples,
        dtype: channel.dtype.clone(),
        array: channel.array.clone(),
        array_bytes: channel.bytes,
        progress: Vec::new(),
    }
}

fn bad_file(file: &BadFile) -> v1::BadFile {
    v1::BadFile {
        file: file.file.clone(),
        status: file.status.code().into(),
        why: file.why.clone(),
    }
}

fn bad_rows(channels: &[ChannelSummary]) -> Vec<v1::BadRows> {
    let of = |channel: &ChannelSummary| {
        let name = channel.name.clone();
        let bad = channel.bad.clone().into_iter();
        bad.map(move |(status, rows)| v1::BadRows {
            channel: name.clone(),
            status: u32::from(status),
            rows,
        })
    };
    channels.iter().flat_map(of).collect()
}
