//! The threads of one job that check its shards, copy them to their places, and give the finished files their names.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use trc2npy_common::convert::{Assembly, Landed, Outcome};
use trc2npy_common::shard::ShardName;
use trc2npy_common::units::Bytes;
use trc2npy_coordinator_core::{Ending, JobId, Shard};

use crate::journal::ChannelSummary;
use crate::owner::{Inbox, Message};

/// What a stitcher is asked.
pub(crate) enum Task {
    /// Check a shard and copy it to its place.
    Land(Shard),
    /// Remove a shard's files.
    Discard(Shard),
    /// Give the files their names.
    Publish {
        /// Who made the rows, for the report.
        workers: Vec<String>,
    },
    /// The job is over.
    Close(Ending),
}

/// Where a job's tasks go.
pub(crate) struct Stitcher {
    tasks: Sender<Task>,
}

impl Stitcher {
    /// Starts the thread that has `assembly`. Up to `threads` shards are copied side by side; what is copied is brought
    /// to the disk whenever it is `sync_every`.
    pub(crate) fn start(
        job: JobId,
        assembly: Assembly,
        threads: usize,
        sync_every: Bytes,
        inbox: Inbox,
    ) -> std::io::Result<Self> {
        let (tasks, waiting) = mpsc::channel();
        let mut bench = Bench {
            job,
            assembly,
            threads,
            sync_every,
            inbox,
            landed: Vec::new(),
            unsynced: Bytes(0),
        };
        thread::Builder::new()
            .name(format!("stitch-{job}"))
            .spawn(move || bench.work(&waiting))?;
        Ok(Self { tasks })
    }

    pub(crate) fn give(&self, task: Task) {
        // A thread that is gone has ended its job.
        let _ = self.tasks.send(task);
    }
}

struct Bench {
    job: JobId,
    assembly: Assembly,
    threads: usize,
    sync_every: Bytes,
    inbox: Inbox,
    landed: Vec<Landed>,
    unsynced: Bytes,
}

impl Bench {
    fn work(&mut self, waiting: &Receiver<Task>) {
        let mut put_back = None;
        while let Some(task) = put_back.take().or_else(|| waiting.recv().ok()) {
            match task {
                Task::Land(first) => {
                    let mut shards = vec![first];
                    while shards.len() < self.threads {
                        match waiting.try_recv() {
                            Ok(Task::Land(shard)) => shards.push(shard),
                            Ok(other) => {
                                put_back = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    self.land(&shards);
                }
                Task::Discard(shard) => self.assembly.discard(&name(&shard)),
                Task::Publish { workers } => {
                    let published = self.publish(&workers);
                    self.inbox.post(Message::Published(self.job, published));
                }
                Task::Close(ending) => {
                    if let Ending::Failed(_) | Ending::Cancelled = ending {
                        // Whatever was copied is gone on with by the same command later.
                        let _ = self.sync();
                        self.assembly.abandon();
                    }
                    return;
                }
            }
        }
        // The coordinator ends: what is copied counts the next time.
        let _ = self.sync();
    }

    fn land(&mut self, shards: &[Shard]) {
        let assembly = &self.assembly;
        let results: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = shards
                .iter()
                .map(|shard| scope.spawn(move || assembly.land(&name(shard))))
                .collect();
            threads.into_iter().map(thread::ScopedJoinHandle::join).collect()
        });
        for (shard, result) in shards.iter().zip(results) {
            match result {
                Ok(Ok(landed)) => {
                    self.unsynced += landed.bytes();
                    self.landed.push(landed);
                    self.inbox.post(Message::Landed(*shard));
                }
                Ok(Err(error)) => self.inbox.post(Message::LandingFailed(*shard, error.to_string())),
                Err(_) => {
                    let why = "the stitching thread crashed (please report this)".to_owned();
                    self.inbox.post(Message::LandingFailed(*shard, why));
                }
            }
        }
        if self.unsynced >= self.sync_every {
            // An error here comes again when the job is published, and is told then.
            let _ = self.sync();
        }
    }

    fn sync(&mut self) -> Result<(), String> {
        self.assembly
            .commit(std::mem::take(&mut self.landed))
            .map_err(|error| error.to_string())?;
        self.unsynced = Bytes(0);
        Ok(())
    }

    fn publish(&mut self, workers: &[String]) -> Result<Vec<ChannelSummary>, String> {
        self.sync()?;
        let outcome = self.assembly.publish(workers).map_err(|error| error.to_string())?;
        if !outcome.notes.is_empty() {
            self.inbox.post(Message::Noted(self.job, outcome.notes.clone()));
        }
        Ok(summaries(&outcome))
    }
}

/// A shard's files by the numbers in its lease.
fn name(shard: &Shard) -> ShardName {
    ShardName {
        channel: usize::from(shard.channel.0),
        rows: shard.rows,
        epoch: shard.lease.epoch.0,
        attempt: shard.lease.attempt,
    }
}

/// The channels of a finished run, as the journal keeps them.
pub(crate) fn summaries(outcome: &Outcome) -> Vec<ChannelSummary> {
    let of = |channel: &trc2npy_common::convert::ChannelOutcome| ChannelSummary {
        name: channel.channel.to_string(),
        rows: channel.rows,
        samples: channel.samples,
        dtype: element_name(channel.element),
        array: channel
            .path
            .strip_prefix(&outcome.out)
            .unwrap_or(&channel.path)
            .to_string_lossy()
            .into_owned(),
        bytes: channel.bytes.0,
        bad: channel.bad.iter().map(|(status, rows)| (status.code(), *rows)).collect(),
    };
    outcome.channels.iter().map(of).collect()
}

pub(crate) fn element_name(element: trc2npy_common::plan::Element) -> String {
    match element {
        trc2npy_common::plan::Element::Float32 => "float32",
        trc2npy_common::plan::Element::Int16 => "int16",
        trc2npy_common::plan::Element::Int8 => "int8",
    }
    .to_owned()
}
