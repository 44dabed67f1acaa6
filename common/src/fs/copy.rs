//! Copying from file to file inside the system, where that can be done.

use std::fs::File;

/// Copies up to `len` bytes from one file to a place in another without bringing them into this process; file systems
/// that can let both files share the blocks, which takes no time and no room. Returns how many bytes were copied:
/// none, or fewer than asked, where it cannot be done. The rest is to be written, and what is wrong will show then.
#[cfg(target_os = "linux")]
pub fn copy_inside(from: &File, mut from_at: u64, to: &File, mut to_at: u64, len: u64) -> u64 {
    let mut done = 0;
    while done < len {
        let left = usize::try_from(len - done).unwrap_or(usize::MAX);
        match rustix::fs::copy_file_range(from, Some(&mut from_at), to, Some(&mut to_at), left) {
            Ok(copied) if copied > 0 => done += copied as u64,
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) | Err(_) => break,
        }
    }
    done
}

/// There is no such call here: nothing is copied.
#[cfg(not(target_os = "linux"))]
pub fn copy_inside(_: &File, _: u64, _: &File, _: u64, _: u64) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{read_at, write_all_at};

    #[test]
    fn what_is_copied_is_what_lies_there() {
        let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let bytes: Vec<u8> = (0..=255).cycle().take(20_000).collect();
        write_all_at(&from, &bytes, 0).unwrap();
        write_all_at(&to, &vec![9; 30_000], 0).unwrap();
        let copied = copy_inside(&from, 4096, &to, 8192, 8192);
        let mut expected = vec![9; 30_000];
        let copied = usize::try_from(copied).unwrap();
        expected[8192..8192 + copied].copy_from_slice(&bytes[4096..4096 + copied]);
        let mut found = vec![0; 30_000];
        assert_eq!(read_at(&to, &mut found, 0).unwrap(), 30_000);
        assert!(found == expected, "{copied} bytes copied");
        // Beyond the end there is nothing to copy.
        assert!(copy_inside(&from, 19_999, &to, 0, 100) <= 1);
    }
}
