//! Looking for runs at any depth: by names alone. No file is opened, and none is asked for its size.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::error::PlanError;
use super::inputs::{group, natural, nearby};
use super::names::{is_hidden, split};

/// Folders of the operating system on every volume, which not even their owner may list.
const OF_THE_SYSTEM: [&str; 3] = ["System Volume Information", "$RECYCLE.BIN", "lost+found"];

/// A run that lies somewhere below a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRun {
    /// The folder below which it was looked for; absolute.
    pub root: PathBuf,
    /// Its place below that, `/` between parts; its name where it is that folder itself.
    pub place: String,
    /// Its folders in row order; absolute.
    pub folders: Vec<PathBuf>,
}

/// What was found below some folders.
#[derive(Debug, Default)]
pub struct FoundRuns {
    /// The runs, in the order of the folders, then of their names; `r9` precedes `r10`.
    pub runs: Vec<FoundRun>,
    /// Folders that could not be listed: there may be runs in them.
    pub unreadable: Vec<(PathBuf, io::Error)>,
}

/// Finds every run in or below `roots`: `X`, `X-2`, `X-3`, ... beside one another are one. Links to folders are not
/// followed. Fails where one of `roots` is no folder that can be listed.
pub fn search(roots: &[PathBuf]) -> Result<FoundRuns, PlanError> {
    let mut found = FoundRuns::default();
    let mut known = BTreeSet::new();
    // Each folder with traces, and below which root it lies.
    let mut with_traces: Vec<(PathBuf, usize)> = Vec::new();
    let roots = roots
        .iter()
        .map(|root| as_folder(root))
        .collect::<Result<Vec<_>, _>>()?;
    for (position, root) in roots.iter().enumerate() {
        let mut waiting = vec![root.clone()];
        while let Some(folder) = waiting.pop() {
            if !known.insert(folder.clone()) {
                continue;
            }
            match look_into(&folder) {
                Ok((has_traces, mut below)) => {
                    if has_traces {
                        with_traces.push((folder, position));
                    }
                    below.sort_by(|a, b| natural(b, a));
                    waiting.append(&mut below);
                }
                Err(source) if folder == *root => {
                    return Err(PlanError::Storage {
                        path: folder,
                        doing: "listed",
                        source,
                    });
                }
                Err(error) => found.unreadable.push((folder, error)),
            }
        }
    }
    let paths: Vec<&Path> = with_traces.iter().map(|(folder, _)| folder.as_path()).collect();
    found.runs = group(&paths, false)
        .into_iter()
        .map(|run| {
            let (first, position) = &with_traces[run.members[0]];
            let root = &roots[*position];
            FoundRun {
                root: root.clone(),
                place: place(root, first, &run.name),
                folders: run.members.iter().map(|&at| with_traces[at].0.clone()).collect(),
            }
        })
        .collect();
    Ok(found)
}

/// Whether the folder is the operating system's own.
pub(crate) fn is_of_the_system(name: &OsStr) -> bool {
    OF_THE_SYSTEM.iter().any(|known| name == *known)
}

/// The folder's absolute path.
fn as_folder(root: &Path) -> Result<PathBuf, PlanError> {
    let storage = |source| PlanError::Storage {
        path: root.to_owned(),
        doing: "opened",
        source,
    };
    match std::fs::metadata(root) {
        Ok(metadata) if metadata.is_dir() => {}
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(storage(error)),
        other => {
            return Err(PlanError::NotFound {
                input: root.to_owned(),
                what: if other.is_ok() {
                    "a file, not a folder"
                } else {
                    "no such folder"
                },
                there: nearby(root),
            });
        }
    }
    // Windows itself takes `..` out of a path by its text.
    if cfg!(unix) && root.components().any(|part| part == Component::ParentDir) {
        crate::fs::real(root).map_err(storage)
    } else {
        std::path::absolute(root)
            // The last separator would make another path of the same folder.
            .map(|path| path.components().collect())
            .map_err(storage)
    }
}

/// Whether a folder holds traces, and the folders in it.
fn look_into(folder: &Path) -> io::Result<(bool, Vec<PathBuf>)> {
    let mut has_traces = false;
    let mut below = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if is_hidden(name.as_encoded_bytes()) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            if !is_of_the_system(&name) {
                below.push(entry.path());
            }
        } else {
            has_traces = has_traces || name.to_str().is_some_and(|name| split(name).is_ok());
        }
    }
    Ok((has_traces, below))
}

fn place(root: &Path, first: &Path, name: &str) -> String {
    let above = first.strip_prefix(root).ok().and_then(Path::parent);
    let parts = above.into_iter().flat_map(Path::components);
    parts
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .chain([name.to_owned()])
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        folder
    }

    /// Places, and the names of their folders.
    fn shown(found: &FoundRuns) -> Vec<(String, Vec<String>)> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        found
            .runs
            .iter()
            .map(|run| (run.place.clone(), run.folders.iter().map(name).collect()))
            .collect()
    }

    fn expect(runs: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
        runs.iter()
            .map(|(place, folders)| (place.to_string(), folders.iter().map(ToString::to_string).collect()))
            .collect()
    }

    #[test]
    fn every_run_is_found_at_its_place_whatever_the_depth() {
        let tree = tree(&[
            "p06/r010/C1--Trace--00000.trc",
            "p06/r9/C1--Trace--00000.trc",
            "p06/r9-2/C1--Trace--00000.trc",
            "p06/r9-10/C1--Trace--00000.trc",
            "p06/notes/log.txt",
            "p07/r9/deep/trace1.000",
            "p07/2026-11/C1--Trace--00000.trc",
            "p07/2026-12/C1--Trace--00000.trc",
            "p08/r1-2/C1--Trace--00000.trc",
            "p08/.hidden/C1--Trace--00000.trc",
            "p08/lost+found/C1--Trace--00000.trc",
            "p08/out/C1--Trace.npy",
        ]);
        let found = search(&[tree.path().to_owned()]).unwrap();
        assert_eq!(
            shown(&found),
            expect(&[
                ("p06/r9", &["r9", "r9-2", "r9-10"]),
                ("p06/r010", &["r010"]),
                ("p07/2026-11", &["2026-11"]),
                ("p07/2026-12", &["2026-12"]),
                ("p07/r9/deep", &["deep"]),
                ("p08/r1", &["r1-2"]),
            ])
        );
        assert!(found.unreadable.is_empty());
        assert!(found.runs.iter().all(|run| run.root == tree.path()));
    }

    #[test]
    fn a_folder_that_is_a_run_itself_is_one_by_its_name_and_found_once() {
        let tree = tree(&[
            "r005/C1--Trace--00000.trc",
            "r005/again/C1--Trace--00000.trc",
            "r005-2/C1--Trace--00000.trc",
        ]);
        let at = |name: &str| tree.path().join(name);
        let both = [at("r005/"), at("r005-2"), at("r005/again"), at("r005-2/../r005")];
        assert_eq!(
            shown(&search(&both).unwrap()),
            expect(&[("r005", &["r005", "r005-2"]), ("again", &["again"])])
        );
    }

    #[test]
    fn what_is_no_folder_is_refused_with_what_is_there() {
        let tree = tree(&["r005/C1--Trace--00000.trc"]);
        let told = |name: &str| search(&[tree.path().join(name)]).unwrap_err().to_string();
        let missing = told("r006");
        assert!(
            missing.contains("no such folder") && missing.contains("r005"),
            "{missing}"
        );
        assert!(told("r005/C1--Trace--00000.trc").contains("a file, not a folder"));
    }
}
