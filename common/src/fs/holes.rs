//! Files whose parts are written in any order.
#![cfg_attr(
    windows,
    allow(
        unsafe_code,
        reason = "what a file may hold Windows is told only through its C interface. The call gets an open handle, no input \
                  and a counter that outlives it."
    )
)]

use std::fs::File;

/// Lets parts of the file that nobody has written take no room, and no time: without it Windows writes zeros up to
/// wherever the first byte behind them goes, while the writer waits. Where the file system cannot do it (FAT, exFAT,
/// some servers) that is how it stays; the order of the ranges keeps those zeros few.
#[cfg(windows)]
pub(crate) fn allow_holes(file: &File) {
    use std::os::windows::io::AsRawHandle;
    use std::ptr::{null, null_mut};

    use windows_sys::Win32::System::IO::DeviceIoControl;
    use windows_sys::Win32::System::Ioctl::FSCTL_SET_SPARSE;
    let mut returned = 0;
    // SAFETY: the handle is open while `file` is borrowed; without input the file is made sparse, and nothing comes back.
    unsafe {
        DeviceIoControl(
            file.as_raw_handle(),
            FSCTL_SET_SPARSE,
            null(),
            0,
            null_mut(),
            0,
            &raw mut returned,
            null_mut(),
        )
    };
}

/// All files of this system are like that.
#[cfg(unix)]
pub(crate) const fn allow_holes(_: &File) {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{allocated, read_at, write_all_at};
    use crate::units::Bytes;

    #[test]
    fn a_part_far_behind_is_written_and_what_is_before_it_is_zeros() {
        let file = tempfile::tempfile().unwrap();
        allow_holes(&file);
        let end = Bytes::mib(64).0;
        file.set_len(end).unwrap();
        write_all_at(&file, b"last", end - 4).unwrap();
        let mut buffer = [9; 8];
        assert_eq!(read_at(&file, &mut buffer, end - 8).unwrap(), 8);
        assert_eq!(&buffer, b"\0\0\0\0last");
        assert!(allocated(&file).unwrap() < Bytes::mib(32), "the hole takes room");
    }
}
