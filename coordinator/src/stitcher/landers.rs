//! The threads of a job that bring shards to their places, some side by side: one that is slow to be seen keeps no other
//! waiting.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use trc2npy_common::convert::{Assembly, Landed};
use trc2npy_common::panics;
use trc2npy_common::shard::ShardName;
use trc2npy_common::stitch::StitchError;
use trc2npy_coordinator_core::{Epoch, Shard};

use super::{Next, name_of};

/// What became of a shard.
pub(super) enum Came {
    /// Its rows are in their place.
    Landed(Landed),
    /// They are not.
    Failed(StitchError),
    /// Nobody could even try.
    Lost(String),
    /// Nobody asks for it any more.
    Unneeded,
}

/// A shard, and what became of it.
pub(super) struct Landing {
    pub(super) shard: Shard,
    pub(super) came: Came,
    pub(super) took: Duration,
}

/// What all threads of a job have.
pub(super) struct Ground {
    pub(super) assembly: Arc<Assembly>,
    /// Shards of earlier ones are older than this process.
    pub(super) epoch: Epoch,
    pub(super) began: Instant,
    /// The job has been told to end.
    pub(super) over: Arc<AtomicBool>,
}

/// Threads, begun as they are needed. Dropped, they have ended, and with them what they know of the job.
pub(super) struct Landers {
    ground: Arc<Ground>,
    most: usize,
    threads: Vec<JoinHandle<()>>,
    /// None only while it is being dropped.
    queue: Option<Sender<Shard>>,
    waiting: Arc<Mutex<Receiver<Shard>>>,
    told: Sender<Next>,
    /// Shards of which nothing was told yet.
    in_hand: usize,
}

impl Landers {
    /// At most `most` threads, which tell by `told`.
    pub(super) fn new(ground: Ground, most: usize, told: Sender<Next>) -> Self {
        let (queue, waiting) = mpsc::channel();
        Self {
            ground: Arc::new(ground),
            most,
            threads: Vec::new(),
            queue: Some(queue),
            waiting: Arc::new(Mutex::new(waiting)),
            told,
            in_hand: 0,
        }
    }

    /// Has a shard brought to its place, when a thread is free.
    pub(super) fn give(&mut self, shard: Shard) {
        self.in_hand += 1;
        if self.threads.len() < self.most.min(self.in_hand)
            && let Err(error) = self.begin_one()
            && self.threads.is_empty()
        {
            let came = Came::Lost(format!("no thread could be begun for it: {error}"));
            self.tell(shard, came);
            return;
        }
        if let Some(queue) = &self.queue {
            // The receiving end lives as long as this.
            let _ = queue.send(shard);
        }
    }

    fn tell(&self, shard: Shard, came: Came) {
        let took = Duration::ZERO;
        let _ = self.told.send(Next::Landed(Box::new(Landing { shard, came, took })));
    }

    /// Is to be called for each landing that was told.
    pub(super) const fn note_told(&mut self) {
        self.in_hand -= 1;
    }

    /// Whether some shards are still on their way.
    pub(super) const fn are_at_work(&self) -> bool {
        self.in_hand > 0
    }

    fn begin_one(&mut self) -> io::Result<()> {
        let (ground, waiting, told) = (Arc::clone(&self.ground), Arc::clone(&self.waiting), self.told.clone());
        // Named as the thread that begins them, which is the job's.
        let name = thread::current().name().unwrap_or_default().to_owned();
        let thread = thread::Builder::new().name(name).spawn(move || {
            loop {
                let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                let Ok(shard) = next else { break };
                let began = Instant::now();
                let came = panics::caught(|| ground.land(&shard)).unwrap_or_else(|why| {
                    Came::Lost(format!("the stitching thread crashed: {why} (please report this)"))
                });
                let took = began.elapsed();
                let _ = told.send(Next::Landed(Box::new(Landing { shard, came, took })));
            }
        })?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Landers {
    fn drop(&mut self) {
        drop(self.queue.take());
        for thread in self.threads.drain(..) {
            // Its panics were caught.
            let _ = thread.join();
        }
    }
}

impl Ground {
    fn land(&self, shard: &Shard) -> Came {
        if self.over.load(Ordering::Relaxed) {
            return Came::Unneeded;
        }
        let Some(name) = name_of(&self.assembly, shard) else {
            return Came::Lost("the plan has no such channel".to_owned());
        };
        match self.assembly.land_within(&name, self.patience(&name)) {
            Ok(landed) => Came::Landed(landed),
            Err(error) => Came::Failed(error),
        }
    }

    /// Thousands that are recorded and not there, or not whole (the power was cut, the folder was put back from a
    /// snapshot), are not each waited for: they are older than this process, and what will be seen of them is soon.
    fn patience(&self, name: &ShardName) -> Duration {
        if name.lease.epoch < self.epoch.0 {
            Assembly::PATIENCE.saturating_sub(self.began.elapsed())
        } else {
            Assembly::PATIENCE
        }
    }
}
