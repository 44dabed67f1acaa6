//! How busy the processors are.
#![cfg_attr(
    windows,
    allow(
        unsafe_code,
        reason = "Windows tells the processors' times only through its C interface; the call gets three places of its own"
    )
)]

/// Looks at all processors again and again.
#[derive(Debug)]
pub struct CpuGauge(system::Times);

impl CpuGauge {
    /// Begins to look.
    pub fn new() -> Self {
        Self(system::Times::begin())
    }

    /// The share of all processors' time that was used since the last look, 0 to 1; 0 where the system does not say.
    pub fn used(&mut self) -> f64 {
        self.0.used().clamp(0.0, 1.0)
    }
}

impl Default for CpuGauge {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(not(windows))]
mod system {
    use sysinfo::{CpuRefreshKind, RefreshKind, System};

    #[derive(Debug)]
    pub(super) struct Times(Option<System>);

    impl Times {
        pub(super) fn begin() -> Self {
            let usage = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing().with_usage());
            Self(System::new_with_specifics(usage).ok())
        }

        pub(super) fn used(&mut self) -> f64 {
            self.0.as_mut().map_or(0.0, |system| {
                system.refresh_cpu_usage();
                f64::from(system.global_cpu_usage()) / 100.0
            })
        }
    }
}

/// Asked of the system itself: sysinfo goes through the performance counters, which are switched off or damaged on some
/// machines, take seconds to list, and end the process under Wine.
#[cfg(windows)]
mod system {
    use windows_sys::Win32::Foundation::FILETIME;
    use windows_sys::Win32::System::Threading::GetSystemTimes;

    /// Idle and all time of all processors so far, in 100 ns.
    #[derive(Debug)]
    pub(super) struct Times(Option<(u64, u64)>);

    impl Times {
        pub(super) fn begin() -> Self {
            Self(times())
        }

        pub(super) fn used(&mut self) -> f64 {
            let before = std::mem::replace(&mut self.0, times());
            let (Some((idle_before, all_before)), Some((idle, all))) = (before, self.0) else {
                return 0.0;
            };
            let all = all.saturating_sub(all_before);
            if all == 0 {
                return 0.0;
            }
            1.0 - idle.saturating_sub(idle_before) as f64 / all as f64
        }
    }

    fn times() -> Option<(u64, u64)> {
        let [mut idle, mut kernel, mut user] = [FILETIME::default(); 3];
        // SAFETY: all three places outlive the call.
        if unsafe { GetSystemTimes(&raw mut idle, &raw mut kernel, &raw mut user) } == 0 {
            return None;
        }
        let number = |time: FILETIME| u64::from(time.dwHighDateTime) << 32 | u64::from(time.dwLowDateTime);
        // The kernel's time holds the idle one.
        Some((number(idle), number(kernel) + number(user)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn work_is_seen() {
        let done = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&done);
        let worker = std::thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let mut gauge = CpuGauge::new();
        let end = std::time::Instant::now() + std::time::Duration::from_mins(1);
        let mut used = 0.0;
        while used <= 0.0 && std::time::Instant::now() < end {
            std::thread::yield_now();
            used = gauge.used();
        }
        done.store(true, Ordering::Relaxed);
        worker.join().unwrap();
        assert!(used > 0.0 && used <= 1.0, "{used}");
    }
}
