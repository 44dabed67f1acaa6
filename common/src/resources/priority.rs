//! Giving way to the other programs of the machine.
#![cfg_attr(
    any(windows, target_os = "linux"),
    allow(
        unsafe_code,
        reason = "no crate in use offers these two calls. They are given numbers and the handle of this very process, \
                  and touch no memory of ours."
    )
)]

use std::io;

/// Whether to give way where nobody has said so: on Windows, whose desktop otherwise stands still for whoever sits at the PC.
/// Elsewhere the scheduler sees to that by itself.
pub const BY_DEFAULT: bool = cfg!(windows);

/// Lets others go first from now on, at the processor and, on Linux, at the disk: a `nice` of 10 and the last of the
/// ordinary places in the disk's queue (which some of its schedulers respect), never the one behind it, in which a busy
/// disk would let a run wait for ever. A process that gives way already stays as it is.
///
/// On Linux this holds for the calling thread and for those that it starts afterwards, programs included: call it before
/// there are others.
#[cfg(unix)]
pub fn give_way() -> io::Result<()> {
    use rustix::process::{getpriority_process, setpriority_process};
    const NICE: i32 = 10;
    // More can only be taken back by root, so it is never asked for less.
    if getpriority_process(None)? < NICE {
        setpriority_process(None, NICE)?;
    }
    wait_at_the_disk()
}

#[cfg(target_os = "linux")]
fn wait_at_the_disk() -> io::Result<()> {
    // include/uapi/linux/ioprio.h
    const WHO_PROCESS: libc::c_int = 1;
    const CLASS_SHIFT: u32 = 13;
    const BEST_EFFORT: libc::c_int = 2;
    const IDLE: libc::c_int = 3;
    const LAST: libc::c_int = 7;
    // SAFETY: takes two numbers and gives one.
    let now = unsafe { libc::syscall(libc::SYS_ioprio_get, WHO_PROCESS, 0) };
    if now >> CLASS_SHIFT == libc::c_long::from(IDLE) {
        return Ok(());
    }
    // SAFETY: takes three numbers.
    let set = unsafe { libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, BEST_EFFORT << CLASS_SHIFT | LAST) };
    if set == 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        // Built without it, or kept from it by a container: the processor's share is what matters.
        error if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) => Ok(()),
        error => Err(error),
    }
}

#[cfg(all(unix, not(target_os = "linux")))]
fn wait_at_the_disk() -> io::Result<()> {
    Ok(())
}

/// Lets others go first from now on: the class below normal, for the whole process. A process that gives way already
/// stays as it is.
#[cfg(windows)]
pub fn give_way() -> io::Result<()> {
    use windows_sys::Win32::System::Threading::{
        BELOW_NORMAL_PRIORITY_CLASS, GetCurrentProcess, GetPriorityClass, IDLE_PRIORITY_CLASS, SetPriorityClass,
    };
    // SAFETY: the handle of this process is a constant and needs no closing.
    if unsafe { GetPriorityClass(GetCurrentProcess()) } == IDLE_PRIORITY_CLASS {
        return Ok(());
    }
    // SAFETY: as above.
    match unsafe { SetPriorityClass(GetCurrentProcess(), BELOW_NORMAL_PRIORITY_CLASS) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
