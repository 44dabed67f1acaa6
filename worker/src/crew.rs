//! The threads that convert: each takes a lease, works on it, tells what became of it, and takes the next.

use std::ffi::OsString;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::SystemTime;

use tokio::sync::mpsc::UnboundedSender;
use trc2npy_common::panics;
use trc2npy_coordinator_core::{Fault, LeaseId};
use trc2npy_telemetry::Span;

use crate::execute::Executor;
use crate::job::Job;
use crate::lease::{Done, Lease};
use crate::{WorkerConfig, apart};

/// A lease with what is needed for it.
pub(crate) struct Task {
    pub(crate) lease: Arc<Lease>,
    pub(crate) job: Arc<Job>,
}

/// What a thread tells the session.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) lease: LeaseId,
    pub(crate) done: Done,
}

/// All of them. They end once this is dropped and the tasks are done.
pub(crate) struct Crew {
    tasks: Sender<Task>,
}

impl Crew {
    pub(crate) fn start(config: &WorkerConfig, reports: &UnboundedSender<Report>) -> std::io::Result<Self> {
        let (tasks, inbox) = mpsc::channel();
        let inbox = Arc::new(Mutex::new(inbox));
        for number in 1..=config.threads {
            let (inbox, reports) = (Arc::clone(&inbox), reports.clone());
            let mut executor = Executor::new(config.into());
            let apart = config.apart.clone();
            thread::Builder::new()
                .name(format!("convert-{number}"))
                .spawn(move || work(&inbox, &mut executor, &apart, &reports))?;
        }
        Ok(Self { tasks })
    }

    pub(crate) fn give(&self, task: Task) {
        // Threads end only after the crew is dropped.
        let _ = self.tasks.send(task);
    }
}

fn work(
    inbox: &Mutex<Receiver<Task>>,
    executor: &mut Executor,
    command: &[OsString],
    reports: &UnboundedSender<Report>,
) {
    loop {
        let next = match inbox.lock() {
            Ok(inbox) => inbox.recv(),
            Err(_) => return,
        };
        let Ok(Task { lease, job }) = next else { return };
        // A decoder that crashes is told to the coordinator, in a sentence.
        let done = panics::caught(|| {
            // Rows that are given up are not looked at.
            if lease.grant.terms.apart && !lease.grant.terms.give_up {
                let began = SystemTime::now();
                let done = apart::execute(command, &executor.means, &lease, &job);
                if let Some(range) = &lease.place {
                    executor.means.spans.over(Span::below(range, "apart", began));
                }
                done
            } else {
                executor.execute(&lease, &job)
            }
        });
        let done = done.unwrap_or_else(|why| Done::Failed(Fault::Crashed(why)));
        let lease = lease.grant.lease;
        if reports.send(Report { lease, done }).is_err() {
            return;
        }
    }
}
