//! Listing one folder: names split, files stat'ed, on as many threads as the pool has.
//!
//! Every thread in turn reads a batch of entries and then asks for their sizes itself, while others read on: what the
//! system has just touched for a name is still in that core's cache.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{DirEntry, FileType};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rustc_hash::FxHashMap;

use crate::fs::{Dir, Look, Stamp};
use crate::units::Bytes;

use super::findings::Examples;
use super::names::{Class, Unmatched, is_hidden, split};

/// Entries read at once.
const BATCH: usize = 1024;

/// One file whose name carries an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawEntry {
    /// All digits of its name.
    pub(super) number: u64,
    pub(super) size: u64,
    pub(super) mtime_ns: i64,
    /// Position in [`Listing::classes`].
    pub(super) class: u32,
}

/// What one folder holds. The order of classes and entries is the file system's.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) classes: Vec<Class>,
    pub(super) entries: Vec<RawEntry>,
    pub(super) unmatched: BTreeMap<Unmatched, Examples<String>>,
    pub(super) folders: Vec<OsString>,
}

/// Which of a folder's files to look at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Selection<'a> {
    /// All of them.
    All,
    /// Files that the user named.
    Names(&'a [OsString]),
    /// The same, and a name without an index is index 0 of its own.
    Literally(&'a [OsString]),
}

/// Lists `folder`. Call it inside a rayon pool. `seen` counts the files as they come.
pub(super) fn list(folder: &Path, selection: Selection<'_>, seen: &AtomicU64) -> io::Result<Listing> {
    let merger = Mutex::new(Merger::default());
    match selection {
        Selection::All => {
            let entries = Mutex::new(std::fs::read_dir(folder)?);
            rayon::scope(|scope| {
                for _ in 0..rayon::current_num_threads() {
                    let (entries, merger) = (&entries, &merger);
                    scope.spawn(move |_| {
                        let own = match Dir::open(folder) {
                            Ok(own) => own,
                            Err(error) => return lock(merger).add(Err(error)),
                        };
                        loop {
                            let batch: Vec<io::Result<DirEntry>> = lock(entries).by_ref().take(BATCH).collect();
                            if batch.is_empty() {
                                break;
                            }
                            // First the work, then the lock.
                            let digested = digest(&own, batch, seen);
                            lock(merger).add(digested);
                        }
                    });
                }
            });
        }
        Selection::Names(names) | Selection::Literally(names) => {
            let literally = matches!(selection, Selection::Literally(_));
            rayon::scope(|scope| {
                for chunk in names.chunks(BATCH) {
                    let merger = &merger;
                    scope.spawn(move |_| {
                        let digested = digest_names(folder, chunk, literally, seen);
                        lock(merger).add(digested);
                    });
                }
            });
        }
    }
    let merger = merger.into_inner().unwrap_or_else(PoisonError::into_inner);
    match merger.error {
        Some(error) => Err(error),
        None => Ok(merger.listing),
    }
}

/// Lists `folder` by names alone: sizes and times are zeros. What only looks like a file (a link) is looked at.
pub(super) fn list_names(folder: &Path) -> io::Result<Listing> {
    let mut batch = Batch::default();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        batch.add(&entry.file_name(), false, &Unlooked(&entry))?;
    }
    Ok(batch.listing)
}

/// What [`list`] would give of these files.
pub(super) fn relist(files: impl Iterator<Item = (String, Stamp)>) -> Listing {
    let mut batch = Batch::default();
    for (name, stamp) in files {
        // A name that was planned is a trace's, with an index or without.
        let literally = true;
        batch
            .add(OsStr::new(&name), literally, &Known(stamp))
            .expect("nothing is looked at");
    }
    batch.listing
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn digest(folder: &Dir, entries: Vec<io::Result<DirEntry>>, seen: &AtomicU64) -> io::Result<Listing> {
    let mut batch = Batch::default();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        batch.add(&name, false, &Listed(folder, &entry, &name))?;
    }
    seen.fetch_add(batch.listing.entries.len() as u64, Ordering::Relaxed);
    Ok(batch.listing)
}

fn digest_names(folder: &Path, names: &[OsString], literally: bool, seen: &AtomicU64) -> io::Result<Listing> {
    let mut batch = Batch::default();
    for name in names {
        batch.add(name, literally, &Named(folder, name))?;
    }
    seen.fetch_add(batch.listing.entries.len() as u64, Ordering::Relaxed);
    Ok(batch.listing)
}

/// Something in a folder: an entry just read, or a name that the user gave.
trait Found {
    /// What it is, a link not followed, where that costs nothing to know.
    fn kind(&self) -> io::Result<Option<FileType>>;
    /// The file itself. `follow` where it may be a link: then that which it leads to.
    fn look(&self, follow: bool) -> io::Result<Look>;
}

struct Listed<'a>(&'a Dir, &'a DirEntry, &'a OsStr);

impl Found for Listed<'_> {
    fn kind(&self) -> io::Result<Option<FileType>> {
        self.1.file_type().map(Some)
    }
    fn look(&self, follow: bool) -> io::Result<Look> {
        self.0.look(self.1, self.2, follow)
    }
}

struct Unlooked<'a>(&'a DirEntry);

impl Found for Unlooked<'_> {
    fn kind(&self) -> io::Result<Option<FileType>> {
        self.0.file_type().map(Some)
    }
    fn look(&self, follow: bool) -> io::Result<Look> {
        if follow {
            return std::fs::metadata(self.0.path()).map(|metadata| Look::from(&metadata));
        }
        Ok(Look {
            is_file: true,
            stamp: Stamp {
                size: Bytes(0),
                mtime_ns: 0,
            },
        })
    }
}

struct Named<'a>(&'a Path, &'a OsStr);

impl Found for Named<'_> {
    fn kind(&self) -> io::Result<Option<FileType>> {
        Ok(None)
    }
    fn look(&self, _: bool) -> io::Result<Look> {
        std::fs::metadata(self.0.join(self.1)).map(|metadata| Look::from(&metadata))
    }
}

struct Known(Stamp);

impl Found for Known {
    fn kind(&self) -> io::Result<Option<FileType>> {
        Ok(None)
    }
    fn look(&self, _: bool) -> io::Result<Look> {
        Ok(Look {
            is_file: true,
            stamp: self.0,
        })
    }
}

#[derive(Default)]
struct Batch {
    listing: Listing,
    /// The class of the name before, most often that of the next.
    last: usize,
}

impl Batch {
    fn add(&mut self, name: &OsStr, literally: bool, found: &impl Found) -> io::Result<()> {
        let bytes = name.as_encoded_bytes();
        if is_hidden(bytes) {
            return Ok(());
        }
        let kind = found.kind()?;
        if kind.is_some_and(|kind| kind.is_dir()) {
            self.listing.folders.push(name.to_owned());
            if name.to_str().is_some_and(|name| split(name).is_ok()) {
                self.leave_out(Unmatched::NoFile, name);
            }
            return Ok(());
        }
        let (class, number) = match self.classify(name, literally) {
            Ok(known) => known,
            Err(reason) => {
                self.leave_out(reason, name);
                return Ok(());
            }
        };
        let follow = !kind.is_some_and(|kind| kind.is_file());
        let look = match found.look(follow) {
            Ok(look) => look,
            // A link to nowhere, or a file removed since the folder was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.leave_out(Unmatched::NoFile, name);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if !look.is_file {
            self.leave_out(Unmatched::NoFile, name);
            return Ok(());
        }
        self.listing.entries.push(RawEntry {
            number,
            size: look.stamp.size.0,
            mtime_ns: look.stamp.mtime_ns,
            class,
        });
        Ok(())
    }

    fn classify(&mut self, name: &OsStr, literally: bool) -> Result<(u32, u64), Unmatched> {
        let classes = &mut self.listing.classes;
        let bytes = name.as_encoded_bytes();
        let known = (self.last..classes.len())
            .chain(0..self.last)
            .find_map(|i| classes[i].number_of(bytes).map(|number| (i, number)));
        let (class, number) = if let Some(known) = known {
            known
        } else {
            let text = name.to_str().ok_or(Unmatched::NotUnicode)?;
            let (class, number) = match split(text) {
                Ok(split) => (Class::new(text, split), split.number),
                Err(Unmatched::NoIndex) if literally => (Class::literal(text), 0),
                Err(reason) => return Err(reason),
            };
            classes.push(class);
            (classes.len() - 1, number)
        };
        self.last = class;
        Ok((u32::try_from(class).expect("a batch has few classes"), number))
    }

    fn leave_out(&mut self, reason: Unmatched, name: &OsStr) {
        self.listing
            .unmatched
            .entry(reason)
            .or_default()
            .add_smallest(name.to_string_lossy().into_owned());
    }
}

#[derive(Default)]
struct Merger {
    listing: Listing,
    known: FxHashMap<(String, u8, String), u32>,
    error: Option<io::Error>,
}

impl Merger {
    fn add(&mut self, batch: io::Result<Listing>) {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                self.error.get_or_insert(error);
                return;
            }
        };
        let listing = &mut self.listing;
        let ids: Vec<u32> = batch
            .classes
            .into_iter()
            .map(|class| {
                let key = (class.prefix.clone(), class.digits, class.suffix.clone());
                *self.known.entry(key).or_insert_with(|| {
                    listing.classes.push(class);
                    u32::try_from(listing.classes.len() - 1).expect("fewer classes than files, fewer files than 2^32")
                })
            })
            .collect();
        listing.entries.extend(batch.entries.into_iter().map(|mut entry| {
            entry.class = ids[entry.class as usize];
            entry
        }));
        for (reason, examples) in batch.unmatched {
            listing.unmatched.entry(reason).or_default().merge_smallest(examples);
        }
        listing.folders.extend(batch.folders);
    }
}

pub(super) fn since_epoch_ns(time: SystemTime) -> i64 {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |ns| -ns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(folder: &Path, selection: Selection<'_>) -> Listing {
        list(folder, selection, &AtomicU64::new(0)).unwrap()
    }

    fn names(listing: &Listing) -> Vec<(String, u64)> {
        let mut names: Vec<_> = listing
            .entries
            .iter()
            .map(|entry| (listing.classes[entry.class as usize].name(entry.number), entry.size))
            .collect();
        names.sort();
        names
    }

    #[test]
    fn more_files_than_one_batch_are_all_found_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut expected = Vec::new();
        for i in 0..3000_u64 {
            let name = format!("C{}--Trace--{:05}.trc", i % 4 + 1, i / 4);
            std::fs::write(dir.path().join(&name), vec![0; usize::try_from(i % 7).unwrap()]).unwrap();
            expected.push((name, i % 7));
        }
        expected.sort();
        let seen = AtomicU64::new(0);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let listing = pool.install(|| list(dir.path(), Selection::All, &seen)).unwrap();
            assert_eq!(names(&listing), expected);
            assert_eq!(listing.classes.len(), 4);
        }
        assert_eq!(seen.into_inner(), 6000);
    }

    #[test]
    fn what_does_not_match_is_counted_and_shown() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "C1--Trace--00000.trc",
            "C1--Trace--00000 (1).trc",
            "notes.txt",
            ".DS_Store",
            "b.wav",
            "pulse.trc",
        ] {
            std::fs::write(dir.path().join(name), "x").unwrap();
        }
        std::fs::create_dir(dir.path().join("sub")).unwrap();
        std::fs::create_dir(dir.path().join("C1--Trace--00007.trc")).unwrap();
        let listing = listed(dir.path(), Selection::All);
        assert_eq!(names(&listing), [("C1--Trace--00000.trc".to_owned(), 1)]);
        let mut folders = listing.folders.clone();
        folders.sort();
        assert_eq!(folders, ["C1--Trace--00007.trc", "sub"]);
        assert_eq!(listing.unmatched[&Unmatched::NoFile].count, 1);
        let other = &listing.unmatched[&Unmatched::OtherKind];
        assert_eq!(
            (other.count, other.examples.as_slice()),
            (2, &["b.wav".to_owned(), "notes.txt".to_owned()][..])
        );
        assert_eq!(listing.unmatched[&Unmatched::Copy].count, 1);
        assert_eq!(listing.unmatched[&Unmatched::NoIndex].count, 1);

        let chosen = [OsString::from("pulse.trc"), OsString::from("gone--00001.trc")];
        let named = listed(dir.path(), Selection::Literally(&chosen));
        assert_eq!(names(&named), [("pulse.trc".to_owned(), 1)]);
        assert_eq!(named.unmatched[&Unmatched::NoFile].count, 1);
    }

    #[cfg(unix)]
    #[test]
    fn links_to_files_are_files_and_other_links_are_none() {
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::fs::symlink;

        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("data.bin"), "four").unwrap();
        symlink(at("data.bin"), at("C1--Trace--00000.trc")).unwrap();
        symlink(at("nowhere"), at("C1--Trace--00001.trc")).unwrap();
        symlink(dir.path(), at("C1--Trace--00002.trc")).unwrap();
        std::fs::write(dir.path().join(OsStr::from_bytes(b"C1--\xff--00003.trc")), "x").unwrap();
        let listing = listed(dir.path(), Selection::All);
        assert_eq!(names(&listing), [("C1--Trace--00000.trc".to_owned(), 4)]);
        assert_eq!(listing.unmatched[&Unmatched::NoFile].count, 2);
        assert_eq!(listing.unmatched[&Unmatched::NotUnicode].count, 1);
    }
}
