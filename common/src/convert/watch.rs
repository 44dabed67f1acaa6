//! What a conversion shows while it runs, and how it is asked to stop.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use serde::Serialize;

use super::pace::{Pace, PacePoint};
use super::stages::RangeListener;
use crate::units::Bytes;

/// What is being done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Phase {
    /// Listing folders and opening headers.
    #[default]
    Planning = 0,
    /// Reading, decoding, writing.
    Converting = 1,
    /// Waiting for files that were still being written.
    Settling = 2,
    /// Bringing the last bytes to the disk.
    Syncing = 3,
    /// Giving the files their final names.
    Publishing = 4,
    /// Nothing more to do.
    Done = 5,
    /// Comparing finished outputs with what was written and with their sources.
    Verifying = 6,
}

impl Phase {
    const ALL: [Self; 7] = [
        Self::Planning,
        Self::Converting,
        Self::Settling,
        Self::Syncing,
        Self::Publishing,
        Self::Done,
        Self::Verifying,
    ];
}

/// A look at a running conversion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// Input bytes of finished files, those of an earlier, interrupted run included.
    pub bytes_in: Bytes,
    /// Input bytes of the whole plan.
    pub bytes_in_total: Bytes,
    /// Input bytes that an earlier, interrupted run had finished: no part of this run's speed.
    pub bytes_in_before: Bytes,
    /// Bytes written to the arrays.
    pub bytes_out: Bytes,
    /// Rows finished.
    pub rows: u64,
    /// Rows finished by an earlier, interrupted run.
    pub rows_before: u64,
    /// Rows of the whole plan.
    pub rows_total: u64,
    /// Rows found bad so far.
    pub bad_rows: u64,
    /// Bytes of memory this process occupies.
    pub memory: Bytes,
    /// The most that it occupied whenever it was looked at.
    pub memory_peak: Bytes,
}

/// Counters that the working threads raise and a display reads.
#[derive(Debug, Default)]
pub struct Watch {
    phase: AtomicU8,
    bytes_in: AtomicU64,
    bytes_in_total: AtomicU64,
    bytes_in_before: AtomicU64,
    bytes_out: AtomicU64,
    rows: AtomicU64,
    rows_before: AtomicU64,
    rows_total: AtomicU64,
    bad_rows: AtomicU64,
    memory: AtomicU64,
    memory_peak: AtomicU64,
    listener: Option<RangeListener>,
    /// When each phase began; only where somebody listens.
    phases: Mutex<Vec<(Phase, SystemTime)>>,
    /// Since when it is looked at, and what was seen; none before the run begins.
    pace: Mutex<Option<(Instant, Pace)>>,
}

impl Watch {
    /// All counters at zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same, and `listener` hears of each range.
    pub fn heard_by(listener: Option<RangeListener>) -> Self {
        Self {
            listener,
            ..Self::default()
        }
    }

    pub(crate) const fn listener(&self) -> Option<&RangeListener> {
        self.listener.as_ref()
    }

    /// The counters as they are now. Each is right; together they may be a moment apart.
    pub fn read(&self) -> Progress {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let phase = usize::from(self.phase.load(Ordering::Relaxed));
        Progress {
            phase: Phase::ALL.get(phase).copied().unwrap_or_default(),
            bytes_in: Bytes(get(&self.bytes_in)),
            bytes_in_total: Bytes(get(&self.bytes_in_total)),
            bytes_in_before: Bytes(get(&self.bytes_in_before)),
            bytes_out: Bytes(get(&self.bytes_out)),
            rows: get(&self.rows),
            rows_before: get(&self.rows_before),
            rows_total: get(&self.rows_total),
            bad_rows: get(&self.bad_rows),
            memory: Bytes(get(&self.memory)),
            memory_peak: Bytes(get(&self.memory_peak)),
        }
    }

    /// Shows what another process tells of its work.
    pub fn show(&self, progress: Progress) {
        let set = |counter: &AtomicU64, value: u64| counter.store(value, Ordering::Relaxed);
        self.enter(progress.phase);
        set(&self.bytes_in, progress.bytes_in.0);
        set(&self.bytes_in_total, progress.bytes_in_total.0);
        set(&self.bytes_in_before, progress.bytes_in_before.0);
        set(&self.bytes_out, progress.bytes_out.0);
        set(&self.rows, progress.rows);
        set(&self.rows_before, progress.rows_before);
        set(&self.rows_total, progress.rows_total);
        set(&self.bad_rows, progress.bad_rows);
    }

    /// The phases so far, and when each began; none where no listener was named.
    pub fn phases(&self) -> Vec<(Phase, SystemTime)> {
        self.phases.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Ordering::Relaxed);
        if self.listener.is_some() {
            let mut phases = self.phases.lock().unwrap_or_else(PoisonError::into_inner);
            phases.push((phase, SystemTime::now()));
        }
    }

    pub(crate) fn begin(&self, rows_total: u64, bytes_in_total: Bytes) {
        self.rows_total.store(rows_total, Ordering::Relaxed);
        self.bytes_in_total.store(bytes_in_total.0, Ordering::Relaxed);
        for counter in [
            &self.bytes_in,
            &self.bytes_out,
            &self.rows,
            &self.bad_rows,
            &self.rows_before,
            &self.bytes_in_before,
        ] {
            counter.store(0, Ordering::Relaxed);
        }
        *self.pace.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Pace::default()));
        self.note_pace();
    }

    pub(crate) fn resume(&self, rows: u64, bad_rows: u64, bytes_in: Bytes) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.rows_before.fetch_add(rows, Ordering::Relaxed);
        self.bad_rows.fetch_add(bad_rows, Ordering::Relaxed);
        self.bytes_in.fetch_add(bytes_in.0, Ordering::Relaxed);
        self.bytes_in_before.fetch_add(bytes_in.0, Ordering::Relaxed);
    }

    pub(crate) fn add_rows(&self, rows: u64, bad: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        if bad > 0 {
            self.bad_rows.fetch_add(bad, Ordering::Relaxed);
        }
    }

    pub(crate) fn add_read(&self, bytes: Bytes) {
        self.bytes_in.fetch_add(bytes.0, Ordering::Relaxed);
    }

    pub(crate) fn add_written(&self, bytes: Bytes) {
        self.bytes_out.fetch_add(bytes.0, Ordering::Relaxed);
    }

    pub(crate) fn note_memory(&self, bytes: Bytes) {
        self.memory.store(bytes.0, Ordering::Relaxed);
        self.memory_peak.fetch_max(bytes.0, Ordering::Relaxed);
    }

    /// Keeps how far the run is, where that was not done within the last second. May be called as often as one likes.
    pub(crate) fn note_pace(&self) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((began, pace)) = &mut *pace {
            pace.note(began.elapsed(), |s| self.pace_point(s));
        }
    }

    /// How the run came along until now.
    pub(crate) fn pace(&self) -> Vec<PacePoint> {
        let pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.as_ref().map_or_else(Vec::new, |(began, pace)| {
            pace.ended(began.elapsed(), |s| self.pace_point(s))
        })
    }

    fn pace_point(&self, s: f64) -> PacePoint {
        let now = self.read();
        PacePoint {
            s,
            bytes: now.bytes_in.saturating_sub(now.bytes_in_before),
            rows: now.rows.saturating_sub(now.rows_before),
            memory: (now.memory > Bytes(0)).then_some(now.memory),
        }
    }
}

/// The life sign of a range that is being converted, for whoever waits for it; and how it is told to end early.
#[derive(Debug, Default)]
pub struct Pulse {
    revoked: AtomicBool,
    bytes: AtomicU64,
}

impl Pulse {
    /// Nothing done yet, nothing asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the range to end without a result. Cannot be taken back.
    pub fn revoke(&self) {
        self.revoked.store(true, Ordering::Relaxed);
    }

    /// Whether it was asked.
    pub fn revoked(&self) -> bool {
        self.revoked.load(Ordering::Relaxed)
    }

    /// Bytes gone through so far, also inside of a file: a sign of life and no measure, since what is tried twice is
    /// counted twice.
    pub fn bytes(&self) -> Bytes {
        Bytes(self.bytes.load(Ordering::Relaxed))
    }

    /// So many more were gone through.
    pub fn beat(&self, bytes: Bytes) {
        self.bytes.fetch_add(bytes.0, Ordering::Relaxed);
    }
}

/// Asks a conversion to stop: what is in flight is finished and kept.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Not asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks. Cannot be taken back.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether it was asked.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
