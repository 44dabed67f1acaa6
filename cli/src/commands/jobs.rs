//! `jobs`, `job`, `cancel`, `explain`: what a coordinator has to do, and what became of it.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::{Value as Json, json};
use trc2npy_common::convert::{BadFile, Stop, Watch};
use trc2npy_common::status::Status;
use trc2npy_common::units::Bytes;
use trc2npy_proto::v1::{
    self, BadRows, CancelRequest, ExplainRequest, GetRequest, Job, JobChannel, JobState, ListJobsRequest,
};

use super::client::Client;
use crate::failure::{BAD_ROWS, Failure, INTERRUPTED};
use crate::options::{CoordinatorAddress, JobOptions, ListOptions, OneJobOptions, Patience, ProgressStyle};
use crate::screen::{self, Display, Event, count};
use crate::signals;

/// `jobs`
pub(crate) fn list(options: &ListOptions) -> Result<ExitCode, Failure> {
    let client = Client::connect(&options.address)?;
    let reply = client
        .jobs(async |mut jobs| jobs.list(ListJobsRequest {}).await)?
        .into_inner();
    if options.json {
        screen::show_json(&reply.jobs.iter().map(record).collect::<Vec<_>>())?;
    } else if reply.jobs.is_empty() {
        screen::show(&screen::prose("no job was submitted yet", screen::width()))?;
    } else {
        let rows: Vec<Vec<String>> = reply.jobs.iter().map(row).collect();
        screen::show(&screen::fitted_table(
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
            &rows,
            screen::width(),
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `job`
pub(crate) fn show(options: &JobOptions) -> Result<ExitCode, Failure> {
    let client = Client::connect(&options.address)?;
    let id = options.id;
    let job = client
        .jobs(async |mut jobs| jobs.get(GetRequest { job: id }).await)?
        .into_inner();
    if options.patience.watch || options.patience.wait {
        let display = Display::new(ProgressStyle::Auto);
        let stay = Stay::new(&client, &options.address, &options.patience, &display);
        return stay.showing_json(options.json).with(&[job]);
    }
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
    screen::tell(&screen::prose(&told, screen::width()))?;
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
            screen::show(&screen::prose(reason, Some(screen::width().unwrap_or(80))))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Staying with jobs until all of them have ended.
pub(crate) struct Stay<'a> {
    client: &'a Client,
    address: &'a CoordinatorAddress,
    patience: &'a Patience,
    display: &'a Display,
    stop: Stop,
    as_json: bool,
}

impl<'a> Stay<'a> {
    /// From here on Ctrl-C ends the staying alone. To be made once.
    pub(crate) fn new(
        client: &'a Client,
        address: &'a CoordinatorAddress,
        patience: &'a Patience,
        display: &'a Display,
    ) -> Self {
        Self {
            client,
            address,
            patience,
            display,
            stop: end_on_ctrl_c(display),
            as_json: false,
        }
    }

    /// Each job is shown at its end as `job --json` shows it.
    fn showing_json(self, as_json: bool) -> Self {
        Self { as_json, ..self }
    }

    /// The exit code is that of the job that ended worst.
    pub(crate) fn with(&self, jobs: &[Job]) -> Result<ExitCode, Failure> {
        let mut worst = 0;
        let mut failures = Vec::new();
        let mut records = Vec::new();
        let several = jobs.len() > 1;
        for (position, job) in jobs.iter().enumerate() {
            let Some(job) = self.follow(job, several)? else {
                for failure in failures {
                    screen::remark(&format!("error: {failure}"));
                }
                screen::remark(&self.farewell(&jobs[position..]));
                return Ok(INTERRUPTED.into());
            };
            let id = job.id;
            match job.state() {
                JobState::Done if job.bad_rows > 0 => worst = worst.max(BAD_ROWS),
                JobState::Done => {}
                JobState::Cancelled => failures.push(format!("job {id} was cancelled")),
                _ => failures.push(format!("job {id}: {}", job.error)),
            }
            if self.display.is_json() {
                let record = record(&job);
                if several {
                    Event::Run(&record).emit()?;
                }
                records.push(record);
            } else if self.as_json {
                screen::show_json(&record(&job))?;
            } else if job.state() == JobState::Done {
                if job.already_done {
                    screen::chat(
                        "nothing to do: these arrays are finished, from the same files with the same options\n",
                    );
                }
                screen::tell(&summary(&job))?;
            }
        }
        if self.display.is_json() {
            Event::End(&json!({ "jobs": records })).emit()?;
        }
        if failures.is_empty() {
            return Ok(worst.into());
        }
        Err(Failure::Work {
            code: 1,
            message: failures.join("\nerror: "),
        })
    }

    /// One job to its end; none where that is not waited for.
    fn follow(&self, job: &Job, several: bool) -> Result<Option<Job>, Failure> {
        let watch = Arc::new(Watch::new());
        let name = several.then(|| format!("job {}", job.id));
        let following = self
            .patience
            .watch
            .then(|| self.display.follow(Arc::clone(&watch), name));
        let ended = self
            .client
            .follow(job, &watch, &self.stop, &|text| self.display.note(text));
        drop(following);
        ended
    }

    /// What is said where the end is not waited for, with the jobs that were.
    fn farewell(&self, left: &[Job]) -> String {
        let first = left.first().map_or(0, |job| job.id);
        let who = match left {
            [.., last] if left.len() > 1 => format!("jobs {first} to {} go", last.id),
            _ => format!("job {first} goes"),
        };
        let reach = how_to_reach(self.address);
        format!(
            "no longer watched; {who} on. To watch again, and to end it:\n\n  trc2npy job {first} --watch{reach}\n  trc2npy \
             cancel {first}{reach}\n"
        )
    }
}

/// The first Ctrl-C ends the watching; the job knows nothing of it. To be set up once.
pub(super) fn end_on_ctrl_c(display: &Display) -> Stop {
    let stop = Stop::new();
    let asked = stop.clone();
    let display = display.clone();
    // Without it Ctrl-C ends the program at once, in silence.
    signals::on_end(move |_| {
        if asked.requested() {
            display.leave(i32::from(INTERRUPTED));
        }
        asked.request();
    });
    stop
}

/// The options that a command needs to reach the same coordinator.
pub(super) fn how_to_reach(address: &CoordinatorAddress) -> String {
    let trust = match &address.trust.certs {
        Some(folder) => format!(" --certs {}", folder.display()),
        None if address.trust.insecure => " --insecure".to_owned(),
        None => String::new(),
    };
    format!(" --coordinator {}{trust}", address.coordinator)
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
        // Of the first second nothing is known yet.
        if live && job.speed > 0 {
            format!("{:.1}", job.speed as f64 / 1e6)
        } else {
            "-".to_owned()
        },
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
    }
    if job.state() != JobState::Done {
        facts.push((
            "done",
            format!("{} of {} rows, {}", count(job.rows_done), count(job.rows), share(job)),
        ));
    }
    if job.ended_ms == 0 {
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
    let mut text = screen::fitted_facts(facts, screen::width());
    for warning in &job.warnings {
        text += &screen::prose(&format!("warning: {warning}"), screen::width());
    }
    if !job.error.is_empty() {
        text += &screen::prose(&format!("error: {}", job.error), screen::width());
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
    let rows: Vec<Vec<String>> = job.channels.iter().map(of).collect();
    let mut text = screen::fitted_table(
        &["channel", ">rows", "shape", "dtype", ">size", ">bad rows", "file"],
        &rows,
        screen::width(),
    );
    if !job.bad.is_empty() {
        let report = format!("{}/report.json", job.out);
        let verdicts = verdicts(job);
        let rows: u64 = verdicts.values().flatten().map(|(_, rows)| rows).sum();
        let of_channels = verdicts.iter().map(|(channel, bad)| ((*channel).to_owned(), &bad[..]));
        text.push('\n');
        text += &screen::verdicts_on_rows(rows, job.rows, of_channels);
        text += &screen::prose(
            "The index says which rows are good: good = index[\"status\"] == 0",
            screen::width(),
        );
        text += &screen::bad_files(&bad_files(job), &report);
    }
    text
}

fn verdict(status: u32) -> Option<Status> {
    u8::try_from(status).ok().and_then(Status::from_code)
}

/// Of each channel with bad rows how many have which verdict. One of a later version is not known, and its rows count as
/// those of a broken file.
fn verdicts(job: &Job) -> BTreeMap<&str, Vec<(Status, u64)>> {
    let mut verdicts: BTreeMap<&str, Vec<(Status, u64)>> = BTreeMap::new();
    for BadRows { channel, status, rows } in &job.bad {
        let status = verdict(*status).unwrap_or(Status::Malformed);
        verdicts.entry(channel).or_default().push((status, *rows));
    }
    verdicts
}

fn bad_files(job: &Job) -> Vec<BadFile> {
    let of = |bad: &v1::BadFile| BadFile {
        file: bad.file.clone(),
        status: verdict(bad.status).unwrap_or(Status::Malformed),
        why: bad.why.clone(),
    };
    job.bad_files.iter().map(of).collect()
}

/// A job, for programs.
pub(super) fn record(job: &Job) -> Json {
    let verdicts = verdicts(job);
    let bad_of = |channel: &str| -> Vec<Json> {
        let bad = verdicts.get(channel).into_iter().flatten();
        bad.map(|(status, rows)| json!({"status": status, "rows": rows}))
            .collect()
    };
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
                "bad": bad_of(&channel.name),
            })
        })
        .collect();
    // Of a job that has ended the coordinator knows the rows alone.
    let if_known = |bytes: u64| (job.bytes > 0).then_some(bytes);
    json!({
        "job": job.id,
        "state": state_word(job),
        "run": job.run,
        "out": job.out,
        "error": (!job.error.is_empty()).then_some(&job.error),
        "rows": job.rows,
        "rows_done": job.rows_done,
        "bad_rows": job.bad_rows,
        "bytes": if_known(job.bytes),
        "bytes_done": if_known(job.bytes_done),
        "bytes_per_second": job.speed,
        "leases": job.leases,
        "workers": job.workers,
        "submitted_ms": job.submitted_ms,
        "ended_ms": (job.ended_ms > 0).then_some(job.ended_ms),
        "already_done": job.already_done,
        "warnings": job.warnings,
        "channels": channels,
        "bad_files": bad_files(job),
    })
}
