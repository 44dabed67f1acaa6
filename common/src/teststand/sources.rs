//! The folders of a run and the traces in them.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::Measurement;
use crate::channel::Channel;
use crate::plan::{self, NamedTraces, PlanError};
use crate::units::counted;

/// The text between channel and index: the first that a folder holds is that of its traces.
const STEMS: [&str; 2] = ["Trace", "wave"];
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
    /// Of that stem.
    traces: NamedTraces,
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
    #[error("{}: no folder {run}, {run}-2, ...; {there} (correct --base, --period or --run)", folder.display())]
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
    /// Patterns of files are texts.
    #[error("{}: the path is not Unicode, and the folders of the run hold files of two kinds of names; rename the folder", path.display())]
    NotUnicode {
        /// The folder.
        path: PathBuf,
    },
    /// A folder cannot be listed, or its names cannot be told apart.
    #[error(transparent)]
    Names(#[from] PlanError),
}

impl SourcesError {
    /// Whether the command line is wrong, not the storage.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Unlisted { .. } => false,
            Self::Names(error) => error.is_usage(),
            Self::NoFolder { .. } | Self::NoTraces { .. } | Self::NotUnicode { .. } => true,
        }
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
                there: plan::nearby(&above.join(&run)),
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
            .flat_map(|folder| folder.traces.channels())
            .collect();
        all.into_iter().collect()
    }

    /// The files of a channel in the order of folders and indices.
    pub fn files(&self, channel: Channel) -> impl Iterator<Item = PathBuf> + '_ {
        self.folders
            .iter()
            .flat_map(move |folder| folder.traces.names(channel).map(|name| folder.path.join(name)))
    }

    /// What is to be planned. Fails where that takes patterns and a path is not Unicode.
    pub fn inputs(&self) -> Result<Inputs, SourcesError> {
        let mut stems: Vec<&str> = self.folders.iter().filter_map(|folder| folder.stem).collect();
        stems.dedup();
        if let [stem] = stems[..] {
            return Ok(Inputs {
                paths: self.folders.iter().map(|folder| folder.path.clone()).collect(),
                stem: Some(stem.to_owned()),
            });
        }
        let with_traces = self.folders.iter().filter_map(|folder| Some((folder, folder.stem?)));
        let patterns = with_traces.map(|(folder, stem)| {
            let text = folder.path.to_str().ok_or_else(|| SourcesError::NotUnicode {
                path: folder.path.clone(),
            })?;
            Ok(Path::new(&glob::Pattern::escape(text)).join(format!("[cC]*{stem}*.[tT][rR][cC]")))
        });
        Ok(Inputs {
            paths: patterns.collect::<Result<_, SourcesError>>()?,
            stem: None,
        })
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
        let mut folder = Self {
            path,
            number,
            stem: None,
            traces: NamedTraces::default(),
        };
        for stem in STEMS {
            let mut traces = NamedTraces::find(&folder.path, stem)?;
            // The instrument's inputs, no math or memory traces.
            traces.retain(|channel| channel.letter() == 'C');
            if traces.channels().next().is_some() {
                (folder.stem, folder.traces) = (Some(stem), traces);
                break;
            }
        }
        Ok(folder)
    }
}

/// 1 of the run's own name, N of its name and `-N`.
fn number_of(name: &str, run: &str) -> Option<u64> {
    if name == run {
        return Some(1);
    }
    let (base, number) = plan::numbered(name);
    (base == run).then_some(number)
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
        let inputs = sources.inputs().unwrap();
        let folders = ["r009-2", "r009-3", "r009-10"].map(|name| folder.join(name));
        assert_eq!(
            (inputs.paths, inputs.stem.as_deref()),
            (folders.to_vec(), Some("Trace"))
        );
    }

    #[test]
    fn folders_of_two_stems_are_told_apart_by_patterns() {
        let (_base, measurement) = stand(&["r009/C1--wave--00000.trc", "r009-2/C1--Trace--00000.trc"]);
        let inputs = Sources::find(&measurement).unwrap().inputs().unwrap();
        assert_eq!(inputs.stem, None);
        let folder = measurement.sources();
        let patterns = ["r009/[cC]*wave*.[tT][rR][cC]", "r009-2/[cC]*Trace*.[tT][rR][cC]"];
        assert_eq!(inputs.paths, patterns.map(|pattern| folder.join(pattern)));
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        let (_base, measurement) = stand(&["r001/C1--Trace--00000.trc", "r0091/C1--Trace--00000.trc"]);
        let error = Sources::find(&measurement).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("no folder r009, r009-2, ...; the folder ") && text.contains(" holds r001, r0091"),
            "{text}"
        );
        assert!(error.is_usage());

        let (base, measurement) = stand(&[]);
        let text = Sources::find(&measurement).unwrap_err().to_string();
        assert!(
            text.contains(&format!("the folder {} is empty", base.path().display())),
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
