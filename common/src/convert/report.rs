//! What is said of a finished run: its channels for the caller, `report.json`, and from it `report.html`.
//!
//! Unlike the other files the reports tell of this machine, this day and this run, and are not reproducible.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value as Json, json};

use super::error::ConvertError;
use super::pace::PacePoint;
use super::settings::Settings;
use super::synced::SyncedRange;
use super::watch::Watch;
use super::workspace::Workspace;
use super::{BadFile, ChannelOutcome, ConvertRun, Outcome};
use crate::fs;
use crate::npy;
use crate::outputs::sealed;
use crate::plan::{Finding, Folder};
use crate::resources::{self, Machine};
use crate::roots::is_elsewhere;
use crate::status::StatusCounts;
use crate::trc::{Field, FieldSet};
use crate::units::Bytes;

/// Bad files that a report lists; all of them are in the index.
const LISTED: usize = 1000;

/// How long the parts of a run took; what an earlier, interrupted call did is not counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    pub(super) planning: Duration,
    /// From the plan to the last name.
    pub(super) converting: Duration,
    /// For each channel of the plan the time that threads spent on it, added up; none where nothing was left to do.
    pub(super) busy: Vec<Duration>,
    /// What bringing the arrays to the disk took.
    pub(super) syncing: Duration,
}

impl Times {
    /// A channel's share of the seconds, by the time that threads spent on it.
    fn share(&self, channel: usize) -> f64 {
        let all: f64 = self.busy.iter().map(Duration::as_secs_f64).sum();
        let own = self.busy.get(channel).map_or(0.0, Duration::as_secs_f64);
        if all > 0.0 {
            self.converting.as_secs_f64() * own / all
        } else {
            0.0
        }
    }
}

/// Adds to the outcome what was recorded of the channels' rows.
pub(super) fn summarise(workspace: &Workspace, settings: &Settings, times: &Times, outcome: &mut Outcome) {
    for (position, channel) in workspace.plan.channels.iter().enumerate() {
        let mut statuses = StatusCounts::default();
        let committed = workspace.committed.get(&channel.channel).into_iter().flatten();
        committed.for_each(|rows| statuses.add_all(&rows.statuses));
        outcome.channels.push(ChannelOutcome {
            channel: channel.channel,
            path: workspace.out.join(settings.name.array(channel.channel)),
            rows: channel.rows,
            samples: channel.samples,
            element: channel.element,
            bytes: Bytes(npy::DATA_START) + channel.data_bytes(),
            seconds: times.share(position),
            bad: statuses.bad().collect(),
        });
    }
    let mut committed: Vec<&SyncedRange> = workspace.committed.values().flatten().collect();
    committed.sort_by_key(|rows| (rows.channel, rows.rows));
    let bad = committed.into_iter().flat_map(|rows| &rows.bad);
    outcome.bad_files = bad.take(LISTED).cloned().collect();
}

/// Says which settings changed in files that planning did not open, and so could not tell of.
pub(super) fn note_changed_settings(workspace: &Workspace, outcome: &mut Outcome) {
    for channel in workspace.plan.channels.iter() {
        let known = |field: &Field| {
            outcome.findings.all.iter().any(|finding| match finding {
                Finding::MixedSettings { channel: of, change } | Finding::ChangedSettings { channel: of, change } => {
                    *of == channel.channel && change.setting == field.name()
                }
                _ => false,
            })
        };
        let committed = workspace.committed.get(&channel.channel).into_iter().flatten();
        let varying = committed.fold(FieldSet::EMPTY, |all, rows| all.union(rows.varying));
        let news = varying.intersection(FieldSet::AXES.union(FieldSet::SETTINGS));
        let names: Vec<&str> = news.iter().filter(|field| !known(field)).map(Field::name).collect();
        if !names.is_empty() {
            outcome.notes.push(format!(
                "channel {}: {} not the same in all files (the index has each row's own gain, offset and interval)",
                channel.channel,
                names.join(", ")
            ));
        }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    format: &'static str,
    version: &'static str,
    run: &'a str,
    plan: String,
    finished: jiff::Timestamp,
    machine: MachineReport,
    input: InputReport<'a>,
    output: Place,
    options: &'a crate::options::ByteOptions,
    settings: Json,
    /// Those who made the rows, where it was not this machine alone.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    workers: &'a [String],
    speed: Speed,
    /// How far it was, about once a second.
    pace: Vec<PacePoint>,
    channels: Vec<Json>,
    findings: &'a crate::plan::Findings,
    notes: &'a [String],
    bad_files: &'a [BadFile],
}

#[derive(Serialize)]
struct MachineReport {
    host: Option<String>,
    system: &'static str,
    cpu: String,
    physical_cores: usize,
    usable_cores: usize,
    memory_total: Bytes,
}

/// A folder and what it lies on.
#[derive(Serialize)]
struct Place {
    path: PathBuf,
    file_system: Option<String>,
    space_free: Option<Bytes>,
}

impl Place {
    fn of(path: &Path) -> Self {
        if is_elsewhere(path) {
            return Self {
                path: path.to_owned(),
                file_system: None,
                space_free: None,
            };
        }
        Self {
            path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            file_system: fs::kind(path).ok().map(|kind| kind.name),
            space_free: fs::space(path).ok().map(|space| space.available),
        }
    }
}

#[derive(Serialize)]
struct InputReport<'a> {
    asked: &'a [PathBuf],
    folders: Vec<SourceFolder<'a>>,
    files: u64,
    bytes: Bytes,
}

/// A folder of the run.
#[derive(Serialize)]
struct SourceFolder<'a> {
    /// As the lists of files show it: [`crate::verify`] finds the sources by it.
    label: &'a str,
    #[serde(flatten)]
    place: Place,
}

/// How fast the rows were made that this call made.
#[derive(Serialize)]
struct Speed {
    seconds_planning: f64,
    seconds_converting: f64,
    /// Of these, waiting until the arrays were on the disk.
    seconds_syncing: f64,
    rows: u64,
    rows_resumed: u64,
    bytes_read: Bytes,
    bytes_written: Bytes,
    megabytes_read_per_second: f64,
    traces_per_minute: f64,
    memory_peak: Bytes,
}

impl Speed {
    fn of(times: &Times, watch: &Watch) -> Self {
        let progress = watch.read();
        let seconds = times.converting.as_secs_f64();
        let rows = progress.rows - progress.rows_before;
        let bytes = progress.bytes_in.saturating_sub(progress.bytes_in_before);
        Self {
            seconds_planning: times.planning.as_secs_f64(),
            seconds_converting: seconds,
            seconds_syncing: times.syncing.as_secs_f64(),
            rows,
            rows_resumed: progress.rows_before,
            bytes_read: bytes,
            bytes_written: progress.bytes_out,
            megabytes_read_per_second: bytes.0 as f64 / 1e6 / seconds,
            traces_per_minute: rows as f64 * 60.0 / seconds,
            // What was seen in looks at intervals can have missed the peak.
            memory_peak: resources::peak_resident().unwrap_or(progress.memory_peak),
        }
    }
}

/// Writes `report.json`: what was done, where, how fast, with which settings, and what was wrong.
pub(super) fn write(
    outcome: &Outcome,
    workspace: &Workspace,
    run: &ConvertRun,
    times: &Times,
    watch: &Watch,
    workers: &[String],
) -> Result<(), ConvertError> {
    let plan = &workspace.plan;
    let machine = Machine::detect();
    let report = Report {
        format: "trc2npy report 2",
        version: env!("CARGO_PKG_VERSION"),
        run: &plan.run,
        plan: plan.id.to_string(),
        finished: jiff::Timestamp::now(),
        machine: MachineReport {
            host: sysinfo::System::host_name().ok(),
            system: std::env::consts::OS,
            cpu: machine.cpu,
            physical_cores: machine.physical_cores,
            usable_cores: machine.usable_cores,
            memory_total: machine.memory_total,
        },
        input: InputReport {
            asked: &run.request.inputs,
            folders: plan.folders.iter().map(source_folder).collect(),
            files: plan.files(),
            bytes: plan.input_bytes(),
        },
        output: Place::of(&outcome.out),
        options: &plan.options,
        settings: settings(&run.settings),
        workers,
        speed: Speed::of(times, watch),
        pace: watch.pace(),
        channels: outcome.channels.iter().map(channel).collect(),
        findings: &outcome.findings,
        notes: &outcome.notes,
        bad_files: &outcome.bad_files,
    };
    Ok(fs::write_file(&outcome.out.join("report.json"), &sealed(&report))?)
}

/// Writes `report.html` beside it. The run is finished without: what fails is told in a sentence.
pub(super) fn write_page(outcome: &mut Outcome) {
    let written = crate::report::write(&outcome.out);
    if let Err(error) = written {
        outcome.notes.push(format!(
            "the page {} was not written ({error}); the arrays are finished, and trc2npy report {} tries it again",
            crate::report::NAME,
            outcome.out.display()
        ));
    }
}

fn source_folder(folder: &Folder) -> SourceFolder<'_> {
    SourceFolder {
        label: &folder.label,
        place: Place::of(&folder.path),
    }
}

fn settings(settings: &Settings) -> Json {
    json!({
        "threads": settings.threads,
        "memory_limit": settings.memory_limit,
        "memory_threshold": settings.memory_threshold,
        "io": settings.io,
        "range_size": settings.range_size,
        "sync_every": settings.sync_every,
        "settle_seconds": settings.settle.as_secs_f64(),
        "overwrite": settings.overwrite,
        "trust_size": settings.trust_size,
        "name": settings.name.to_string(),
    })
}

fn channel(channel: &ChannelOutcome) -> Json {
    let bad: Vec<Json> = channel
        .bad
        .iter()
        .map(|(status, rows)| json!({"status": status, "rows": rows}))
        .collect();
    json!({
        "channel": channel.channel,
        "file": channel.path.file_name().map(|name| name.to_string_lossy()),
        "rows": channel.rows,
        "samples": channel.samples,
        "dtype": channel.element,
        "bytes": channel.bytes,
        "seconds": channel.seconds,
        "bad_rows": bad,
    })
}
