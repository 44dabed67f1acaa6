//! What this process tells a collector of OpenTelemetry, where one is named.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::SystemTime;

use prometheus::proto::MetricFamily;
use trc2npy_common::convert::{ConvertError, Converted, Phase, RangeListener, RangeStory, Watch};
use trc2npy_common::resources;
use trc2npy_telemetry::{Collector, EndedRange, Kind, Level, Place, Ranges, Sending, Span, Spans, Tell};

use crate::failure::Failure;
use crate::options::{Request, ServiceAction, TelemetryOptions, WorkerAction};
use crate::screen;

/// Of this process; not set where nobody hears them.
static SENDING: OnceLock<Sending> = OnceLock::new();

/// Where this process's spans go.
pub(crate) fn spans() -> Spans {
    SENDING.get().map(Sending::spans).unwrap_or_default()
}

/// Sends from now on what this gathers.
pub(crate) fn measure(gather: impl Fn() -> Vec<MetricFamily> + Send + 'static) -> Result<(), Failure> {
    match SENDING.get() {
        Some(sending) => sending.measure(gather).map_err(|error| Failure::work(1, &error)),
        None => Ok(()),
    }
}

/// Sends what is not sent yet, where a collector is named. Delays nobody for long.
pub(crate) fn end() {
    if let Some(sending) = SENDING.get() {
        sending.end();
    }
}

/// Begins to send, if a collector is named and the command is one whose work is worth it.
pub(crate) fn begin(options: &TelemetryOptions, request: &Request) -> Result<(), Failure> {
    let (role, name) = match request {
        Request::Convert(..) => ("convert", None),
        Request::Batch(..) => ("batch", None),
        Request::TesAna(_) => ("tes-ana", None),
        Request::Coordinator(options) if options.action.is_none() => ("coordinator", None),
        Request::Worker(options) if options.action.is_none() => ("worker", options.machine.name.clone()),
        Request::Worker(options) => match &options.action {
            Some(WorkerAction::Service(ServiceAction::Run(service))) => ("worker", service.machine.name.clone()),
            _ => return Ok(()),
        },
        Request::Submit(..) => ("submit", None),
        _ => return Ok(()),
    };
    let collector = Collector {
        endpoint: options.otlp_endpoint.clone(),
        instance: name.unwrap_or_else(|| format!("{}-{}", resources::host_name(), std::process::id())),
        role,
    };
    if !collector.is_named() {
        return Ok(());
    }
    let sending = collector.start(Tell::new(|line| match line.level {
        Level::Warning => screen::remark(&format!("warning: {}", line.text)),
        Level::Info => screen::chat(line.text),
    }));
    match sending {
        Ok(sending) => {
            let _ = SENDING.set(sending);
        }
        Err(error) if options.otlp_endpoint.is_some() => {
            return Err(Failure::Options(format!("--otlp-endpoint: {error}")));
        }
        // Set for a whole site: no reason to lose a night.
        Err(error) => screen::remark(&format!("warning: nothing is sent to a collector: {error}")),
    }
    Ok(())
}

/// The trace of what this machine converts by itself.
pub(crate) struct ConvertTrace {
    spans: Spans,
    place: Place,
    began: SystemTime,
    ranges: Arc<Mutex<Ranges>>,
}

impl ConvertTrace {
    /// Begins now; none where nobody hears of it.
    pub(crate) fn begin() -> Option<Self> {
        let spans = spans();
        spans.are_heard().then(|| Self {
            ranges: Arc::new(Mutex::new(Ranges::new(spans.clone()))),
            place: Place::first(),
            began: SystemTime::now(),
            spans,
        })
    }

    /// Hears of the ranges.
    pub(crate) fn listener(&self) -> RangeListener {
        let (ranges, place) = (Arc::clone(&self.ranges), self.place);
        RangeListener::new(move |story| {
            let range = told(&place, story);
            let mut ranges = ranges.lock().unwrap_or_else(PoisonError::into_inner);
            ranges.over(range, story.result.is_err());
        })
    }

    /// It has ended.
    pub(crate) fn end(self, watch: &Watch, converted: &Result<Converted, ConvertError>) {
        let ended = SystemTime::now();
        let phases = watch.phases();
        let ends = phases.iter().skip(1).map(|(_, begins)| *begins).chain([ended]);
        for ((phase, begins), ends) in phases.iter().zip(ends) {
            let name = match phase {
                Phase::Planning => "plan",
                Phase::Settling => "settle",
                Phase::Syncing => "sync",
                Phase::Publishing => "finish",
                // The ranges tell of it; and nothing is done any more.
                Phase::Converting | Phase::Verifying | Phase::Done => continue,
            };
            self.spans.over_at(Span::below(&self.place, name, *begins), ends);
        }
        // Whoever still holds the listener has nothing more to tell.
        let ranges = std::mem::replace(
            &mut *self.ranges.lock().unwrap_or_else(PoisonError::into_inner),
            Ranges::new(Spans::default()),
        );
        let why = match converted {
            Ok(converted) => converted.failures.first().map(|failure| failure.error.to_string()),
            Err(error) => Some(error.to_string()),
        };
        let rows = converted.as_ref().map_or(0, |converted| {
            let channels = converted.outcomes.iter().flat_map(|outcome| &outcome.channels);
            channels.map(|channel| channel.rows).sum()
        });
        let span = Span::new("convert", self.place, None, self.began)
            .kind(Kind::Internal)
            .count("trc2npy.rows.count", rows)
            .count("trc2npy.ranges", ranges.close());
        self.spans.over_at(span.failed(why), ended);
    }
}

fn told(parent: &Place, story: &RangeStory<'_>) -> EndedRange {
    let span = Span::below(parent, "range", story.began)
        .with("trc2npy.channel", story.channel.to_string())
        .count("trc2npy.rows.first", story.rows.start)
        .count("trc2npy.rows.count", story.rows.len())
        .failed(story.result.as_ref().err().map(ToString::to_string));
    EndedRange {
        parts: trc2npy_worker::stages(span.place(), story),
        at: story.began + story.took,
        span,
    }
}

/// The submit of this process, for as long as it is on its way.
pub(crate) struct SubmitTrace {
    /// For the call's metadata; none where nobody hears of it.
    pub(crate) place: Option<Place>,
    began: SystemTime,
}

impl SubmitTrace {
    /// Begins now.
    pub(crate) fn begin() -> Self {
        Self {
            place: spans().are_heard().then(Place::first),
            began: SystemTime::now(),
        }
    }

    /// It was answered, or refused.
    pub(crate) fn end(self, why: Option<String>) {
        if let Some(place) = self.place {
            let span = Span::new("submit", place, None, self.began).kind(Kind::Client);
            let span = span.with("rpc.system", "grpc").with("rpc.service", "trc2npy.v1.Jobs");
            spans().over(span.with("rpc.method", "Submit").failed(why));
        }
    }
}
