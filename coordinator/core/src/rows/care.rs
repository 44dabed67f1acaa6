//! What is known of rows that did not convert at once.

use std::sync::Arc;

use crate::event::Terms;
use crate::ids::{LeaseId, Millis};

/// Crashes that must have been told of with the rows of a single file in hand before its rows are given up. A process
/// that ended without a word is none: a machine that is switched off says no more than one whose decoder took all along.
const CRASHES: u32 = 3;
/// Workers that could not read the files, before these become bad rows.
const WORKERS_FAILED: usize = 2;
/// The same where there is one worker only.
const TRIES_FAILED: u32 = 3;
/// After this time those that could not read the files may try again, whoever else there is.
const EXCLUDED: Millis = Millis::seconds(60);

/// The history of open rows, as far as it decides who gets them, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Care {
    /// Nobody gets them before.
    pub(crate) not_before: Millis,
    /// Their files seemed to be still being written and have been waited for.
    pub(crate) settled: bool,
    /// Files that cannot be read become bad rows.
    pub(crate) take_unreadable: bool,
    /// Attempts that ended with their process, or crashed.
    pub(crate) lost: Vec<LeaseId>,
    /// Those of them that were told to have crashed and had no other file.
    pub(crate) crashed_alone: u32,
    /// Workers, by name, that could not read the files.
    pub(crate) failed_on: Vec<Arc<str>>,
    /// How often they could not be read.
    pub(crate) tries: u32,
    /// When that was last.
    pub(crate) failed_at: Millis,
}

impl Care {
    /// What a lease of the rows is asked.
    pub(crate) fn terms(&self) -> Terms {
        Terms {
            settled: self.settled,
            take_unreadable: self.take_unreadable,
            apart: !self.lost.is_empty(),
            give_up: self.crashed_alone >= CRASHES,
        }
    }

    /// Nothing is known that would matter.
    pub(crate) fn is_none(&self, now: Millis) -> bool {
        let written = self.settled || self.take_unreadable || self.tries > 0;
        self.not_before <= now && !written && self.lost.is_empty()
    }

    /// An attempt has ended with its process, or crashed; `crashed_alone`: it was told to have, and had no other file.
    pub(crate) fn lose(&mut self, lease: LeaseId, crashed_alone: bool) {
        self.lost.push(lease);
        self.crashed_alone += u32::from(crashed_alone);
    }

    /// The process of an attempt was taken for dead, and is not.
    pub(crate) fn pardon(&mut self, lease: LeaseId) {
        self.lost.retain(|&lost| lost != lease);
    }

    /// A worker could not read the files.
    pub(crate) fn fail(&mut self, worker: &Arc<str>, now: Millis) {
        if !self.failed_on.contains(worker) {
            self.failed_on.push(Arc::clone(worker));
        }
        self.tries += 1;
        self.failed_at = now;
        if self.failed_on.len() >= WORKERS_FAILED || self.tries >= TRIES_FAILED {
            self.take_unreadable = true;
            self.failed_on.clear();
        }
    }

    /// Whether a worker may try. `others`: whether there is one that could and has not failed on them.
    pub(crate) fn may_try(&self, worker: &Arc<str>, now: Millis, others: impl FnOnce() -> bool) -> bool {
        if !self.failed_on.contains(worker) {
            return true;
        }
        let waited = now.since(self.failed_at);
        let back_off = Millis::seconds(if self.tries <= 1 { 1 } else { 4 });
        waited >= EXCLUDED || (waited >= back_off && !others())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Epoch;

    const fn lease(attempt: u64) -> LeaseId {
        LeaseId {
            epoch: Epoch(1),
            attempt,
        }
    }

    #[test]
    fn three_crashes_at_one_file_give_it_up_and_lost_processes_do_not() {
        let mut care = Care::default();
        assert!(!care.terms().apart);
        for attempt in 0..20 {
            care.lose(lease(attempt), false);
            assert!(care.terms().apart);
        }
        care.lose(lease(20), true);
        care.lose(lease(21), true);
        assert!(!care.terms().give_up);
        care.lose(lease(22), true);
        assert!(care.terms().give_up);
    }

    #[test]
    fn who_comes_back_had_not_died() {
        let mut care = Care::default();
        care.lose(lease(1), false);
        care.pardon(lease(1));
        assert_eq!(care.terms(), Terms::default());
    }

    #[test]
    fn two_workers_or_three_tries_make_bad_rows() {
        let (one, other): (Arc<str>, Arc<str>) = ("one".into(), "other".into());
        let mut care = Care::default();
        care.fail(&one, Millis(0));
        assert!(!care.may_try(&one, Millis(999), || false));
        assert!(care.may_try(&one, Millis(1000), || false));
        assert!(!care.may_try(&one, Millis(59_999), || true));
        assert!(care.may_try(&one, Millis(60_000), || true));
        assert!(care.may_try(&other, Millis(0), || true));
        let mut alone = care.clone();
        care.fail(&other, Millis(0));
        assert!(care.terms().take_unreadable && care.may_try(&one, Millis(0), || true));
        alone.fail(&one, Millis(1000));
        assert!(!alone.terms().take_unreadable);
        assert!(!alone.may_try(&one, Millis(4999), || false));
        alone.fail(&one, Millis(5000));
        assert!(alone.terms().take_unreadable);
    }
}
