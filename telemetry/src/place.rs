//! A span's place in a trace, as W3C's Trace Context writes it.

use std::fmt;
use std::str::FromStr;

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// The name under which it goes in gRPC's metadata.
pub const TRACEPARENT: &str = "traceparent";

/// Names a span: its trace, itself, and whether it is told of. Others name it as their parent, in whatever process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    is_told: bool,
}

/// A text that names no span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no traceparent (00-, 32 and 16 hexadecimal digits that are not all 0, and two for the flags)")]
pub struct BadTraceparent(String);

impl Place {
    /// Of the first span of a new trace.
    pub fn first() -> Self {
        let trace = TraceId::from_bytes(fastrand::u128(1..).to_be_bytes());
        let span = some_span();
        let is_told = true;
        Self { trace, span, is_told }
    }

    /// Of a new span below this one.
    #[must_use]
    pub fn below(&self) -> Self {
        Self {
            span: some_span(),
            ..*self
        }
    }

    /// The same where nobody is to tell of it nor of what is below.
    #[must_use]
    pub const fn untold(self) -> Self {
        Self { is_told: false, ..self }
    }

    /// Whether it is told of.
    pub const fn is_told(&self) -> bool {
        self.is_told
    }

    /// 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        self.trace.to_string()
    }

    /// 16 hexadecimal digits.
    pub fn span_id(&self) -> String {
        self.span.to_string()
    }

    pub(crate) fn context(&self, is_remote: bool) -> SpanContext {
        let flags = TraceFlags::default().with_sampled(self.is_told);
        SpanContext::new(self.trace, self.span, flags, is_remote, TraceState::default())
    }
}

fn some_span() -> SpanId {
    SpanId::from_bytes(fastrand::u64(1..).to_be_bytes())
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.is_told))
    }
}

impl FromStr for Place {
    type Err = BadTraceparent;

    fn from_str(text: &str) -> Result<Self, BadTraceparent> {
        parse(text).ok_or_else(|| BadTraceparent(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Place> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    // Later versions may have more parts; this one has none.
    let has_more = parts.next().is_some();
    let is_hex = |text: &str, digits: usize| {
        text.len() == digits && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    };
    if !is_hex(version, 2) || version == "ff" || (version == "00" && has_more) {
        return None;
    }
    if !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2) {
        return None;
    }
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let is_told = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
    (trace != TraceId::INVALID && span != SpanId::INVALID).then_some(Place { trace, span, is_told })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_the_standard_has_it() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let place: Place = text.parse().unwrap();
        assert_eq!(place.to_string(), text);
        assert_eq!(place.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(place.span_id(), "00f067aa0ba902b7");
        assert!(place.is_told());
        assert_eq!(place.untold().to_string(), text.replace("-01", "-00"));
        let below = place.below();
        assert_eq!(below.trace_id(), place.trace_id());
        assert_ne!(below.span_id(), place.span_id());
        assert!(below.is_told() && !place.untold().below().is_told());
        assert_ne!(Place::first().trace_id(), Place::first().trace_id());
        // A later version, with a flag that is not known.
        let later: Place = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more"
            .parse()
            .unwrap();
        assert_eq!(later.to_string(), text);
    }

    #[test]
    fn what_names_no_span_is_refused() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            let error = text.parse::<Place>().unwrap_err();
            assert!(error.to_string().contains("no traceparent"), "{text}");
        }
    }
}
