//! What surrounds a conversion: its place among other programs, a computer that stays awake, what is run at its end.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]
#![allow(clippy::print_stderr, reason = "what is left out is told")]

// Threads and processes are looked at by the means of Linux.
#[cfg(target_os = "linux")]
mod awake;
#[cfg(target_os = "linux")]
mod nice;
// Its commands are written for a POSIX shell, and one of them is interrupted by a signal.
#[cfg(unix)]
mod on_finish;

#[cfg(unix)]
mod waiting {
    use std::fs;

    use trc2npy_synth::RunSpec;
    use trc2npy_tests::{Bench, Convert, Running, committed_rows};

    /// A conversion that has done 19 of 20 rows and waits for the last file, which is still being written.
    pub(crate) fn start(bench: &Bench, conversion: &Convert) -> Running {
        let short = bench.file(1, 7);
        let bytes = fs::read(&short).unwrap();
        fs::write(&short, &bytes[..bytes.len() / 2]).unwrap();
        let out = conversion.out();
        let mut running = conversion
            .clone()
            .args(["--range-size", "80kB", "--sync-every", "1", "--settle", "10m"])
            .start();
        let waits = running.poll("19 committed rows", |_| (committed_rows(out) == 19).then_some(()));
        assert!(waits.is_some(), "it did not wait:\n{}", running.wait());
        running
    }

    /// The run for it.
    pub(crate) fn bench() -> Bench {
        Bench::new(&RunSpec::new(20, 20_000))
    }
}
