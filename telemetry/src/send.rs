//! Sending to a collector over OTLP, on threads of its own.

use std::env;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanExporter as Exporter, SpanProcessor,
};
use prometheus::proto::MetricFamily;
use tokio::sync::oneshot;
use tonic::transport::Endpoint;

use crate::metrics::{Destination, Measuring};
use crate::{Spans, Tell};

/// Spans that wait to be sent: the ranges of a job may all end within a second.
const WAITING: usize = 16_384;
/// The longest that the end of a program waits for what is not sent yet.
const AT_THE_END: Duration = Duration::from_secs(2);

/// Where to, and who tells.
#[derive(Clone, Debug, Default)]
pub struct Collector {
    /// Of its gRPC, as `http://pc1:4317`, and nothing where it is empty; by default what `OTEL_EXPORTER_OTLP_ENDPOINT` says.
    pub endpoint: Option<String>,
    /// What tells this process from others of its kind: the worker's name, for example.
    pub instance: String,
    /// What it is doing: `coordinator`, for example.
    pub role: &'static str,
}

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum SendingError {
    /// Nothing can be sent there.
    #[error(
        "{0:?} is no address of a collector's gRPC: write http://HOST:4317 (https is not spoken; on a network that is not trusted let a collector on this machine send it on)"
    )]
    Address(String),
    /// `OTEL_EXPORTER_OTLP_PROTOCOL` asks for something else.
    #[error("OTEL_EXPORTER_OTLP_PROTOCOL={0}: only grpc is spoken, which is a collector's port 4317")]
    Protocol(String),
    /// The collector's address is none, or asks for what cannot be done.
    #[error("{endpoint}: {source}; the address of a collector's gRPC is like http://pc1:4317")]
    Endpoint {
        /// As it was given.
        endpoint: String,
        /// What is wrong.
        source: ExporterBuildError,
    },
    /// The machine cannot start a thread.
    #[error("the thread that sends to the collector cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Something that sends, until it is ended.
pub struct Sending {
    spans: Spans,
    processor: Arc<BatchSpanProcessor>,
    destination: Mutex<Option<Destination>>,
    measuring: Mutex<Option<Measuring>>,
    _runtime: oneshot::Sender<()>,
}

impl Collector {
    /// Whether anything is to be sent: an address is given, or OpenTelemetry's own variables name one.
    pub fn is_named(&self) -> bool {
        let is_off = env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"));
        !is_off && !self.named().is_empty()
    }

    /// Starts to send. `tell` is told once that the collector cannot be reached, and once that it can again.
    pub fn start(&self, tell: Tell) -> Result<Sending, SendingError> {
        self.check()?;
        let (runtime, stopped) = oneshot::channel::<()>();
        let made = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = made.handle().clone();
        // It ends when the other end is dropped.
        thread::Builder::new()
            .name("collector".to_owned())
            .spawn(move || made.block_on(stopped).unwrap_or_default())?;
        // The connection is made when there is something to send, by tasks of this runtime.
        let _inside = handle.enter();
        let wrong = |source| SendingError::Endpoint {
            endpoint: self
                .endpoint
                .clone()
                .unwrap_or_else(|| env::var("OTEL_EXPORTER_OTLP_ENDPOINT").unwrap_or_default()),
            source,
        };
        let mut spans = SpanExporter::builder().with_tonic();
        if let Some(endpoint) = &self.endpoint {
            spans = spans.with_endpoint(endpoint);
        }
        let exporter = Watched {
            exporter: spans.build().map_err(wrong)?,
            is_away: AtomicBool::new(false),
            tell: tell.clone(),
        };
        let resource = self.resource();
        let endpoint = self.metrics_endpoint().filter(|_| !none("OTEL_METRICS_EXPORTER"));
        let destination = endpoint.map(|endpoint| Destination {
            endpoint,
            resource: resource
                .iter()
                .map(|(key, value)| (key.to_string(), value.to_string()))
                .collect(),
            tell,
        });
        let mut waiting = BatchConfigBuilder::default();
        let asked = env::var("OTEL_BSP_MAX_QUEUE_SIZE")
            .ok()
            .and_then(|size| size.parse().ok());
        if asked.is_none_or(|size: usize| size == 0) {
            waiting = waiting.with_max_queue_size(WAITING);
        }
        let mut processor = BatchSpanProcessor::new(exporter, waiting.build());
        processor.set_resource(&resource);
        let processor = Arc::new(processor);
        Ok(Sending {
            spans: if none("OTEL_TRACES_EXPORTER") {
                Spans::default()
            } else {
                Spans::to(Arc::clone(&processor) as Arc<dyn SpanProcessor>)
            },
            processor,
            destination: Mutex::new(destination),
            measuring: Mutex::new(None),
            _runtime: runtime,
        })
    }

    /// The addresses that are given; an empty one is none.
    fn named(&self) -> Vec<String> {
        match &self.endpoint {
            Some(endpoint) => Vec::from_iter((!endpoint.is_empty()).then(|| endpoint.clone())),
            None => ["", "_TRACES", "_METRICS"]
                .iter()
                .filter_map(|signal| variable(&format!("OTEL_EXPORTER_OTLP{signal}_ENDPOINT")))
                .collect(),
        }
    }

    /// Whether what is named can be sent to.
    fn check(&self) -> Result<(), SendingError> {
        for endpoint in self.named() {
            let rest = endpoint.strip_prefix("http://").unwrap_or_default();
            if rest.is_empty() || rest.starts_with('/') {
                return Err(SendingError::Address(endpoint));
            }
        }
        match variable("OTEL_EXPORTER_OTLP_PROTOCOL") {
            Some(protocol) if protocol != "grpc" => Err(SendingError::Protocol(protocol)),
            _ => Ok(()),
        }
    }

    /// None where it is no address: spans have told that.
    fn metrics_endpoint(&self) -> Option<Endpoint> {
        let endpoint = self
            .endpoint
            .clone()
            .or_else(|| variable("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"))
            .or_else(|| variable("OTEL_EXPORTER_OTLP_ENDPOINT"))?;
        Endpoint::from_shared(endpoint).ok()
    }

    fn resource(&self) -> Resource {
        let mut resource = Resource::builder();
        if env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name(format!("trc2npy-{}", self.role));
        }
        resource
            .with_attributes([
                KeyValue::new("service.namespace", "trc2npy"),
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", self.instance.clone()),
                KeyValue::new("process.pid", i64::from(std::process::id())),
                KeyValue::new("os.type", env::consts::OS),
            ])
            .build()
    }
}

impl Sending {
    /// Where spans go.
    pub fn spans(&self) -> Spans {
        self.spans.clone()
    }

    /// Sends from now on what `gather` gives, every now and then: what Prometheus would read.
    pub fn measure(&self, gather: impl Fn() -> Vec<MetricFamily> + Send + 'static) -> Result<(), SendingError> {
        let destination = lock(&self.destination).take();
        if let Some(destination) = destination {
            *lock(&self.measuring) = Some(Measuring::start(destination, gather)?);
        }
        Ok(())
    }

    /// Sends what waits, for [`AT_THE_END`] at most: a collector that is away delays nobody's exit.
    pub fn end(&self) {
        let (done, is_done) = mpsc::channel();
        let processor = Arc::clone(&self.processor);
        let measuring = lock(&self.measuring).take();
        let ended = thread::Builder::new().name("last spans".to_owned()).spawn(move || {
            let _ = processor.shutdown_with_timeout(AT_THE_END);
            if let Some(measuring) = measuring {
                measuring.end();
            }
            let _ = done.send(());
        });
        if ended.is_ok() {
            // Whether they arrived or not, the program ends.
            let _ = is_done.recv_timeout(AT_THE_END);
        }
    }
}

/// What a variable says; an empty one says nothing.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether a variable says that nothing of its kind is to be sent.
fn none(variable: &str) -> bool {
    env::var(variable).is_ok_and(|value| value.eq_ignore_ascii_case("none"))
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells when the collector goes and comes.
struct Watched {
    exporter: SpanExporter,
    is_away: AtomicBool,
    tell: Tell,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.exporter.fmt(f)
    }
}

impl Exporter for Watched {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        let sent = self.exporter.export(batch);
        async move {
            let sent = sent.await;
            let is_away = sent.is_err();
            if is_away != self.is_away.swap(is_away, Ordering::Relaxed) {
                match &sent {
                    Err(error) => self.tell.warn(&format!(
                        "the collector does not take spans ({error}); the work goes on without, and what it misses is dropped"
                    )),
                    Ok(()) => self.tell.info("the collector takes spans again"),
                }
            }
            sent
        }
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}
