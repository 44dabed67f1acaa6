//! One lease, from its bounds to a shard. Whatever goes wrong becomes a fault that says what to do next.

use std::time::SystemTime;

use trc2npy_common::convert::{BlockSizes, Budget, ConvertError, Io, RangeConverter, RangeOptions, Reading, Watch};
use trc2npy_common::plan::{ChannelPlan, Plan};
use trc2npy_common::resources::{MemoryGauge, Pressure};
use trc2npy_common::roots::Roots;
use trc2npy_common::shard::{ShardError, ShardName, ShardWriter};
use trc2npy_common::units::Bytes;
use trc2npy_coordinator_core::{Fault, Grant, Step, Terms, Work};
use trc2npy_telemetry::{Span, Spans};

use crate::WorkerConfig;
use crate::job::{Job, Prepared};
use crate::lease::{Done, Lease};
use crate::stages;

/// What a worker has to work with.
#[derive(Clone)]
pub(crate) struct Means {
    pub(crate) roots: Roots,
    pub(crate) io: Io,
    /// Threads that share the memory.
    pub(crate) threads: usize,
    pub(crate) memory_limit: Bytes,
    pub(crate) memory_threshold: f64,
    pub(crate) spans: Spans,
}

impl From<&WorkerConfig> for Means {
    fn from(config: &WorkerConfig) -> Self {
        Self {
            roots: config.roots.clone(),
            io: config.io,
            threads: config.threads,
            memory_limit: config.memory_limit,
            memory_threshold: config.memory_threshold,
            spans: config.spans.clone(),
        }
    }
}

/// One thread, between its leases.
pub(crate) struct Executor {
    pub(crate) means: Means,
    memory: MemoryGauge,
    pressure: Pressure,
}

impl Executor {
    pub(crate) fn new(means: Means) -> Self {
        Self {
            memory: MemoryGauge::new(),
            pressure: Pressure::new(means.memory_threshold),
            means,
        }
    }

    pub(crate) fn execute(&mut self, lease: &Lease, job: &Job) -> Done {
        if lease.pulse.revoked() {
            return Done::Revoked;
        }
        let done = job.prepare(&self.means.roots).map_err(Fault::Unfit);
        match done.and_then(|prepared| self.convert(lease, job, &prepared)) {
            Ok(work) => Done::Delivered(work),
            Err(_) if lease.pulse.revoked() => Done::Revoked,
            Err(fault) => Done::Failed(fault),
        }
    }

    fn convert(&mut self, lease: &Lease, job: &Job, prepared: &Prepared) -> Result<Work, Fault> {
        let Prepared { plan, folder } = prepared;
        let grant = lease.grant;
        let Some((channel, name)) = planned(plan, &grant) else {
            return Err(Fault::Unfit(format!("rows {} are not in the plan", grant.rows)));
        };
        let sizes = self.buffers(plan)?;
        let writer = ShardWriter::create(folder, plan.id, channel, name, job.form(channel, grant.rows))
            .map_err(|error| output(&error))?;
        lease.enter(Step::Converting);
        let waited_for = [grant.rows];
        let options = RangeOptions {
            io: self.means.io,
            trust_size: job.trust_size(),
            settle: job.settle(),
            last_try: grant.terms.settled,
            waited_for: if grant.terms.settled { &waited_for } else { &[] },
            reading: match grant.terms {
                Terms { give_up: true, .. } => Reading::GivenUp,
                Terms {
                    take_unreadable: true, ..
                } => Reading::MayFail,
                _ => Reading::MustSucceed,
            },
            pulse: &lease.pulse,
        };
        let watch = Watch::heard_by(stages::listener(&self.means.spans, lease.place));
        let done = RangeConverter::new(plan, &sizes)
            .convert(channel, grant.rows, writer.target(), &options, &watch)
            .map_err(|error| fault(&error))?;
        if !done.deferred.is_empty() {
            return Err(Fault::StillWriting(done.deferred));
        }
        let work = Work {
            bytes: done.bytes_in,
            took: lease.took(),
            bad_rows: done.statuses.bad_rows(),
            unreadable: done.unreadable,
        };
        lease.enter(Step::Syncing);
        let syncing = lease.place.map(|range| Span::below(&range, "sync", SystemTime::now()));
        let finished = writer.finish(done).map_err(|error| output(&error));
        if let Some(span) = syncing {
            let why = finished.as_ref().err().map(|fault| format!("{fault:?}"));
            self.means.spans.over(span.failed(why));
        }
        finished?;
        Ok(Work {
            took: lease.took(),
            ..work
        })
    }

    /// What one thread may take, as full as the machine's memory is now.
    fn buffers(&mut self, plan: &Plan) -> Result<BlockSizes, Fault> {
        let budget = Budget::new(self.means.memory_limit, plan.memory_bytes(), self.means.threads)
            .map_err(|short| Fault::Unfit(short.told("--memory")))?;
        let scarce = self.pressure.update(self.memory.sample().used_fraction);
        Ok(if scarce { budget.scarce } else { budget.ample })
    }
}

/// The channel of a lease, and its shard's name; none where the plan has no such rows.
fn planned<'p>(plan: &'p Plan, grant: &Grant) -> Option<(&'p ChannelPlan, ShardName)> {
    let channel = plan.channels.get(usize::from(grant.channel.0))?;
    let name = ShardName {
        channel: channel.channel,
        rows: grant.rows,
        lease: grant.lease.into(),
    };
    (grant.rows.end <= channel.rows).then_some((channel, name))
}

/// The name of a lease's shard.
pub(crate) fn shard_name(plan: &Plan, grant: &Grant) -> Option<ShardName> {
    planned(plan, grant).map(|(_, name)| name)
}

/// What is to be done about an error of the conversion.
fn fault(error: &ConvertError) -> Fault {
    let why = error.to_string();
    match error {
        ConvertError::Revoked => Fault::Returned,
        ConvertError::Input { .. } => Fault::Input(why),
        ConvertError::Storage(_) | ConvertError::NoSpace { .. } => Fault::Output(why),
        ConvertError::MemoryLimit(_) => Fault::Unfit(why),
        // A file that changed under the plan, or does not suit it, is so on every machine.
        _ => Fault::Hopeless(why),
    }
}

fn output(error: &ShardError) -> Fault {
    Fault::Output(error.to_string())
}
