//! `convert --dry-run`: plans, shows what would be done, and writes nothing.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use trc2npy_common::channel::Channel;
use trc2npy_common::fs;
use trc2npy_common::plan::{self, ChannelPlan, Element, FileTable, Findings, PlannedRun, Severity};
use trc2npy_common::units::Bytes;

use super::convert::Job;
use crate::failure::Failure;
use crate::screen::{self, count, counted};

/// Bytes of a row in the index.
const INDEX_ROW: Bytes = Bytes(72);

/// What would be done, as `--json` shows it.
#[derive(Debug, Serialize)]
struct DryRun<'a> {
    runs: Vec<Run<'a>>,
    threads: usize,
    memory_limit: Bytes,
    /// Of that, what the plan takes while the conversion runs.
    plan_memory: Bytes,
}

#[derive(Debug, Serialize)]
struct Run<'a> {
    name: &'a str,
    folders: Vec<&'a str>,
    out: PathBuf,
    /// Free where the output goes; none where the system does not say.
    space_free: Option<Bytes>,
    channels: Vec<ChannelRow>,
    /// What was left out, and what is odd.
    findings: &'a Findings,
}

#[derive(Debug, Serialize)]
struct ChannelRow {
    channel: Channel,
    files: u64,
    rows: u64,
    samples: u32,
    dtype: Element,
    bytes_in: Bytes,
    bytes_out: Bytes,
    /// Units of work; none where their size is chosen when the conversion starts.
    ranges: Option<u64>,
    path: PathBuf,
}

/// Plans and shows.
pub(super) fn run(job: &Job, json: bool) -> Result<ExitCode, Failure> {
    let planned = plan::plan(&job.request, &plan::PlanProgress::default())?;
    let dry_run = DryRun {
        runs: planned.iter().map(|planned| describe(job, planned)).collect(),
        threads: job.settings.threads,
        memory_limit: job.settings.memory_limit,
        plan_memory: planned.iter().map(plan_memory).max().unwrap_or_default(),
    };
    if json {
        let text = serde_json::to_string_pretty(&dry_run).expect("numbers and texts can always be written as JSON");
        screen::show(&text)?;
    } else {
        screen::show(&dry_run.to_string())?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe<'a>(job: &Job, planned: &'a PlannedRun) -> Run<'a> {
    let PlannedRun { plan, findings } = planned;
    let out = job.out_of(&plan.run);
    let channels = plan
        .channels
        .iter()
        .map(|channel| ChannelRow {
            channel: channel.channel,
            files: channel.files.len() as u64,
            rows: channel.rows,
            samples: channel.samples,
            dtype: channel.element,
            bytes_in: channel.files.total_size(),
            bytes_out: channel.data_bytes(),
            ranges: job.settings.range_size.map(|size| channel.ranges(size).len() as u64),
            path: out.join(job.settings.name.array(channel.channel)),
        })
        .collect();
    Run {
        name: &plan.run,
        folders: plan.folders.iter().map(|folder| folder.label.as_str()).collect(),
        space_free: fs::space(&screen::existing(&out)).ok().map(|space| space.available),
        out,
        channels,
        findings,
    }
}

fn plan_memory(planned: &PlannedRun) -> Bytes {
    planned
        .plan
        .channels
        .iter()
        .map(|channel: &ChannelPlan| Bytes(FileTable::BYTES_PER_FILE) * channel.files.len() as u64)
        .sum()
}

impl fmt::Display for DryRun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.runs.iter().try_for_each(|run| writeln!(f, "{run}"))?;
        writeln!(
            f,
            "With {} and at most {} of memory, {} of it for the plan. Nothing was written.",
            counted(self.threads as u64, "thread"),
            self.memory_limit,
            self.plan_memory
        )
    }
}

impl fmt::Display for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Run {} ({})\n", self.name, self.folders.join(", "))?;
        let heads = [
            "channel", ">files", ">rows", ">samples", "type", ">in", ">out", ">ranges", "file",
        ];
        let rows = self.channels.iter().map(|row| {
            vec![
                row.channel.to_string(),
                count(row.files),
                count(row.rows),
                count(row.samples.into()),
                screen::type_name(row.dtype).to_owned(),
                row.bytes_in.to_string(),
                row.bytes_out.to_string(),
                row.ranges.map_or_else(|| "-".to_owned(), count),
                row.path.display().to_string(),
            ]
        });
        f.write_str(&screen::table(&heads, rows))?;
        let needed: Bytes = self
            .channels
            .iter()
            .map(|row| row.bytes_out + INDEX_ROW * row.rows)
            .sum();
        let free = self
            .space_free
            .map(|free| format!(", {free} are free"))
            .unwrap_or_default();
        writeln!(f, "\n{needed} to write into {}{free}", self.out.display())?;
        self.findings
            .all
            .iter()
            .try_for_each(|finding| match finding.severity() {
                Severity::Note => writeln!(f, "note: {finding}"),
                Severity::Warning => writeln!(f, "warning: {finding}"),
            })
    }
}
