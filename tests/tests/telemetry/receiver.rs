//! A collector in this process: keeps the spans that come.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};
use trc2npy_tests::Call;

/// A span, and who told of it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) span: Span,
    /// Of the process.
    pub(crate) resource: BTreeMap<String, String>,
}

impl Told {
    pub(crate) fn name(&self) -> &str {
        &self.span.name
    }

    pub(crate) fn is_below(&self, parent: &Self) -> bool {
        self.span.trace_id == parent.span.trace_id && self.span.parent_span_id == parent.span.span_id
    }

    /// An attribute as text; empty where there is none.
    pub(crate) fn text(&self, key: &str) -> String {
        texts(&self.span.attributes).remove(key).unwrap_or_default()
    }

    pub(crate) fn number(&self, key: &str) -> u64 {
        let text = self.text(key);
        text.parse()
            .unwrap_or_else(|_| panic!("{key}={text:?} of {}", self.name()))
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.span
            .status
            .as_ref()
            .is_some_and(|status| status.code() == StatusCode::Error)
    }

    pub(crate) fn nanos(&self) -> u64 {
        self.span
            .end_time_unix_nano
            .checked_sub(self.span.start_time_unix_nano)
            .expect("it ends after it began")
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &AnyValue| match value.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(number) => Some(number.to_string()),
        Value::BoolValue(is) => Some(is.to_string()),
        other => Some(format!("{other:?}")),
    };
    let pairs = attributes.iter();
    pairs
        .filter_map(|pair| Some((pair.key.clone(), text(pair.value.as_ref()?)?)))
        .collect()
}

#[derive(Clone, Default)]
struct Kept {
    spans: Arc<Mutex<Vec<Told>>>,
    /// The last value of each counter and gauge without labels.
    metrics: Arc<Mutex<BTreeMap<String, f64>>>,
}

pub(crate) struct Receiver {
    kept: Kept,
    address: SocketAddr,
}

#[tonic::async_trait]
impl TraceService for Kept {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for of_process in request.into_inner().resource_spans {
            let resource = texts(&of_process.resource.unwrap_or_default().attributes);
            let spans = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
            let told = spans.map(|span| Told {
                span,
                resource: resource.clone(),
            });
            self.spans.lock().unwrap().extend(told);
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Kept {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let of_processes = request.into_inner().resource_metrics.into_iter();
        let metrics = of_processes
            .flat_map(|one| one.scope_metrics)
            .flat_map(|scope| scope.metrics);
        let values = metrics.filter_map(|metric| {
            let points = match metric.data? {
                Data::Sum(sum) => sum.data_points,
                Data::Gauge(gauge) => gauge.data_points,
                _ => return None,
            };
            let alone = points.into_iter().find(|point| point.attributes.is_empty())?;
            let Number::AsDouble(value) = alone.value? else {
                return None;
            };
            Some((metric.name, value))
        });
        self.metrics.lock().unwrap().extend(values);
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let kept = Kept::default();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(kept.clone()))
            .add_service(MetricsServiceServer::new(kept.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        // It ends with the test's process.
        std::thread::spawn(move || runtime.block_on(server));
        Self { kept, address }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The call tells this receiver, without much delay.
    pub(crate) fn heard(&self, call: Call) -> Call {
        heard(call, &self.endpoint())
    }

    pub(crate) fn metric(&self, name: &str) -> Option<f64> {
        self.kept.metrics.lock().unwrap().get(name).copied()
    }

    pub(crate) fn spans(&self) -> Vec<Told> {
        self.kept.spans.lock().unwrap().clone()
    }
}

pub(crate) fn heard(call: Call, endpoint: &str) -> Call {
    call.args(["--otlp-endpoint", endpoint])
        .env("OTEL_BSP_SCHEDULE_DELAY", "100")
        .env("OTEL_METRIC_EXPORT_INTERVAL", "100")
}
