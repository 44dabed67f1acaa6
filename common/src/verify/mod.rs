//! Whether outputs are still what was written, and, where the sources are at hand, whether they are what these hold.
//!
//! Without sources: checksums, lengths, headers, and that index and list of files agree. With them: each source is read
//! and decoded again by the format's code (never by the converter's), and every sample and every field of the index is
//! compared with what is stored; then it is known which sources could be deleted. Nothing is written, and nothing is
//! deleted.

mod blocks;
mod compare;
mod deletion;
mod difference;
mod digest;
mod expected;
mod folders;
mod lossless;
mod rows;
mod settings;
mod share;
mod tally;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

pub use deletion::{Deletion, SeeSource};
pub use difference::{Difference, FieldNames, What};
pub use folders::{SourcesAt, SourcesError};
pub use share::Share;
pub use tally::{Kept, Tally};

use crate::convert::{Checksum, Phase, Stop, Watch};
use crate::fs::StorageError;
use crate::outputs::{self, ChannelOutput, Description, OutputError, Paths, Problem};
use crate::plan::Examples;
use crate::status::StatusCounts;
use crate::trc::{FieldSet, Header};
use crate::units::{Bytes, RowRange};
use folders::SourceFolders;
use rows::{Done, Worker};

/// Array bytes of one unit of work.
const TASK: Bytes = Bytes::mib(16);

/// What is to be verified, and how.
#[derive(Clone, Debug)]
pub struct Request {
    /// The channels.
    pub outputs: Vec<Paths>,
    /// Where their sources are; none: they are not asked for.
    pub sources: Option<SourcesAt>,
    /// Which rows are compared with them.
    pub share: Share,
    /// Threads that read and decode.
    pub threads: usize,
    /// Whether BLAKE3 is computed of each file.
    pub digest: bool,
}

/// Why nothing could be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The sources cannot be found.
    #[error(transparent)]
    Sources(#[from] SourcesError),
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// Channel by channel, in the order asked for.
    pub channels: Vec<Verdict>,
    /// Reports that are not what was written.
    pub reports: Vec<(PathBuf, Problem)>,
    /// Whether it was asked to stop before the end: then the channels say what was seen until then.
    pub interrupted: bool,
    /// File and BLAKE3 of every file, where that was asked for.
    pub digests: Vec<(PathBuf, String)>,
    /// Which sources could be deleted; none where not all rows were compared with them, or something differs.
    pub deletion: Option<Deletion>,
}

impl Verification {
    /// Whether everything that was looked at is as it should be.
    pub fn agrees(&self) -> bool {
        self.reports.is_empty() && self.channels.iter().all(|channel| channel.differences.is_empty())
    }
}

/// What was found of one channel.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Its array.
    pub path: PathBuf,
    /// What its JSON says; none where that cannot be read.
    #[serde(skip)]
    pub description: Option<Description>,
    /// Rows that were compared with their sources.
    pub compared: u64,
    /// Its rows by their verdicts.
    #[serde(skip)]
    pub statuses: StatusCounts,
    /// What is not as it should be; counted as rows and files.
    pub differences: Examples<Difference>,
    /// What became of the sources; none where they were not asked for.
    pub sources: Option<Tally>,
}

/// Verifies. Ends early, with what was seen until then, where `stop` is requested. `see` is shown the sources where it is
/// known which of them could be deleted.
///
/// Whatever differs is in the result; fails where the storage does not even let the outputs be opened, or where the
/// sources are asked for and cannot be found.
pub fn verify(request: &Request, watch: &Watch, stop: &Stop, see: SeeSource<'_>) -> Result<Verification, VerifyError> {
    let mut found = Verification::default();
    let folders: BTreeSet<_> = request.outputs.iter().map(Paths::folder).collect();
    let reports: BTreeSet<PathBuf> = folders.into_iter().filter_map(outputs::report_of).collect();
    for report in reports {
        let problem = outputs::check_report(&report)?;
        found.reports.extend(problem.map(|problem| (report, problem)));
    }
    let mut opened = Vec::new();
    for paths in &request.outputs {
        let mut verdict = Verdict {
            path: paths.array.clone(),
            description: None,
            compared: 0,
            statuses: StatusCounts::default(),
            differences: Examples::default(),
            sources: None,
        };
        match ChannelOutput::open_damaged(paths) {
            Ok((output, problems)) => {
                verdict.description = Some(output.description.clone());
                let lengths = |(_, problem): &(PathBuf, Problem)| matches!(problem, Problem::Length { .. });
                let whole = !problems.iter().any(lengths);
                let problems = problems
                    .iter()
                    .map(|(path, problem)| Difference::file(path, problem.clone()));
                problems.for_each(|problem| verdict.differences.add_smallest(problem));
                // Rows of a file of another length lie nowhere for certain.
                if whole {
                    opened.push((found.channels.len(), Open::new(output, request)?));
                }
            }
            Err(OutputError::Damaged { path, problem }) => {
                verdict.differences.add_smallest(Difference::file(&path, problem));
            }
            Err(OutputError::Storage(error)) => return Err(error.into()),
            Err(OutputError::None { path, there }) => {
                verdict
                    .differences
                    .add_smallest(Difference::file(&path, Problem::Changed(there)));
            }
        }
        found.channels.push(verdict);
    }
    let (positions, channels): (Vec<usize>, Vec<Open>) = opened.into_iter().unzip();
    found.interrupted = !compare(&channels, &positions, request, watch, stop, &mut found.channels);
    if request.digest && !found.interrupted {
        let files = request
            .outputs
            .iter()
            .flat_map(Paths::all)
            .filter(|path| path.is_file());
        let files: Vec<PathBuf> = files.map(ToOwned::to_owned).collect();
        let digests = digest::all(&files, request.threads, watch, stop)?;
        found.interrupted = digests.is_none();
        found.digests = digests.unwrap_or_default();
    }
    let all = request.sources.is_some() && request.share == Share::All;
    if all && found.agrees() && !found.interrupted {
        let compared = channels.iter().zip(&positions);
        let compared = compared.filter_map(|(channel, &at)| {
            Some(deletion::Channel {
                sources: channel.sources.as_ref()?,
                list: &channel.output.list,
                description: &channel.output.description,
                seen: &found.channels[at].sources.as_ref()?.seen,
            })
        });
        let compared: Vec<_> = compared.collect();
        found.deletion = Some(deletion::conclude(&compared, &request.outputs, see)?);
    }
    watch.enter(Phase::Done);
    Ok(found)
}

/// A channel that can be gone through.
struct Open {
    output: ChannelOutput,
    sources: Option<SourceFolders>,
    /// The header that stands for the channel, as its file has it now.
    reference: Option<Header>,
    /// What the reference file says otherwise than the JSON.
    otherwise: Vec<Difference>,
    share: Share,
}

impl Open {
    fn new(output: ChannelOutput, request: &Request) -> Result<Self, VerifyError> {
        let sources = request.sources.as_ref();
        let sources = sources.map(|at| SourceFolders::find(at, &output)).transpose()?;
        let reference = sources.as_ref().map(|sources| settings::reference(&output, sources));
        let (reference, otherwise) = match reference {
            Some(Ok(header)) => {
                let otherwise = settings::compare(&output, &header);
                (Some(header), otherwise)
            }
            Some(Err(difference)) => (None, vec![*difference]),
            None => (None, Vec::new()),
        };
        Ok(Self {
            output,
            sources,
            reference,
            otherwise,
            share: request.share,
        })
    }

    fn tasks(&self) -> impl Iterator<Item = RowRange> {
        let rows = self.output.description.rows();
        let each = (TASK.0 / self.output.description.row_bytes().max(1)).max(1);
        (0..rows.div_ceil(each)).map(move |i| RowRange::new(i * each, ((i + 1) * each).min(rows)))
    }
}

/// Goes through the rows of all channels; false where it was asked to stop.
fn compare(
    channels: &[Open],
    positions: &[usize],
    request: &Request,
    watch: &Watch,
    stop: &Stop,
    verdicts: &mut [Verdict],
) -> bool {
    let tasks: Vec<(usize, RowRange)> = channels
        .iter()
        .enumerate()
        .flat_map(|(at, channel)| channel.tasks().map(move |rows| (at, rows)))
        .collect();
    let described = channels.iter().map(|channel| &channel.output.description);
    let bytes = described.clone().map(|what| Bytes(what.data.bytes)).sum();
    watch.begin(described.map(Description::rows).sum(), bytes);
    watch.enter(Phase::Verifying);
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<Done>>> = Mutex::new(tasks.iter().map(|_| None).collect());
    std::thread::scope(|scope| {
        for _ in 0..request.threads.clamp(1, tasks.len().max(1)) {
            scope.spawn(|| {
                let mut worker = Worker::new();
                while !stop.requested() {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&(channel, rows)) = tasks.get(at) else { break };
                    let result = worker.go_through(&channels[channel], rows, watch);
                    done.lock().unwrap_or_else(PoisonError::into_inner)[at] = Some(result);
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter();
    let mut complete = true;
    for (at, channel) in channels.iter().enumerate() {
        let of_channel = tasks.iter().filter(|(of, _)| *of == at).count();
        let parts: Vec<Option<Done>> = done.by_ref().take(of_channel).collect();
        complete &= parts.iter().all(Option::is_some);
        conclude(channel, parts, &mut verdicts[positions[at]]);
    }
    complete
}

/// Brings the parts of a channel together.
fn conclude(channel: &Open, parts: Vec<Option<Done>>, verdict: &mut Verdict) {
    let complete = parts.iter().all(Option::is_some);
    let (mut data, mut index) = (Checksum::default(), Checksum::default());
    let mut varying = FieldSet::EMPTY;
    let mut tally = Tally::default();
    let mut readable = true;
    for part in parts.into_iter().flatten() {
        data = data.then(part.data);
        index = index.then(part.index);
        varying = varying.union(part.varying);
        readable &= part.readable;
        verdict.compared += part.compared;
        verdict.statuses.add_all(&part.statuses);
        verdict.differences.merge_smallest(part.differences);
        tally.join(part.tally, part.edges);
    }
    tally.close();
    for difference in &channel.otherwise {
        verdict.differences.add_smallest(difference.clone());
    }
    if channel.sources.is_some() {
        let all = complete && readable && channel.share == Share::All && tally.missing.is_empty();
        let what = &channel.output.description;
        let difference = settings::compare_varying(&channel.output, what.varying_fields, varying, all);
        if let Some(difference) = difference {
            verdict.differences.add_smallest(difference);
        }
        verdict.sources = Some(tally);
    }
    // What could not be read has been told of.
    if complete && readable {
        let paths = &channel.output.paths;
        let what = &channel.output.description;
        for (path, part, found) in [(&paths.array, &what.data, data), (&paths.index, &what.index, index)] {
            let found = outputs::Part::from(found);
            if found.crc32c != part.crc32c {
                let written = part.crc32c.clone();
                let found = found.crc32c;
                verdict
                    .differences
                    .add_smallest(Difference::file(path, Problem::Checksum { written, found }));
            }
        }
    }
}
