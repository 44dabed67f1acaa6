//! One file's blocks in another one, where the file system can do that.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;

use reflink_copy::ReflinkBlockBuilder;

/// Lets `to` have `len` bytes of `from` without copying them: both have the same blocks until one is written to, which
/// takes no time and no room. An error where the file system (or the two files' place on two of them) does not allow it,
/// also for places and lengths that are no whole blocks; part of the bytes may be there then.
pub fn share_blocks(from: &File, from_at: u64, to: &File, to_at: u64, len: u64) -> io::Result<()> {
    let Some(len) = NonZeroU64::new(len) else { return Ok(()) };
    ReflinkBlockBuilder::new(from, to, len)
        .from_offset(from_at)
        .to_offset(to_at)
        .reflink_block()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{read_at, write_all_at};

    #[test]
    fn what_is_shared_is_what_lies_there_and_what_cannot_be_is_an_error() {
        let (from, to) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let bytes: Vec<u8> = (0..=255).cycle().take(20_000).collect();
        write_all_at(&from, &bytes, 0).unwrap();
        write_all_at(&to, &vec![9; 30_000], 0).unwrap();
        let mut expected = vec![9; 30_000];
        match share_blocks(&from, 4096, &to, 8192, 8192) {
            Ok(()) => expected[8192..16_384].copy_from_slice(&bytes[4096..12_288]),
            Err(error) => println!("left out: this file system shares no blocks ({error})"),
        }
        let mut found = vec![0; 30_000];
        assert_eq!(read_at(&to, &mut found, 0).unwrap(), 30_000);
        assert!(found == expected);
        assert!(share_blocks(&from, 19_999, &to, 0, 100).is_err(), "no whole block");
        share_blocks(&from, 0, &to, 0, 0).unwrap();
    }
}
