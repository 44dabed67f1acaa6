//! What the page shows, as it is at a moment: made by the owner between two messages, sent as JSON, drawn as HTML.
//!
//! No time of day is in it but those of things that have happened, so that it changes only when something does.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use trc2npy_coordinator_core::Ranges;
use trc2npy_telemetry::Tell;

use crate::clock::wall_ms;

/// Parts of a channel's strip.
pub(crate) const STRIP: usize = 120;
/// Ended jobs that are shown, the newest; all others `trc2npy jobs` lists.
pub(crate) const ENDED_SHOWN: usize = 20;
/// Sentences that are kept.
const SENTENCES: usize = 200;

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Status {
    pub(crate) version: &'static str,
    /// The newest first.
    pub(crate) jobs: Vec<Job>,
    /// Ended jobs that are not among them.
    pub(crate) more_jobs: usize,
    pub(crate) workers: Vec<Worker>,
    /// The newest first.
    pub(crate) events: Vec<Sentence>,
}

/// A job.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Job {
    pub(crate) id: u64,
    pub(crate) run: String,
    pub(crate) out: String,
    /// `running`, `publishing`, `waiting`, `done`, `cancelled`, `failed`.
    pub(crate) state: &'static str,
    /// Why it has failed, or waits.
    pub(crate) error: String,
    pub(crate) rows: u64,
    pub(crate) rows_done: u64,
    pub(crate) bad_rows: u64,
    pub(crate) bytes: u64,
    pub(crate) bytes_done: u64,
    /// Input bytes a second.
    pub(crate) speed: u64,
    /// Seconds to its end at this speed, where that can be told.
    pub(crate) eta_s: Option<u64>,
    pub(crate) leases: u32,
    pub(crate) workers: u32,
    pub(crate) submitted_ms: u64,
    /// 0: not yet.
    pub(crate) ended_ms: u64,
    pub(crate) warnings: Vec<String>,
    /// Why its rows wait.
    pub(crate) reasons: Vec<String>,
    pub(crate) bad_files: Vec<BadFile>,
    pub(crate) channels: Vec<Channel>,
}

/// A bad file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct BadFile {
    pub(crate) file: String,
    pub(crate) what: &'static str,
    pub(crate) why: String,
}

/// A channel of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Channel {
    pub(crate) name: String,
    pub(crate) rows: u64,
    pub(crate) rows_done: u64,
    pub(crate) rows_leased: u64,
    pub(crate) bad_rows: u64,
    pub(crate) samples: u32,
    pub(crate) dtype: String,
    pub(crate) array: String,
    /// A letter for each part of its rows: see [`Part`].
    pub(crate) strip: String,
    /// What can be drawn: `first`, `overlay`, `baselines`.
    pub(crate) pictures: Vec<&'static str>,
    /// Rows from the first on that are there; another number means other pictures.
    pub(crate) there: u64,
}

/// How far a part of a channel's rows is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// None of its rows is done or in hand.
    Open,
    /// Some are in a worker's hands, or being copied.
    Leased,
    /// Some are done, none is in hand.
    Partly,
    /// All are done.
    Done,
    /// All are done, and some are bad.
    Bad,
}

impl Part {
    /// Its letter in a strip.
    pub(crate) const fn letter(self) -> char {
        match self {
            Self::Open => 'o',
            Self::Leased => 'l',
            Self::Partly => 'p',
            Self::Done => 'd',
            Self::Bad => 'b',
        }
    }
}

/// A connected worker.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Worker {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) system: String,
    pub(crate) state: String,
    /// Why it gets nothing, or does not get on.
    pub(crate) why: String,
    pub(crate) cores: u32,
    /// Share of the machine's processors in use, in steps of a hundredth.
    pub(crate) cpu_used: f64,
    pub(crate) memory_total: u64,
    /// Before its first beat that is not known.
    pub(crate) memory_available: Option<u64>,
    pub(crate) memory_own: u64,
    /// Where it writes; none where that is not known.
    pub(crate) disk_free: Option<u64>,
    pub(crate) slots: u32,
    pub(crate) leases: u32,
    /// Its leases, for people; not more than [`IN_HAND`].
    pub(crate) in_hand: Vec<String>,
    /// Input bytes a second of one lease; 0: not known yet.
    pub(crate) speed: u64,
    pub(crate) bytes_done: u64,
    /// Seconds since its last word; beats come each second, so less than three are none.
    pub(crate) heard_s: u64,
    pub(crate) roots: Vec<String>,
}

/// Leases of a worker that are named.
pub(crate) const IN_HAND: usize = 8;

/// Something that has happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Sentence {
    /// Counted from the coordinator's start.
    pub(crate) n: u64,
    /// Milliseconds since 1970.
    pub(crate) at_ms: u64,
    pub(crate) text: String,
}

/// What only the gauges tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gauges {
    pub(crate) ranges: Ranges,
    pub(crate) rows: RowStates,
    pub(crate) jobs: JobStates,
}

/// Rows of the jobs at work.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowStates {
    pub(crate) open: u64,
    pub(crate) waiting: u64,
    pub(crate) leased: u64,
    pub(crate) committed: u64,
}

/// Jobs by state.
#[derive(Clone, Debug, Default)]
pub(crate) struct JobStates {
    pub(crate) running: u64,
    pub(crate) publishing: u64,
    pub(crate) waiting: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
}

/// The last sentences that were told, in bounded memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chronicle(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    next: u64,
    last: VecDeque<Sentence>,
}

/// Characters of a sentence that are kept.
const LONGEST: usize = 600;

impl Chronicle {
    /// Tells on, and keeps what is told.
    pub(crate) fn listen(&self, tell: Tell) -> Tell {
        let chronicle = self.clone();
        Tell::new(move |line| {
            chronicle.note(line.text);
            tell.again(line);
        })
    }

    fn note(&self, text: &str) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.last.len() == SENTENCES {
            told.last.pop_front();
        }
        let n = told.next;
        told.next += 1;
        told.last.push_back(Sentence {
            n,
            at_ms: wall_ms(),
            text: text.chars().take(LONGEST).collect(),
        });
    }

    /// The newest first.
    pub(crate) fn last(&self) -> Vec<Sentence> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.last.iter().rev().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chronicle_keeps_the_last_sentences_and_tells_on() {
        let (chronicle, heard) = (Chronicle::default(), Arc::new(Mutex::new(0)));
        let count = Arc::clone(&heard);
        let tell = chronicle.listen(Tell::new(move |_| *count.lock().unwrap() += 1));
        for i in 0..SENTENCES + 5 {
            tell.info(&format!("sentence {i}"));
        }
        tell.warn(&"long ".repeat(1000));
        let last = chronicle.last();
        assert_eq!(last.len(), SENTENCES);
        assert_eq!(last[0].text.len(), LONGEST);
        assert_eq!((last[1].n, last[1].text.as_str()), (204, "sentence 204"));
        assert_eq!(*heard.lock().unwrap(), SENTENCES + 6);
    }
}
