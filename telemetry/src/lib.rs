//! What happens, for a collector of OpenTelemetry: spans and metrics, sent where one is named, nothing where none is.
//!
//! A span here is told when it is over, with its ids and its times: a job outlives the process that began it, so whoever
//! ends it must be able to tell all of it. Sending is never waited for: what a collector is too slow for is dropped.

mod metrics;
mod place;
mod ranges;
mod send;
mod span;
mod tell;

pub use opentelemetry::KeyValue;
pub use place::{BadTraceparent, Place, TRACEPARENT};
pub use ranges::{EndedRange, Ranges};
pub use send::{Collector, Sending, SendingError};
pub use span::{Kind, Span, Spans};
pub use tell::{Level, Line, Tell};
