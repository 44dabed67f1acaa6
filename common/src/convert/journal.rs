//! What an interrupted run has finished: one checked line a record, appended and synced.
//!
//! A record only ever says that something is done, so that a torn or damaged one costs work and never a row.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

use super::stream::Checksum;
use super::synced::SyncedRange;
use crate::channel::Channel;
use crate::fs::{self, StorageError};
use crate::units::RowRange;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "lowercase")]
pub(super) enum Record {
    /// The first: whose journal it is.
    Opened {
        /// Plan id.
        plan: String,
        /// Whether finals of another conversion may be replaced.
        overwrite: bool,
        /// Final names of the arrays.
        arrays: Vec<String>,
        /// What was asked, for people.
        settings: String,
    },
    /// These rows are on the disk.
    Committed(SyncedRange),
    /// The same command would fail again: what it was asked does not suit the inputs.
    Hopeless,
    /// All rows are there; the files are getting their names.
    Publishing,
    /// All files have their names.
    Done {
        /// Name and bytes of each file, to notice one that was replaced or removed.
        files: Vec<(String, u64)>,
        /// Seconds of work.
        seconds: f64,
    },
}

/// A journal. Records are appended; nothing is ever changed.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    /// Bytes of its good records. What is behind them was torn, and is written over.
    good: u64,
    /// Opened when the first record is appended: one that is only read may lie where nothing can be written.
    file: Option<File>,
}

impl Journal {
    /// A new journal that begins with `first`.
    pub(super) fn create(path: &Path, first: &Record) -> Result<Self, StorageError> {
        let text = line(first);
        fs::write_file(path, text.as_bytes())?;
        Ok(Self {
            path: path.to_owned(),
            good: text.len() as u64,
            file: None,
        })
    }

    /// The journal at `path` and its records up to the first damaged one; none where there is no journal.
    pub(super) fn open(path: &Path) -> Result<Option<(Self, Vec<Record>)>, StorageError> {
        let failed = |source| StorageError::new("read the journal", path, source);
        let mut text = Vec::new();
        match File::open(path) {
            Ok(mut file) => file.read_to_end(&mut text).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let (records, good) = parse(&text);
        if records.is_empty() {
            return Ok(None);
        }
        let journal = Self {
            path: path.to_owned(),
            good: good as u64,
            file: None,
        };
        Ok(Some((journal, records)))
    }

    /// Appends records and brings them to the disk.
    pub(super) fn append(&mut self, records: &[Record]) -> Result<(), StorageError> {
        let text: String = records.iter().map(line).collect();
        let failed = |source| StorageError::new("write the journal", &self.path, source);
        let file = if let Some(file) = &mut self.file {
            file
        } else {
            let file = OpenOptions::new().append(true).open(&self.path).map_err(failed)?;
            // A torn end would make one line with the next record.
            file.set_len(self.good).map_err(failed)?;
            self.file.insert(file)
        };
        let result = file.write_all(text.as_bytes()).and_then(|()| fs::sync_data(file));
        result.map_err(failed)
    }
}

/// The records that count. Rows with files that the storage failed to deliver are no longer done once they are committed
/// anew, nor as long as publishing has not begun: the storage may have been mended since.
pub(super) fn standing(records: Vec<Record>) -> Vec<Record> {
    let mut doubtful: Vec<(usize, Channel, RowRange)> = Vec::new();
    let mut fallen = FxHashSet::default();
    for (at, record) in records.iter().enumerate() {
        let Record::Committed(done) = record else { continue };
        doubtful.retain(|&(earlier, channel, rows)| {
            let again = channel == done.channel && !rows.intersection(done.rows).is_empty();
            if again {
                fallen.insert(earlier);
            }
            !again
        });
        if done.unreadable > 0 {
            doubtful.push((at, done.channel, done.rows));
        }
    }
    if !records.contains(&Record::Publishing) {
        fallen.extend(doubtful.iter().map(|&(at, ..)| at));
    }
    let records = records.into_iter().enumerate();
    records
        .filter_map(|(at, record)| (!fallen.contains(&at)).then_some(record))
        .collect()
}

/// `{json} crc32c` and a newline.
fn line(record: &Record) -> String {
    let json = serde_json::to_string(record).expect("records hold nothing that JSON cannot");
    format!("{json} {:08x}\n", Checksum::of(json.as_bytes()).crc)
}

/// The good records from the front, and how many bytes they take.
fn parse(text: &[u8]) -> (Vec<Record>, usize) {
    let (mut records, mut good) = (Vec::new(), 0);
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        let Some(record) = parse_line(line) else { break };
        records.push(record);
        good += line.len();
    }
    (records, good)
}

fn parse_line(line: &[u8]) -> Option<Record> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (json, crc) = line.rsplit_once(' ')?;
    (u32::from_str_radix(crc, 16).ok()? == Checksum::of(json.as_bytes()).crc).then_some(())?;
    serde_json::from_str(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::StatusCounts;
    use crate::trc::FieldSet;
    use crate::units::Bytes;

    fn committed(rows: std::ops::Range<u64>, unreadable: u64) -> Record {
        Record::Committed(SyncedRange {
            channel: "C1".parse().unwrap(),
            rows: RowRange::new(rows.start, rows.end),
            data_crc: 0,
            data_len: 0,
            index_crc: 0,
            index_len: 0,
            varying: FieldSet::EMPTY,
            statuses: StatusCounts::default(),
            unreadable,
            bytes_in: Bytes(0),
            bad: vec![],
            grown: vec![],
        })
    }

    #[test]
    fn rows_that_could_not_be_read_are_done_only_where_nobody_can_try_them_again() {
        let (good, bad) = (committed(0..10, 0), committed(10..20, 1));
        let open = vec![good.clone(), bad.clone()];
        assert_eq!(standing(open.clone()), std::slice::from_ref(&good));
        let published = [open.clone(), vec![Record::Publishing]].concat();
        assert_eq!(standing(published.clone()), published);
        // Tried again in two parts, of which one failed again.
        let parts = [committed(10..14, 0), committed(14..20, 1)];
        let again = [open, parts.to_vec()].concat();
        assert_eq!(standing(again.clone()), [good.clone(), parts[0].clone()]);
        let published = [again, vec![Record::Publishing]].concat();
        let [first, second] = parts;
        assert_eq!(standing(published), [good, first, second, Record::Publishing]);
    }

    #[test]
    fn a_torn_or_flipped_record_ends_the_journal_and_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let opened = Record::Opened {
            plan: "p".into(),
            overwrite: false,
            arrays: vec![],
            settings: String::new(),
        };
        Journal::create(&path, &opened)
            .unwrap()
            .append(&[Record::Publishing])
            .unwrap();
        let whole = std::fs::read(&path).unwrap();
        let first = line(&opened).len();
        for cut in first..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (mut journal, records) = Journal::open(&path).unwrap().unwrap();
            assert_eq!(records, std::slice::from_ref(&opened), "cut at {cut}");
            journal.append(&[Record::Publishing]).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole);
        }
        for flipped in first..whole.len() - 1 {
            let mut text = whole.clone();
            text[flipped] ^= 1;
            assert_eq!(parse(&text).0, std::slice::from_ref(&opened), "flipped at {flipped}");
        }
        std::fs::write(&path, b"rubbish").unwrap();
        assert!(Journal::open(&path).unwrap().is_none());
    }
}
