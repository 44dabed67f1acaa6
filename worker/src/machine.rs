//! What the worker says of its machine.

use std::path::Path;
use std::time::{Duration, Instant};

use trc2npy_common::fs;
use trc2npy_common::resources::{Awake, CpuGauge, Machine, MemoryGauge, Pressure};
use trc2npy_common::units::Bytes;

use crate::WorkerConfig;

/// Without a lease for so long, the computer may go to sleep again: the next one is usually there at once.
const VIGIL: Duration = Duration::from_mins(1);

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
    cpu: CpuGauge,
    threads: usize,
    vigil: Vigil,
}

impl Gauge {
    pub(crate) fn new(config: &WorkerConfig) -> Self {
        Self {
            memory: MemoryGauge::new(),
            pressure: Pressure::new(config.memory_threshold),
            cpu: CpuGauge::new(),
            threads: config.threads,
            vigil: Vigil::default(),
        }
    }

    /// `busy`: leases in hand, whose memory is taken already.
    pub(crate) fn look(&mut self, busy: usize) -> Look {
        self.vigil.mind(busy > 0, Instant::now());
        let memory = self.memory.sample();
        let cpu_used = self.cpu.used();
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

/// Keeps the computer awake while there is work.
#[derive(Debug, Default)]
struct Vigil {
    awake: Option<Awake>,
    /// When there was work last.
    busy: Option<Instant>,
}

impl Vigil {
    fn mind(&mut self, busy: bool, now: Instant) {
        let was_on = self.is_on(now);
        if busy {
            // Asked once a time of work: a system that refuses it would refuse it again.
            if !was_on {
                self.awake = Awake::keep("converts what a coordinator leases");
            }
            self.busy = Some(now);
        } else if !was_on {
            self.awake = None;
        }
    }

    fn is_on(&self, now: Instant) -> bool {
        self.busy
            .is_some_and(|last| now.saturating_duration_since(last) < VIGIL)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_computer_is_kept_awake_from_the_first_lease_until_a_minute_after_the_last() {
        let start = Instant::now();
        let mut vigil = Vigil::default();
        let mut after = |seconds: u64, busy: bool| {
            let now = start + Duration::from_secs(seconds);
            vigil.mind(busy, now);
            vigil.is_on(now)
        };
        assert!(!after(0, false), "idle workers let it sleep");
        assert!(after(1, true));
        assert!(after(60, false), "the next lease may be on its way");
        assert!(!after(61, false));
        assert!(after(62, true));
        assert!(after(7_200, true));
    }
}
