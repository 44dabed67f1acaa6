//! A stretch of a file seen as memory, surviving a file that shrinks or cannot be read while it is being looked at.
//!
//! A page of a mapping that has no file behind it (any more) raises SIGBUS when touched, which ends the process by
//! default. Here the handler puts a page of zeros in that place and marks the window, so that the reader carries on and
//! asks [`Window::faulted`] afterwards. A fault anywhere else goes to whoever handled it before.
//!
//! `unsafe` is needed for mapping memory and for handling a signal; each use says why it is sound.
#![allow(unsafe_code)]

#[cfg(unix)]
mod bus;

use std::fs::File;
use std::io;

/// `len` bytes of a file from `offset`, readable as memory.
///
/// The bytes are the file's own: another program that writes to the file meanwhile changes them, so a reader takes
/// them as numbers only and lets nothing about memory safety depend on their value.
#[derive(Debug)]
pub struct Window {
    // Declared before the mapping: fields drop in order, and the range must be off the table before it is unmapped.
    #[cfg(unix)]
    slot: bus::Slot,
    #[cfg(unix)]
    map: memmap2::Mmap,
}

#[cfg(unix)]
impl Window {
    /// Maps `len` bytes of `file` from byte `offset`; the offset needs no alignment.
    ///
    /// The stretch may reach past the end of the file: what lies there reads as zeros, and whole pages of it mark the
    /// window as faulted. Fails where the system refuses the mapping, or where 256 windows are open already.
    pub fn map(file: &File, offset: u64, len: usize) -> io::Result<Self> {
        bus::install()?;
        // SAFETY: the mapping is read-only and private to this value. A file that shrinks raises SIGBUS, which the
        // handler turns into zeros; a file that is written to changes plain bytes, of which every value is valid.
        let map = unsafe { memmap2::MmapOptions::new().offset(offset).len(len).map(file)? };
        let slot = bus::Slot::claim(map.as_ptr() as usize, len)?;
        // Hints: without them the same bytes arrive, only later. Populating stops quietly at the end of the file.
        let _ = map.advise(memmap2::Advice::Sequential);
        #[cfg(target_os = "linux")]
        let _ = map.advise(memmap2::Advice::PopulateRead);
        Ok(Self { slot, map })
    }

    /// Exactly the bytes asked for; zeros where [`faulted`](Self::faulted) says so once they have been read.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Whether a page read so far could not be had from the file. Ask after the reading: nothing is known before.
    pub fn faulted(&self) -> bool {
        self.slot.faulted()
    }
}

#[cfg(not(unix))]
impl Window {
    /// Refuses with [`io::ErrorKind::Unsupported`]: a fault in a mapping cannot be survived here, so files are read.
    pub fn map(_file: &File, _offset: u64, _len: usize) -> io::Result<Self> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "mapped reading is not available on this operating system; read the file instead",
        ))
    }

    /// No bytes: no window exists here.
    pub fn bytes(&self) -> &[u8] {
        &[]
    }

    /// Never: no window exists here.
    pub fn faulted(&self) -> bool {
        false
    }
}

#[cfg(all(test, unix))]
mod tests;
