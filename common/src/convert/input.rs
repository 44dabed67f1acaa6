//! One input file's bytes, a block at a time, by `read` or through a mapped window.

use std::fs::File;
use std::io;
use std::ops::Range;

use super::mapped::Window;
use super::stages::reading;
use crate::fs;
use crate::units::Bytes;

/// Why bytes of an input did not arrive.
#[derive(Debug)]
pub(super) enum ReadFault {
    /// The storage said so.
    Io(io::Error),
    /// The file ends before `at`: it was longer when it was opened.
    Short { at: u64 },
    /// A page of a mapping could not be delivered; a `read` will tell the true error.
    Mapping,
}

/// How blocks of the file are brought in.
#[derive(Debug)]
enum Source<'b> {
    Read(&'b mut [u8]),
    Mapped { window: Option<Window>, bytes: u64 },
}

/// An open input. Blocks are read as they are asked for; what is at hand is not read twice.
#[derive(Debug)]
pub(super) struct Input<'b> {
    file: &'b File,
    source: Source<'b>,
    loaded: Range<u64>,
}

impl<'b> Input<'b> {
    /// Reads through `buffer`.
    pub(super) fn read(file: &'b File, buffer: &'b mut [u8]) -> Self {
        Self {
            file,
            source: Source::Read(buffer),
            loaded: 0..0,
        }
    }

    /// Maps windows of `bytes` at a time.
    pub(super) fn mapped(file: &'b File, bytes: Bytes) -> Self {
        Self {
            file,
            source: Source::Mapped {
                window: None,
                bytes: bytes.0,
            },
            loaded: 0..0,
        }
    }

    /// Bytes from `want.start` on, at least one of them and at most up to `want.end`: what one block holds.
    /// `ahead`: the end of what will be asked for next, so that a block is filled in one go.
    pub(super) fn block(&mut self, want: Range<u64>, ahead: u64) -> Result<&[u8], ReadFault> {
        if !self.loaded.contains(&want.start) {
            self.load(want.start, want.end.max(ahead))?;
        }
        let end = want.end.min(self.loaded.end);
        let inside = position(want.start - self.loaded.start)..position(end - self.loaded.start);
        match &self.source {
            Source::Read(buffer) => Ok(&buffer[inside]),
            Source::Mapped {
                window: Some(window), ..
            } => Ok(&window.bytes()[inside]),
            Source::Mapped { window: None, .. } => Ok(&[]),
        }
    }

    /// Fills `into` from `at` on, past any block.
    pub(super) fn copy(&self, at: u64, into: &mut [u8]) -> Result<(), ReadFault> {
        let found = reading(|| fs::read_at(self.file, into, at)).map_err(ReadFault::Io)?;
        if found < into.len() {
            return Err(ReadFault::Short { at: at + found as u64 });
        }
        Ok(())
    }

    /// Whether everything handed out so far was really the file's: to be asked before it is believed.
    pub(super) fn check(&self) -> Result<(), ReadFault> {
        match &self.source {
            Source::Mapped {
                window: Some(window), ..
            } if window.faulted() => Err(ReadFault::Mapping),
            _ => Ok(()),
        }
    }

    fn load(&mut self, start: u64, end: u64) -> Result<(), ReadFault> {
        self.check()?;
        self.loaded = 0..0;
        match &mut self.source {
            Source::Read(buffer) => {
                let take = position(end - start).min(buffer.len());
                let found = reading(|| fs::read_at(self.file, &mut buffer[..take], start)).map_err(ReadFault::Io)?;
                if found < take {
                    return Err(ReadFault::Short {
                        at: start + found as u64,
                    });
                }
                self.loaded = start..start + take as u64;
            }
            Source::Mapped { window, bytes } => {
                let take = (end - start).min(*bytes);
                // The old window goes first: two at a time would take twice the budget.
                *window = None;
                *window = Some(Window::map(self.file, start, position(take)).map_err(|_| ReadFault::Mapping)?);
                self.loaded = start..start + take;
            }
        }
        Ok(())
    }
}

fn position(offset: u64) -> usize {
    Bytes(offset).as_usize()
}
