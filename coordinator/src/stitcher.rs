//! The threads of one job that check its shards, copy them to their places, and give the finished files their names.

mod landers;

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use trc2npy_common::convert::{Assembly, Landed};
use trc2npy_common::fs::{self, StorageError};
use trc2npy_common::panics;
use trc2npy_common::shard::{self, ShardName};
use trc2npy_common::units::Bytes;
use trc2npy_coordinator_core::{Ending, Epoch, Found, JobId, Shard};

use crate::job::Watched;
use crate::journal::Finished;
use crate::owner::{Inbox, Message};
use landers::{Came, Ground, Landers, Landing};

/// How often it is looked whether the job's folder is still there, while nothing comes.
const LOOK: Duration = Duration::from_secs(10);

/// What is written, and removed, to see whether the job's folder can be written.
const PROBE: &str = "probe.tmp";

/// What a stitcher is asked.
pub(crate) enum Task {
    /// Check a shard and copy it to its place.
    Land(Shard),
    /// A worker cannot do its part: see whether it is not the worker's fault.
    Look,
    /// Remove a shard's files.
    Discard(Shard),
    /// Give the files their names.
    Publish {
        /// Who made the rows, for the report.
        workers: Vec<String>,
    },
    /// Nothing can be done at the moment: end, and leave everything as it is.
    LetGo,
    /// The job is over.
    Close(Ending),
}

/// What the thread of a job hears of.
enum Next {
    Asked(Task),
    Landed(Box<Landing>),
    /// Nobody will ask for anything any more.
    End,
}

/// Where a job's tasks go.
pub(crate) struct Stitcher {
    tasks: Sender<Next>,
    /// It has been told to end: shards that still wait need not be waited for.
    over: Arc<AtomicBool>,
}

impl Stitcher {
    /// Starts the thread that has `assembly`. Up to `threads` shards are brought to their places side by side; what is there
    /// is brought to the disk whenever it is `sync_every`.
    pub(crate) fn start(
        (job, epoch): (JobId, Epoch),
        assembly: Assembly,
        watched: Vec<Watched>,
        threads: usize,
        sync_every: Bytes,
        inbox: Inbox,
    ) -> std::io::Result<Self> {
        let (tasks, waiting) = mpsc::channel();
        let over = Arc::new(AtomicBool::new(false));
        let assembly = Arc::new(assembly);
        let ground = Ground {
            assembly: Arc::clone(&assembly),
            epoch,
            began: Instant::now(),
            over: Arc::clone(&over),
        };
        let mut bench = Bench {
            job,
            over: Arc::clone(&over),
            landers: Landers::new(ground, threads, tasks.clone()),
            assembly,
            watched,
            sync_every,
            inbox,
            listed: false,
            later: VecDeque::new(),
            landed: Vec::new(),
            unsynced: Bytes(0),
        };
        thread::Builder::new().name(format!("stitch-{job}")).spawn(move || {
            let inbox = bench.inbox.clone();
            let ended = panics::caught(|| bench.work(&waiting)).unwrap_or_else(|why| {
                let why = format!("the thread that puts the arrays together crashed: {why} (please report this)");
                inbox.post(Message::StorageFailed(job, why));
                waiting.iter().find_map(|next| match next {
                    Next::Asked(Task::LetGo) => Some(Some(Message::LetGo(job))),
                    Next::Asked(Task::Close(_)) => Some(Some(Message::Closed(job))),
                    Next::End => Some(None),
                    Next::Asked(_) | Next::Landed(_) => None,
                })?
            });
            // Before it is told, so that the output folder is free by then.
            drop(bench);
            if let Some(ended) = ended {
                inbox.post(ended);
            }
        })?;
        Ok(Self { tasks, over })
    }

    pub(crate) fn give(&self, task: Task) {
        if matches!(task, Task::LetGo | Task::Close(_)) {
            self.over.store(true, Ordering::Relaxed);
        }
        // A thread that is gone has closed its job.
        let _ = self.tasks.send(Next::Asked(task));
    }
}

impl Drop for Stitcher {
    fn drop(&mut self) {
        // The landers can tell as long as the thread lives: for it nothing else ends.
        let _ = self.tasks.send(Next::End);
    }
}

struct Bench {
    job: JobId,
    over: Arc<AtomicBool>,
    // Declared before what its threads have a part in: whoever drops this has the last part.
    landers: Landers,
    assembly: Arc<Assembly>,
    watched: Vec<Watched>,
    sync_every: Bytes,
    inbox: Inbox,
    /// Whether the lists of files were written, or could not be.
    listed: bool,
    /// What was heard while shards were waited for.
    later: VecDeque<Next>,
    landed: Vec<Landed>,
    unsynced: Bytes,
}

/// A shard's files by the numbers in its lease; none where the plan has no such channel.
fn name_of(assembly: &Assembly, shard: &Shard) -> Option<ShardName> {
    let channel = assembly.plan().channels.get(usize::from(shard.channel.0))?;
    Some(ShardName {
        channel: channel.channel,
        rows: shard.rows,
        lease: shard.lease.into(),
    })
}

impl Bench {
    /// Works until the job is closed or let go of, which is to be told; nothing where the coordinator ends before.
    fn work(&mut self, waiting: &Receiver<Next>) -> Option<Message> {
        loop {
            let next = self.later.pop_front().map_or_else(|| self.next(waiting), Ok);
            let task = match next {
                Ok(Next::Asked(task)) => task,
                Ok(Next::Landed(landing)) => {
                    self.note(*landing);
                    continue;
                }
                Ok(Next::End) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(why) = self.trouble() {
                        self.inbox.post(Message::StorageFailed(self.job, why));
                    }
                    continue;
                }
            };
            // Whatever else is asked was asked after these shards.
            if !matches!(task, Task::Land(_) | Task::Look) {
                self.await_landers(waiting);
            }
            match task {
                Task::Look => {
                    if let Some(message) = self.trouble_or_outage() {
                        self.inbox.post(message);
                    }
                }
                // Nobody asks for them any more; where the job is only let go of, they are recorded.
                Task::Land(_) if self.over.load(Ordering::Relaxed) => {}
                Task::Land(shard) => self.landers.give(shard),
                Task::Discard(shard) => {
                    if let Some(name) = name_of(&self.assembly, &shard) {
                        // Whatever stays goes with the job's folder.
                        let _ = shard::discard(self.assembly.job_folder(), &name);
                    }
                }
                Task::Publish { workers } => {
                    let published = self.publish(&workers);
                    self.inbox.post(Message::Published(self.job, published));
                }
                Task::LetGo => {
                    let _ = self.sync();
                    return Some(Message::LetGo(self.job));
                }
                Task::Close(ending) => {
                    self.close(&ending);
                    return Some(Message::Closed(self.job));
                }
            }
        }
        // The coordinator ends: what is copied counts the next time.
        self.over.store(true, Ordering::Relaxed);
        self.await_landers(waiting);
        let _ = self.sync();
        None
    }

    /// What comes next; none where nothing comes for long.
    fn next(&mut self, waiting: &Receiver<Next>) -> Result<Next, RecvTimeoutError> {
        match waiting.try_recv() {
            Ok(next) => return Ok(next),
            Err(TryRecvError::Disconnected) => return Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) => {}
        }
        if !std::mem::replace(&mut self.listed, true) {
            // The first moment without work. Where it cannot be done now, publishing tries again, and tells.
            let _ = self.assembly.write_lists();
        }
        waiting.recv_timeout(LOOK)
    }

    /// Waits until nothing is on its way to its place.
    fn await_landers(&mut self, waiting: &Receiver<Next>) {
        while self.landers.are_at_work() {
            match waiting.recv() {
                Ok(Next::Landed(landing)) => self.note(*landing),
                Ok(other) => self.later.push_back(other),
                Err(mpsc::RecvError) => break,
            }
        }
    }

    /// What is to be told where it is not the fault of a worker or a shard.
    fn trouble_or_outage(&self) -> Option<Message> {
        let over = self.trouble().map(|why| Message::StorageFailed(self.job, why));
        over.or_else(|| Some(Message::StorageAway(self.job, self.outage()?)))
    }

    /// Why nothing can be written where the shards are; a full disk apart, of which workers tell by themselves.
    fn outage(&self) -> Option<String> {
        let probe = self.assembly.job_folder().join(PROBE);
        let written = fs::write_unsynced(&probe, b"").and_then(|()| fs::remove_file(&probe));
        let outage = |error: &StorageError| error.source_kind() != ErrorKind::StorageFull;
        written.err().filter(outage).map(|error| error.to_string())
    }

    /// Why nobody can work on the job, where that is so.
    fn trouble(&self) -> Option<String> {
        let change = || {
            let mut watched = self.watched.iter();
            watched.find_map(|file| file.changed(self.assembly.trusts_size()))
        };
        self.removal().or_else(change)
    }

    fn removal(&self) -> Option<String> {
        let folder = self.assembly.job_folder().display();
        let removed = self.assembly.is_removed();
        removed.then(|| format!("{folder} was removed while the job was running; submit it again"))
    }

    /// Tells what became of a shard.
    fn note(&mut self, landing: Landing) {
        let Landing { shard, came, took } = landing;
        self.landers.note_told();
        let why = match came {
            Came::Unneeded => return,
            Came::Landed(landed) => {
                self.inbox.meters().stitched(landed.range().data_len, took);
                self.unsynced += Bytes(landed.range().data_len);
                let found = Found {
                    bad_rows: landed.range().statuses.bad_rows(),
                    unreadable: landed.range().unreadable,
                };
                let bad = landed.range().bad.clone();
                self.landed.push(landed);
                self.inbox.post(Message::Landed(shard, found));
                if !bad.is_empty() {
                    self.inbox.post(Message::BadFiles(self.job, bad));
                }
                if self.unsynced >= self.sync_every
                    && let Err(why) = self.sync()
                {
                    self.inbox.post(Message::StorageAway(self.job, why));
                }
                return;
            }
            Came::Failed(error) if !error.is_of_the_shard() => {
                self.inbox.post(Message::StorageAway(self.job, error.to_string()));
                return;
            }
            // A shard that cannot be read is no worse than others where nothing can be.
            Came::Failed(error) => match self.trouble_or_outage() {
                Some(message) => {
                    self.inbox.post(message);
                    return;
                }
                None => error.to_string(),
            },
            Came::Lost(why) => why,
        };
        self.inbox.post(Message::LandingFailed(shard, why));
    }

    fn close(&mut self, ending: &Ending) {
        if *ending != Ending::Done {
            // What was copied is gone on with when the same is submitted again.
            let _ = self.sync();
            let left = self.assembly.abandon(matches!(ending, Ending::Hopeless(_)));
            self.inbox.post(Message::Noted(self.job, left.into_iter().collect()));
        }
    }

    fn sync(&mut self) -> Result<(), String> {
        self.assembly
            .commit(std::mem::take(&mut self.landed))
            .map_err(|error| error.to_string())?;
        self.unsynced = Bytes(0);
        Ok(())
    }

    fn publish(&mut self, workers: &[String]) -> Result<Finished, String> {
        // Bytes can be written to a file that has no name any more.
        self.removal().map_or(Ok(()), Err)?;
        self.sync()?;
        let outcome = self.assembly.publish(workers).map_err(|error| error.to_string())?;
        if !outcome.notes.is_empty() {
            self.inbox.post(Message::Noted(self.job, outcome.notes.clone()));
        }
        Ok(Finished::of(&outcome))
    }
}
