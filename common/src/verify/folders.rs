//! Where the files lie that a list names.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::fs::StorageError;
use crate::outputs::{self, ChannelOutput, unescape};
use crate::plan;

/// Where the sources are to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourcesAt {
    /// Where they were when they were converted, as `report.json` has it.
    Recorded,
    /// Below this folder: the run's parent, or the run's own folder.
    Below(PathBuf),
}

/// Why the sources cannot be found.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Nothing says where they were.
    #[error("{}: {why}; say where the sources are: --sources=DIR", path.display())]
    NoReport {
        /// The report.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// They are not there.
    #[error("{}: not there; {label} is looked for in it (say where the sources are: --sources=DIR)", folder.display())]
    NotThere {
        /// The folder that should hold them.
        folder: PathBuf,
        /// The first source, as the list shows it.
        label: String,
    },
}

/// From lines of a list to paths.
#[derive(Debug)]
pub(super) enum SourceFolders {
    /// Label and path of each folder.
    Named(Vec<(String, PathBuf)>),
    /// Labels are relative to this folder.
    Below(PathBuf),
    /// All files lie here.
    Here(PathBuf),
}

#[derive(Deserialize)]
struct Report {
    input: Input,
}

#[derive(Deserialize)]
struct Input {
    folders: Vec<Folder>,
}

#[derive(Deserialize)]
struct Folder {
    /// Earlier reports have none.
    label: Option<String>,
    path: PathBuf,
}

impl SourceFolders {
    /// Finds the folders of a channel's sources. Fails where not even the first source's folder is there.
    pub(super) fn find(at: &SourcesAt, output: &ChannelOutput) -> Result<Self, SourcesError> {
        let mut lines = output.list.lines_of();
        // Rows that are all missing events have no source; what stands for the channel has its header from one all the same.
        let reference = &output.description.reference_file;
        let first = lines.get(0)?.unwrap_or(reference).to_owned();
        let folders = match at {
            SourcesAt::Recorded => Self::recorded(output.paths.folder())?,
            SourcesAt::Below(folder) => {
                let last = output.list.lines().saturating_sub(1);
                let last = lines.get(last)?.unwrap_or(reference);
                Self::below(folder, &first, last)
            }
        };
        match folders.path_of(&first) {
            Ok(path) if path.parent().is_some_and(Path::is_dir) => Ok(folders),
            Ok(path) => Err(SourcesError::NotThere {
                folder: path.parent().unwrap_or(&path).to_owned(),
                label: first,
            }),
            Err(why) => Err(SourcesError::NoReport {
                path: report_for(output.paths.folder()),
                why,
            }),
        }
    }

    fn recorded(folder: &Path) -> Result<Self, SourcesError> {
        let path = report_for(folder);
        let no_report = |why: String| SourcesError::NoReport {
            path: path.clone(),
            why,
        };
        let text = std::fs::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => no_report("it is not there, and only it says where they were".to_owned()),
            _ => StorageError::new("read", &path, error).into(),
        })?;
        let report: Report =
            serde_json::from_slice(&text).map_err(|error| no_report(format!("it cannot be read: {error}")))?;
        let folders = report.input.folders;
        let paths: Vec<&Path> = folders.iter().map(|folder| folder.path.as_path()).collect();
        let labels = plan::labels(&paths);
        let named = folders.iter().zip(labels).map(|(folder, label)| {
            let label = folder.label.clone().unwrap_or(label);
            (label, folder.path.clone())
        });
        Ok(Self::Named(named.collect()))
    }

    fn below(folder: &Path, first: &str, last: &str) -> Self {
        let (label, name) = split(first);
        // The run's own folder rather than its parent.
        let parent = folder.parent().filter(|parent| parent.join(&label) == folder);
        if folder.join(&label).is_dir() {
            Self::Below(folder.to_owned())
        } else if let Some(parent) = parent {
            Self::Below(parent.to_owned())
        } else if split(last).0 == label && folder.join(name).exists() {
            // The run's only folder under another name.
            Self::Here(folder.to_owned())
        } else {
            Self::Below(folder.to_owned())
        }
    }

    /// Label and path of each folder, where they are recorded.
    pub(super) fn named(&self) -> &[(String, PathBuf)] {
        match self {
            Self::Named(folders) => folders,
            Self::Below(_) | Self::Here(_) => &[],
        }
    }

    /// The path of a line.
    pub(super) fn path_of(&self, line: &str) -> Result<PathBuf, String> {
        let (label, name) = split(line);
        match self {
            Self::Named(folders) => {
                let known = folders.iter().find(|(known, _)| *known == label);
                known
                    .map(|(_, path)| path.join(name))
                    .ok_or_else(|| format!("report.json tells of another conversion: it has no folder {label}"))
            }
            Self::Below(folder) => Ok(folder.join(label).join(name)),
            Self::Here(folder) => Ok(folder.join(name)),
        }
    }
}

/// The report that should say where the sources were.
fn report_for(folder: &Path) -> PathBuf {
    outputs::report_of(folder).unwrap_or_else(|| folder.join("report.json"))
}

/// Folder and name of a line. A `/` is never escaped.
pub(super) fn split(line: &str) -> (String, String) {
    let (label, name) = line.rsplit_once('/').unwrap_or(("", line));
    (unescape(label), unescape(name))
}
