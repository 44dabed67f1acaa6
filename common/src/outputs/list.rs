//! `C1--Trace.files.txt`, read a few lines at a time: a run can have ten million of them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crc_fast::{CrcAlgorithm, Digest};

use crate::convert::Checksum;
use crate::fs::{self, StorageError};

/// Lines between two whose places are remembered.
const STRIDE: u64 = 256;
const BLOCK: usize = 64 << 10;

/// An open list of files.
#[derive(Debug)]
pub struct FileList {
    path: PathBuf,
    file: File,
    lines: u64,
    checksum: Checksum,
    /// Where every [`STRIDE`]-th line begins, and where the last one ends.
    places: Vec<u64>,
    ends_in_newline: bool,
}

impl FileList {
    /// Goes through the whole file once.
    pub fn open(path: &Path) -> Result<Self, StorageError> {
        let failed = |source| StorageError::new("read", path, source);
        let file = File::open(path).map_err(failed)?;
        let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
        let (mut at, mut lines, mut places) = (0_u64, 0_u64, vec![0]);
        let mut last = b'\n';
        let mut block = vec![0; BLOCK];
        loop {
            let found = fs::read_at(&file, &mut block, at).map_err(failed)?;
            let bytes = &block[..found];
            digest.update(bytes);
            for (i, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
                lines += 1;
                if lines.is_multiple_of(STRIDE) {
                    places.push(at + i as u64 + 1);
                }
            }
            last = bytes.last().copied().unwrap_or(last);
            at += found as u64;
            if found < block.len() {
                break;
            }
        }
        let ends_in_newline = last == b'\n';
        if !ends_in_newline {
            lines += 1;
        }
        places.push(at);
        Ok(Self {
            path: path.to_owned(),
            file,
            lines,
            checksum: Checksum::from(&digest),
            places,
            ends_in_newline,
        })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many files it names.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Of the whole file.
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// Whether its last line ends as lines do.
    pub fn ends_in_newline(&self) -> bool {
        self.ends_in_newline
    }

    /// To ask for its lines.
    pub fn lines_of(&self) -> Lines<'_> {
        Lines {
            list: self,
            stride: None,
            bytes: Vec::new(),
            text: String::new(),
        }
    }
}

/// Gives a list's lines in any order; keeps those around the last one for the next question.
#[derive(Debug)]
pub struct Lines<'l> {
    list: &'l FileList,
    stride: Option<u64>,
    bytes: Vec<u8>,
    text: String,
}

impl Lines<'_> {
    /// Line `number`, counted from 0; none where there is no such line.
    pub fn get(&mut self, number: u64) -> Result<Option<&str>, StorageError> {
        if number >= self.list.lines {
            return Ok(None);
        }
        let stride = number / STRIDE;
        if self.stride != Some(stride) {
            self.load(stride)
                .map_err(|source| StorageError::new("read", &self.list.path, source))?;
        }
        let within = usize::try_from(number % STRIDE).expect("below the stride");
        Ok(self.text.lines().nth(within))
    }

    fn load(&mut self, stride: u64) -> io::Result<()> {
        self.stride = None;
        let at = usize::try_from(stride).unwrap_or(usize::MAX);
        let (start, end) = match self.list.places.get(at..) {
            Some([start, end, ..]) => (*start, *end),
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        };
        let length = usize::try_from(end - start).unwrap_or(usize::MAX);
        self.bytes.resize(length, 0);
        let found = fs::read_at(&self.list.file, &mut self.bytes, start)?;
        if found < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.text.clear();
        // What is not Unicode was not written by us; the checksum says so, and a name is still to be shown.
        self.text.push_str(&String::from_utf8_lossy(&self.bytes));
        self.stride = Some(stride);
        Ok(())
    }
}

/// A line of the list as the path that it was made from: control characters and backslashes stand escaped in it.
pub fn unescape(label: &str) -> String {
    if !label.contains('\\') {
        return label.to_owned();
    }
    let mut plain = String::with_capacity(label.len());
    let mut rest = label;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let unicode = || {
            let (hex, after) = behind.strip_prefix("u{")?.split_once('}')?;
            Some((char::from_u32(u32::from_str_radix(hex, 16).ok()?)?, after))
        };
        let simple = || {
            let mut chars = behind.chars();
            let plain = match chars.next()? {
                't' => '\t',
                'r' => '\r',
                'n' => '\n',
                '\\' => '\\',
                _ => return None,
            };
            Some((plain, chars.as_str()))
        };
        let (c, after) = unicode().or_else(simple).unwrap_or(('\\', behind));
        plain.push(c);
        rest = after;
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn any_line_of_a_long_list_is_found_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list");
        // Longer than a block, and no multiple of a stride.
        let names: Vec<String> = (0..10_003).map(|i| format!("r005/C1--Trace--{i:05}.trc\n")).collect();
        let text = names.concat();
        std::fs::write(&path, &text).unwrap();
        let list = FileList::open(&path).unwrap();
        assert_eq!((list.lines(), list.ends_in_newline()), (10_003, true));
        assert_eq!(list.checksum(), Checksum::of(text.as_bytes()));
        let mut lines = list.lines_of();
        for number in [0, 255, 256, 10_002, 17, 9_999, 511, 512] {
            let line = lines.get(number).unwrap().map(str::to_owned);
            assert_eq!(line, Some(format!("r005/C1--Trace--{number:05}.trc")));
        }
        assert_eq!(lines.get(10_003).unwrap(), None);
        for (text, lines) in [("", 0), ("a", 1), ("a\nb", 2), ("a\n", 1)] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(FileList::open(&path).unwrap().lines(), lines, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_escaped_comes_back(name in "[a-z\\\\\u{1}-\u{1f}\u{7f}-\u{9f}{}é'\"]{0,20}") {
            let escaped: String = name
                .chars()
                .flat_map(|c| if c.is_control() || c == '\\' { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
                .collect();
            prop_assert_eq!(unescape(&escaped), name);
        }
    }
}
