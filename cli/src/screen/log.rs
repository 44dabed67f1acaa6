//! What is said beside results, for programs and for files: each line with its time, how much it matters, and the work that
//! it is about. What people see on the standard error stays with [`super::remark`].

use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::field::{DisplayValue, display};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer, Registry};
use trc2npy_telemetry::Place;

use super::daily::Daily;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Sentences.
    Text,
    /// An object each.
    Json,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    /// It ended the work.
    Error,
    /// Somebody should look at it.
    Warning,
    /// What began and what ended.
    Info,
}

/// Where lines go besides the standard error's sentences.
struct Log {
    format: Format,
    least: Level,
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Also told of every error.
static ERRORS: OnceLock<fn(&str)> = OnceLock::new();

/// Has errors told elsewhere, too: to the system's own log, which is there where this one cannot be.
#[cfg(windows)]
pub(crate) fn errors_also(to: fn(&str)) {
    let _ = ERRORS.set(to);
}

/// Settles it for this call of the program.
pub(crate) fn begin(format: Format, least: Level, file: Option<&Path>) -> io::Result<()> {
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = Vec::new();
    if format == Format::Json {
        layers.push(layer(format, io::stderr));
    }
    if let Some(file) = file {
        let daily = Lines(Mutex::new(Daily::begin(file)?));
        layers.push(layer(format, daily));
    }
    if !layers.is_empty() {
        // There is only one in a process.
        let _ = tracing::subscriber::set_global_default(Registry::default().with(layers));
    }
    let _ = LOG.set(Log { format, least });
    Ok(())
}

/// The log's file, for all threads: each line is one write.
struct Lines(Mutex<Daily>);

impl<'l> MakeWriter<'l> for Lines {
    type Writer = Line<'l>;

    fn make_writer(&'l self) -> Line<'l> {
        Line(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Line<'l>(MutexGuard<'l, Daily>);

impl io::Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if let Err(error) = self.0.line(line) {
            // Not by the log.
            super::print(&format!(
                "warning: the log's file cannot be written ({error}); the work goes on without, and later lines are tried again"
            ));
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn layer<W>(format: Format, to: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(to)
        .with_target(false)
        .with_ansi(false);
    // Libraries have much to say of themselves.
    let own = Targets::new().with_target(module_path!(), LevelFilter::INFO);
    match format {
        Format::Text => Box::new(layer.with_filter(own)),
        Format::Json => Box::new(layer.json().flatten_event(true).with_filter(own)),
    }
}

/// Whether each line is an object.
pub(crate) fn is_json() -> bool {
    LOG.get().is_some_and(|log| log.format == Format::Json)
}

/// Whether people are to see a line of this level as a sentence.
pub(super) fn is_shown(level: Level) -> bool {
    LOG.get()
        .is_none_or(|log| log.format == Format::Text && level <= log.least)
}

/// Writes a line to where lines go.
pub(crate) fn record(level: Level, text: &str, place: Option<&Place>) {
    if level == Level::Error
        && let Some(tell) = ERRORS.get()
    {
        tell(text);
    }
    if LOG.get().is_none_or(|log| level > log.least) {
        return;
    }
    let trace_id: Option<DisplayValue<String>> = place.map(|place| display(place.trace_id()));
    let span_id = place.map(|place| display(place.span_id()));
    let text = text.trim();
    if text.is_empty() {
        return;
    }
    match level {
        Level::Error => tracing::error!(trace_id, span_id, "{text}"),
        Level::Warning => tracing::warn!(trace_id, span_id, "{text}"),
        Level::Info => tracing::info!(trace_id, span_id, "{text}"),
    }
}

/// How much a remark matters, by the word that it begins with.
pub(super) fn level_of(text: &str) -> Level {
    let begins = |words: &[&str]| words.iter().any(|word| text.starts_with(word));
    if begins(&["error:"]) {
        Level::Error
    } else if begins(&["warning:", "BAD ROWS:"]) {
        Level::Warning
    } else {
        Level::Info
    }
}
