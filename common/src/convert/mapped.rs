//! Mapped input: the only place that touches mapped memory, and the reason why a bad sector does not end the process.
//!
//! A page that the storage cannot deliver, or that a shrinking file no longer has, reaches a process as SIGBUS. The
//! handler here puts a page of zeros in its place and marks the window, whose user then reads the file instead and
//! gets the true error. Outputs are never mapped.
#![allow(unsafe_code)]
// Sound because: a window's bytes stay mapped as long as the window lives; the file is opened read-only and the mapping
// is private, so that nothing here changes it; what another process changes meanwhile is seen as other bytes, which the
// decoders take as they take any bytes; the handler uses only atomics and one system call.

use std::fs::File;
use std::io;

/// A mapped part of a file.
#[derive(Debug)]
pub struct Window {
    #[cfg(unix)]
    map: memmap2::Mmap,
    #[cfg(unix)]
    slot: unix::Slot,
}

impl Window {
    /// Maps `len` bytes (not 0) from `offset` on. Fails where the system cannot, or too many windows are open: the
    /// caller reads instead.
    #[cfg(unix)]
    pub fn map(file: &File, offset: u64, len: usize) -> io::Result<Self> {
        unix::install_handler()?;
        // SAFETY: see the module: private, read-only, and any bytes are as good as others to the decoders.
        let map = unsafe { memmap2::MmapOptions::new().offset(offset).len(len).map(file)? };
        let slot = unix::Slot::take(&map)?;
        // Advice that is not taken costs speed alone.
        drop(map.advise(memmap2::Advice::Sequential));
        #[cfg(target_os = "linux")]
        drop(map.advise(memmap2::Advice::WillNeed));
        Ok(Self { map, slot })
    }

    /// Windows reports such faults otherwise, and keeps a mapped file from being replaced: files are read there.
    #[cfg(not(unix))]
    pub fn map(_file: &File, _offset: u64, _len: usize) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The bytes; zeros where the window has faulted.
    #[cfg(unix)]
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// No window exists here.
    #[cfg(not(unix))]
    pub fn bytes(&self) -> &[u8] {
        &[]
    }

    /// Whether some of the bytes handed out so far were not the file's.
    #[cfg(unix)]
    pub fn faulted(&self) -> bool {
        self.slot.faulted()
    }

    /// No window exists here.
    #[cfg(not(unix))]
    pub fn faulted(&self) -> bool {
        false
    }
}

#[cfg(unix)]
mod unix {
    use std::io;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    /// More windows than threads are ever started.
    const SLOTS: usize = 1024;

    /// A window as the handler sees it.
    struct Entry {
        taken: AtomicBool,
        start: AtomicUsize,
        /// 0: not in use.
        len: AtomicUsize,
        faulted: AtomicBool,
    }

    static TABLE: [Entry; SLOTS] = [const {
        Entry {
            taken: AtomicBool::new(false),
            start: AtomicUsize::new(0),
            len: AtomicUsize::new(0),
            faulted: AtomicBool::new(false),
        }
    }; SLOTS];

    /// A window's place in the table; given back when dropped.
    #[derive(Debug)]
    pub(super) struct Slot(usize);

    impl Slot {
        pub(super) fn take(map: &[u8]) -> io::Result<Self> {
            let free = TABLE.iter().position(|entry| {
                entry
                    .taken
                    .compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed)
                    .is_ok()
            });
            let slot = free.ok_or_else(|| io::Error::other("too many mapped windows"))?;
            let entry = &TABLE[slot];
            let page = page_size();
            // The mapping begins at a page even where the bytes asked for do not.
            let first = map.as_ptr() as usize / page * page;
            entry.faulted.store(false, Ordering::Relaxed);
            entry.start.store(first, Ordering::Relaxed);
            entry
                .len
                .store(map.as_ptr() as usize + map.len() - first, Ordering::Release);
            Ok(Self(slot))
        }

        pub(super) fn faulted(&self) -> bool {
            TABLE[self.0].faulted.load(Ordering::Acquire)
        }
    }

    impl Drop for Slot {
        fn drop(&mut self) {
            TABLE[self.0].len.store(0, Ordering::Release);
            TABLE[self.0].taken.store(false, Ordering::Release);
        }
    }

    fn page_size() -> usize {
        static SIZE: OnceLock<usize> = OnceLock::new();
        *SIZE.get_or_init(rustix::param::page_size)
    }

    /// What was done about SIGBUS before; zero until then.
    static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

    /// Puts the handler in place, once in the life of the process.
    pub(super) fn install_handler() -> io::Result<()> {
        static DONE: OnceLock<Result<(), i32>> = OnceLock::new();
        let done = DONE.get_or_init(|| {
            page_size();
            // SAFETY: the structures are plain numbers, for which zero is a value; the handler has the signature that
            // SA_SIGINFO asks for, and does only what a handler may.
            unsafe {
                let mut previous: libc::sigaction = std::mem::zeroed();
                if libc::sigaction(libc::SIGBUS, std::ptr::null(), &raw mut previous) != 0 {
                    return Err(io::Error::last_os_error().raw_os_error().unwrap_or(0));
                }
                PREVIOUS.get_or_init(|| previous);
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_fault as *const () as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
                if libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut()) != 0 {
                    return Err(io::Error::last_os_error().raw_os_error().unwrap_or(0));
                }
            }
            Ok(())
        });
        done.map_err(io::Error::from_raw_os_error)
    }

    /// Runs inside the signal: atomics and system calls only.
    extern "C" fn on_fault(signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
        // SAFETY: SA_SIGINFO hands over a valid structure, and SIGBUS sets its address.
        let address = unsafe { (*info).si_addr() } as usize;
        let entry = TABLE.iter().find(|entry| {
            let len = entry.len.load(Ordering::Acquire);
            address.wrapping_sub(entry.start.load(Ordering::Relaxed)) < len
        });
        if let Some(entry) = entry {
            let page = page_size();
            let at = address / page * page;
            // SAFETY: the page belongs to a live window of ours, since its entry is removed before it is unmapped.
            let mapped = unsafe {
                libc::mmap(
                    at as *mut libc::c_void,
                    page,
                    libc::PROT_READ,
                    libc::MAP_FIXED | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                    -1,
                    0,
                )
            };
            if mapped != libc::MAP_FAILED {
                entry.faulted.store(true, Ordering::Release);
                return;
            }
        }
        // Not ours: what was done before is done again, for the fault comes back when the handler returns.
        // SAFETY: the structure came from the system, or is all zeros, which is the default action.
        unsafe {
            let default: libc::sigaction = std::mem::zeroed();
            let previous = PREVIOUS.get().unwrap_or(&default);
            libc::sigaction(signal, &raw const *previous, std::ptr::null_mut());
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file_of(bytes: usize) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&vec![7; bytes]).unwrap();
        file
    }

    #[test]
    fn a_window_shows_the_bytes_that_were_asked_for() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..=255).cycle().take(20_000).collect();
        file.write_all(&bytes).unwrap();
        for (offset, len) in [(0, 20_000), (1, 10), (4095, 2), (5000, 15_000)] {
            let window = Window::map(&file, offset as u64, len).unwrap();
            assert_eq!(window.bytes(), &bytes[offset..offset + len]);
            assert!(!window.faulted());
        }
    }

    #[test]
    fn a_file_that_shrinks_under_the_window_gives_zeros_and_is_noticed() {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let file = file_of(64 << 10);
                    let window = Window::map(&file, 100, 60_000).unwrap();
                    assert_eq!(window.bytes()[0], 7);
                    file.set_len(8192).unwrap();
                    assert!(!window.faulted());
                    assert_eq!(window.bytes()[50_000], 0);
                    assert!(window.faulted());
                    assert_eq!(window.bytes()[20], 7, "what the file still has is still shown");
                });
            }
        });
    }

    #[test]
    fn a_fault_elsewhere_ends_the_process_as_ever() {
        const CHILD: &str = "TRC2NPY_TEST_FOREIGN_FAULT";
        if std::env::var_os(CHILD).is_some() {
            let file = file_of(64 << 10);
            drop(Window::map(&file, 0, 4096).unwrap());
            // SAFETY: the fault that follows is what is tested.
            let foreign = unsafe { memmap2::Mmap::map(&file).unwrap() };
            file.set_len(0).unwrap();
            println!("{}", foreign[40_000]);
            return;
        }
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "convert::mapped::tests::a_fault_elsewhere_ends_the_process_as_ever",
                "--nocapture",
            ])
            .env(CHILD, "1")
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(
            std::os::unix::process::ExitStatusExt::signal(&status),
            Some(libc::SIGBUS),
            "{status:?}"
        );
    }
}
