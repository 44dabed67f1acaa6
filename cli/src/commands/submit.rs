//! `submit`: gives a run to a coordinator, and stays with it if asked.

use std::path::Path;
use std::process::ExitCode;

use trc2npy_common::resources::Machine;
use trc2npy_proto::Submission;

use super::client::Client;
use super::convert::{byte_options, refuse_unknown_place};
use super::jobs::{self, Stay};
use crate::failure::Failure;
use crate::options::{self, Settled, SubmitOptions};
use crate::screen::{self, Display, Event};
use crate::telemetry::SubmitTrace;

/// Submits.
pub(crate) fn run(options: &SubmitOptions, settled: &Settled) -> Result<ExitCode, Failure> {
    if options.display.print_config {
        return options::print(settled, &Machine::detect());
    }
    if options.display.dry_run {
        return Err(Failure::Options(
            "--dry-run: only convert has it, on a machine that sees the files; a job that was submitted can be cancelled"
                .to_owned(),
        ));
    }
    let submission = submission(options)?;
    refuse_unknown_place(&submission.out)?;
    let client = Client::connect(&options.address)?;
    let trace = SubmitTrace::begin();
    let reply = client.submit(&submission.into(), trace.place, &|told| screen::remark(told));
    trace.end(reply.as_ref().err().map(ToString::to_string));
    let reply = reply?;
    let display = Display::new(options.display.progress);
    let stays = options.patience.watch || options.patience.wait;
    let stay = stays.then(|| Stay::new(&client, &options.address, &options.patience, &display));
    for job in &reply.jobs {
        if display.is_json() {
            Event::Submitted(&jobs::record(job)).emit()?;
        } else {
            screen::chat(&format!("job {}: {} -> {}", job.id, job.run, job.out));
            for warning in &job.warnings {
                screen::remark(&format!("warning: {warning}"));
            }
        }
    }
    if let Some(stay) = stay {
        return stay.with(&reply.jobs);
    }
    if display.is_json() {
        return Ok(ExitCode::SUCCESS);
    }
    let list: Vec<String> = reply.jobs.iter().map(|job| job.id.to_string()).collect();
    if let [only] = &list[..] {
        let reach = jobs::how_to_reach(&options.address);
        screen::chat(&format!("to follow it: trc2npy job {only} --watch{reach}"));
    }
    screen::show(&list.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

/// As it goes to the coordinator.
pub(super) fn submission(options: &SubmitOptions) -> Result<Submission, Failure> {
    let input = &options.input;
    let reading = &input.reading;
    if input.inputs.is_empty() {
        return Err(Failure::Options(
            "no INPUT: name what to convert by a root and a path below it (trc2npy submit data:run/r005 --out data:npy/r005)"
                .to_owned(),
        ));
    }
    let Some(out) = &options.output.out else {
        return Err(Failure::Options(
            "no --out: name the folder for the arrays by a root and a path below it (--out data:npy/r005)".to_owned(),
        ));
    };
    let text = |path: &Path| {
        path.to_str()
            .map(str::to_owned)
            .ok_or_else(|| Failure::Options(format!("{}: not Unicode, and so no place on a root", path.display())))
    };
    Ok(Submission {
        key: format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..)),
        inputs: input.inputs.iter().map(|input| text(input)).collect::<Result<_, _>>()?,
        out: text(out)?,
        recursive: input.recursive,
        join: input.join,
        channels: (!reading.channels.is_empty()).then(|| reading.channels.clone()),
        stem: reading.stem.clone(),
        probe: reading.probe,
        settle: options.bad.settle,
        overwrite: options.output.overwrite,
        trust_size: reading.trust_size,
        name: options.output.name.to_string(),
        options: byte_options(reading, &options.values, &options.bad, &options.selection),
        sync_every: options.work.sync_every,
        range_size: options.work.range_size,
    })
}
