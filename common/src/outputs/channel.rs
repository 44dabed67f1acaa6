//! The four files of one channel, opened and held against each other.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::description::{Description, digits};
use super::error::{OutputError, Problem};
use super::list::FileList;
use crate::fs::{self, StorageError};
use crate::npy::{self, index};

/// Where the files of one channel lie. Sorted as their names are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Paths {
    /// `C1--Trace.npy`
    pub array: PathBuf,
    /// `C1--Trace.index.npy`
    pub index: PathBuf,
    /// `C1--Trace.json`
    pub json: PathBuf,
    /// `C1--Trace.files.txt`
    pub list: PathBuf,
}

impl Paths {
    /// Those that belong to any one of them; none where the name is no such file's.
    pub fn of_any(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let endings = [".index.npy", ".files.txt", ".npy", ".json"];
        let stem = endings.iter().find_map(|ending| name.strip_suffix(ending))?;
        let sibling = |ending: &str| path.with_file_name(format!("{stem}{ending}"));
        (!stem.is_empty() && !stem.starts_with('.')).then(|| Self {
            array: sibling(".npy"),
            index: sibling(".index.npy"),
            json: sibling(".json"),
            list: sibling(".files.txt"),
        })
    }

    /// All four, the array first.
    pub fn all(&self) -> [&Path; 4] {
        [&self.array, &self.index, &self.json, &self.list]
    }

    /// The folder that they lie in.
    pub fn folder(&self) -> &Path {
        match self.array.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        }
    }
}

/// A channel of a finished conversion.
#[derive(Debug)]
pub struct ChannelOutput {
    /// Where its files lie.
    pub paths: Paths,
    /// What the JSON says.
    pub description: Description,
    /// The source files.
    pub list: FileList,
    pub(crate) array: File,
    pub(crate) index: File,
}

impl ChannelOutput {
    /// Opens a channel whose files are what was written, as far as that can be told without reading the data.
    pub fn open(paths: &Paths) -> Result<Self, OutputError> {
        let (channel, problems) = Self::open_damaged(paths)?;
        match problems.into_iter().next() {
            Some((path, problem)) => Err(OutputError::Damaged { path, problem }),
            None => Ok(channel),
        }
    }

    /// Opens a channel although something may be wrong with its files: that is returned beside it, file by file. Fails
    /// where one is missing, or the JSON cannot be read.
    pub fn open_damaged(paths: &Paths) -> Result<(Self, Vec<(PathBuf, Problem)>), OutputError> {
        if let Some(missing) = paths.all().into_iter().find(|path| !path.is_file()) {
            return Err(OutputError::damaged(missing, Problem::Missing));
        }
        let text = std::fs::read(&paths.json).map_err(|source| StorageError::new("read", &paths.json, source))?;
        let (description, torn) =
            Description::decode(&text).map_err(|problem| OutputError::damaged(&paths.json, problem))?;
        let open = |path: &Path| File::open(path).map_err(|source| StorageError::new("open", path, source));
        let channel = Self {
            array: open(&paths.array)?,
            index: open(&paths.index)?,
            list: FileList::open(&paths.list)?,
            paths: paths.clone(),
            description,
        };
        let mut problems: Vec<(PathBuf, Problem)> = Vec::new();
        problems.extend(torn.map(|problem| (paths.json.clone(), problem)));
        channel.check_arrays(&mut problems)?;
        problems.extend(channel.check_list().map(|problem| (paths.list.clone(), problem)));
        Ok((channel, problems))
    }

    fn check_arrays(&self, problems: &mut Vec<(PathBuf, Problem)>) -> Result<(), StorageError> {
        let what = &self.description;
        let shape = [what.rows(), u64::from(what.samples())];
        let array_header = npy::header(&format!("'{}'", what.element.descr()), &shape);
        let index_header = index::header(what.rows());
        for (file, path, header, bytes) in [
            (&self.array, &self.paths.array, array_header, what.data.bytes),
            (&self.index, &self.paths.index, index_header, what.index.bytes),
        ] {
            let failed = |source| StorageError::new("read", path, source);
            let found = file.metadata().map_err(failed)?.len();
            let expected = npy::DATA_START + bytes;
            if found != expected {
                problems.push((path.clone(), Problem::Length { expected, found }));
            }
            let problem = compare_header(file, &header).map_err(failed)?;
            problems.extend(problem.map(|problem| (path.clone(), problem)));
        }
        Ok(())
    }

    fn check_list(&self) -> Option<Problem> {
        let list = &self.list;
        if !list.ends_in_newline() {
            return Some(Problem::Changed("its last line has no end".to_owned()));
        }
        let written = self.description.files.as_ref()?;
        if list.checksum().len != written.bytes {
            return Some(Problem::Length {
                expected: written.bytes,
                found: list.checksum().len,
            });
        }
        let found = digits(list.checksum());
        if found != written.crc32c {
            let written = written.crc32c.clone();
            return Some(Problem::Checksum { written, found });
        }
        (list.lines() != written.lines)
            .then(|| Problem::Changed(format!("{} lines expected, {} found", written.lines, list.lines())))
    }
}

/// The first byte in which a file does not begin as it was written; none where it is shorter, which its length says.
fn compare_header(file: &File, written: &[u8]) -> io::Result<Option<Problem>> {
    let mut found = vec![0; written.len()];
    let there = fs::read_at(file, &mut found, 0)?;
    let differs = written.iter().zip(&found[..there]).position(|(a, b)| a != b);
    Ok(differs.map(|at| Problem::Header {
        at,
        expected: written[at],
        found: found[at],
    }))
}
