//! What the worker says of its machine.

use std::path::Path;

use sysinfo::{CpuRefreshKind, RefreshKind, System};
use trc2npy_common::fs;
use trc2npy_common::resources::{Machine, MemoryGauge, Pressure};
use trc2npy_common::units::Bytes;

use crate::WorkerConfig;

/// What a lease takes in ordinary times: buffers and one mapped window.
const A_LEASE: Bytes = Bytes::mib(18);

/// How the machine is at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) slots: u32,
    pub(crate) memory_pressure: bool,
    pub(crate) memory_available: Bytes,
    pub(crate) memory_own: Bytes,
    pub(crate) cpu_used: f64,
}

/// Looks at the machine again and again.
pub(crate) struct Gauge {
    memory: MemoryGauge,
    pressure: Pressure,
    cpu: Option<System>,
    threads: usize,
}

impl Gauge {
    pub(crate) fn new(config: &WorkerConfig) -> Self {
        Self {
            memory: MemoryGauge::new(),
            pressure: Pressure::new(config.memory_threshold),
            cpu: System::new_with_specifics(RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing().with_usage()))
                .ok(),
            threads: config.threads,
        }
    }

    /// `busy`: leases in hand, whose memory is taken already.
    pub(crate) fn look(&mut self, busy: usize) -> Look {
        let memory = self.memory.sample();
        let cpu_used = self.cpu.as_mut().map_or(0.0, |system| {
            system.refresh_cpu_usage();
            f64::from(system.global_cpu_usage()) / 100.0
        });
        let known = memory.total > Bytes(0);
        let room = Bytes(memory.available.0 / A_LEASE.0).as_usize();
        let slots = if known {
            self.threads.min(busy + room)
        } else {
            self.threads
        };
        Look {
            slots: u32::try_from(slots).unwrap_or(u32::MAX),
            memory_pressure: self.pressure.update(memory.used_fraction),
            memory_available: memory.available,
            memory_own: memory.resident,
            cpu_used,
        }
    }
}

/// What a worker would report from here.
#[derive(Clone, Debug)]
pub struct Probe {
    /// Its machine.
    pub machine: Machine,
    /// Leases side by side, as memory is now.
    pub slots: u32,
    /// Memory that could be had now.
    pub memory_available: Bytes,
    /// Whether memory is so full that nothing would be begun.
    pub memory_pressure: bool,
    /// Of each root: name, where it is here, bytes free there.
    pub roots: Vec<(String, std::path::PathBuf, Option<Bytes>)>,
}

/// Looks at this machine as a worker of this configuration would.
pub fn probe(config: &WorkerConfig) -> Probe {
    let look = Gauge::new(config).look(0);
    let roots = config
        .roots
        .iter()
        .map(|(name, path)| (name.to_string(), path.to_owned(), free(path)));
    Probe {
        machine: Machine::detect(),
        slots: look.slots,
        memory_available: look.memory_available,
        memory_pressure: look.memory_pressure,
        roots: roots.collect(),
    }
}

/// Bytes free where `path` lies.
pub(crate) fn free(path: &Path) -> Option<Bytes> {
    fs::space(path).ok().map(|space| space.available)
}
