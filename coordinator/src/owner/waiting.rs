//! Jobs that cannot be worked on at the moment: nobody gives them up but a person.

use std::time::Instant;

use trc2npy_coordinator_core::{JobId, Reached};

use trc2npy_telemetry::Level;

use super::{Owner, TRY_AGAIN};
use crate::journal::JobRecord;
use crate::{planner, stitcher};

impl Owner {
    pub(super) fn waits(&mut self, id: JobId, record: JobRecord, why: String) {
        let before = self.jobs.get_mut(&id).map(|entry| {
            entry.tried = false;
            &mut entry.waits
        });
        match before {
            None => {
                let told = format!("job {id}: {} -> {}: waits: {why}", record.run, record.out);
                self.enter(id, record, None, Some(why));
                self.tell_of(id, Level::Warning, &told);
            }
            Some(Some(before)) if *before != why => {
                let told = format!("job {id} waits: {why}");
                *before = why;
                self.tell_of(id, Level::Warning, &told);
            }
            // For the same reason; or it was cancelled meanwhile.
            Some(_) => {}
        }
    }

    /// The job waits from now on, until it can be gone on with as after a restart.
    pub(super) fn set_aside(&mut self, job: JobId, why: String, reached: &[Reached]) {
        let Some(entry) = self.jobs.get_mut(&job) else { return };
        let told = format!(
            "job {job} waits: {why}; it is tried again every {} s",
            TRY_AGAIN.as_secs()
        );
        self.tell.line(Level::Warning, &told, entry.record.place());
        entry.note_reached(reached);
        entry.waits = Some(why);
        entry.tried = false;
        if let Some(live) = &entry.live {
            live.stitcher.give(stitcher::Task::LetGo);
        }
        self.next_try = Instant::now() + TRY_AGAIN;
    }

    pub(super) fn let_go(&mut self, job: JobId) {
        let Some(entry) = self.jobs.get_mut(&job) else { return };
        entry.live = None;
        if entry.waits.is_none() {
            // Cancelled meanwhile.
            self.closed(job);
        }
    }

    /// Has the planner try to go on with what waits.
    pub(super) fn try_again(&mut self, now: Instant) {
        if now < self.next_try {
            return;
        }
        self.next_try = now + TRY_AGAIN;
        for (id, entry) in self
            .jobs
            .iter_mut()
            .filter(|(_, entry)| entry.waits.is_some() && entry.live.is_none() && !entry.tried)
        {
            entry.tried = true;
            // Where the thread is gone, the coordinator ends.
            let _ = self.tries.send(planner::GoOn(*id, entry.record.clone()));
        }
    }
}
