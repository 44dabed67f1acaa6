//! The threads that convert: each takes a lease, works on it, tells what became of it, and takes the next.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, Once};
use std::thread;

use tokio::sync::mpsc::UnboundedSender;
use trc2npy_coordinator_core::{Fault, LeaseId};

use crate::WorkerConfig;
use crate::execute::Executor;
use crate::job::Job;
use crate::lease::{Done, Lease};

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
        keep_panics_quiet();
        let (tasks, inbox) = mpsc::channel();
        let inbox = Arc::new(Mutex::new(inbox));
        for number in 1..=config.threads {
            let (inbox, reports) = (Arc::clone(&inbox), reports.clone());
            let mut executor = Executor::new(config);
            thread::Builder::new()
                .name(format!("{NAME}{number}"))
                .spawn(move || work(&inbox, &mut executor, &reports))?;
        }
        Ok(Self { tasks })
    }

    pub(crate) fn give(&self, task: Task) {
        // Threads end only after the crew is dropped.
        let _ = self.tasks.send(task);
    }
}

fn work(inbox: &Mutex<Receiver<Task>>, executor: &mut Executor, reports: &UnboundedSender<Report>) {
    loop {
        let next = match inbox.lock() {
            Ok(inbox) => inbox.recv(),
            Err(_) => return,
        };
        let Ok(Task { lease, job }) = next else { return };
        let done = panic::catch_unwind(AssertUnwindSafe(|| executor.execute(&lease, &job)));
        let done = done.unwrap_or_else(|_| Done::Failed(Fault::Crashed(last_panic())));
        let lease = lease.grant.lease;
        if reports.send(Report { lease, done }).is_err() {
            return;
        }
    }
}

const NAME: &str = "convert-";

thread_local! {
    static LAST_PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A decoder that crashes is told to the coordinator, in a sentence; its trace is of no use to whoever sits at the
/// worker. Other threads keep the ordinary message.
fn keep_panics_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ordinary = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if thread::current().name().is_some_and(|name| name.starts_with(NAME)) {
                let message = info.payload_as_str().unwrap_or("it panicked").to_owned();
                let place = info.location().map(|at| format!(" ({}:{})", at.file(), at.line()));
                LAST_PANIC.set(message + &place.unwrap_or_default());
            } else {
                ordinary(info);
            }
        }));
    });
}

fn last_panic() -> String {
    LAST_PANIC.take()
}
