//! What the machine has and how much of it is free, as far as this process may use it.

mod cgroup;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::units::Bytes;

/// Total and available memory of a system that does not tell: what every machine in use has.
const UNKNOWN: (Bytes, Bytes) = (Bytes::gib(2), Bytes::gib(1));

/// The machine, as far as this process may use it.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Cores of the processor, without hyper-threading.
    pub physical_cores: usize,
    /// Threads of the processor that this process may use (affinity and container limits).
    pub usable_cores: usize,
    /// Memory, or the container's limit where that is less.
    pub memory_total: Bytes,
    /// Memory that can be had without anything being written to a swap file.
    pub memory_available: Bytes,
}

impl Machine {
    /// Looks. Takes milliseconds: the load of the processor is not sampled.
    pub fn detect() -> Self {
        let usable = std::thread::available_parallelism().map_or(1, usize::from);
        let (mut cpu, mut memory) = ("unknown".to_owned(), UNKNOWN);
        if let Ok(mut system) = System::new() {
            system.refresh_memory();
            system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
            memory = within_container(&system);
            if let Some(first) = system.cpus().first() {
                first.brand().trim().clone_into(&mut cpu);
            }
        }
        let (total, available) = memory;
        Self {
            cpu,
            physical_cores: System::physical_core_count().unwrap_or(usable),
            usable_cores: usable,
            memory_total: total,
            memory_available: available,
        }
    }
}

/// Total and available memory: the machine's or the container's, whichever is less.
fn within_container(system: &System) -> (Bytes, Bytes) {
    let machine = (Bytes(system.total_memory()), Bytes(system.available_memory()));
    match cgroup::limits() {
        Some(group) => (
            machine.0.min(group.limit),
            machine.1.min(group.limit.saturating_sub(group.used)),
        ),
        None => machine,
    }
}

/// Memory at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memory {
    /// Memory, or the container's limit where that is less.
    pub total: Bytes,
    /// What of it can be had.
    pub available: Bytes,
    /// Share of it that cannot, 0 to 1.
    pub used_fraction: f64,
    /// What this process occupies.
    pub resident: Bytes,
}

/// Looks at the memory again and again; cheap enough for several times a second.
#[derive(Debug)]
pub struct MemoryGauge {
    /// None where the system does not tell: then memory never counts as scarce.
    system: Option<System>,
    process: Pid,
}

impl MemoryGauge {
    /// A gauge for this process.
    pub fn new() -> Self {
        Self {
            system: System::new().ok(),
            process: Pid::from_u32(std::process::id()),
        }
    }

    /// The memory now.
    pub fn sample(&mut self) -> Memory {
        let (mut memory, mut resident) = (UNKNOWN, Bytes(0));
        if let Some(system) = &mut self.system {
            system.refresh_memory();
            let kind = ProcessRefreshKind::nothing().with_memory();
            system.refresh_processes_specifics(ProcessesToUpdate::Some(&[self.process]), false, kind);
            memory = within_container(system);
            resident = Bytes(system.process(self.process).map_or(0, sysinfo::Process::memory));
        }
        let (total, available) = memory;
        let used = total.saturating_sub(available);
        Memory {
            total,
            available,
            used_fraction: if total.0 == 0 {
                0.0
            } else {
                used.0 as f64 / total.0 as f64
            },
            resident,
        }
    }
}

impl Default for MemoryGauge {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether memory is scarce, without swinging to and fro around the threshold.
#[derive(Clone, Copy, Debug)]
pub struct Pressure {
    threshold: f64,
    scarce: bool,
}

impl Pressure {
    /// So far below the threshold memory must fall before it counts as plenty again.
    const RELIEF: f64 = 0.05;

    /// Scarce from this share of use on.
    pub const fn new(threshold: f64) -> Self {
        Self {
            threshold,
            scarce: false,
        }
    }

    /// The verdict after another look.
    pub fn update(&mut self, used_fraction: f64) -> bool {
        let limit = if self.scarce {
            self.threshold - Self::RELIEF
        } else {
            self.threshold
        };
        self.scarce = used_fraction >= limit;
        self.scarce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_ends_only_well_below_the_threshold() {
        let mut pressure = Pressure::new(0.85);
        let verdicts: Vec<bool> = [0.5, 0.86, 0.84, 0.81, 0.79, 0.84, 0.85]
            .map(|used| pressure.update(used))
            .into();
        assert_eq!(verdicts, [false, true, true, true, false, false, true]);
    }

    #[test]
    fn the_machine_has_cores_and_memory() {
        let machine = Machine::detect();
        assert!(machine.usable_cores >= 1 && machine.physical_cores >= 1, "{machine:?}");
        assert!(
            machine.memory_available <= machine.memory_total && machine.memory_total > Bytes::mib(64),
            "{machine:?}"
        );
        let memory = MemoryGauge::new().sample();
        assert!(memory.resident > Bytes::kib(100), "{memory:?}");
        assert!((0.0..=1.0).contains(&memory.used_fraction), "{memory:?}");
    }
}
