//! The end of a run: what belongs to each array, and everything under its final name.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use serde_json::{Map, Value as Json, json};
use zerocopy::FromBytes;

use super::error::ConvertError;
use super::journal::{Committed, Record};
use super::settings::Settings;
use super::stream::Checksum;
use super::workspace::{Stage, Workspace};
use super::{BadFile, ChannelOutcome, Outcome};
use crate::fs::{self, StorageError};
use crate::npy;
use crate::npy::index::IndexRecord;
use crate::plan::{ChannelPlan, Plan};
use crate::status::Status;
use crate::trc::{FieldSet, Header};
use crate::units::Bytes;

/// Bad files that a report lists; all of them are in the index.
const LISTED: usize = 1000;
/// The JSON comes last: it marks the channel complete.
const PARTS: [&str; 4] = ["npy", "index.npy", "files.txt", "json"];

/// Writes the lists and JSONs, and renames every channel's files to their final names.
///
/// Can be interrupted anywhere: what has its name already is left alone the next time.
pub(super) fn publish(workspace: &mut Workspace, settings: &Settings, began: Instant) -> Result<(), ConvertError> {
    let plan = workspace.plan.clone();
    if workspace.stage == Stage::Converting {
        for channel in &plan.channels {
            write_list(workspace, &plan, channel)?;
            let json = channel_json(&plan, channel, workspace);
            fs::write_file(&workspace.temporary(channel.channel, "json"), &json)?;
        }
        workspace.journal.append(&[Record::Publishing])?;
        workspace.stage = Stage::Publishing;
    }
    for channel in &plan.channels {
        // An older conversion's JSON would call the new array complete before it is.
        let last = workspace.temporary(channel.channel, "json");
        let marker = workspace.out.join(settings.name.sibling(channel.channel, ".json"));
        if last.exists() && marker.exists() {
            std::fs::remove_file(&marker).map_err(|source| replace_failed(&marker, &last, source))?;
            fs::sync_dir(&workspace.out)
                .map_err(|source| StorageError::new("bring to the disk the folder", &workspace.out, source))?;
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
    let arrays = plan
        .channels
        .iter()
        .map(|channel| {
            (
                settings.name.array(channel.channel),
                npy::DATA_START + channel.data_bytes().0,
            )
        })
        .collect();
    workspace.finish(arrays, began.elapsed().as_secs_f64())
}

fn replace_failed(path: &Path, kept: &Path, source: std::io::Error) -> ConvertError {
    ConvertError::Replace {
        path: path.to_owned(),
        kept: kept.to_owned(),
        source,
    }
}

fn write_list(workspace: &Workspace, plan: &Plan, channel: &ChannelPlan) -> Result<(), ConvertError> {
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

/// `C1--Trace.json`. Holds nothing of the machine, the day or the way it was made.
fn channel_json(plan: &Plan, channel: &ChannelPlan, workspace: &Workspace) -> Vec<u8> {
    #[derive(Serialize)]
    struct Part {
        offset: u64,
        bytes: u64,
        crc32c: String,
    }
    let committed = workspace.committed.get(&channel.channel).map_or(&[][..], Vec::as_slice);
    let mut in_order: Vec<&Committed> = committed.iter().collect();
    in_order.sort_by_key(|rows| rows.rows);
    let part = |checksum: fn(&Committed) -> Checksum| {
        let whole = in_order
            .iter()
            .fold(Checksum::default(), |so_far, rows| so_far.then(checksum(rows)));
        Part {
            offset: npy::DATA_START,
            bytes: whole.len,
            crc32c: format!("{:08x}", whole.crc),
        }
    };
    let varying = in_order
        .iter()
        .fold(FieldSet::EMPTY, |so_far, rows| so_far.union(rows.varying));
    let reference = Header::parse(&channel.reference.head)
        .expect("a plan's reference header was parsed when the plan was made or read");
    let fields: Map<String, Json> = reference
        .fields()
        .map(|(field, value)| (field.to_string(), serde_json::to_value(value).unwrap_or(Json::Null)))
        .collect();
    let mut reference_file = String::new();
    plan.file_label(channel, Bytes(channel.reference.file).as_usize(), &mut reference_file);
    let json = json!({
        "format": "trc2npy channel 1",
        "version": env!("CARGO_PKG_VERSION"),
        "run": plan.run,
        "channel": channel.channel,
        "shape": [channel.rows, u64::from(channel.samples)],
        "dtype": channel.element.descr(),
        "unit": if channel.element == crate::plan::Element::Float32 { reference.vert_unit() } else { "code".to_owned() },
        "sample_interval": f64::from(reference.horiz_interval()),
        "sample_interval_unit": reference.hor_unit(),
        "instrument": reference.instrument(),
        "options": plan.options,
        "data": part(Committed::data),
        "index": part(Committed::index),
        "reference_file": reference_file,
        "fields": fields,
        "varying_fields": varying,
    });
    let mut text = serde_json::to_vec_pretty(&json).expect("the fields hold nothing that JSON cannot");
    text.push(b'\n');
    text
}

/// Adds to the outcome what the published files say.
pub(super) fn summarise(
    workspace: &Workspace,
    settings: &Settings,
    seconds: f64,
    outcome: &mut Outcome,
) -> Result<(), ConvertError> {
    for channel in &workspace.plan.channels {
        let index = workspace.out.join(settings.name.sibling(channel.channel, ".index.npy"));
        let bad = count_bad(&index).map_err(|source| StorageError::new("read", &index, source))?;
        outcome.channels.push(ChannelOutcome {
            channel: channel.channel,
            path: workspace.out.join(settings.name.array(channel.channel)),
            rows: channel.rows,
            samples: channel.samples,
            element: channel.element,
            bytes: Bytes(npy::DATA_START) + channel.data_bytes(),
            seconds,
            bad,
        });
    }
    let bad = workspace.committed.values().flatten().flat_map(|rows| &rows.bad);
    outcome.bad_files = bad.take(LISTED).cloned().collect();
    Ok(())
}

/// Bad rows by verdict, from an index.
fn count_bad(index: &Path) -> std::io::Result<Vec<(Status, u64)>> {
    let mut counts = [0u64; Status::ALL.len()];
    let mut file = std::io::BufReader::with_capacity(1 << 16, File::open(index)?);
    std::io::copy(&mut file.by_ref().take(npy::DATA_START), &mut std::io::sink())?;
    let mut bytes = [0; size_of::<IndexRecord>()];
    while file.read_exact(&mut bytes).is_ok() {
        let record = IndexRecord::read_from_bytes(&bytes).map_err(|_| std::io::ErrorKind::InvalidData)?;
        if let Some(count) = counts.get_mut(usize::from(record.status)) {
            *count += 1;
        }
    }
    let bad = Status::ALL
        .into_iter()
        .zip(counts)
        .filter(|(status, count)| !status.is_good() && *count > 0);
    Ok(bad.collect())
}

/// `report.json`: what was done and how. Unlike the other files it tells of this machine and this run.
pub(super) fn write_report(outcome: &Outcome, settings: &Settings) -> Result<(), ConvertError> {
    let channels: Vec<Json> = outcome
        .channels
        .iter()
        .map(|channel| {
            json!({
                "channel": channel.channel,
                "path": channel.path.file_name().map(|name| name.to_string_lossy()),
                "rows": channel.rows,
                "samples": channel.samples,
                "bytes": channel.bytes,
                "bad_rows": channel.bad.iter().map(|(status, rows)| json!({"status": status, "rows": rows})).collect::<Vec<_>>(),
            })
        })
        .collect();
    let seconds = outcome.channels.first().map_or(0.0, |channel| channel.seconds);
    let report = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "seconds": seconds,
        "settings": {
            "threads": settings.threads,
            "memory_limit": settings.memory_limit,
            "memory_threshold": settings.memory_threshold,
            "io": settings.io,
            "range_size": settings.range_size,
            "sync_every": settings.sync_every,
            "settle_seconds": settings.settle.as_secs_f64(),
        },
        "channels": channels,
        "findings": outcome.findings,
        "notes": outcome.notes,
        "bad_files": bad_files(&outcome.bad_files),
    });
    let mut text = serde_json::to_vec_pretty(&report).expect("the report holds nothing that JSON cannot");
    text.push(b'\n');
    Ok(fs::write_file(&outcome.out.join("report.json"), &text)?)
}

fn bad_files(files: &[BadFile]) -> Json {
    files
        .iter()
        .map(|bad| json!({"file": bad.file, "status": bad.status, "why": bad.why}))
        .collect()
}
