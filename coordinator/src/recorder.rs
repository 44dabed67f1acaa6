//! The thread that writes the journal: whatever waits goes into one durable commit, and is acknowledged together.

use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use trc2npy_coordinator_core::{JobId, Record};

use crate::journal::{JobRecord, Journal};
use crate::owner::{Inbox, Message};

/// Records of one step of the core.
pub(crate) struct Task {
    pub(crate) records: Vec<Record>,
    /// The last record of each job that ends among them.
    pub(crate) ended: Vec<(JobId, JobRecord)>,
    /// Names the step in the acknowledgement.
    pub(crate) step: u64,
}

pub(crate) struct Recorder {
    tasks: Option<Sender<Task>>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    pub(crate) fn start(journal: Arc<Journal>, inbox: Inbox) -> std::io::Result<Self> {
        let (tasks, waiting) = mpsc::channel::<Task>();
        let thread = thread::Builder::new().name("journal".to_owned()).spawn(move || {
            while let Ok(first) = waiting.recv() {
                let (mut records, mut ended, mut steps) = (Vec::new(), Vec::new(), Vec::new());
                for task in std::iter::once(first).chain(waiting.try_iter()) {
                    records.extend(task.records);
                    ended.extend(task.ended);
                    steps.push(task.step);
                }
                let began = Instant::now();
                let recorded = journal.record(&records, &ended);
                inbox.meters().committed(began.elapsed());
                match recorded {
                    Ok(()) => inbox.post(Message::Durable(steps)),
                    Err(error) => {
                        inbox.post(Message::JournalFailed(error));
                        return;
                    }
                }
            }
        })?;
        Ok(Self {
            tasks: Some(tasks),
            thread: Some(thread),
        })
    }

    pub(crate) fn record(&self, task: Task) {
        // A thread that is gone has told why.
        let _ = self.tasks.as_ref().map(|tasks| tasks.send(task));
    }
}

impl Drop for Recorder {
    /// Waits until everything is on the disk.
    fn drop(&mut self) {
        drop(self.tasks.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
