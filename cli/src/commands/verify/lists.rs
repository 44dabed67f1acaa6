//! `--list-safe` and `--list-keep`: the sources by what may become of them, a path a line.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use trc2npy_common::fs::{self, StorageError};
use trc2npy_common::verify::Kept;

use crate::failure::Failure;
use crate::options::VerifyOptions;
use crate::screen::{counted, paragraph};

/// The lists that are asked for. They get their names when all is known, and only where everything agrees.
#[derive(Default)]
pub(super) struct Lists {
    safe: Option<List>,
    keep: Option<List>,
}

impl Lists {
    /// Refuses a list that is there already: it may name files that have changed since.
    pub(super) fn open(options: &VerifyOptions) -> Result<Self, Failure> {
        Ok(Self {
            safe: List::open("--list-safe", options.list_safe.as_deref())?,
            keep: List::open("--list-keep", options.list_keep.as_deref())?,
        })
    }

    /// Notes a source.
    pub(super) fn add(&mut self, path: &Path, kept: Option<Kept>) {
        match (kept, &mut self.safe, &mut self.keep) {
            (None, Some(list), _) => list.add(path, ""),
            (Some(kept), _, Some(list)) => list.add(path, kept.describe()),
            _ => {}
        }
    }

    /// Gives the lists their names, and says so; where there are none, how to have them.
    pub(super) fn finish(self) -> Result<String, StorageError> {
        if self.safe.is_none() && self.keep.is_none() {
            return Ok(paragraph(
                "(--list-safe FILE and --list-keep FILE write the paths of both kinds.)",
            ));
        }
        let lists = [(self.safe, "Those that are safe"), (self.keep, "Those to keep")];
        let mut told = String::new();
        for (list, which) in lists {
            if let Some(list) = list {
                told += &paragraph(&list.finish(which)?);
            }
        }
        Ok(told)
    }

    /// Says that there are none.
    pub(super) fn drop_all(self) -> String {
        let lists = [self.safe, self.keep];
        let told = lists.iter().flatten().map(|list| {
            let path = list.path.display();
            paragraph(&format!("{path} was not written: what is safe to delete is not known."))
        });
        told.collect()
    }
}

/// A list that is being written.
struct List {
    path: PathBuf,
    /// Its name until it is whole: half a list could end in half a path.
    unfinished: PathBuf,
    file: BufWriter<File>,
    lines: u64,
    /// Paths that are no line of text.
    left_out: u64,
    failed: Option<io::Error>,
}

impl List {
    fn open(option: &str, path: Option<&Path>) -> Result<Option<Self>, Failure> {
        let Some(path) = path else { return Ok(None) };
        if std::fs::symlink_metadata(path).is_ok() {
            return Err(Failure::Options(format!(
                "{option} {}: it is there already, and a list of another day can name files that have changed since; \
                 remove it, or choose another name",
                path.display()
            )));
        }
        let mut unfinished = path.as_os_str().to_owned();
        unfinished.push(format!(".{}.part", std::process::id()));
        let unfinished = PathBuf::from(unfinished);
        let file = File::create_new(&unfinished).map_err(|source| StorageError::new("write", path, source))?;
        Ok(Some(Self {
            path: path.to_owned(),
            unfinished,
            file: BufWriter::new(file),
            lines: 0,
            left_out: 0,
            failed: None,
        }))
    }

    fn add(&mut self, path: &Path, why: &str) {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        // Who reads the list by lines would take a part of such a path for a path.
        let Some(text) = path.to_str().filter(|text| !text.contains(char::is_control)) else {
            self.left_out += 1;
            return;
        };
        let tab = if why.is_empty() { "" } else { "\t" };
        match writeln!(self.file, "{text}{tab}{why}") {
            Ok(()) => self.lines += 1,
            Err(error) => drop(self.failed.get_or_insert(error)),
        }
    }

    fn finish(mut self, which: &str) -> Result<String, StorageError> {
        let failed = |source| StorageError::new("write", &self.path, source);
        if let Some(error) = self.failed.take() {
            return Err(failed(error));
        }
        self.file.flush().map_err(failed)?;
        fs::sync_data(self.file.get_ref()).map_err(failed)?;
        fs::rename(&self.unfinished, &self.path).map_err(failed)?;
        let left_out = match self.left_out {
            0 => String::new(),
            n => format!(
                " ({} more: a control character in the path, or no Unicode)",
                counted(n, "path")
            ),
        };
        let lines = counted(self.lines, "line");
        Ok(format!("{which} are in {}, {lines}{left_out}.", self.path.display()))
    }
}

impl Drop for List {
    fn drop(&mut self) {
        // Nothing is there any more where it has its name.
        let _ = std::fs::remove_file(&self.unfinished);
    }
}
