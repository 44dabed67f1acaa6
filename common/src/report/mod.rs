//! A finished run as one page for a browser: `report.html`.
//!
//! Made of what lies in the output folder alone, so that the end of a conversion and `trc2npy report` make the same page.
//! `gather` brings the numbers together, `page` and `channel` write them. The page names no other address and needs no
//! script. Of each array some hundred rows are read, of each index all records: neither memory nor the page grows with a
//! run. Nothing here maps a file, and nothing but the page is written.

mod changes;
mod channel;
mod clipping;
mod histogram;
mod html;
mod numbers;
mod page;
mod run;
mod spread;
mod svg;
mod traces;
mod triggers;

use std::path::{Path, PathBuf};

use rayon::iter::{IntoParallelIterator, ParallelIterator};

use crate::fs::{self, StorageError};
use crate::outputs::{self, ChannelOutput, Description, OutputError, Paths};
use crate::panics;
pub use changes::{Change, Changes};
pub use clipping::Clipping;
use numbers::Numbers;
use run::Run;
use traces::Traces;

/// What the page is called. It lies beside `report.json`.
pub const NAME: &str = "report.html";

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no finished conversion.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A mistake of this program.
    #[error("{}: the page cannot be made: {why}; the arrays are not touched. Please report it", folder.display())]
    Mistake {
        /// Of the conversion.
        folder: PathBuf,
        /// Where it was, in its own words.
        why: String,
    },
}

/// A page that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where it is.
    pub page: PathBuf,
    /// Arrays that it shows nothing of, since they are not what was written, and why.
    pub broken: Vec<(String, String)>,
}

/// All that a page shows.
#[derive(Debug)]
struct Report {
    /// The arrays' runs, mostly one.
    names: Vec<String>,
    /// What `report.json` says; none where it is not there or cannot be read.
    run: Option<Run>,
    channels: Vec<ChannelReport>,
    /// Arrays that cannot be opened, and why.
    broken: Vec<(String, String)>,
}

/// What the page shows of one channel.
#[derive(Debug)]
struct ChannelReport {
    /// Its array, as seen from the output folder.
    file: String,
    description: Description,
    source_files: u64,
    numbers: Numbers,
    traces: Traces,
    /// Of each change of a setting the file from which on it holds.
    changed_at: Vec<Vec<String>>,
}

/// Writes the page of a conversion's output folder into it. An older page is replaced.
///
/// Fails where the folder holds no finished array, or cannot be written. A single array that cannot be read is told of on
/// the page.
pub fn write(folder: &Path) -> Result<Written, ReportError> {
    let made = panics::caught(|| gather(folder).map(|report| (page::page(&report), report.broken)));
    let (page, broken) = made.map_err(|why| ReportError::Mistake {
        folder: folder.to_owned(),
        why,
    })??;
    let path = folder.join(NAME);
    fs::write_file(&path, page.as_bytes())?;
    let page = path;
    Ok(Written { page, broken })
}

/// The output folders whose arrays a path names: one, or those below it; [`write()`] makes the page of each.
pub fn folders(path: &Path) -> Result<Vec<PathBuf>, OutputError> {
    let mut folders: Vec<PathBuf> = Vec::new();
    for paths in outputs::find(path)?.outputs {
        let own = paths.folder();
        let report = outputs::report_of(own);
        let folder = report.as_deref().and_then(Path::parent).unwrap_or(own).to_owned();
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    Ok(folders)
}

/// Brings together what the page shows.
fn gather(folder: &Path) -> Result<Report, OutputError> {
    let found = outputs::find(folder)?.outputs;
    let shown = |paths: &Paths| {
        let below = paths.array.strip_prefix(folder).unwrap_or(&paths.array);
        below.to_string_lossy().replace('\\', "/")
    };
    let all: Vec<(String, Result<ChannelReport, OutputError>)> = found
        .into_par_iter()
        .map(|paths| {
            let file = shown(&paths);
            (file.clone(), ChannelReport::read(&paths, file))
        })
        .collect();
    let text = outputs::report_of(folder).and_then(|path| std::fs::read(path).ok());
    let mut report = Report {
        names: Vec::new(),
        run: text.and_then(|text| Run::of(&text)),
        channels: Vec::new(),
        broken: Vec::new(),
    };
    for (file, channel) in all {
        match channel {
            Ok(channel) => {
                if !report.names.contains(&channel.description.run) {
                    report.names.push(channel.description.run.clone());
                }
                report.channels.push(channel);
            }
            Err(error) => report.broken.push((file, error.to_string())),
        }
    }
    Ok(report)
}

impl ChannelReport {
    fn read(paths: &Paths, file: String) -> Result<Self, OutputError> {
        let output = ChannelOutput::open(paths)?;
        let numbers = Numbers::of(&output, traces::most_rows(output.description.row_bytes()))?;
        let traces = Traces::read(&output, &numbers.chosen)?;
        let mut lines = output.list.lines_of();
        let mut changed_at = Vec::new();
        for changes in &numbers.changes {
            let mut files = Vec::new();
            for change in &changes.listed {
                files.push(lines.get(change.file.into())?.unwrap_or("-").to_owned());
            }
            changed_at.push(files);
        }
        Ok(Self {
            file,
            source_files: output.list.lines(),
            description: output.description,
            numbers,
            traces,
            changed_at,
        })
    }
}
