//! Writing a shard: under other names until it is whole.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::ShardError;
use super::name::{Part, ShardName, must_be_synced};
use super::record::{Headers, ShardRecord};
use crate::convert::{Form, RangeDone, SyncedRange, Target, Turn, prepare};
use crate::fs::{self, StorageError};
use crate::outputs::sealed;
use crate::plan::{ChannelPlan, PlanId};

/// How long the folder of a job may take to be seen on another machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// A shard that is being written. Dropped before it is finished, it leaves nothing behind.
#[derive(Debug)]
pub struct ShardWriter {
    job: PathBuf,
    plan: PlanId,
    name: ShardName,
    form: Form,
    /// None once its files are closed.
    target: Option<Target>,
    /// Whether it is brought to the disk before it gets its names.
    synced: bool,
}

impl ShardWriter {
    /// Begins a shard below the folder of its job, which is there already, with a folder for the channel in it. `plan`:
    /// the id of the portable plan.
    pub fn create(
        job: &Path,
        plan: PlanId,
        channel: &ChannelPlan,
        name: ShardName,
        form: Form,
    ) -> Result<Self, ShardError> {
        Self::create_within(job, plan, (channel, form), name, PATIENCE)
    }

    fn create_within(
        job: &Path,
        plan: PlanId,
        (channel, form): (&ChannelPlan, Form),
        name: ShardName,
        patience: Duration,
    ) -> Result<Self, ShardError> {
        let headers = Headers::of(channel, name.rows, form);
        let data_path = name.unfinished(job, Part::Data);
        let index_path = name.unfinished(job, Part::Index);
        // From here on, whatever fails is tidied up.
        let mut writer = Self {
            job: job.to_owned(),
            plan,
            name,
            form,
            target: None,
            synced: must_be_synced(job),
        };
        let open = || {
            Ok(Target {
                data: prepare(
                    &data_path,
                    &headers.data.bytes,
                    headers.data.len() + headers.data.payload,
                )?,
                data_path: data_path.clone(),
                index: prepare(
                    &index_path,
                    &headers.index.bytes,
                    headers.index.len() + headers.index.payload,
                )?,
                index_path: index_path.clone(),
                data_start: headers.data.len(),
                index_start: headers.index.len(),
                first_row: name.rows.start,
                form,
                turn: Turn::default(),
            })
        };
        let target = fs::once_seen(patience, open, StorageError::source_kind);
        writer.target = Some(target.map_err(|error| ShardError::of(job, error))?);
        Ok(writer)
    }

    /// Where the rows go: for [`RangeConverter::convert`](crate::convert::RangeConverter::convert).
    pub fn target(&self) -> &Target {
        self.target
            .as_ref()
            .expect("its files are open until it is finished, which consumes it")
    }

    /// Gives the shard its names, the JSON last; before, brings it to the disk where that takes part in its being seen
    /// (see [`must_be_synced`]). `done` is what became of its rows.
    pub fn finish(mut self, done: RangeDone) -> Result<ShardRecord, ShardError> {
        if !done.deferred.is_empty() {
            return Err(ShardError::StillWriting(done.deferred));
        }
        let finished = self.name_files(done);
        finished.map_err(|error| ShardError::of(&self.job, error))
    }

    fn name_files(&mut self, done: RangeDone) -> Result<ShardRecord, StorageError> {
        if let Some(target) = self.target.take()
            && self.synced
        {
            target.sync()?;
        }
        let record = ShardRecord {
            plan: self.plan,
            lease: self.name.lease,
            form: self.form,
            range: SyncedRange::new(self.name.channel, self.name.rows, done),
        };
        let unnamed = self.name.unfinished(&self.job, Part::Record);
        if self.synced {
            fs::write_synced(&unnamed, &sealed(&record))?;
        } else {
            fs::write_unsynced(&unnamed, &sealed(&record))?;
        }
        let mut named = PathBuf::new();
        for part in Part::ALL {
            named = self.name.path(&self.job, part);
            fs::replace(&self.name.unfinished(&self.job, part), &named)
                .map_err(|source| StorageError::new("write", &named, source))?;
        }
        if self.synced {
            // One look at the disk for all three names: whoever takes the shard checks that all of them are there.
            let folder = named.parent().unwrap_or(&self.job);
            fs::sync_dir(folder).map_err(|source| StorageError::new("bring to the disk the folder", folder, source))?;
        }
        Ok(record)
    }
}

impl Drop for ShardWriter {
    fn drop(&mut self) {
        // Windows removes no open file.
        drop(self.target.take());
        for part in Part::ALL {
            // One that stays does no harm: it goes with the folder of the job.
            let _ = std::fs::remove_file(self.name.unfinished(&self.job, part));
        }
    }
}
