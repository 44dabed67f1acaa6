//! The folders of a run and the traces in them.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::Measurement;
use crate::channel::Channel;
use crate::units::counted;

/// The text between channel and index: the first that a folder holds is that of its traces.
const STEMS: [&str; 2] = ["Trace", "wave"];
/// A larger number behind a run's name would be a year.
const LARGEST: u64 = 999;
/// Names told of in a sentence.
const NAMED: usize = 10;

/// What is there of a run.
#[derive(Clone, Debug)]
pub struct Sources {
    /// In the order of their numbers.
    folders: Vec<Folder>,
    /// Numbers between 2 and the last that no folder has.
    missing: Vec<String>,
    /// `C*--Trace--*.trc` and its kin, for messages.
    wanted: String,
}

#[derive(Clone, Debug)]
struct Folder {
    path: PathBuf,
    /// `r009` is 1, `r009-2` is 2.
    number: u64,
    /// Which of [`STEMS`]; none where it holds no traces.
    stem: Option<&'static str>,
    channels: BTreeMap<Channel, Vec<FileName>>,
}

/// The index of a file, and in how many digits it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FileName {
    index: u64,
    digits: u8,
}

/// How planning is told of the sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// Folders, or patterns of files where not all folders have the same stem.
    pub paths: Vec<PathBuf>,
    /// The stem of all folders; none where the patterns name it.
    pub stem: Option<String>,
}

/// Why a run has no sources.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// No folder of the run.
    #[error("{}: no folder {run}, {run}-2, ... ({there}); correct --base, --period or --run", folder.display())]
    NoFolder {
        /// Where they were looked for.
        folder: PathBuf,
        /// The first one's name.
        run: String,
        /// What is there instead.
        there: String,
    },
    /// Folders without traces.
    #[error("{}: no {wanted} in this folder, nor in another of the run", folder.display())]
    NoTraces {
        /// The first of them.
        folder: PathBuf,
        /// What was looked for.
        wanted: String,
    },
    /// A folder cannot be listed.
    #[error("{}: cannot be listed: {source}", folder.display())]
    Unlisted {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl SourcesError {
    /// Whether the command line is wrong, not the storage.
    pub const fn is_usage(&self) -> bool {
        !matches!(self, Self::Unlisted { .. })
    }
}

impl Sources {
    /// Looks which folders of the run there are and which traces they hold. Opens no file.
    pub fn find(measurement: &Measurement) -> Result<Self, SourcesError> {
        let (above, run) = (measurement.sources(), measurement.run());
        let mut folders = Vec::new();
        for name in names(&above).or_else(|error| match error.source_kind() {
            Some(io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
            _ => Err(error),
        })? {
            let number = name.to_str().and_then(|name| number_of(name, &run));
            let path = above.join(&name);
            if let Some(number) = number.filter(|_| path.is_dir()) {
                folders.push(Folder::look(path, number)?);
            }
        }
        folders.sort_by_key(|folder| folder.number);
        let wanted = STEMS.map(|stem| format!("C*--{stem}--*.trc")).join(" or ");
        let Some(last) = folders.last() else {
            return Err(SourcesError::NoFolder {
                there: what_is_there(&above),
                folder: above,
                run,
            });
        };
        // The first may be absent: some runs begin with their second folder.
        let known: BTreeSet<u64> = folders.iter().map(|folder| folder.number).collect();
        let missing = (2..last.number).filter(|number| !known.contains(number));
        let missing = missing.map(|number| format!("{run}-{number}")).collect();
        if folders.iter().all(|folder| folder.stem.is_none()) {
            let folder = folders.swap_remove(0).path;
            return Err(SourcesError::NoTraces { folder, wanted });
        }
        Ok(Self {
            folders,
            missing,
            wanted,
        })
    }

    /// Every channel of which there is a file, in order.
    pub fn channels(&self) -> Vec<Channel> {
        let all: BTreeSet<Channel> = self
            .folders
            .iter()
            .flat_map(|folder| folder.channels.keys().copied())
            .collect();
        all.into_iter().collect()
    }

    /// The files of a channel in the order of folders and indices.
    pub fn files(&self, channel: Channel) -> impl Iterator<Item = PathBuf> + '_ {
        self.folders.iter().flat_map(move |folder| {
            let files = folder.channels.get(&channel).map_or(&[][..], Vec::as_slice);
            files.iter().map(move |name| folder.path_of(channel, *name))
        })
    }

    /// What is to be planned.
    pub fn inputs(&self) -> Inputs {
        let mut stems: Vec<&str> = self.folders.iter().filter_map(|folder| folder.stem).collect();
        stems.dedup();
        if let [stem] = stems[..] {
            return Inputs {
                paths: self.folders.iter().map(|folder| folder.path.clone()).collect(),
                stem: Some(stem.to_owned()),
            };
        }
        let patterns = self.folders.iter().filter_map(|folder| {
            let escaped = glob::Pattern::escape(folder.path.to_str()?);
            Some(Path::new(&escaped).join(format!("C*--{}--*.trc", folder.stem?)))
        });
        Inputs {
            paths: patterns.collect(),
            stem: None,
        }
    }

    /// Folders that a gap in their numbers suggests, and folders without traces: sentences for people.
    pub fn oddities(&self) -> Vec<String> {
        let mut told = Vec::new();
        if !self.missing.is_empty() {
            let more = if self.missing.len() > NAMED { ", ..." } else { "" };
            let names = self.missing[..self.missing.len().min(NAMED)].join(", ");
            told.push(format!(
                "missing between the folders of the run: {} ({names}{more})",
                counted(self.missing.len() as u64, "folder")
            ));
        }
        let empty = self.folders.iter().filter(|folder| folder.stem.is_none());
        told.extend(empty.map(|folder| format!("{}: no {} in this folder", folder.path.display(), self.wanted)));
        told
    }
}

impl Folder {
    fn look(path: PathBuf, number: u64) -> Result<Self, SourcesError> {
        let mut of_stem: [BTreeMap<Channel, Vec<FileName>>; STEMS.len()] = Default::default();
        for name in names(&path)? {
            let Some((stem, channel, file)) = name.to_str().and_then(read_name) else {
                continue;
            };
            of_stem[stem].entry(channel).or_default().push(file);
        }
        let found = of_stem.iter().position(|channels| !channels.is_empty());
        let mut channels = found.map(|stem| std::mem::take(&mut of_stem[stem])).unwrap_or_default();
        for files in channels.values_mut() {
            files.sort_unstable();
        }
        Ok(Self {
            path,
            number,
            stem: found.map(|stem| STEMS[stem]),
            channels,
        })
    }

    fn path_of(&self, channel: Channel, FileName { index, digits }: FileName) -> PathBuf {
        let stem = self.stem.unwrap_or_default();
        let width = usize::from(digits);
        self.path.join(format!("{channel}--{stem}--{index:0width$}.trc"))
    }
}

/// `C1--Trace--00017.trc`: the position in [`STEMS`], the channel, the index.
fn read_name(name: &str) -> Option<(usize, Channel, FileName)> {
    let (channel, rest) = name.split_once("--")?;
    let (stem, index) = rest.split_once("--")?;
    let stem = STEMS.iter().position(|known| *known == stem)?;
    let digits = index.strip_suffix(".trc")?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !channel.strip_prefix('C').is_some_and(is_number) || !is_number(digits) {
        return None;
    }
    let file = FileName {
        index: digits.parse().ok()?,
        digits: u8::try_from(digits.len()).ok()?,
    };
    Some((stem, channel.parse().ok()?, file))
}

/// 1 of the run's own name, N of its name and `-N`.
fn number_of(name: &str, run: &str) -> Option<u64> {
    let rest = name.strip_prefix(run)?;
    if rest.is_empty() {
        return Some(1);
    }
    let digits = rest.strip_prefix('-')?;
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    let number = digits.parse().ok().filter(|_| plain)?;
    (2..=LARGEST).contains(&number).then_some(number)
}

/// The names in a folder, in the order of the file system.
fn names(folder: &Path) -> Result<Vec<std::ffi::OsString>, SourcesError> {
    let unlisted = |source| SourcesError::Unlisted {
        folder: folder.to_owned(),
        source,
    };
    let entries = std::fs::read_dir(folder).map_err(unlisted)?;
    let names: io::Result<_> = entries.map(|entry| entry.map(|entry| entry.file_name())).collect();
    names.map_err(unlisted)
}

impl SourcesError {
    fn source_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Unlisted { source, .. } => Some(source.kind()),
            _ => None,
        }
    }
}

/// What the nearest folder holds that is there.
fn what_is_there(folder: &Path) -> String {
    for above in folder.ancestors().filter(|above| !above.as_os_str().is_empty()) {
        let Ok(names) = names(above) else { continue };
        let mut shown: Vec<_> = names.iter().map(|name| OsStr::to_string_lossy(name)).collect();
        shown.sort_unstable();
        let place = if above == folder {
            "it".to_owned()
        } else {
            above.display().to_string()
        };
        let more = if shown.len() > NAMED { ", ..." } else { "" };
        shown.truncate(NAMED);
        return if shown.is_empty() {
            format!("{place} is empty")
        } else {
            format!("{place} holds {}{more}", shown.join(", "))
        };
    }
    "nor is there anything above it".to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn stand(files: &[&str]) -> (tempfile::TempDir, Measurement) {
        let base = tempfile::tempdir().unwrap();
        let measurement = Measurement::new(base.path().to_owned(), "06", "009").unwrap();
        for file in files {
            let path = measurement.sources().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        (base, measurement)
    }

    fn c(number: u8) -> Channel {
        Channel::new('C', number).unwrap()
    }

    #[test]
    fn files_come_by_folder_and_index_and_gaps_are_told() {
        let (_base, measurement) = stand(&[
            "r009-10/C1--Trace--00000.trc",
            "r009-2/C1--Trace--100000.trc",
            "r009-2/C1--Trace--99999.trc",
            "r009-2/C2--Trace--00003.trc",
            "r009-2/C1--wave--00000.trc",
            "r009-2/F1--Trace--00000.trc",
            "r009-2/C1--Trace--00000 (1).trc",
            "r0091/C1--Trace--00000.trc",
            "r009-02/C1--Trace--00000.trc",
            "r009-3/notes.txt",
        ]);
        let sources = Sources::find(&measurement).unwrap();
        let folder = measurement.sources();
        let files: Vec<PathBuf> = sources.files(c(1)).collect();
        let expected = [
            "r009-2/C1--Trace--99999.trc",
            "r009-2/C1--Trace--100000.trc",
            "r009-10/C1--Trace--00000.trc",
        ];
        assert_eq!(files, expected.map(|file| folder.join(file)));
        assert_eq!(sources.channels(), [c(1), c(2)]);
        let odd = sources.oddities();
        assert!(odd[0].contains("6 folders (r009-4, r009-5"), "{odd:?}");
        assert!(
            odd[1].contains("r009-3: no C*--Trace--*.trc or C*--wave--*.trc"),
            "{odd:?}"
        );
        let inputs = sources.inputs();
        let folders = ["r009-2", "r009-3", "r009-10"].map(|name| folder.join(name));
        assert_eq!(
            (inputs.paths, inputs.stem.as_deref()),
            (folders.to_vec(), Some("Trace"))
        );
    }

    #[test]
    fn folders_of_two_stems_are_told_apart_by_patterns() {
        let (_base, measurement) = stand(&["r009/C1--wave--00000.trc", "r009-2/C1--Trace--00000.trc"]);
        let inputs = Sources::find(&measurement).unwrap().inputs();
        assert_eq!(inputs.stem, None);
        let folder = measurement.sources();
        let patterns = ["r009/C*--wave--*.trc", "r009-2/C*--Trace--*.trc"];
        assert_eq!(inputs.paths, patterns.map(|pattern| folder.join(pattern)));
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        let (_base, measurement) = stand(&["r001/C1--Trace--00000.trc", "r0091/C1--Trace--00000.trc"]);
        let error = Sources::find(&measurement).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("no folder r009, r009-2, ... (it holds r001, r0091)"),
            "{text}"
        );
        assert!(error.is_usage());

        let (base, measurement) = stand(&[]);
        let text = Sources::find(&measurement).unwrap_err().to_string();
        assert!(
            text.contains(&format!("({} is empty)", base.path().display())),
            "{text}"
        );

        let (_base, measurement) = stand(&["r009/C1--bias50--00000.trc"]);
        let text = Sources::find(&measurement).unwrap_err().to_string();
        assert!(
            text.contains("r009: no C*--Trace--*.trc or C*--wave--*.trc in this folder"),
            "{text}"
        );
    }
}
