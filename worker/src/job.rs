//! What a worker keeps of a job: the plan with this machine's paths, and the folder for shards, once both are known to
//! be the right ones.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use trc2npy_common::convert::Form;
use trc2npy_common::fs::Stamp;
use trc2npy_common::plan::{ChannelPlan, Plan};
use trc2npy_common::roots::{Place, Roots, is_elsewhere};
use trc2npy_common::shard::{Sighting, TOKEN};
use trc2npy_common::units::{Bytes, RowRange};
use trc2npy_coordinator_core::Grant;
use trc2npy_proto::v1::{ApartTask, FileCheck};

use crate::execute::Means;
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

    /// The task of a process of its own for one lease.
    pub(crate) fn apart(&self, means: &Means, grant: Grant) -> ApartTask {
        ApartTask {
            head: Some(self.files.head.clone()),
            plan: self.files.plan.clone(),
            grant: Some(grant.into()),
            roots: means
                .roots
                .iter()
                .map(|(name, path)| format!("{name}={}", path.display()))
                .collect(),
            memory_limit: means.memory_limit.0,
            slots: u32::try_from(means.threads).unwrap_or(u32::MAX),
            memory_threshold: means.memory_threshold,
        }
    }

    pub(crate) fn trust_size(&self) -> bool {
        self.files.head.trust_size
    }

    pub(crate) fn settle(&self) -> Duration {
        Duration::from_millis(self.files.head.settle_ms)
    }

    /// What a shard holds of these rows of `channel`.
    pub(crate) fn form(&self, channel: &ChannelPlan, rows: RowRange) -> Form {
        if self.files.head.packed {
            Form::smallest(channel, rows)
        } else {
            Form::Values
        }
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
        // Of roots that this machine has not mapped it gets no rows.
        let others = plan.roots().map_err(|error| error.to_string())?;
        let roots = roots.clone().with_elsewhere(&others);
        let plan = plan.localised(&roots).map_err(|error| error.to_string())?;
        let place: Place = format!("{}:{}", head.folder_root, head.folder_path)
            .parse()
            .map_err(|error| format!("the folder for shards: {error}"))?;
        let folder = roots.contains(&place).map_err(|error| error.to_string())?;
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
            compare(&plan, check, head.trust_size)?;
        }
        Ok(Prepared { plan, folder })
    }
}

/// Whether a planned file is the one that the coordinator sees.
fn compare(plan: &Plan, check: &FileCheck, trust_size: bool) -> Result<(), String> {
    let channel = plan.channels.get(check.channel as usize);
    let position = Bytes(check.file).as_usize();
    let Some(channel) = channel.filter(|channel| position < channel.files.len()) else {
        return Err("the coordinator asks for a file that is not in the plan".to_owned());
    };
    let mut path = PathBuf::new();
    plan.file_path(channel, position, &mut path);
    if is_elsewhere(&path) {
        return Ok(());
    }
    let unreadable = |error| {
        format!(
            "{} cannot be read here ({error}): check where the root is mapped, and that this account may read there",
            path.display()
        )
    };
    let planned = channel.files.get(position).stamp();
    let expected = Sighting {
        size: planned.size,
        crc: check.crc,
    };
    let found = Sighting::of(&path).map_err(unreadable)?;
    if found.size > expected.size {
        // Perhaps still being written: the conversion judges.
        return Ok(());
    }
    if found != expected {
        let how = if found.size == expected.size {
            format!("as many bytes, {}, but others", expected.size.0)
        } else {
            format!("{} bytes there, {} here", expected.size.0, found.size.0)
        };
        return Err(format!(
            "{} is not the file that was planned ({how}): map the root to the same storage as where it was planned",
            path.display(),
        ));
    }
    if trust_size {
        return Ok(());
    }
    // Of a copy with times of its own nothing would show that a file has changed since the plan.
    let metadata = std::fs::metadata(&path).map_err(unreadable)?;
    if let Some(apart) = Stamp::from_metadata(&metadata).time_apart(&planned) {
        return Err(format!(
            "{} has another time of last writing here than where it was planned ({:.0} s apart): this looks like a copy; map \
             the root to the same storage as the coordinator",
            path.display(),
            Duration::from_nanos(apart).as_secs_f64()
        ));
    }
    Ok(())
}
