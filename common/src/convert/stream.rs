//! Consecutive bytes into a file by positioned writes from one bounded buffer, with their CRC32C.

use std::fs::File;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crc_fast::{CrcAlgorithm, Digest};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::stages::writing;
use crate::fs;

#[cfg(target_endian = "big")]
compile_error!(
    "outputs are little-endian and are written from memory as it is: a big-endian host would need swapping here"
);

/// CRC32C (Castagnoli) of a run of bytes, joinable with that of the bytes behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksum {
    /// The CRC itself.
    pub crc: u32,
    /// How many bytes it covers.
    pub len: u64,
}

impl Checksum {
    /// The checksum of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        let mut digest = new_digest();
        digest.update(bytes);
        Self::from(&digest)
    }

    /// The checksum of these bytes followed by `next`'s. Costs as much as checksumming a megabyte.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        if self.len == 0 {
            return next;
        }
        if next.len == 0 {
            return self;
        }
        let crc = crc_fast::checksum_combine(
            CrcAlgorithm::Crc32Iscsi,
            u64::from(self.crc),
            u64::from(next.crc),
            next.len,
        );
        Self {
            crc: low_word(crc),
            len: self.len + next.len,
        }
    }
}

impl From<&Digest> for Checksum {
    fn from(digest: &Digest) -> Self {
        Self {
            crc: low_word(digest.finalize()),
            len: digest.get_amount(),
        }
    }
}

fn new_digest() -> Digest {
    Digest::new(CrcAlgorithm::Crc32Iscsi)
}

/// The crate returns every width in 64 bits.
fn low_word(crc: u64) -> u32 {
    u32::try_from(crc).expect("CRC32C has 32 bits")
}

/// Whose turn it is to write to a file. A system lets one thread at a time write to a file and has others spin until it is
/// done, on processors that have better things to do where machines work together: these wait here instead.
#[derive(Debug, Default)]
pub(crate) struct Turn(Mutex<()>);

impl Turn {
    pub(crate) fn take(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A writer of consecutive bytes that can go back to its last mark, as if nothing had been written since.
#[derive(Debug)]
pub(crate) struct Stream<'t> {
    file: &'t File,
    turn: Option<&'t Turn>,
    /// Where the buffer's first byte belongs in the file.
    position: u64,
    /// Whole words, so that elements and index records lie aligned.
    buffer: &'t mut [u64],
    filled: usize,
    /// Has seen all bytes before `position`, and `digested` bytes of the buffer.
    digest: Digest,
    digested: usize,
    /// Where a bad file's rows begin, and the digest up to there.
    mark: u64,
    at_mark: Digest,
}

impl<'t> Stream<'t> {
    /// Writes from `position` on.
    pub(crate) fn new(file: &'t File, position: u64, buffer: &'t mut [u64]) -> Self {
        let digest = new_digest();
        Self {
            file,
            turn: None,
            position,
            buffer,
            filled: 0,
            digest,
            digested: 0,
            mark: position,
            at_mark: digest,
        }
    }

    /// The same, each write of which waits for its turn.
    pub(crate) fn in_turn(self, turn: &'t Turn) -> Self {
        Self {
            turn: Some(turn),
            ..self
        }
    }

    /// Room for up to `count` elements of `T` (at least one): fill all of them.
    ///
    /// `T` must have a size that divides every size written before, as the elements of one array do.
    pub(crate) fn room<T>(&mut self, count: usize) -> io::Result<&mut [T]>
    where
        T: FromBytes + IntoBytes + KnownLayout + Immutable,
    {
        let size = size_of::<T>();
        if self.capacity() - self.filled < size {
            self.flush()?;
        }
        let take = count.min((self.capacity() - self.filled) / size);
        let from = self.filled;
        self.filled += take * size;
        let bytes = &mut self.buffer.as_mut_bytes()[from..from + take * size];
        Ok(<[T]>::mut_from_bytes(bytes)
            .expect("the buffer is 8-byte aligned and every element's size divides its place"))
    }

    /// Appends `count` times `value`.
    pub(crate) fn repeat<T>(&mut self, value: T, mut count: u64) -> io::Result<()>
    where
        T: FromBytes + IntoBytes + KnownLayout + Immutable + Copy,
    {
        while count > 0 {
            let room = self.room::<T>(usize::try_from(count).unwrap_or(usize::MAX))?;
            room.fill(value);
            count -= room.len() as u64;
        }
        Ok(())
    }

    /// Marks the present end: [`Stream::rewind`] comes back here.
    pub(crate) fn mark(&mut self) {
        // A row's bytes are checksummed here, while they are still in the nearest cache.
        self.catch_up();
        self.mark = self.position + self.filled as u64;
        self.at_mark = self.digest;
    }

    /// Forgets all that was written since the mark.
    pub(super) fn rewind(&mut self) {
        // A mark that has left the buffer becomes its beginning.
        self.filled = usize::try_from(self.mark.saturating_sub(self.position)).expect("the mark lies in the buffer");
        self.position = self.position.min(self.mark);
        self.digest = self.at_mark;
        self.digested = self.filled;
    }

    /// Writes what is buffered and returns the checksum of everything.
    pub(crate) fn finish(mut self) -> io::Result<Checksum> {
        self.flush()?;
        Ok(Checksum::from(&self.digest))
    }

    fn capacity(&self) -> usize {
        size_of_val(self.buffer)
    }

    fn catch_up(&mut self) {
        self.digest.update(&self.buffer.as_bytes()[self.digested..self.filled]);
        self.digested = self.filled;
    }

    fn flush(&mut self) -> io::Result<()> {
        self.catch_up();
        let _turn = self.turn.map(Turn::take);
        writing(|| fs::write_all_at(self.file, &self.buffer.as_bytes()[..self.filled], self.position))?;
        self.position += self.filled as u64;
        (self.filled, self.digested) = (0, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use proptest::prelude::*;

    use super::*;

    /// Bit by bit, from the polynomial (RFC 3720, appendix B.4).
    fn slow_crc32c(bytes: &[u8]) -> u32 {
        let mut crc = u32::MAX;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ if crc & 1 == 1 { 0x82F6_3B78 } else { 0 };
            }
        }
        !crc
    }

    #[test]
    fn the_checksum_is_crc32c() {
        assert_eq!(Checksum::of(b"123456789").crc, 0xE306_9283);
        assert_eq!(slow_crc32c(b"123456789"), 0xE306_9283);
        assert_eq!(Checksum::of(b"").crc, 0);
    }

    proptest! {
        #[test]
        fn joined_checksums_are_those_of_the_whole(bytes in proptest::collection::vec(any::<u8>(), 0..300), at in 0usize..300) {
            let at = at.min(bytes.len());
            let joined = Checksum::of(&bytes[..at]).then(Checksum::of(&bytes[at..]));
            prop_assert_eq!(joined, Checksum { crc: slow_crc32c(&bytes), len: bytes.len() as u64 });
        }

        /// Any sequence of writes, marks and rewinds leaves the file and the checksum of what remained.
        #[test]
        fn what_was_rewound_leaves_no_trace(
            steps in proptest::collection::vec((0u8..4, 1u64..40, any::<i16>()), 1..60),
            words in 1usize..9,
        ) {
            let mut file = tempfile::tempfile().unwrap();
            let mut buffer = vec![0u64; words];
            let (mut model, mut marked) = (Vec::<u8>::new(), 0);
            let mut stream = Stream::new(&file, 0, &mut buffer);
            for (step, count, value) in steps {
                match step {
                    0 => { stream.mark(); marked = model.len(); }
                    1 => { stream.rewind(); model.truncate(marked); }
                    _ => {
                        stream.repeat(value, count).unwrap();
                        (0..count).for_each(|_| model.extend_from_slice(&value.to_le_bytes()));
                    }
                }
            }
            let checksum = stream.finish().unwrap();
            let mut written = Vec::new();
            // Windows moves the cursor with positioned writes, too.
            file.rewind().unwrap();
            file.read_to_end(&mut written).unwrap();
            // A rewind leaves old bytes behind the end; the range's last row always overwrites them.
            prop_assert_eq!(&written[..model.len()], &model[..]);
            prop_assert_eq!(checksum, Checksum { crc: slow_crc32c(&model), len: model.len() as u64 });
        }
    }
}
