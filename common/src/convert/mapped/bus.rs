//! The SIGBUS handler and its table of windows.
//!
//! The handler runs on a thread that was stopped anywhere, so it takes no lock and allocates nothing: it reads atomics
//! and makes system calls only.

use std::io;
use std::mem::{MaybeUninit, transmute};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicUsize, compiler_fence};

/// Windows open at one time.
const SLOTS: usize = 256;
/// `Entry::start` of a free entry.
const FREE: usize = 0;
/// `Entry::start` of an entry that is being filled; no window starts there, since windows start at pages.
const CLAIMED: usize = 1;

/// One window's pages. `len` is nonzero only while `start` is the window's own, so that the handler never joins
/// one window's start with another's length.
struct Entry {
    start: AtomicUsize,
    len: AtomicUsize,
    faulted: AtomicBool,
}

static TABLE: [Entry; SLOTS] = [const {
    Entry {
        start: AtomicUsize::new(FREE),
        len: AtomicUsize::new(0),
        faulted: AtomicBool::new(false),
    }
}; SLOTS];

/// What handled SIGBUS before; written before the handler is installed.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();
/// Bytes of a page, a power of two; written before the handler is installed.
static PAGE: AtomicUsize = AtomicUsize::new(0);

/// A window's place in the table, freed when dropped.
#[derive(Debug)]
pub(super) struct Slot(usize);

impl Slot {
    /// Enters the pages that hold `len` bytes from `address`. Fails where the table is full.
    pub(super) fn claim(address: usize, len: usize) -> io::Result<Self> {
        let page = PAGE.load(SeqCst);
        let start = address & !(page - 1);
        let covered = (address - start + len).max(1).next_multiple_of(page);
        for (k, entry) in TABLE.iter().enumerate() {
            if entry.start.compare_exchange(FREE, CLAIMED, SeqCst, SeqCst).is_ok() {
                entry.faulted.store(false, SeqCst);
                entry.start.store(start, SeqCst);
                entry.len.store(covered, SeqCst);
                return Ok(Self(k));
            }
        }
        Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            format!("all {SLOTS} mapped windows are in use; read the file instead"),
        ))
    }

    pub(super) fn faulted(&self) -> bool {
        // The handler runs in the middle of plain reads: they must not be moved past this question.
        compiler_fence(SeqCst);
        TABLE[self.0].faulted.load(SeqCst)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        TABLE[self.0].len.store(0, SeqCst);
        TABLE[self.0].start.store(FREE, SeqCst);
    }
}

/// Puts the handler in place, the first time; later calls repeat the first one's result.
pub(super) fn install() -> io::Result<()> {
    static INSTALLED: OnceLock<Result<(), i32>> = OnceLock::new();
    INSTALLED
        .get_or_init(|| install_now().map_err(|e| e.raw_os_error().unwrap_or(libc::EINVAL)))
        .map_err(io::Error::from_raw_os_error)
}

fn install_now() -> io::Result<()> {
    // SAFETY: asks for a number; touches no memory of ours.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    let page = usize::try_from(page).map_err(|_| io::Error::last_os_error())?;
    PAGE.store(page, SeqCst);

    let mut previous = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null new action only asks; the old one is written into room of the right type.
    if unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), previous.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has filled the structure.
    PREVIOUS.get_or_init(|| unsafe { previous.assume_init() });

    // SAFETY: a structure of integers (and on some systems an optional function pointer), for which zeros are valid.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = on_bus as extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) as usize;
    // ONSTACK: a thread short of stack is served by its alternate one. RESTART: a SIGBUS sent from outside to a
    // handler that ignores it must not break other threads' system calls.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
    // SAFETY: `action` is fully initialised, and the handler keeps to what a signal handler may do (see the module).
    let rc = unsafe {
        libc::sigemptyset(&raw mut action.sa_mask);
        libc::sigaction(libc::SIGBUS, &raw const action, ptr::null_mut())
    };
    if rc == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Where this thread's `errno` is kept.
fn errno() -> *mut libc::c_int {
    // SAFETY: returns the address of a thread-local integer that lives as long as the thread.
    unsafe {
        #[cfg(any(target_os = "linux", target_os = "emscripten"))]
        return libc::__errno_location();
        #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
        return libc::__error();
        #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
        return libc::__errno();
    }
}

extern "C" fn on_bus(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let errno = errno();
    // SAFETY: `errno` is this thread's own; the kernel hands a valid `info` to a handler installed with SA_SIGINFO, and
    // SIGBUS from a fault (positive code) carries an address.
    unsafe {
        let kept = *errno;
        let is_fault = (*info).si_code > 0;
        if !(is_fault && patch((*info).si_addr() as usize)) {
            pass_on(signal, info, context, is_fault);
        }
        *errno = kept;
    }
}

/// Puts zeros under `address` where it lies in a window, and says whether it does (and that worked).
fn patch(address: usize) -> bool {
    for entry in &TABLE {
        let start = entry.start.load(SeqCst);
        let len = entry.len.load(SeqCst);
        // Read twice: an entry that changed hands between the two loads is not the faulting window, which is in use.
        if address.wrapping_sub(start) >= len || entry.start.load(SeqCst) != start {
            continue;
        }
        let page = PAGE.load(SeqCst);
        // SAFETY: the page lies wholly within a window that the stopped thread is reading, so it is mapped by us and
        // stays so; readers see the file's bytes before and zeros after, both valid.
        let placed = unsafe {
            libc::mmap(
                (address & !(page - 1)) as *mut libc::c_void,
                page,
                libc::PROT_READ,
                libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if placed == libc::MAP_FAILED {
            return false;
        }
        entry.faulted.store(true, SeqCst);
        return true;
    }
    false
}

/// Does what would have been done without this handler.
///
/// # Safety
/// Only from the handler, with what the kernel handed to it.
unsafe fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void, is_fault: bool) {
    let previous = PREVIOUS.get();
    let (handler, flags) = previous.map_or((libc::SIG_DFL, 0), |p| (p.sa_sigaction, p.sa_flags));
    // SAFETY: the previous handler was installed for this signal with the signature that its flags name, and gets what
    // the kernel handed to this one. Resetting the action and raising are allowed in a handler.
    unsafe {
        match handler {
            libc::SIG_IGN if !is_fault => {}
            // The kernel honours no ignoring of a fault either.
            libc::SIG_DFL | libc::SIG_IGN => {
                libc::signal(signal, libc::SIG_DFL);
                // A fault comes again by itself when the instruction is retried; a signal that was sent does not.
                if !is_fault {
                    libc::raise(signal);
                }
            }
            address if flags & libc::SA_SIGINFO != 0 => {
                transmute::<usize, extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void)>(address)(
                    signal, info, context,
                );
            }
            address => transmute::<usize, extern "C" fn(libc::c_int)>(address)(signal),
        }
    }
}
