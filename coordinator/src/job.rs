//! A job that is being worked on: what workers ask for, and the threads that put its arrays together.

use std::path::PathBuf;
use std::sync::Arc;

use trc2npy_common::fs::Stamp;
use trc2npy_common::outputs::Unfinished;
use trc2npy_common::plan::Plan;
use trc2npy_common::roots::is_elsewhere;
use trc2npy_common::shard::Sighting;
use trc2npy_proto::v1;

use crate::journal::Seen;
use crate::scout::Scouts;
use crate::stitcher::Stitcher;

/// Planned files whose first bytes a worker compares.
const CHECKS: usize = 8;

/// What is kept of a job while it is worked on.
pub(crate) struct LiveJob {
    /// What workers ask for.
    pub(crate) handout: Arc<Handout>,
    pub(crate) stitcher: Stitcher,
    /// Its channels, for whoever looks at rows that have landed.
    pub(crate) unfinished: Vec<Unfinished>,
}

/// What workers get of a job. The plan is read from its file for each of them: it may be as large as all else that the
/// coordinator has in memory.
pub(crate) struct Handout {
    pub(crate) head: v1::JobHead,
    /// `plan.bin`.
    pub(crate) plan: PathBuf,
}

/// A planned file, and what it was then.
pub(crate) struct Watched {
    path: PathBuf,
    planned: Stamp,
}

impl Watched {
    /// A sentence for people where it is another file now. One that has grown may still be being written: whoever
    /// converts it judges.
    pub(crate) fn changed(&self, trust_size: bool) -> Option<String> {
        // One that cannot be looked at says nothing.
        let now = Stamp::from_metadata(&std::fs::metadata(&self.path).ok()?);
        let differs = now.size < self.planned.size
            || (!trust_size && now.size == self.planned.size && now.time_apart(&self.planned).is_some());
        differs.then(|| {
            format!(
                "{}: it was written again after it was planned ({} bytes then, {} now); put the planned file back, or submit \
                 with --overwrite",
                self.path.display(),
                self.planned.size.0,
                now.size.0
            )
        })
    }
}

/// Some files of the plan, spread over its channels: the positions of channel and file, and the path. `plan` has this
/// machine's paths.
fn some_files(plan: &Plan) -> impl Iterator<Item = (usize, usize, PathBuf)> {
    let each = CHECKS.div_ceil(plan.channels.len().max(1));
    let all = plan.channels.iter().enumerate().flat_map(move |(position, channel)| {
        let files = channel.files.len();
        (0..each.min(files)).map(move |k| {
            // The first, the last, and what lies between at equal distances.
            let file = if each > 1 { k * (files - 1) / (each - 1) } else { 0 };
            let mut path = PathBuf::new();
            plan.file_path(channel, file, &mut path);
            (position, file, path)
        })
    });
    all.take(CHECKS)
}

/// Some files of the plan with the CRC32C of their first 4 KiB for the workers, and with what they were for the
/// coordinator. A file that cannot be read is none that could be compared; of those that only workers see, `seen` counts.
pub(crate) fn checks(plan: &Plan, seen: &[Seen]) -> (Vec<v1::FileCheck>, Vec<Watched>) {
    let mut checks: Vec<v1::FileCheck> = seen.iter().map(|&seen| seen.into()).collect();
    let mut watched = Vec::new();
    for (channel, file, path) in some_files(plan).filter(|(.., path)| !is_elsewhere(path)) {
        if let Ok(Sighting { crc, .. }) = Sighting::of(&path) {
            let planned = plan.channels[channel].files.get(file).stamp();
            checks.push(saw(channel, file, crc).into());
            watched.push(Watched { path, planned });
        }
    }
    (checks, watched)
}

/// The same of the files that only workers see, as `scouts` see them.
pub(crate) fn seen_elsewhere(plan: &Plan, scouts: &Scouts) -> Vec<Seen> {
    let elsewhere = some_files(plan).filter(|(.., path)| is_elsewhere(path));
    elsewhere
        .filter_map(|(channel, file, path)| Some(saw(channel, file, scouts.crc(&path)?)))
        .collect()
}

fn saw(channel: usize, file: usize, crc: u32) -> Seen {
    Seen {
        channel: u32::try_from(channel).unwrap_or(u32::MAX),
        file: file as u64,
        crc,
    }
}

impl From<Seen> for v1::FileCheck {
    fn from(Seen { channel, file, crc }: Seen) -> Self {
        Self { channel, file, crc }
    }
}
