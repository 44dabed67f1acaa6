//! The hang-up of a terminal (SIGHUP), and those who have been told not to hear it; and the signal of a file that has become
//! larger than the system allows (SIGXFSZ).
#![cfg_attr(
    unix,
    allow(
        unsafe_code,
        reason = "the disposition of a signal is asked and set through the C interface alone; all calls get a plain \
                  structure or number of their own"
    )
)]

/// Runs `install`, which sets up the handling of signals. A hang-up that was ignored before stays ignored after it: a
/// run that was started by `nohup` goes on when the terminal is closed.
#[cfg(unix)]
pub fn keep_ignored<T>(install: impl FnOnce() -> T) -> T {
    use std::mem::MaybeUninit;
    use std::ptr;

    let mut before = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null new action only asks; the old one is written into room of the right type.
    let asked = unsafe { libc::sigaction(libc::SIGHUP, ptr::null(), before.as_mut_ptr()) } == 0;
    let result = install();
    if asked {
        // SAFETY: the call succeeded, so it has filled the structure.
        let before = unsafe { before.assume_init() };
        if before.sa_sigaction == libc::SIG_IGN {
            // SAFETY: puts back an action that the system itself has given.
            unsafe { libc::sigaction(libc::SIGHUP, &raw const before, ptr::null_mut()) };
        }
    }
    result
}

/// Runs `install`: this system has no hang-up that could be ignored.
#[cfg(not(unix))]
pub fn keep_ignored<T>(install: impl FnOnce() -> T) -> T {
    install()
}

/// A file larger than `ulimit -f` allows is an error of the write that made it so, with a sentence, and no silent end.
#[cfg(unix)]
pub fn outlive_large_files() {
    // SAFETY: sets a disposition that every signal but two can have; no handler runs.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// This system has no such signal.
#[cfg(not(unix))]
pub const fn outlive_large_files() {}
