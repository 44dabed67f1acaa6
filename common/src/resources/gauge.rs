//! Memory in use, asked again and again while work goes on.

use sysinfo::{MemoryRefreshKind, System};

use super::groups::Groups;
use crate::units::Bytes;

/// Memory at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// What this process could have with nothing else running: the machine's, or the container's limit if smaller.
    pub total: Bytes,
    /// What it could have now, file cache that can be dropped included.
    pub available: Bytes,
    /// The part of `total` that is not available, 0 to 1.
    pub used_fraction: f64,
    /// What this process has in memory, mapped files included.
    pub resident: Bytes,
}

/// Samples [`Memory`]; a few small system calls each time, so that several a second cost nothing that shows.
#[derive(Debug)]
pub struct MemoryGauge {
    system: Option<System>,
    groups: Groups,
}

impl MemoryGauge {
    /// Finds out once which limits apply to this process.
    pub fn new() -> Self {
        Self {
            system: System::new().ok(),
            groups: Groups::of_this_process(),
        }
    }

    /// Memory now. On a system that does not tell, all amounts are zero and nothing counts as used.
    pub fn sample(&mut self) -> Memory {
        let (total, available) = self.system.as_mut().map_or((0, 0), |system| {
            system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
            (system.total_memory(), system.available_memory())
        });
        let (total, available) = self.groups.bound(total, available);
        let used_fraction = if total == 0 {
            0.0
        } else {
            (total - available) as f64 / total as f64
        };
        Memory {
            total: Bytes(total),
            available: Bytes(available),
            used_fraction,
            resident: Bytes(self.resident().unwrap_or(0)),
        }
    }

    #[cfg(target_os = "linux")]
    #[expect(clippy::unused_self, reason = "elsewhere the system object is asked")]
    fn resident(&mut self) -> Option<u64> {
        // One short line; the general way below reads several files and lists the threads.
        let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
        let pages: u64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
        Some(pages * rustix::param::page_size() as u64)
    }

    #[cfg(not(target_os = "linux"))]
    fn resident(&mut self) -> Option<u64> {
        use sysinfo::{ProcessRefreshKind, ProcessesToUpdate};
        let pid = sysinfo::get_current_pid().ok()?;
        let system = self.system.as_mut()?;
        let kind = ProcessRefreshKind::nothing().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, kind);
        Some(system.process(pid)?.memory())
    }
}

impl Default for MemoryGauge {
    fn default() -> Self {
        Self::new()
    }
}

/// The most that this process ever had in memory, mapped files included (VmHWM). None where the system does not tell.
pub fn peak_resident() -> Option<Bytes> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Bytes::kib(kib))
}

/// How far below the threshold memory must fall before the pressure is off: a run must not flicker between two paces.
const RELEASE_BELOW: f64 = 0.05;

/// Whether memory is short, with hysteresis.
#[derive(Clone, Debug)]
pub struct Pressure {
    threshold: f64,
    on: bool,
}

impl Pressure {
    /// Pressure from `threshold` (a used fraction, 0 to 1) on.
    pub fn new(threshold: f64) -> Self {
        Self { threshold, on: false }
    }

    /// Takes a new used fraction in, and says whether there is pressure: from the threshold on, until the fraction is
    /// 0.05 below it.
    pub fn update(&mut self, used_fraction: f64) -> bool {
        let bound = if self.on {
            self.threshold - RELEASE_BELOW
        } else {
            self.threshold
        };
        // Still on just above the release point, off at it.
        self.on = if self.on {
            used_fraction > bound
        } else {
            used_fraction >= bound
        };
        self.on
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_sees_what_this_process_holds() {
        let mut gauge = MemoryGauge::new();
        let before = gauge.sample();
        let held = std::hint::black_box(vec![1_u8; 256 << 20]);
        let with = gauge.sample();
        if cfg!(target_os = "linux") {
            // The kernel's own counters may be a few pages apart.
            assert!(peak_resident().is_some_and(|peak| peak + Bytes::mib(16) >= with.resident));
        }
        assert!(
            with.resident >= before.resident + Bytes::mib(128),
            "{before:?} {with:?}"
        );
        assert!((0.0..=1.0).contains(&with.used_fraction));
        assert!(with.available <= with.total);
        drop(held);
    }

    #[test]
    fn pressure_lasts_until_well_below_the_threshold() {
        let mut pressure = Pressure::new(0.75);
        let steps = [
            (0.74, false),
            (0.75, true),
            (0.72, true),
            (0.701, true),
            (0.69, false),
            (0.74, false),
            (0.9, true),
        ];
        for (fraction, expected) in steps {
            assert_eq!(pressure.update(fraction), expected, "{fraction}");
        }
    }
}
