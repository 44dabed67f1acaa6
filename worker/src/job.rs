//! What a worker keeps of a job: the plan with this machine's paths, and the folder for shards, once both are known to
//! be the right ones.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use trc2npy_common::plan::Plan;
use trc2npy_common::roots::{Place, Roots};
use trc2npy_common::shard::{Sighting, TOKEN};
use trc2npy_common::units::Bytes;
use trc2npy_proto::v1::FileCheck;

use crate::files::JobFiles;
use crate::machine;

/// A job of which leases came.
#[derive(Debug)]
pub(crate) struct Job {
    files: JobFiles,
    /// Made by the first thread that needs it; one that could not be made is tried again for the next lease.
    prepared: Mutex<Option<Arc<Prepared>>>,
}

/// A job that this machine can work on.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// With this machine's paths.
    pub(crate) plan: Plan,
    /// Where shards go.
    pub(crate) folder: PathBuf,
}

impl Job {
    pub(crate) fn new(files: JobFiles) -> Self {
        Self {
            files,
            prepared: Mutex::new(None),
        }
    }

    pub(crate) fn trust_size(&self) -> bool {
        self.files.head.trust_size
    }

    pub(crate) fn settle(&self) -> std::time::Duration {
        std::time::Duration::from_millis(self.files.head.settle_ms)
    }

    /// Bytes free where its shards go; none where that is not known yet.
    pub(crate) fn free(&self) -> Option<Bytes> {
        let prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        prepared.as_ref().and_then(|prepared| machine::free(&prepared.folder))
    }

    /// The job with this machine's paths. An error is a sentence for people: why this machine cannot work on it.
    pub(crate) fn prepare(&self, roots: &Roots) -> Result<Arc<Prepared>, String> {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = prepared.as_ref() {
            return Ok(Arc::clone(ready));
        }
        let ready = Arc::new(self.make(roots)?);
        *prepared = Some(Arc::clone(&ready));
        Ok(ready)
    }

    fn make(&self, roots: &Roots) -> Result<Prepared, String> {
        let head = &self.files.head;
        let plan = Plan::decode(&self.files.plan).map_err(|error| error.to_string())?;
        if plan.id.to_string() != head.plan_id {
            return Err(format!(
                "the plan is another one than the coordinator's: {} expected, {} found",
                head.plan_id, plan.id
            ));
        }
        let plan = plan.localised(roots).map_err(|error| error.to_string())?;
        let place: Place = format!("{}:{}", head.folder_root, head.folder_path)
            .parse()
            .map_err(|error| format!("the folder for shards: {error}"))?;
        let folder = roots.resolve(&place).map_err(|error| error.to_string())?;
        let token = std::fs::read(folder.join(TOKEN)).map_err(|error| {
            format!(
                "{place} is {} here, and what the coordinator wrote there is not ({error}): map the root {} to the storage \
                 that the coordinator has under this name (--root {}=PATH)",
                folder.display(),
                head.folder_root,
                head.folder_root
            )
        })?;
        if token != head.token.as_bytes() {
            return Err(format!(
                "{place} is {} here, and something else lies there than the coordinator wrote: map the root {} to the same \
                 storage as the coordinator",
                folder.display(),
                head.folder_root
            ));
        }
        for check in &head.checks {
            compare(&plan, check)?;
        }
        Ok(Prepared { plan, folder })
    }
}

/// Whether a planned file is the one that the coordinator sees.
fn compare(plan: &Plan, check: &FileCheck) -> Result<(), String> {
    let channel = plan.channels.get(check.channel as usize);
    let position = Bytes(check.file).as_usize();
    let Some(channel) = channel.filter(|channel| position < channel.files.len()) else {
        return Err("the coordinator asks for a file that is not in the plan".to_owned());
    };
    let mut path = PathBuf::new();
    plan.file_path(channel, position, &mut path);
    let expected = Sighting {
        size: channel.files.get(position).size,
        crc: check.crc,
    };
    let found = Sighting::of(&path).map_err(|error| {
        format!(
            "{} cannot be read here ({error}): check where the root is mapped, and that this account may read there",
            path.display()
        )
    })?;
    if found != expected {
        return Err(format!(
            "{} is not the file that the coordinator sees ({} bytes there, {} here): map the root to the same storage as \
             the coordinator",
            path.display(),
            expected.size.0,
            found.size.0
        ));
    }
    Ok(())
}
