//! Spans, told when they are over.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::trace::{Link, SpanId, SpanKind, Status};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks, SpanProcessor};

use crate::Place;

/// Whose part of a call a span is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Of none.
    #[default]
    Internal,
    /// Of whoever asked.
    Client,
    /// Of whoever was asked.
    Server,
    /// Of whoever handed work out.
    Producer,
    /// Of whoever did it.
    Consumer,
}

/// Something that is over.
#[derive(Clone, Debug)]
pub struct Span {
    name: Cow<'static, str>,
    place: Place,
    parent: Option<Place>,
    kind: Kind,
    start: SystemTime,
    attributes: Vec<KeyValue>,
    links: Vec<Place>,
    failed: Option<String>,
}

impl Span {
    /// What began at `start`, with a place of its own, below `parent` where there is one.
    pub fn new(name: impl Into<Cow<'static, str>>, place: Place, parent: Option<Place>, start: SystemTime) -> Self {
        Self {
            name: name.into(),
            place,
            parent,
            kind: Kind::default(),
            start,
            attributes: Vec::new(),
            links: Vec::new(),
            failed: None,
        }
    }

    /// A part of `parent`.
    pub fn below(parent: &Place, name: impl Into<Cow<'static, str>>, start: SystemTime) -> Self {
        Self::new(name, parent.below(), Some(*parent), start)
    }

    /// Whose part of a call it is.
    #[must_use]
    pub const fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Says something of it: a name of OpenTelemetry's conventions, or one that begins with `trc2npy.`.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push(KeyValue::new(key, value));
        self
    }

    /// The same for a count; more than OpenTelemetry can count are its most.
    #[must_use]
    pub fn count(self, key: &'static str, value: u64) -> Self {
        self.with(key, i64::try_from(value).unwrap_or(i64::MAX))
    }

    /// Something else that it had to wait for.
    #[must_use]
    pub fn linked(mut self, to: Option<Place>) -> Self {
        self.links.extend(to);
        self
    }

    /// Why it has failed, where it has.
    #[must_use]
    pub fn failed(mut self, why: Option<String>) -> Self {
        self.failed = why;
        self
    }

    /// Its place, for what is below it.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// When it began.
    pub const fn start(&self) -> SystemTime {
        self.start
    }

    fn data(self, end: SystemTime) -> SpanData {
        let mut links = SpanLinks::default();
        let link = |place: Place| Link::new(place.context(true), Vec::new(), 0);
        links.links.extend(self.links.into_iter().map(link));
        SpanData {
            span_context: self.place.context(false),
            parent_span_id: self.parent.map_or(SpanId::INVALID, |parent| parent.span),
            parent_span_is_remote: false,
            span_kind: match self.kind {
                Kind::Internal => SpanKind::Internal,
                Kind::Client => SpanKind::Client,
                Kind::Server => SpanKind::Server,
                Kind::Producer => SpanKind::Producer,
                Kind::Consumer => SpanKind::Consumer,
            },
            name: self.name,
            start_time: self.start,
            // A clock that was set back makes no span that ends before it begins.
            end_time: end.max(self.start),
            attributes: self.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links,
            status: self.failed.map_or(Status::Unset, Status::error),
            instrumentation_scope: InstrumentationScope::builder("trc2npy")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }
}

/// Where spans go; nowhere, unless a collector is named. Cheap to copy, and never waits.
#[derive(Clone, Default)]
pub struct Spans(Option<Arc<dyn SpanProcessor>>);

impl Spans {
    pub(crate) fn to(processor: Arc<dyn SpanProcessor>) -> Self {
        Self(Some(processor))
    }

    /// Whether anybody hears of them: else they need not be made.
    pub const fn are_heard(&self) -> bool {
        self.0.is_some()
    }

    /// Tells of a span that is over now.
    pub fn over(&self, span: Span) {
        self.over_at(span, SystemTime::now());
    }

    /// Tells of a span that was over at `end`.
    pub fn over_at(&self, span: Span, end: SystemTime) {
        if let Some(processor) = self.0.as_ref().filter(|_| span.place.is_told()) {
            processor.on_end(span.data(end));
        }
    }
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.are_heard() {
            "Spans(heard)"
        } else {
            "Spans(nobody hears)"
        })
    }
}
