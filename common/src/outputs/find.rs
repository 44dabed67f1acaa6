//! Which outputs a path names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::channel::Paths;
use super::error::{OutputError, Problem};
use super::seal::{self, Seal};
use crate::fs::StorageError;
use crate::plan;

/// Folders below the named one that are looked into: one a run, and in it one a channel.
const DEPTH: usize = 2;
/// Where conversions keep their state.
const STATE: &str = ".trc2npy";
const REPORT: &str = "report.json";

/// What a path names.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The channels, folder by folder, in the order of their names.
    pub outputs: Vec<Paths>,
    /// Folders into which a conversion was begun and that hold none.
    pub unfinished: Vec<PathBuf>,
}

/// The outputs in a folder, or the one that a file (`C1--Trace.npy` or what lies beside it) belongs to. Of a folder that
/// holds neither arrays nor traces those in the folders below it (`r009/C1`, `npy/r005`), two levels deep. Fails where
/// there is none.
pub fn find(path: &Path) -> Result<Found, OutputError> {
    let storage = |source| OutputError::Storage(StorageError::new("open", path, source));
    if std::fs::metadata(path).map_err(storage)?.is_dir() {
        return in_folder(path);
    }
    let paths = Paths::of_any(path).filter(is_ours);
    let outputs = paths.map(|paths| vec![paths]).ok_or_else(|| OutputError::None {
        path: path.to_owned(),
        there: "name the folder of a conversion, or an array in it".to_owned(),
    })?;
    Ok(Found {
        outputs,
        unfinished: Vec::new(),
    })
}

fn in_folder(folder: &Path) -> Result<Found, OutputError> {
    let mut found = Found::default();
    let holds_others = look(folder, DEPTH, &mut found)?;
    if !found.outputs.is_empty() {
        return Ok(found);
    }
    let (path, there) = match found.unfinished.into_iter().next() {
        Some(begun) => (
            begun,
            "a conversion into it was begun, and no array of it is there: give the same command again",
        ),
        None if holds_others => (
            folder.to_owned(),
            "it holds other things; name the folder that was given to --out",
        ),
        None => (folder.to_owned(), "it holds nothing"),
    };
    let there = there.to_owned();
    Err(OutputError::None { path, there })
}

/// Adds what lies in a folder, or else so many levels below it. Says whether there is anything at all.
fn look(folder: &Path, levels: usize, found: &mut Found) -> Result<bool, OutputError> {
    let storage = |source| OutputError::Storage(StorageError::new("list", folder, source));
    let mut own = BTreeSet::new();
    let mut below = Vec::new();
    let (mut begun, mut traces, mut others) = (false, false, false);
    for entry in std::fs::read_dir(folder).map_err(storage)? {
        let entry = entry.map_err(storage)?;
        let (name, path) = (entry.file_name(), entry.path());
        let kind = entry.file_type().map_err(storage)?;
        begun |= name == STATE;
        others |= name != STATE;
        if kind.is_dir() || (kind.is_symlink() && path.is_dir()) {
            if !plan::is_of_the_system(&name) {
                below.push(path);
            }
        } else if let Some(paths) = Paths::of_any(&path) {
            own.insert(paths);
        } else {
            traces = traces || name.to_str().is_some_and(plan::is_trace);
        }
    }
    let before = found.outputs.len();
    found.outputs.extend(own.into_iter().filter(is_ours));
    if found.outputs.len() == before && !traces && levels > 0 {
        below.sort_by(|a, b| plan::natural(a, b));
        for folder in below {
            look(&folder, levels - 1, found)?;
        }
    }
    if begun && found.outputs.len() == before {
        found.unfinished.push(folder.to_owned());
    }
    Ok(others)
}

/// Whether at least what no other program writes is there; a single NPY or JSON is anybody's.
fn is_ours(paths: &Paths) -> bool {
    paths.index.is_file() || paths.list.is_file() || (paths.array.is_file() && paths.json.is_file())
}

/// The report of the conversion that wrote arrays into this folder; none where there is none. It lies beside them, or one
/// folder up where each channel has a folder.
pub fn report_of(folder: &Path) -> Option<PathBuf> {
    let own = folder.join(REPORT);
    if own.is_file() {
        return Some(own);
    }
    let above = match (folder.file_name(), folder.parent()) {
        (Some(_), Some(parent)) => parent.join(REPORT),
        _ => folder.join("..").join(REPORT),
    };
    let text = std::fs::read(&above).ok()?;
    let is_damaged = matches!(seal::check(&text), Seal::Broken { .. });
    let names_folders = || match serde_json::from_slice::<Json>(&text) {
        Ok(report) => report["settings"]["name"]
            .as_str()
            .is_some_and(|name| name.contains('/')),
        Err(_) => true,
    };
    // Of a damaged one nobody knows: better that is told once too often.
    (is_damaged || names_folders()).then_some(above)
}

/// What is wrong with a report, where it has a checksum.
pub fn check_report(path: &Path) -> Result<Option<Problem>, StorageError> {
    let text = std::fs::read(path).map_err(|source| StorageError::new("read", path, source))?;
    Ok(match seal::check(&text) {
        Seal::Intact => None,
        Seal::Broken { written, found } => Some(Problem::Checksum { written, found }),
        // Earlier versions wrote none; theirs have no format either.
        Seal::Absent if text.starts_with(b"{\n  \"version\"") => None,
        Seal::Absent => Some(Problem::Changed(
            "damaged: its own checksum, which stands at its end, is gone".to_owned(),
        )),
    })
}
