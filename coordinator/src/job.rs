//! A job that is being worked on: what workers ask for, and the threads that put its arrays together.

use std::path::PathBuf;
use std::sync::Arc;

use trc2npy_common::fs::Stamp;
use trc2npy_common::plan::Plan;
use trc2npy_common::shard::Sighting;
use trc2npy_proto::v1;

use crate::stitcher::Stitcher;

/// Planned files whose first bytes a worker compares.
const CHECKS: usize = 8;

/// What is kept of a job while it is worked on.
pub(crate) struct LiveJob {
    /// What workers ask for.
    pub(crate) handout: Arc<Handout>,
    pub(crate) stitcher: Stitcher,
}

/// A job's head and its plan, as they go over the wire.
pub(crate) struct Handout {
    pub(crate) head: v1::JobHead,
    /// Bytes of `plan.bin`.
    pub(crate) plan: Vec<u8>,
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

/// Some files of the plan, spread over its channels: with the CRC32C of their first 4 KiB for the workers, and with what
/// they were for the coordinator. `plan` has this machine's paths. A file that cannot be read is none that could be
/// compared.
pub(crate) fn checks(plan: &Plan) -> (Vec<v1::FileCheck>, Vec<Watched>) {
    let each = CHECKS.div_ceil(plan.channels.len().max(1));
    let mut checks = Vec::new();
    for (position, channel) in plan.channels.iter().enumerate() {
        let files = channel.files.len();
        for k in 0..each.min(files) {
            // The first, the last, and what lies between at equal distances.
            let file = if each > 1 { k * (files - 1) / (each - 1) } else { 0 };
            let mut path = PathBuf::new();
            plan.file_path(channel, file, &mut path);
            let planned = channel.files.get(file).stamp();
            if let Ok(Sighting { crc, .. }) = Sighting::of(&path) {
                let check = v1::FileCheck {
                    channel: u32::try_from(position).unwrap_or(u32::MAX),
                    file: file as u64,
                    crc,
                };
                checks.push((check, Watched { path, planned }));
            }
        }
    }
    checks.truncate(CHECKS);
    checks.into_iter().unzip()
}
