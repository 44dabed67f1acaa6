//! Which ranges of a job are told of: a job of a million ranges is no trace that anybody could read.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use crate::{Span, Spans};

/// Ranges of a job that are told of from the first on, with all their parts.
const FIRST: usize = 600;
/// Of those that came to nothing, beyond these.
const FAILED: usize = 200;
/// The slowest of all others.
const SLOWEST: usize = 200;

/// The ranges of one job: at most a thousand are told of, the failed and the slowest among them.
#[derive(Debug)]
pub struct Ranges {
    spans: Spans,
    told: usize,
    failed: usize,
    /// By how long they took, and in which order they ended.
    slowest: BTreeMap<(Duration, u64), EndedRange>,
    all: u64,
}

/// A range that is over.
#[derive(Clone, Debug)]
pub struct EndedRange {
    /// The whole.
    pub span: Span,
    /// What it consists of, each with its end.
    pub parts: Vec<(Span, SystemTime)>,
    /// When it ended.
    pub at: SystemTime,
}

impl Ranges {
    /// None yet.
    pub const fn new(spans: Spans) -> Self {
        Self {
            spans,
            told: 0,
            failed: 0,
            slowest: BTreeMap::new(),
            all: 0,
        }
    }

    /// Whether one that begins now is told of whatever comes of it.
    pub const fn is_early(&self) -> bool {
        self.told < FIRST
    }

    /// A range is over, and came to nothing where it `has_failed`.
    pub fn over(&mut self, range: EndedRange, has_failed: bool) {
        self.all += 1;
        if self.told < FIRST {
            self.told += 1;
            return range.tell(&self.spans);
        }
        if has_failed && self.failed < FAILED {
            self.failed += 1;
            return range.tell(&self.spans);
        }
        let took = range.at.duration_since(range.span.start()).unwrap_or_default();
        self.slowest.insert((took, self.all), range);
        if self.slowest.len() > SLOWEST {
            self.slowest.pop_first();
        }
    }

    /// The job is over: tells of the slowest, and says how many ranges there were.
    pub fn close(self) -> u64 {
        for range in self.slowest.into_values() {
            range.tell(&self.spans);
        }
        self.all
    }
}

impl EndedRange {
    fn tell(self, spans: &Spans) {
        for (part, at) in self.parts {
            spans.over_at(part, at);
        }
        spans.over_at(self.span, self.at);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use opentelemetry_sdk::error::OTelSdkResult;
    use opentelemetry_sdk::trace::{Span as SdkSpan, SpanData, SpanProcessor};

    use super::*;
    use crate::Place;

    #[derive(Debug, Default)]
    struct Heard(Mutex<Vec<SpanData>>);

    impl SpanProcessor for Heard {
        fn on_start(&self, _: &mut SdkSpan, _: &opentelemetry::Context) {}
        fn on_end(&self, span: SpanData) {
            self.0.lock().unwrap().push(span);
        }
        fn force_flush(&self) -> OTelSdkResult {
            Ok(())
        }
        fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
            Ok(())
        }
    }

    #[test]
    fn of_many_ranges_the_first_the_failed_and_the_slowest_are_told() {
        let heard = Arc::new(Heard::default());
        let mut ranges = Ranges::new(Spans::to(heard.clone()));
        let job = Place::first();
        for k in 0..5000_u64 {
            let start = SystemTime::UNIX_EPOCH + Duration::from_secs(k);
            // Every 50th is slow, every 70th fails at once.
            let took = if k % 50 == 0 { 1000 + k } else { 1 };
            let span = Span::below(&job, format!("{k}"), start);
            let part = Span::below(span.place(), "part", start);
            let at = start + Duration::from_millis(took);
            let parts = vec![(part, at)];
            ranges.over(EndedRange { span, parts, at }, k % 70 == 0);
        }
        assert_eq!(ranges.close(), 5000);
        let heard = heard.0.lock().unwrap();
        let told: Vec<u64> = heard.iter().filter_map(|span| span.name.parse().ok()).collect();
        assert_eq!(heard.len(), told.len() * 2, "each with its part");
        assert!(told.len() <= 1000, "{}", told.len());
        let must = |k: &u64| *k < 600 || k.is_multiple_of(70) || k.is_multiple_of(50);
        let missing: Vec<u64> = (0..5000).filter(must).filter(|k| !told.contains(k)).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
