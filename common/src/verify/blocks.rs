//! Bytes of an open file, one bounded block at a time.

use std::fs::File;
use std::io;
use std::ops::Range;

use crc_fast::{CrcAlgorithm, Digest};

use crate::convert::Checksum;
use crate::fs;

/// Bytes of one block; a multiple of every element's size.
pub(super) const BLOCK: usize = 1 << 20;

/// A block of a file.
#[derive(Debug)]
pub(super) struct Block {
    bytes: Vec<u8>,
    loaded: Range<u64>,
}

impl Block {
    pub(super) fn new() -> Self {
        Self {
            bytes: vec![0; BLOCK],
            loaded: 0..0,
        }
    }

    /// Another file is read from now on.
    pub(super) fn clear(&mut self) {
        self.loaded = 0..0;
    }

    /// Bytes of `want`, from its start on: as many as are at hand, at least one. `ahead`: the end of what will be asked for
    /// next. A file that ends before is an error.
    pub(super) fn get(&mut self, file: &File, want: Range<u64>, ahead: u64) -> io::Result<&[u8]> {
        if !self.loaded.contains(&want.start) {
            let take = position(want.end.max(ahead) - want.start).min(self.bytes.len());
            self.loaded = 0..0;
            let found = fs::read_at(file, &mut self.bytes[..take], want.start)?;
            if found < take {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("it ends at byte {}", want.start + found as u64),
                ));
            }
            self.loaded = want.start..want.start + take as u64;
        }
        let end = want.end.min(self.loaded.end);
        Ok(&self.bytes[position(want.start - self.loaded.start)..position(end - self.loaded.start)])
    }
}

fn position(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// Goes through a part of an array once, and keeps the checksum of what it has seen.
pub(super) struct Cursor<'a> {
    file: &'a File,
    block: &'a mut Block,
    at: u64,
    end: u64,
    digest: Digest,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(file: &'a File, block: &'a mut Block, part: Range<u64>) -> Self {
        block.clear();
        Self {
            file,
            block,
            at: part.start,
            end: part.end,
            digest: Digest::new(CrcAlgorithm::Crc32Iscsi),
        }
    }

    /// The next bytes, at most `most` of them.
    pub(super) fn piece(&mut self, most: u64) -> io::Result<&[u8]> {
        let piece = self.block.get(self.file, self.at..self.at + most, self.end)?;
        self.at += piece.len() as u64;
        self.digest.update(piece);
        Ok(piece)
    }

    /// Passes over `bytes`, which go into the checksum all the same.
    pub(super) fn pass(&mut self, mut bytes: u64) -> io::Result<()> {
        while bytes > 0 {
            bytes -= self.piece(bytes)?.len() as u64;
        }
        Ok(())
    }

    /// The checksum of everything.
    pub(super) fn checksum(&self) -> Checksum {
        Checksum::from(&self.digest)
    }
}
