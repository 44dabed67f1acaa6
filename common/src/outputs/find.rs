//! Which outputs a path names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::channel::Paths;
use super::error::{OutputError, Problem};
use super::seal::{self, Seal};
use crate::fs::StorageError;

/// The outputs in a folder, or the one that a file (`C1--Trace.npy` or what lies beside it) belongs to; in the order of
/// their names.
pub fn find(path: &Path) -> Result<Vec<Paths>, OutputError> {
    let storage = |source| OutputError::Storage(StorageError::new("open", path, source));
    if std::fs::metadata(path).map_err(storage)?.is_dir() {
        return in_folder(path);
    }
    let paths = Paths::of_any(path).filter(is_ours);
    paths.map(|paths| vec![paths]).ok_or_else(|| OutputError::None {
        path: path.to_owned(),
        there: "name the folder of a conversion, or an array in it".to_owned(),
    })
}

fn in_folder(folder: &Path) -> Result<Vec<Paths>, OutputError> {
    let storage = |source| OutputError::Storage(StorageError::new("list", folder, source));
    let mut found = BTreeSet::new();
    let mut others = 0_u64;
    for entry in std::fs::read_dir(folder).map_err(storage)? {
        match Paths::of_any(&entry.map_err(storage)?.path()) {
            Some(paths) => {
                found.insert(paths);
            }
            None => others += 1,
        }
    }
    let found: Vec<Paths> = found.into_iter().filter(is_ours).collect();
    if found.is_empty() {
        let unfinished = folder.join(".trc2npy").is_dir();
        return Err(OutputError::None {
            path: folder.to_owned(),
            there: match others {
                _ if unfinished => {
                    "a conversion into it was begun: give the same command again to finish it".to_owned()
                }
                0 => "it holds nothing".to_owned(),
                _ => "it holds other things; name the folder that was given to --out".to_owned(),
            },
        });
    }
    Ok(found)
}

/// Whether at least what no other program writes is there; a single NPY or JSON is anybody's.
fn is_ours(paths: &Paths) -> bool {
    paths.index.is_file() || paths.list.is_file() || (paths.array.is_file() && paths.json.is_file())
}

/// What is wrong with the folder's `report.json`, where it has one that has a checksum.
pub fn check_report(folder: &Path) -> Result<Option<(PathBuf, Problem)>, StorageError> {
    let path = folder.join("report.json");
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StorageError::new("read", &path, source)),
    };
    let problem = match seal::check(&text) {
        Seal::Intact => None,
        Seal::Broken { written, found } => Some(Problem::Checksum { written, found }),
        // Earlier versions wrote none; theirs have no format either.
        Seal::Absent if text.starts_with(b"{\n  \"version\"") => None,
        Seal::Absent => Some(Problem::Changed(
            "damaged: its own checksum, which stands at its end, is gone".to_owned(),
        )),
    };
    Ok(problem.map(|problem| (path, problem)))
}
