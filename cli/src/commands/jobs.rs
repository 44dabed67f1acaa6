//! `jobs`, `job`, `cancel`, `explain`: what a coordinator has to do, and what became of it.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use trc2npy_common::convert::Watch;
use trc2npy_common::status::Status;
use trc2npy_common::units::Bytes;
use trc2npy_proto::v1::{
    BadRows, CancelRequest, ExplainRequest, GetRequest, Job, JobChannel, JobState, ListJobsRequest,
};

use super::client::Client;
use super::convert::stop_on_ctrl_c;
use crate::failure::{BAD_ROWS, Failure, INTERRUPTED};
use crate::options::{CoordinatorAddress, JobOptions, ListOptions, OneJobOptions, Patience, ProgressStyle};
use crate::screen::{self, Display, count};

/// `jobs`
pub(crate) fn list(options: &ListOptions) -> Result<ExitCode, Failure> {
    let client = Client::connect(&options.address)?;
    let reply = client
        .jobs(async |mut jobs| jobs.list(ListJobsRequest {}).await)?
        .into_inner();
    if options.json {
        screen::show_json(&reply.jobs.iter().map(record).collect::<Vec<_>>())?;
    } else if reply.jobs.is_empty() {
        screen::show("no job was submitted yet")?;
    } else {
        screen::show(&screen::table(
            &[
                ">job",
                "state",
                ">done",
                ">rows",
                ">bad rows",
                ">MB/s",
                ">workers",
                "run",
                "out",
            ],
            reply.jobs.iter().map(row),
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `job`
pub(crate) fn show(options: &JobOptions) -> Result<ExitCode, Failure> {
    let client = Client::connect(&options.address)?;
    if options.patience.watch || options.patience.wait {
        let style = if options.json {
            ProgressStyle::Json
        } else {
            ProgressStyle::Auto
        };
        return stay(
            &client,
            &[options.id],
            &options.address,
            &options.patience,
            &Display::new(style),
        );
    }
    let id = options.id;
    let job = client
        .jobs(async |mut jobs| jobs.get(GetRequest { job: id }).await)?
        .into_inner();
    if options.json {
        screen::show_json(&record(&job))?;
        return Ok(ExitCode::SUCCESS);
    }
    screen::show(&whole(&job))?;
    Ok(ExitCode::SUCCESS)
}

/// `cancel`
pub(crate) fn cancel(options: &OneJobOptions) -> Result<ExitCode, Failure> {
    let client = Client::connect(&options.address)?;
    let id = options.id;
    let job = client
        .jobs(async |mut jobs| jobs.cancel(CancelRequest { job: id }).await)?
        .into_inner();
    if options.json {
        screen::show_json(&record(&job))?;
        return Ok(ExitCode::SUCCESS);
    }
    let told = match job.state() {
        JobState::Done => format!("job {id} was done already; its arrays stay"),
        JobState::Failed => format!("job {id} had failed already"),
        _ => format!("job {id} is cancelled; what is done of it is kept, and submitting it again goes on from there"),
    };
    screen::tell(&told)?;
    Ok(ExitCode::SUCCESS)
}

/// `explain`
pub(crate) fn explain(options: &OneJobOptions) -> Result<ExitCode, Failure> {
    let client = Client::connect(&options.address)?;
    let id = options.id;
    let reply = client
        .jobs(async |mut jobs| jobs.explain(ExplainRequest { job: id }).await)?
        .into_inner();
    if options.json {
        screen::show_json(&reply.reasons)?;
    } else {
        for reason in &reply.reasons {
            screen::show(&screen::paragraph(reason))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Stays with jobs until all of them have ended; the exit code is that of the worst.
pub(crate) fn stay(
    client: &Client,
    ids: &[u64],
    address: &CoordinatorAddress,
    patience: &Patience,
    display: &Display,
) -> Result<ExitCode, Failure> {
    let stop = stop_on_ctrl_c(display);
    let mut worst = 0;
    let mut failures = Vec::new();
    let several = ids.len() > 1;
    for &id in ids {
        let watch = Arc::new(Watch::new());
        let following = patience
            .watch
            .then(|| display.follow(Arc::clone(&watch), several.then(|| format!("job {id}"))));
        let job = client.follow(id, &watch, &stop);
        drop(following);
        let job = job?;
        if stop.requested() {
            screen::remark(&format!(
                "no longer watched; the job goes on. To watch it again:\n\n  trc2npy job {id} --watch{}\n\nTo end it: trc2npy cancel {id}",
                how_to_reach(address)
            ));
            return Ok(INTERRUPTED.into());
        }
        match job.state() {
            JobState::Done if job.bad_rows > 0 => worst = worst.max(BAD_ROWS),
            JobState::Done => {}
            JobState::Cancelled => failures.push(format!("job {id} was cancelled")),
            _ => failures.push(format!("job {id}: {}", job.error)),
        }
        if display.is_json() {
            screen::show_json(&record(&job))?;
        } else if job.state() == JobState::Done {
            if job.already_done {
                screen::chat("nothing to do: these arrays are finished, from the same files with the same options\n");
            }
            screen::tell(&summary(&job))?;
        }
    }
    if failures.is_empty() {
        return Ok(worst.into());
    }
    Err(Failure::Work {
        code: 1,
        message: failures.join("\nerror: "),
    })
}

fn how_to_reach(address: &CoordinatorAddress) -> String {
    let insecure = if address.insecure { " --insecure" } else { "" };
    format!(" --coordinator {}{insecure}", address.coordinator)
}

fn state_word(job: &Job) -> &'static str {
    match job.state() {
        JobState::Running => "running",
        JobState::Publishing => "publishing",
        JobState::Done => "done",
        JobState::Cancelled => "cancelled",
        JobState::Failed => "failed",
        JobState::Waiting => "waiting",
        JobState::Unspecified => "-",
    }
}

/// The share of a job that is done, as people read it; 100 % only where nothing is left.
fn share(job: &Job) -> String {
    if job.rows == 0 || job.rows_done == job.rows {
        return "100 %".to_owned();
    }
    format!(
        "{} %",
        (job.rows_done as f64 / job.rows as f64 * 100.0).min(99.0).floor()
    )
}

fn row(job: &Job) -> Vec<String> {
    let live = matches!(job.state(), JobState::Running | JobState::Publishing);
    let if_live = |text: String| if live { text } else { "-".to_owned() };
    vec![
        job.id.to_string(),
        state_word(job).to_owned(),
        share(job),
        count(job.rows),
        count(job.bad_rows),
        if_live(format!("{:.1}", job.speed as f64 / 1e6)),
        if_live(count(job.workers.into())),
        job.run.clone(),
        job.out.clone(),
    ]
}

/// Everything that is known of a job, for people.
fn whole(job: &Job) -> String {
    let mut facts = vec![
        ("job", format!("{}, {}", job.id, state_word(job))),
        ("run", job.run.clone()),
        ("out", job.out.clone()),
        ("submitted", screen::moment(job.submitted_ms)),
    ];
    if job.ended_ms > 0 {
        facts.push(("ended", screen::moment(job.ended_ms)));
    } else {
        facts.push((
            "done",
            format!("{} of {} rows, {}", count(job.rows_done), count(job.rows), share(job)),
        ));
        facts.push((
            "now",
            format!(
                "{}/s, {} with {}",
                Bytes(job.speed),
                screen::counted(job.leases.into(), "lease"),
                screen::counted(job.workers.into(), "worker")
            ),
        ));
    }
    let mut text = screen::facts(facts);
    for warning in &job.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    if !job.error.is_empty() {
        let _ = writeln!(text, "error: {}", job.error);
    }
    text.push('\n');
    text + &summary(job)
}

/// The table of the channels, and bad rows loudly.
pub(super) fn summary(job: &Job) -> String {
    let of = |channel: &JobChannel| {
        vec![
            channel.name.clone(),
            count(channel.rows),
            format!("({}, {})", channel.rows, channel.samples),
            channel.dtype.clone(),
            Bytes(channel.array_bytes).to_string(),
            count(channel.bad_rows),
            format!("{}/{}", job.out, channel.array),
        ]
    };
    let mut text = screen::table(
        &["channel", ">rows", "shape", "dtype", ">size", ">bad rows", "file"],
        job.channels.iter().map(of),
    );
    if !job.bad.is_empty() {
        let rows: u64 = job.bad.iter().map(|bad| bad.rows).sum();
        let _ = writeln!(
            text,
            "\nBAD ROWS: {} of {} are not to be used.",
            count(rows),
            count(job.rows)
        );
        for BadRows { channel, status, rows } in &job.bad {
            let verdict = u8::try_from(*status).ok().and_then(Status::from_code);
            let verdict = verdict.map_or("of an unknown verdict", Status::describe);
            let _ = writeln!(text, "  {channel}: {} {verdict}", count(*rows));
        }
        let _ = writeln!(
            text,
            "The index says which: good = index[\"status\"] == 0; reasons are in {}/report.json.",
            job.out
        );
    }
    text
}

/// A job, for programs.
fn record(job: &Job) -> Json {
    let channels: Vec<Json> = job
        .channels
        .iter()
        .map(|channel| {
            json!({
                "channel": channel.name,
                "rows": channel.rows,
                "rows_done": channel.rows_done,
                "bad_rows": channel.bad_rows,
                "samples": channel.samples,
                "dtype": channel.dtype,
                "array": channel.array,
                "bytes": channel.array_bytes,
            })
        })
        .collect();
    json!({
        "job": job.id,
        "state": state_word(job),
        "run": job.run,
        "out": job.out,
        "error": (!job.error.is_empty()).then_some(&job.error),
        "rows": job.rows,
        "rows_done": job.rows_done,
        "bad_rows": job.bad_rows,
        "bytes": job.bytes,
        "bytes_done": job.bytes_done,
        "bytes_per_second": job.speed,
        "leases": job.leases,
        "workers": job.workers,
        "submitted_ms": job.submitted_ms,
        "ended_ms": (job.ended_ms > 0).then_some(job.ended_ms),
        "already_done": job.already_done,
        "warnings": job.warnings,
        "channels": channels,
    })
}
