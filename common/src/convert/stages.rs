//! Where a range's time goes: measured on the thread that converts it, and only where somebody listens.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::error::ConvertError;
use super::range::RangeDone;
use crate::channel::Channel;
use crate::units::RowRange;

/// Times of one range, each summed over its files. What is left of the whole is decoding: that of mapped files holds
/// the waiting for their pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stages {
    /// Opening and reading files.
    pub read: Duration,
    /// Writing rows and index.
    pub write: Duration,
}

/// A range that was converted, or could not be.
#[derive(Debug)]
pub struct RangeStory<'r> {
    /// Of which channel.
    pub channel: Channel,
    /// Its bounds.
    pub rows: RowRange,
    /// When it began.
    pub began: SystemTime,
    /// How long it took.
    pub took: Duration,
    /// Where the time went.
    pub stages: Stages,
    /// What came of it.
    pub result: &'r Result<RangeDone, ConvertError>,
}

/// Hears of ranges, on the threads that convert them: it must not keep them waiting.
#[derive(Clone)]
pub struct RangeListener(Arc<dyn Fn(&RangeStory<'_>) + Send + Sync>);

impl RangeListener {
    /// `listen` is called once for each range that has ended.
    pub fn new(listen: impl Fn(&RangeStory<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listen))
    }

    /// Has it hear of a range of `channel`, which `convert` converts.
    pub(super) fn hears(
        &self,
        channel: Channel,
        rows: RowRange,
        convert: impl FnOnce() -> Result<RangeDone, ConvertError>,
    ) -> Result<RangeDone, ConvertError> {
        let (began, clock) = (SystemTime::now(), Instant::now());
        TIMES.set(Some(Stages::default()));
        let result = convert();
        let stages = TIMES.take().unwrap_or_default();
        (self.0)(&RangeStory {
            channel,
            rows,
            began,
            took: clock.elapsed(),
            stages,
            result: &result,
        });
        result
    }
}

impl fmt::Debug for RangeListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RangeListener")
    }
}

thread_local! {
    /// Of the range that this thread converts; none where nobody listens.
    static TIMES: Cell<Option<Stages>> = const { Cell::new(None) };
}

/// Does some of a range's reading.
pub(super) fn reading<T>(read: impl FnOnce() -> T) -> T {
    timed(read, |stages| &mut stages.read)
}

/// Does some of its writing.
pub(super) fn writing<T>(write: impl FnOnce() -> T) -> T {
    timed(write, |stages| &mut stages.write)
}

fn timed<T>(work: impl FnOnce() -> T, stage: impl FnOnce(&mut Stages) -> &mut Duration) -> T {
    if TIMES.get().is_none() {
        return work();
    }
    let began = Instant::now();
    let result = work();
    if let Some(mut stages) = TIMES.get() {
        *stage(&mut stages) += began.elapsed();
        TIMES.set(Some(stages));
    }
    result
}
