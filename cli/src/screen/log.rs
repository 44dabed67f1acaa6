//! What is said beside results, for programs and for files: each line with its time, how much it matters, and the work that
//! it is about. What people see on the standard error stays with [`super::remark`].

use std::path::Path;
use std::sync::OnceLock;

use tracing::field::{DisplayValue, display};
use tracing_appender::rolling::{InitError, RollingFileAppender, Rotation};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer, Registry};
use trc2npy_telemetry::Place;

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

/// Days of which the log's files are kept.
const DAYS: usize = 14;

/// Where lines go besides the standard error's sentences.
struct Log {
    format: Format,
    least: Level,
}

static LOG: OnceLock<Log> = OnceLock::new();

/// Settles it for this call of the program.
pub(crate) fn begin(format: Format, least: Level, file: Option<&Path>) -> Result<(), InitError> {
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = Vec::new();
    if format == Format::Json {
        layers.push(layer(format, std::io::stderr));
    }
    if let Some(file) = file {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let daily = RollingFileAppender::builder()
            .rotation(Rotation::DAILY)
            .filename_prefix(name)
            .max_log_files(DAYS)
            .build(folder.unwrap_or(Path::new(".")))?;
        layers.push(layer(format, daily));
    }
    if !layers.is_empty() {
        // There is only one in a process.
        let _ = tracing::subscriber::set_global_default(Registry::default().with(layers));
    }
    let _ = LOG.set(Log { format, least });
    Ok(())
}

fn layer<W>(format: Format, to: W) -> Box<dyn Layer<Registry> + Send + Sync>
where
    W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
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

/// Whether people are to see a line of this level as a sentence.
pub(super) fn is_shown(level: Level) -> bool {
    LOG.get()
        .is_none_or(|log| log.format == Format::Text && level <= log.least)
}

/// Writes a line to where lines go.
pub(crate) fn record(level: Level, text: &str, place: Option<&Place>) {
    if LOG.get().is_none_or(|log| level > log.least) {
        return;
    }
    let trace_id: Option<DisplayValue<String>> = place.map(|place| display(place.trace_id()));
    let span_id = place.map(|place| display(place.span_id()));
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        match level {
            Level::Error => tracing::error!(trace_id, span_id, "{line}"),
            Level::Warning => tracing::warn!(trace_id, span_id, "{line}"),
            Level::Info => tracing::info!(trace_id, span_id, "{line}"),
        }
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
