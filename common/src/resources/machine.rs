//! The machine as it is found at the start.

use std::thread::available_parallelism;

use sysinfo::{CpuRefreshKind, System};

use super::gauge::MemoryGauge;
use crate::units::Bytes;

/// What this process may use of the machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The processor's name as it gives it itself, or its architecture where it gives none.
    pub cpu: String,
    /// Cores, not counting hyper-threads; of the whole machine.
    pub physical_cores: usize,
    /// Threads that can run at once: processor sets and container quotas included, never more than the physical cores
    /// with their hyper-threads.
    pub usable_cores: usize,
    /// Memory that this process could have with nothing else running.
    pub memory_total: Bytes,
    /// Memory that this process could have now, file cache that can be dropped included.
    pub memory_available: Bytes,
}

impl Machine {
    /// Looks at the machine. What the system does not tell is taken as small as it can be: one core, no memory.
    pub fn detect() -> Self {
        let usable_cores = available_parallelism().map_or(1, usize::from);
        let memory = MemoryGauge::new().sample();
        Self {
            cpu: cpu_name(),
            physical_cores: System::physical_core_count().unwrap_or(usable_cores).max(1),
            usable_cores,
            memory_total: memory.total,
            memory_available: memory.available,
        }
    }
}

fn cpu_name() -> String {
    let brand = System::new().ok().and_then(|mut system| {
        system.refresh_cpu_list(CpuRefreshKind::nothing());
        system.cpus().first().map(|cpu| cpu.brand().trim().to_owned())
    });
    brand
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

/// Memory for buffers unless the user names another amount: a quarter of what is available, 64 MiB to 4 GiB.
pub fn default_memory_limit(machine: &Machine) -> Bytes {
    Bytes(machine.memory_available.0 / 4).clamp(Bytes::mib(64), Bytes::gib(4))
}

/// The machine's name; `unknown` where the system does not tell it.
pub fn host_name() -> String {
    System::host_name().unwrap_or_else(|_| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detected_values_are_plausible() {
        let machine = Machine::detect();
        assert!(!machine.cpu.is_empty());
        assert!(machine.physical_cores >= 1 && machine.usable_cores >= 1);
        assert!(machine.memory_total > Bytes::mib(16), "{machine:?}");
        assert!(machine.memory_available <= machine.memory_total, "{machine:?}");
    }

    #[test]
    fn default_limit_is_a_quarter_within_bounds() {
        let limit = |available| {
            default_memory_limit(&Machine {
                cpu: String::new(),
                physical_cores: 1,
                usable_cores: 1,
                memory_total: Bytes::gib(64),
                memory_available: available,
            })
        };
        assert_eq!(limit(Bytes(0)), Bytes::mib(64));
        assert_eq!(limit(Bytes::gib(2)), Bytes::mib(512));
        assert_eq!(limit(Bytes::gib(60)), Bytes::gib(4));
    }
}
