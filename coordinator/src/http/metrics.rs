//! What is counted and measured, and how Prometheus reads it.
//!
//! Counters and histograms are held here for as long as the coordinator lives, and only go up. Gauges are made anew of the
//! owner's state whenever someone asks, so that a worker that has gone has none.

use std::time::Duration;

use prometheus::proto::MetricFamily;
use prometheus::{
    GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry, TextEncoder, exponential_buckets,
};
use trc2npy_coordinator_core::{Effect, Event, Fault, Loss, Record};

use super::snapshot::{Gauges, Status, Worker};

/// What a text for Prometheus is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Counters and histograms. All of it may be used from every thread.
#[derive(Clone, Debug)]
pub(crate) struct Meters {
    registry: Registry,
    rows: IntCounter,
    bad_rows: IntCounter,
    reopened: IntCounter,
    read: IntCounter,
    written: IntCounter,
    granted: IntCounter,
    lost_attempts: IntCounterVec,
    lost_workers: IntCounterVec,
    lease: Histogram,
    landing: Histogram,
    queue: Histogram,
    stitch: Histogram,
    commit: Histogram,
}

/// From a tenth of a millisecond to a minute.
fn fine() -> Vec<f64> {
    exponential_buckets(0.0001, 4.0, 10).unwrap_or_default()
}

/// From ten milliseconds to some hours.
fn coarse() -> Vec<f64> {
    exponential_buckets(0.01, 4.0, 10).unwrap_or_default()
}

impl Meters {
    /// All at zero.
    pub(crate) fn new() -> Self {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(format!("trc2npy_{name}"), help).expect("a name by Prometheus's rules");
            added(&registry, counter)
        };
        let classes = |name: &str, help: &str, all: &[&str]| {
            let opts = Opts::new(format!("trc2npy_{name}"), help);
            let counters = IntCounterVec::new(opts, &["class"]).expect("a name by Prometheus's rules");
            // All are there from the beginning: a rate of what was never seen cannot be asked for.
            for class in all {
                counters.with_label_values(&[*class]).reset();
            }
            added(&registry, counters)
        };
        let histogram = |name: &str, help: &str, buckets| {
            let opts = HistogramOpts::new(format!("trc2npy_{name}"), help).buckets(buckets);
            added(
                &registry,
                Histogram::with_opts(opts).expect("a name by Prometheus's rules"),
            )
        };
        Self {
            rows: counter(
                "committed_rows_total",
                "Rows whose shards were checked and copied to their places.",
            ),
            bad_rows: counter("bad_rows_total", "Bad rows of shards that were copied to their places."),
            reopened: counter(
                "reopened_rows_total",
                "Rows that had been committed and are to be made again.",
            ),
            read: counter(
                "read_bytes_total",
                "Input bytes that workers have read for delivered shards.",
            ),
            written: counter(
                "written_bytes_total",
                "Bytes of rows that were copied to their places in arrays.",
            ),
            granted: counter("granted_leases_total", "Leases given to workers."),
            lost_attempts: classes(
                "lost_attempts_total",
                "Leases that ended without a shard that counts, by the reason.",
                LOST_ATTEMPTS,
            ),
            lost_workers: classes(
                "lost_workers_total",
                "Workers' connections that have ended, by how.",
                LOST_WORKERS,
            ),
            lease: histogram("lease_seconds", "From the grant of a lease to its delivery.", coarse()),
            landing: histogram(
                "landing_seconds",
                "From when a shard is to be taken in until it is in its place: waiting, checking, copying.",
                coarse(),
            ),
            queue: histogram(
                "owner_wait_seconds",
                "How long messages wait for the owner of the state.",
                fine(),
            ),
            stitch: histogram(
                "stitch_seconds",
                "Checking a shard and bringing it to its place.",
                coarse(),
            ),
            commit: histogram(
                "journal_commit_seconds",
                "One durable commit of the coordinator's journal.",
                fine(),
            ),
            registry,
        }
    }

    /// What an event tells.
    pub(crate) fn heard(&self, event: &Event, leases_of_lost: u64) {
        match event {
            Event::Delivered { work, .. } => {
                self.read.inc_by(work.bytes.0);
                self.lease.observe(work.took.0 as f64 / 1000.0);
            }
            Event::Landed { found, .. } => self.bad_rows.inc_by(found.bad_rows),
            Event::LandingFailed { .. } => self.lost("refused", 1),
            Event::Failed { fault, .. } => self.lost(class_of(fault), 1),
            Event::Lost { loss, .. } => {
                let how = match loss {
                    Loss::Goodbye => "goodbye",
                    Loss::StreamBroken => "broken",
                    Loss::Replaced => "replaced",
                };
                self.lost_workers.with_label_values(&[how]).inc();
                self.lost("lost", leases_of_lost);
            }
            _ => {}
        }
    }

    /// What comes of it.
    pub(crate) fn saw(&self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Grant { .. } => self.granted.inc(),
                Effect::Revoke { .. } => self.lost("revoked", 1),
                Effect::Record(Record::Committed(shard)) => self.rows.inc_by(shard.rows.len()),
                Effect::Record(Record::Reopened { rows, .. }) => self.reopened.inc_by(rows.len()),
                Effect::Disconnect { .. } => self.lost_workers.with_label_values(&["silent"]).inc(),
                _ => {}
            }
        }
    }

    fn lost(&self, class: &str, leases: u64) {
        self.lost_attempts.with_label_values(&[class]).inc_by(leases);
    }

    /// A message has waited for the owner.
    pub(crate) fn waited(&self, time: Duration) {
        self.queue.observe(time.as_secs_f64());
    }

    /// A shard is in its place, so long after it was to be taken in.
    pub(crate) fn landed(&self, time: Duration) {
        self.landing.observe(time.as_secs_f64());
    }

    /// A shard was checked and copied.
    pub(crate) fn stitched(&self, bytes: u64, time: Duration) {
        self.written.inc_by(bytes);
        self.stitch.observe(time.as_secs_f64());
    }

    /// The journal has written what waited.
    pub(crate) fn committed(&self, time: Duration) {
        self.commit.observe(time.as_secs_f64());
    }

    /// All of it, with the gauges, as Prometheus reads it.
    pub(super) fn text(&self, status: &Status, gauges: &Gauges) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.families(status, gauges)?)
    }

    /// The same for a collector.
    pub(crate) fn families(&self, status: &Status, gauges: &Gauges) -> Result<Vec<MetricFamily>, prometheus::Error> {
        let mut families = self.registry.gather();
        families.extend(now(status, gauges)?.gather());
        families.sort_by(|one, other| one.name().cmp(other.name()));
        Ok(families)
    }
}

fn added<M: prometheus::core::Collector + Clone + 'static>(registry: &Registry, metric: M) -> M {
    registry
        .register(Box::new(metric.clone()))
        .expect("each name is registered once");
    metric
}

const LOST_ATTEMPTS: &[&str] = &[
    "crashed",
    "ended",
    "hopeless",
    "input",
    "lost",
    "output",
    "refused",
    "returned",
    "revoked",
    "still_writing",
    "unfit",
];
const LOST_WORKERS: &[&str] = &["broken", "goodbye", "replaced", "silent"];

fn class_of(fault: &Fault) -> &'static str {
    match fault {
        Fault::Returned => "returned",
        Fault::StillWriting(_) => "still_writing",
        Fault::Unfit(_) => "unfit",
        Fault::Input(_) => "input",
        Fault::Output(_) => "output",
        Fault::Crashed(_) => "crashed",
        Fault::Ended(_) => "ended",
        Fault::Hopeless(_) => "hopeless",
    }
}

/// The gauges.
fn now(status: &Status, gauges: &Gauges) -> Result<Registry, prometheus::Error> {
    let registry = Registry::new();
    let family = |name: &str, help: &str, labels: &[&str], values: &[(&[&str], f64)]| {
        let family = GaugeVec::new(Opts::new(format!("trc2npy_{name}"), help), labels)?;
        for (labels, value) in values {
            family.with_label_values(labels).set(*value);
        }
        registry.register(Box::new(family))
    };
    let version: &[&str] = &[status.version];
    family(
        "build_info",
        "Which version it is; always 1.",
        &["version"],
        &[(version, 1.0)],
    )?;
    let counts = [
        ("running", gauges.jobs.running),
        ("publishing", gauges.jobs.publishing),
        ("waiting", gauges.jobs.waiting),
        ("done", gauges.jobs.done),
        ("failed", gauges.jobs.failed),
        ("cancelled", gauges.jobs.cancelled),
    ];
    by_state(&family, "jobs", "Jobs that are known, by state.", &counts)?;
    let ranges = &gauges.ranges;
    let counts = [
        ("open", ranges.open),
        ("leased", ranges.leased),
        ("landing", ranges.landing),
        ("committed", ranges.committed),
    ];
    let help = "Ranges of rows of the jobs at work, by state; committed neighbours are one.";
    by_state(&family, "ranges", help, &counts)?;
    let rows = &gauges.rows;
    let counts = [
        ("open", rows.open),
        ("waiting", rows.waiting),
        ("leased", rows.leased),
        ("committed", rows.committed),
    ];
    by_state(&family, "rows", "Rows of the jobs at work, by state.", &counts)?;
    let leases = status.jobs.iter().map(|job| u64::from(job.leases)).sum::<u64>();
    let none: &[&str] = &[];
    family(
        "leases_in_flight",
        "Leases in workers' hands.",
        none,
        &[(none, leases as f64)],
    )?;
    let connected = status.workers.len() as f64;
    family(
        "workers_connected",
        "Workers that are connected.",
        none,
        &[(none, connected)],
    )?;
    let workers = |name: &str, help: &str, of: &dyn Fn(&Worker) -> Option<f64>| {
        let known = status.workers.iter();
        let known: Vec<_> = known
            .filter_map(|worker| Some(([worker.name.as_str()], of(worker)?)))
            .collect();
        let values: Vec<(&[&str], f64)> = known.iter().map(|(name, value)| (name.as_slice(), *value)).collect();
        family(name, help, &["worker"], &values)
    };
    let bytes = |bytes: u64| bytes as f64;
    workers(
        "worker_cpu_used_ratio",
        "Share of the machine's processors in use.",
        &|worker| Some(worker.cpu_used),
    )?;
    workers(
        "worker_memory_total_bytes",
        "Memory of the worker's machine.",
        &|worker| Some(bytes(worker.memory_total)),
    )?;
    workers(
        "worker_memory_available_bytes",
        "Memory that is free there.",
        &|worker| worker.memory_available.map(bytes),
    )?;
    workers("worker_memory_own_bytes", "Memory of the worker itself.", &|worker| {
        Some(bytes(worker.memory_own))
    })?;
    workers("worker_disk_free_bytes", "Bytes free where it writes.", &|worker| {
        worker.disk_free.map(bytes)
    })?;
    workers("worker_leases", "Leases in its hands.", &|worker| {
        Some(f64::from(worker.leases))
    })?;
    workers("worker_heard_seconds", "Since its last word.", &|worker| {
        Some(bytes(worker.heard_s))
    })?;
    Ok(registry)
}

type Family<'f> = dyn Fn(&str, &str, &[&str], &[(&[&str], f64)]) -> Result<(), prometheus::Error> + 'f;

fn by_state(family: &Family<'_>, name: &str, help: &str, states: &[(&str, u64)]) -> Result<(), prometheus::Error> {
    let labels: Vec<[&str; 1]> = states.iter().map(|(state, _)| [*state]).collect();
    let values = labels.iter().zip(states);
    let values: Vec<(&[&str], f64)> = values.map(|(label, (_, n))| (label.as_slice(), *n as f64)).collect();
    family(name, help, &["state"], &values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_in_the_text_beside_the_gauges() {
        let meters = Meters::new();
        meters.stitched(4096, Duration::from_millis(20));
        meters.lost("lost", 3);
        let status = Status {
            version: "0.1.0",
            ..Status::default()
        };
        let text = meters.text(&status, &Gauges::default()).unwrap();
        for line in [
            "trc2npy_written_bytes_total 4096",
            "trc2npy_stitch_seconds_count 1",
            "trc2npy_lost_attempts_total{class=\"lost\"} 3",
            "trc2npy_lost_attempts_total{class=\"crashed\"} 0",
            "trc2npy_build_info{version=\"0.1.0\"} 1",
            "trc2npy_jobs{state=\"done\"} 0",
            "trc2npy_workers_connected 0",
            "# TYPE trc2npy_committed_rows_total counter",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
    }
}
