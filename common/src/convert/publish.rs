//! The end of a run: what belongs to each array, and everything under its final name.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crc_fast::{CrcAlgorithm, Digest};

use super::error::ConvertError;
use super::journal::Record;
use super::settings::Settings;
use super::stream::Checksum;
use super::synced::SyncedRange;
use super::workspace::{Stage, Workspace};
use crate::fs::{self, StorageError};
use crate::options::ByteOptions;
use crate::outputs::{Description, ListPart, Part};
use crate::plan::{ChannelPlan, Plan};
use crate::trc::{FieldSet, Header};

/// The JSON comes last: it marks the channel complete.
pub(super) const PARTS: [&str; 4] = ["npy", "index.npy", "files.txt", "json"];

/// Writes the channels' lists of files, which the plan alone decides.
pub(super) fn write_lists(workspace: &Workspace) -> Result<(), ConvertError> {
    let mut channels = workspace.plan.channels.iter();
    channels.try_for_each(|channel| write_list(workspace, channel))
}

/// Writes the JSONs, and renames every channel's files to their final names.
///
/// Can be interrupted anywhere: what has its name already is left alone the next time.
pub(super) fn publish(workspace: &mut Workspace, settings: &Settings) -> Result<(), ConvertError> {
    let plan = Arc::clone(&workspace.plan);
    if workspace.stage == Stage::Publishing {
        // Made once more: should someone have removed one, nothing else would notice.
        write_lists(workspace)?;
    }
    for channel in plan.channels.iter() {
        let json = channel_json(&plan, channel, workspace);
        fs::write_file(&workspace.temporary(channel.channel, "json"), &json)?;
    }
    if workspace.stage == Stage::Converting {
        workspace.journal.append(&[Record::Publishing])?;
        workspace.stage = Stage::Publishing;
    }
    for channel in plan.channels.iter() {
        create_folder_of(&workspace.out, settings, channel)?;
        // An older conversion's JSON would call the new array complete before it is.
        let last = workspace.temporary(channel.channel, "json");
        let marker = workspace.out.join(settings.name.sibling(channel.channel, ".json"));
        if last.exists() && marker.exists() {
            fs::remove_file(&marker).map_err(|error| replace_failed(&marker, &last, error.source))?;
            sync_folder(marker.parent().unwrap_or(&workspace.out))?;
        }
        for part in PARTS {
            let from = workspace.temporary(channel.channel, part);
            let to = workspace
                .out
                .join(settings.name.sibling(channel.channel, &format!(".{part}")));
            if from.exists() {
                fs::rename(&from, &to).map_err(|source| replace_failed(&to, &from, source))?;
            }
        }
    }
    Ok(())
}

/// Makes the folder in which a channel's files get their names: the output folder is there, one below it may not be.
fn create_folder_of(out: &Path, settings: &Settings, channel: &ChannelPlan) -> Result<(), ConvertError> {
    let array = out.join(settings.name.array(channel.channel));
    let folder = array.parent().unwrap_or(out);
    if !folder.is_dir() {
        std::fs::create_dir_all(folder).map_err(|source| StorageError::new("create the folder", folder, source))?;
        sync_folder(out)?;
    }
    Ok(())
}

fn sync_folder(path: &Path) -> Result<(), StorageError> {
    fs::sync_dir(path).map_err(|source| StorageError::new("bring to the disk the folder", path, source))
}

/// Records that everything has its name, and how long this call took.
pub(super) fn finish(workspace: &mut Workspace, settings: &Settings, took: Duration) -> Result<(), ConvertError> {
    let mut files = Vec::new();
    for channel in workspace.plan.channels.iter() {
        for part in PARTS {
            let name = settings.name.sibling(channel.channel, &format!(".{part}"));
            let path = workspace.out.join(&name);
            let length = std::fs::metadata(&path).map_err(|source| StorageError::new("look at", &path, source))?;
            files.push((name, length.len()));
        }
    }
    workspace.finish(files, took.as_secs_f64())
}

fn replace_failed(path: &Path, kept: &Path, source: std::io::Error) -> ConvertError {
    ConvertError::Replace {
        path: path.to_owned(),
        kept: kept.to_owned(),
        source,
    }
}

fn write_list(workspace: &Workspace, channel: &ChannelPlan) -> Result<(), ConvertError> {
    let plan = &workspace.plan;
    let path = workspace.temporary(channel.channel, "files.txt");
    let write = || -> std::io::Result<()> {
        let mut out = BufWriter::new(File::create(&path)?);
        let mut label = String::new();
        for position in 0..channel.files.len() {
            plan.file_label(channel, position, &mut label);
            writeln!(out, "{label}")?;
        }
        let file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        fs::sync_data(&file)
    };
    write().map_err(|source| StorageError::new("write", &path, source).into())
}

/// The checksum of a channel's list of files, from the plan alone.
fn list_part(plan: &Plan, channel: &ChannelPlan) -> ListPart {
    let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
    let mut label = String::new();
    for position in 0..channel.files.len() {
        plan.file_label(channel, position, &mut label);
        label.push('\n');
        digest.update(label.as_bytes());
    }
    ListPart::new(channel.files.len() as u64, Checksum::from(&digest))
}

/// `C1--Trace.json`. Holds nothing of the machine, the day or the way it was made.
fn channel_json(plan: &Plan, channel: &ChannelPlan, workspace: &Workspace) -> Vec<u8> {
    let committed = workspace.committed.get(&channel.channel).map_or(&[][..], Vec::as_slice);
    let mut in_order: Vec<&SyncedRange> = committed.iter().collect();
    in_order.sort_by_key(|rows| rows.rows);
    // Joining the ranges' checksums is the dearest part of the end.
    let part = |checksum: fn(&SyncedRange) -> Checksum| {
        let whole = in_order
            .iter()
            .fold(Checksum::default(), |so_far, rows| so_far.then(checksum(rows)));
        Part::from(whole)
    };
    let ((data, index), files) = rayon::join(
        || rayon::join(|| part(SyncedRange::data), || part(SyncedRange::index)),
        || list_part(plan, channel),
    );
    let reference = Header::parse(&channel.reference.head)
        .expect("a plan's reference header was parsed when the plan was made or read");
    let options = ByteOptions {
        baseline: channel.baseline(&plan.options),
        ..plan.options.clone()
    };
    let description = Description {
        format: Description::format(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        run: plan.run.clone(),
        channel: channel.channel,
        shape: (channel.rows, channel.samples),
        element: channel.element,
        unit: Description::unit_of(channel.element, &reference),
        record_samples: Some(channel.record_samples),
        first_sample: channel.first_sample,
        sample_interval: f64::from(reference.horiz_interval()),
        sample_interval_unit: reference.hor_unit(),
        instrument: reference.instrument(),
        options,
        data,
        index,
        files: Some(files),
        reference_file: plan.reference_label(channel),
        fields: Description::fields_of(&reference),
        varying_fields: in_order
            .iter()
            .fold(FieldSet::EMPTY, |so_far, rows| so_far.union(rows.varying)),
    };
    description.encode()
}
