//! Metrics for a collector: those that Prometheus can read are sent as they are, under the same names, so that there is one
//! list of them. OpenTelemetry's own instruments cannot be filled with histograms that are kept elsewhere.

use std::env;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prometheus::proto::{LabelPair, MetricFamily, MetricType};
use tonic::metadata::{MetadataKey, MetadataMap};
use tonic::transport::Endpoint;

use crate::Tell;

/// How often they are sent where `OTEL_METRIC_EXPORT_INTERVAL` says nothing.
const EVERY: Duration = Duration::from_mins(1);
const SENT_WITHIN: Duration = Duration::from_secs(10);

/// Where metrics go, and whose they are.
pub(crate) struct Destination {
    pub(crate) endpoint: Endpoint,
    pub(crate) resource: Vec<(String, String)>,
    pub(crate) tell: Tell,
}

/// Sends what is gathered, every now and then, on a thread of its own.
pub(crate) struct Measuring {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

impl Measuring {
    pub(crate) fn start(
        destination: Destination,
        gather: impl Fn() -> Vec<MetricFamily> + Send + 'static,
    ) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = mpsc::channel();
        let every = env::var("OTEL_METRIC_EXPORT_INTERVAL")
            .ok()
            .and_then(|ms| ms.parse().ok());
        let every = every
            .map_or(EVERY, Duration::from_millis)
            .max(Duration::from_millis(10));
        let thread = thread::Builder::new().name("metrics".to_owned()).spawn(move || {
            let since = nanos(SystemTime::now());
            let headers = headers();
            let channel = runtime.block_on(async { destination.endpoint.connect_lazy() });
            let mut is_away = false;
            loop {
                let is_last = !matches!(stopped.recv_timeout(every), Err(RecvTimeoutError::Timeout));
                let families = gather();
                if !families.is_empty() {
                    let mut request = tonic::Request::new(request(&families, &destination.resource, since));
                    request.set_timeout(SENT_WITHIN);
                    *request.metadata_mut() = headers.clone();
                    request.set_timeout(SENT_WITHIN);
                    let sent = runtime.block_on(MetricsServiceClient::new(channel.clone()).export(request));
                    if sent.is_err() != is_away {
                        is_away = sent.is_err();
                        match sent {
                            Ok(_) => destination.tell.info("the collector takes metrics again"),
                            Err(status) => destination.tell.warn(&format!(
                                "the collector does not take metrics ({}); the work goes on without",
                                status.message()
                            )),
                        }
                    }
                }
                if is_last {
                    return;
                }
            }
        })?;
        Ok(Self { stop, thread })
    }

    /// Sends once more. Whoever waits for it waits at most as long as one is sent.
    pub(crate) fn end(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

/// `OTEL_EXPORTER_OTLP_HEADERS`, those for metrics alone before those for all: `name=value,name=value`.
fn headers() -> MetadataMap {
    let mut map = MetadataMap::new();
    for variable in ["OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_METRICS_HEADERS"] {
        let text = env::var(variable).unwrap_or_default();
        for (name, value) in text.split(',').filter_map(|pair| pair.split_once('=')) {
            let name = name.trim().to_ascii_lowercase();
            if let (Ok(name), Ok(value)) = (MetadataKey::from_bytes(name.as_bytes()), value.trim().parse()) {
                map.insert(name, value);
            }
        }
    }
    map
}

fn nanos(at: SystemTime) -> u64 {
    let since_1970 = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}

fn pair(key: &str, value: &str) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

fn request(families: &[MetricFamily], resource: &[(String, String)], since: u64) -> ExportMetricsServiceRequest {
    let now = nanos(SystemTime::now());
    let resource = Resource {
        attributes: resource.iter().map(|(key, value)| pair(key, value)).collect(),
        ..Resource::default()
    };
    let scope_metrics = ScopeMetrics {
        scope: Some(InstrumentationScope {
            name: "trc2npy".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..InstrumentationScope::default()
        }),
        metrics: families
            .iter()
            .filter_map(|family| metric(family, since, now))
            .collect(),
        ..ScopeMetrics::default()
    };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![scope_metrics],
            ..ResourceMetrics::default()
        }],
    }
}

fn metric(family: &MetricFamily, since: u64, now: u64) -> Option<Metric> {
    let points = family.get_metric().iter();
    let number = |labels: &[LabelPair], value: f64| NumberDataPoint {
        attributes: labels.iter().map(|label| pair(label.name(), label.value())).collect(),
        start_time_unix_nano: since,
        time_unix_nano: now,
        value: Some(Number::AsDouble(value)),
        ..NumberDataPoint::default()
    };
    // They count since the coordinator's start, and never go down.
    let temporality = AggregationTemporality::Cumulative.into();
    let data = match family.get_field_type() {
        MetricType::COUNTER => Data::Sum(Sum {
            data_points: points
                .map(|point| number(point.get_label(), point.get_counter().get_value()))
                .collect(),
            aggregation_temporality: temporality,
            is_monotonic: true,
        }),
        MetricType::GAUGE => Data::Gauge(Gauge {
            data_points: points
                .map(|point| number(point.get_label(), point.get_gauge().get_value()))
                .collect(),
        }),
        MetricType::HISTOGRAM => Data::Histogram(Histogram {
            data_points: points
                .map(|point| {
                    let all = point.get_histogram();
                    let (explicit_bounds, bucket_counts) = buckets(all);
                    HistogramDataPoint {
                        attributes: point
                            .get_label()
                            .iter()
                            .map(|label| pair(label.name(), label.value()))
                            .collect(),
                        start_time_unix_nano: since,
                        time_unix_nano: now,
                        count: all.get_sample_count(),
                        sum: Some(all.get_sample_sum()),
                        bucket_counts,
                        explicit_bounds,
                        ..HistogramDataPoint::default()
                    }
                })
                .collect(),
            aggregation_temporality: temporality,
        }),
        MetricType::SUMMARY | MetricType::UNTYPED => return None,
    };
    Some(Metric {
        name: family.name().to_owned(),
        description: family.help().to_owned(),
        data: Some(data),
        ..Metric::default()
    })
}

/// Bounds, and how many lie in each bucket alone; Prometheus counts in each also those of the buckets below. The last
/// bucket has no bound.
fn buckets(histogram: &prometheus::proto::Histogram) -> (Vec<f64>, Vec<u64>) {
    let finite = histogram
        .get_bucket()
        .iter()
        .filter(|bucket| bucket.upper_bound().is_finite());
    let (mut bounds, mut counts, mut below) = (Vec::new(), Vec::new(), 0);
    for bucket in finite {
        bounds.push(bucket.upper_bound());
        counts.push(bucket.cumulative_count().saturating_sub(below));
        below = bucket.cumulative_count();
    }
    counts.push(histogram.get_sample_count().saturating_sub(below));
    (bounds, counts)
}

#[cfg(test)]
mod tests {
    use prometheus::{HistogramOpts, IntCounterVec, Opts, Registry};

    use super::*;

    #[test]
    fn what_prometheus_reads_is_what_a_collector_gets() {
        let registry = Registry::new();
        let losses = IntCounterVec::new(Opts::new("losses_total", "Lost."), &["class"]).unwrap();
        losses.with_label_values(&["crashed"]).inc_by(3);
        registry.register(Box::new(losses)).unwrap();
        let times = HistogramOpts::new("times_seconds", "Times.").buckets(vec![0.5, 1.0]);
        let times = prometheus::Histogram::with_opts(times).unwrap();
        for seconds in [0.25, 0.75, 0.75, 9.0] {
            times.observe(seconds);
        }
        registry.register(Box::new(times)).unwrap();
        let request = request(&registry.gather(), &[("service.name".to_owned(), "x".to_owned())], 5);
        let resource = &request.resource_metrics[0];
        assert_eq!(
            resource.resource.as_ref().unwrap().attributes,
            [pair("service.name", "x")]
        );
        let [losses, times] = &resource.scope_metrics[0].metrics[..] else {
            panic!("{request:?}")
        };
        let Some(Data::Sum(sum)) = &losses.data else {
            panic!("{losses:?}")
        };
        assert!(sum.is_monotonic && sum.aggregation_temporality() == AggregationTemporality::Cumulative);
        assert_eq!(sum.data_points[0].value, Some(Number::AsDouble(3.0)));
        assert_eq!(sum.data_points[0].attributes, [pair("class", "crashed")]);
        assert_eq!(sum.data_points[0].start_time_unix_nano, 5);
        let Some(Data::Histogram(histogram)) = &times.data else {
            panic!("{times:?}")
        };
        let point = &histogram.data_points[0];
        assert_eq!((point.count, point.sum), (4, Some(10.75)));
        assert_eq!(point.explicit_bounds, [0.5, 1.0]);
        assert_eq!(point.bucket_counts, [1, 2, 1]);
    }
}
