//! Opening headers: some of a channel's files, or all, and what they say of layout, settings and trigger times.

mod keys;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use crate::channel::Channel;
use crate::options::OnBadFile;
use crate::status::Status;
use crate::trc::{Field, FieldSet, FormatError, HEAD_BYTES, Header, WaveArray};
use crate::units::Bytes;

use super::error::PlanError;
use super::findings::{ChangedAt, Examples, FileNote, Finding, Findings, SettingsChange};
use super::gather::Candidate;
use super::layouts::{Claimed, Claims, UNKNOWN, UNREADABLE};
use super::model::{Folder, NamePattern, PatternId};
use super::survey::Heads;
use keys::Keys;

/// Files opened of each channel beyond those that the layouts need, spread evenly.
const SPREAD: usize = 32;
/// Files of one (folder, size) opened until one can be read.
const TRIES: usize = 3;
/// Files that may fail to open before planning gives up.
const MOST_UNOPENED: u64 = 100;
/// Files opened between two looks at the results.
const CHUNK: usize = 4096;

/// The first bytes of a file: [`HEAD_BYTES`], or all of a shorter file. Errors that can pass are tried again.
pub(crate) fn read_head(path: &Path) -> io::Result<Vec<u8>> {
    const WAITS: [Duration; 2] = [Duration::from_millis(20), Duration::from_millis(200)];
    let mut waits = WAITS.iter();
    loop {
        let error = match try_read_head(path) {
            Ok(head) => return Ok(head),
            Err(error) => error,
        };
        let lasting = [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied];
        match waits.next() {
            Some(wait) if !lasting.contains(&error.kind()) => std::thread::sleep(*wait),
            _ => return Err(error),
        }
    }
}

fn try_read_head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = [0; HEAD_BYTES];
    let mut file = File::open(path)?;
    let mut filled = 0;
    while filled < head.len() {
        match file.read(&mut head[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(head[..filled].to_vec())
}

/// What is known of every file of a channel.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) folders: &'a [Folder],
    pub(super) patterns: &'a [NamePattern],
    pub(super) heads: &'a dyn Heads,
}

impl Names<'_> {
    pub(super) fn path(&self, file: &Candidate) -> PathBuf {
        self.path_of(PatternId(file.pattern), file.index)
    }

    pub(super) fn path_of(&self, pattern: PatternId, index: u64) -> PathBuf {
        let pattern = &self.patterns[pattern.0 as usize];
        self.folders[pattern.folder as usize].path.join(pattern.name(index))
    }

    /// As the file list shows it.
    pub(super) fn label(&self, file: &Candidate) -> String {
        let pattern = &self.patterns[file.pattern as usize];
        format!(
            "{}/{}",
            self.folders[pattern.folder as usize].label,
            pattern.name(file.index)
        )
    }

    /// What brings it together with files of other channels.
    pub(super) fn key(&self, file: &Candidate) -> (u32, u64) {
        (self.patterns[file.pattern as usize].folder, file.index)
    }
}

/// How to go about it.
#[derive(Clone, Copy)]
pub(super) struct Probing<'a> {
    pub(super) names: Names<'a>,
    /// Every file, or only as many as the layouts need and a sample.
    pub(super) all: bool,
    /// `--array`
    pub(super) array: WaveArray,
    /// `--on-bad-file`
    pub(super) on_bad_file: OnBadFile,
    /// Files changed after this (nanoseconds since 1970) may still be written.
    pub(super) young_after_ns: i64,
    /// Counts opened headers.
    pub(super) opened: &'a AtomicU64,
}

/// What was found in one channel.
pub(super) struct Probed {
    pub(super) claims: Claims,
    /// The files whose headers could be read, the first of each claim, in row order.
    pub(super) readable: Vec<usize>,
    /// Trigger times of the files opened, in row order.
    pub(super) triggers: Vec<(usize, i64)>,
    /// What is wrong with the first file that gave no header.
    pub(super) first_trouble: Option<(usize, String)>,
    /// Files opened.
    pub(super) opened: u64,
    /// Settings that change and must not.
    pub(super) mixed: Vec<SettingsChange>,
}

/// Positions worth opening in every channel, by (folder, index): so that trigger times can be compared.
pub(super) fn shared_sample(names: Names<'_>, files: &[Candidate]) -> Vec<(u32, u64)> {
    spread(files.len()).map(|at| names.key(&files[at])).collect()
}

/// First, last and [`SPREAD`] between, in ascending order; can repeat.
fn spread(len: usize) -> impl Iterator<Item = usize> {
    let last = len.saturating_sub(1);
    let steps = SPREAD + 1;
    (0..=steps)
        .filter(move |_| len > 0)
        .map(move |i| usize::try_from(last as u128 * i as u128 / steps as u128).unwrap_or(last))
}

/// Opens what has to be opened, and sets the layout of every file for which that says something.
pub(super) fn probe(
    channel: Channel,
    files: &mut [Candidate],
    shared: &[(u32, u64)],
    probing: Probing<'_>,
    findings: &mut Findings,
) -> Result<Probed, PlanError> {
    let mut fold = Fold::new(probing, files);
    if probing.all {
        for start in (0..fold.files.len()).step_by(CHUNK) {
            let chunk: Vec<usize> = (start..(start + CHUNK).min(fold.files.len())).collect();
            fold.open(&chunk, true)?;
        }
    } else {
        let mut keys = Keys::new(probing.names, fold.files);
        let mut first = keys.positions(0);
        first.extend(spread(fold.files.len()));
        first.extend(shared.iter().filter_map(|key| {
            let files = &fold.files;
            files.binary_search_by_key(key, |file| probing.names.key(file)).ok()
        }));
        first.sort_unstable();
        first.dedup();
        for chunk in first.chunks(CHUNK) {
            fold.open(chunk, true)?;
        }
        for attempt in 1..TRIES {
            keys.retain_unread(fold.files);
            let mut next = keys.positions(attempt);
            next.retain(|&at| fold.files[at].layout == UNKNOWN);
            for chunk in next.chunks(CHUNK) {
                fold.open(chunk, false)?;
            }
        }
        Keys::spread_layouts(probing.names, fold.files, &fold.claims);
    }
    Ok(fold.finish(channel, findings))
}

/// What one opened file says.
#[expect(clippy::large_enum_variant, reason = "nearly all are sound, and few are in flight")]
enum Opened {
    Sound {
        header: Header,
        claimed: Claimed,
        second_array: Bytes,
        mismatch: Option<String>,
    },
    Bad {
        error: FormatError,
        claimed: Option<Claimed>,
    },
    Failed(io::Error),
}

fn open(heads: &dyn Heads, path: &Path, size: Bytes, array: WaveArray) -> Opened {
    let head = match heads.head(path) {
        Ok(head) => head,
        Err(error) => return Opened::Failed(error),
    };
    let header = match Header::parse(&head) {
        Ok(header) => header,
        Err(error) => return Opened::Bad { error, claimed: None },
    };
    let claim = |shape: crate::trc::Shape, sound| Claimed {
        segments: shape.segments,
        samples: shape.samples,
        width: header.width(),
        sound,
    };
    match header.decodable(array, size) {
        Ok(layout) => Opened::Sound {
            claimed: claim(layout.shape, true),
            second_array: layout.second_array,
            mismatch: layout.count_mismatch.map(|counts| {
                format!(
                    "WAVE_ARRAY_COUNT names {}, the file holds {}",
                    counts.named, counts.found
                )
            }),
            header,
        },
        Err(error) => Opened::Bad {
            error,
            claimed: header.shape_of(array).ok().map(|shape| claim(shape, false)),
        },
    }
}

struct Change {
    changes: u64,
    examples: Vec<ChangedAt>,
}

/// Takes the results in row order and keeps what outlives the headers.
struct Fold<'a> {
    probing: Probing<'a>,
    files: &'a mut [Candidate],
    claims: Claims,
    /// The first opened file of each claim.
    readable: FxHashMap<u32, usize>,
    before: Option<(usize, Header)>,
    changes: FxHashMap<Field, Change>,
    watched: FieldSet,
    triggers: Vec<(usize, i64)>,
    first_trouble: Option<(usize, String)>,
    opened: u64,
    bad: Examples<FileNote>,
    young: Examples<FileNote>,
    unopened: Examples<FileNote>,
    second_arrays: Examples<FileNote>,
    mismatches: Examples<FileNote>,
}

impl<'a> Fold<'a> {
    fn new(probing: Probing<'a>, files: &'a mut [Candidate]) -> Self {
        Self {
            probing,
            files,
            claims: Claims::default(),
            readable: FxHashMap::default(),
            before: None,
            changes: FxHashMap::default(),
            watched: FieldSet::AXES.union(FieldSet::SETTINGS),
            triggers: Vec::new(),
            first_trouble: None,
            opened: 0,
            bad: Examples::default(),
            young: Examples::default(),
            unopened: Examples::default(),
            second_arrays: Examples::default(),
            mismatches: Examples::default(),
        }
    }

    /// Opens the files at `positions`. Only files that come `in_row_order` are asked where settings change.
    fn open(&mut self, positions: &[usize], in_row_order: bool) -> Result<(), PlanError> {
        let Probing {
            names,
            array,
            opened: counter,
            ..
        } = self.probing;
        let files = &*self.files;
        let results: Vec<Opened> = positions
            .par_iter()
            .map(|&at| {
                let result = open(names.heads, &names.path(&files[at]), Bytes(files[at].size), array);
                counter.fetch_add(1, Ordering::Relaxed);
                result
            })
            .collect();
        for (&at, result) in positions.iter().zip(results) {
            self.opened += 1;
            match result {
                Opened::Sound {
                    header,
                    claimed,
                    second_array,
                    mismatch,
                } => {
                    self.claim(at, claimed);
                    self.note_oddities(at, second_array, mismatch);
                    if let Some(trigger) = header.trigger_time() {
                        self.triggers.push((at, trigger));
                    }
                    if in_row_order {
                        self.compare(at, header);
                    }
                }
                Opened::Bad { error, claimed } => self.take_bad(at, &error, claimed)?,
                Opened::Failed(error) => self.take_failed(at, error)?,
            }
        }
        Ok(())
    }

    fn claim(&mut self, at: usize, claimed: Claimed) {
        let id = self.claims.id(claimed);
        self.files[at].layout = id;
        let first = self.readable.entry(id).or_insert(at);
        *first = at.min(*first);
    }

    fn note_oddities(&mut self, at: usize, second_array: Bytes, mismatch: Option<String>) {
        let (names, file) = (self.probing.names, self.files[at]);
        if second_array > Bytes(0) && self.probing.array == WaveArray::First {
            self.second_arrays.add_with(|| FileNote {
                file: names.label(&file),
                note: format!("WAVE_ARRAY_2 of {second_array}"),
            });
        }
        if let Some(note) = mismatch {
            self.mismatches.add_with(|| FileNote {
                file: names.label(&file),
                note,
            });
        }
    }

    fn compare(&mut self, at: usize, header: Header) {
        if let Some((before_at, before)) = &self.before {
            let names = self.probing.names;
            for field in header.differing(before).intersection(self.watched).iter() {
                let change = self.changes.entry(field).or_insert(Change {
                    changes: 0,
                    examples: Vec::new(),
                });
                change.changes += 1;
                if change.examples.len() < Examples::<ChangedAt>::MOST {
                    let shown =
                        |header: &Header| header.value(field).map_or_else(|| "none".to_owned(), |v| v.to_string());
                    change.examples.push(ChangedAt {
                        last_before: names.label(&self.files[*before_at]),
                        before: shown(before),
                        first_after: names.label(&self.files[at]),
                        after: shown(&header),
                    });
                }
            }
        }
        self.before = Some((at, header));
    }

    fn take_bad(&mut self, at: usize, error: &FormatError, claimed: Option<Claimed>) -> Result<(), PlanError> {
        let (names, file) = (self.probing.names, self.files[at]);
        let young = error.status() == Status::Truncated && file.mtime_ns > self.probing.young_after_ns;
        if self.probing.on_bad_file == OnBadFile::Fail && !young {
            return Err(PlanError::BadFile {
                file: names.path(&file),
                reason: error.to_string(),
            });
        }
        match claimed {
            Some(claimed) => self.claim(at, claimed),
            None => self.files[at].layout = UNREADABLE,
        }
        self.trouble(at, error);
        let list = if young { &mut self.young } else { &mut self.bad };
        list.add_with(|| FileNote {
            file: names.label(&file),
            note: error.to_string(),
        });
        Ok(())
    }

    fn take_failed(&mut self, at: usize, error: io::Error) -> Result<(), PlanError> {
        let (names, file) = (self.probing.names, self.files[at]);
        if self.probing.on_bad_file == OnBadFile::Fail {
            return Err(PlanError::Storage {
                path: names.path(&file),
                doing: "opened",
                source: error,
            });
        }
        self.trouble(at, &error);
        self.unopened.add_with(|| FileNote {
            file: names.label(&file),
            note: error.to_string(),
        });
        if self.unopened.count > MOST_UNOPENED {
            return Err(PlanError::TooManyUnopened {
                failed: self.unopened.count,
                last: names.path(&file),
                source: error,
            });
        }
        Ok(())
    }

    fn trouble(&mut self, at: usize, what: &impl ToString) {
        if self.first_trouble.as_ref().is_none_or(|(first, _)| at < *first) {
            self.first_trouble = Some((at, what.to_string()));
        }
    }

    fn finish(mut self, channel: Channel, findings: &mut Findings) -> Probed {
        let skipped = self.probing.on_bad_file == OnBadFile::Skip;
        let mut mixed = Vec::new();
        for field in FieldSet::AXES.iter().chain(FieldSet::SETTINGS.iter()) {
            let Some(change) = self.changes.remove(&field) else {
                continue;
            };
            let change = SettingsChange {
                setting: field.name().to_owned(),
                changes: change.changes,
                examples: change.examples,
            };
            if FieldSet::AXES.contains(field) {
                mixed.push(change);
            } else {
                findings.all.push(Finding::ChangedSettings { channel, change });
            }
        }
        findings.add_some(self.young, |files| Finding::StillWriting { channel, files });
        findings.add_some(self.unopened, |files| Finding::Unopened { channel, files });
        findings.add_some(self.second_arrays, |files| Finding::SecondArray { channel, files });
        findings.add_some(self.mismatches, |files| Finding::CountMismatch { channel, files });
        findings.add_some(self.bad, |files| Finding::BadFiles {
            channel,
            skipped,
            files,
        });
        self.triggers.sort_unstable_by_key(|&(at, _)| at);
        let mut readable: Vec<usize> = self.readable.into_values().collect();
        readable.sort_unstable();
        Probed {
            claims: self.claims,
            readable,
            triggers: self.triggers,
            first_trouble: self.first_trouble,
            opened: self.opened,
            mixed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_begins_with_the_first_and_ends_with_the_last() {
        for len in [1, 2, 33, 34, 35, 1_000_000] {
            let all: Vec<usize> = spread(len).collect();
            assert_eq!((all[0], *all.last().unwrap()), (0, len - 1), "{len}");
            assert!(all.is_sorted() && all.len() == SPREAD + 2);
        }
        assert_eq!(spread(0).count(), 0);
    }
}
