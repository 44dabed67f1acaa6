//! `convert --dry-run`: plans, shows what would be done, and writes nothing.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;
use trc2npy_common::channel::Channel;
use trc2npy_common::convert::{self, Budget, ConvertError};
use trc2npy_common::fs;
use trc2npy_common::plan::{self, Element, Findings, PlannedRun, Severity};
use trc2npy_common::units::Bytes;

use super::convert::Job;
use crate::failure::Failure;
use crate::screen::{self, count, counted};

/// What would be done, as `--json` shows it.
#[derive(Debug, Serialize)]
struct DryRun<'a> {
    runs: Vec<Run<'a>>,
    memory_limit: Bytes,
}

#[derive(Debug, Serialize)]
struct Run<'a> {
    name: &'a str,
    folders: Vec<&'a str>,
    out: PathBuf,
    /// All that will be written: arrays, indices, lists.
    bytes_out: Bytes,
    /// Free where the output goes; none where the system does not say.
    space_free: Option<Bytes>,
    threads: usize,
    /// What the plan takes while the conversion runs.
    plan_memory: Bytes,
    /// What the buffers of all threads take.
    buffer_memory: Bytes,
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
    /// The array's.
    bytes_out: Bytes,
    /// Units of work.
    ranges: u64,
    path: PathBuf,
}

/// Plans and shows.
pub(super) fn run(job: &Job, json: bool) -> Result<ExitCode, Failure> {
    let planned = plan::plan(&job.request, &plan::PlanProgress::default())?;
    let folders = plan::resolve_outputs(&job.out, &planned)?;
    let runs: Result<Vec<Run>, Failure> = planned
        .iter()
        .zip(&folders)
        .map(|(planned, out)| describe(job, planned, out))
        .collect();
    let dry_run = DryRun {
        runs: runs?,
        memory_limit: job.settings.memory_limit,
    };
    let needs = dry_run.runs.iter().map(|run| (run.out.as_path(), run.bytes_out));
    let fits = fs::shortage(needs).is_ok_and(|shortage| shortage.is_none());
    if json {
        screen::show_json(&dry_run)?;
    } else {
        screen::show(&dry_run.to_string())?;
    }
    // What is left of an earlier call is not counted: it can be that the rest fits all the same.
    Ok(if fits { ExitCode::SUCCESS } else { 1.into() })
}

fn describe<'a>(job: &Job, planned: &'a PlannedRun, out: &Path) -> Result<Run<'a>, Failure> {
    let PlannedRun { plan, findings } = planned;
    let settings = &job.settings;
    let budget =
        Budget::new(settings.memory_limit, plan.memory_bytes(), settings.threads).map_err(ConvertError::from)?;
    let range_size = convert::range_size(plan, settings, &budget);
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
            ranges: channel.ranges(range_size).len() as u64,
            path: out.join(settings.name.array(channel.channel)),
        })
        .collect();
    Ok(Run {
        name: &plan.run,
        folders: plan.folders.iter().map(|folder| folder.label.as_str()).collect(),
        out: out.to_owned(),
        bytes_out: plan.output_bytes(),
        space_free: fs::space(out).ok().map(|space| space.available),
        threads: budget.threads,
        plan_memory: plan.memory_bytes(),
        buffer_memory: budget.bytes(),
        channels,
        findings,
    })
}

impl fmt::Display for DryRun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.runs.iter().try_for_each(|run| writeln!(f, "{run}"))?;
        f.write_str("Nothing was written.\n")
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
                row.dtype.name().to_owned(),
                row.bytes_in.to_string(),
                row.bytes_out.to_string(),
                count(row.ranges),
                row.path.display().to_string(),
            ]
        });
        f.write_str(&screen::table(&heads, rows))?;
        let free = match self.space_free {
            Some(free) if free < self.bytes_out => format!(": NOT ENOUGH ROOM, {free} are free"),
            Some(free) => format!(", {free} are free"),
            None => String::new(),
        };
        writeln!(f, "\n{} to write into {}{free}", self.bytes_out, self.out.display())?;
        writeln!(
            f,
            "{} of memory on {}: {} for the plan, {} for buffers",
            self.plan_memory + self.buffer_memory,
            counted(self.threads as u64, "thread"),
            self.plan_memory,
            self.buffer_memory
        )?;
        self.findings
            .all
            .iter()
            .try_for_each(|finding| match finding.severity() {
                Severity::Note => writeln!(f, "note: {finding}"),
                Severity::Warning => writeln!(f, "warning: {finding}"),
            })
    }
}
