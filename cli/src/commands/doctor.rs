//! `doctor`: whether a long run will go well on this machine.

use std::process::ExitCode;

use serde_json::json;
use trc2npy_certs::Role;
use trc2npy_common::convert::{Budget, ConvertError};
use trc2npy_common::doctor::{Clock, Exchange, Facts, Finding, Need, Planned, Verdict, judge};
use trc2npy_common::plan::{self, ChannelPlan, PlanProgress};
use trc2npy_proto::link::Destination;
use trc2npy_proto::v1::ListWorkersRequest;

use super::client::{Client, destination};
use super::convert::Job;
use crate::failure::Failure;
use crate::options::{self, DoctorOptions};
use crate::screen::{self, Talk, counted};

/// How often the clocks are compared: the quickest answer tells most.
const COMPARISONS: usize = 3;

/// Looks, and says what was found.
pub(crate) fn run(options: &DoctorOptions) -> Result<ExitCode, Failure> {
    let dir = &options.dir;
    if dir.is_file() {
        return Err(Failure::Options(format!(
            "{}: is a file; name the folder that arrays are to be written to",
            dir.display()
        )));
    }
    let coordinator = options.coordinator.as_ref();
    let coordinator = coordinator
        .map(|address| destination(address, &options.trust, Role::Client))
        .transpose()?;
    let mut facts = Facts::look(dir);
    facts.planned = planned(options, &facts)?;
    if let Some(coordinator) = &coordinator {
        facts.clock = clock(coordinator);
    }
    let findings = judge(&facts);
    if options.json {
        screen::show_json(&json!({ "findings": findings }))?;
    } else {
        screen::show(&list(&findings))?;
        screen::tell(&sum(&findings))?;
    }
    let is_bad = findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    Ok(if is_bad { 1.into() } else { ExitCode::SUCCESS })
}

/// Plans what was named as `convert` with no options would, and writes nothing.
fn planned(options: &DoctorOptions, facts: &Facts) -> Result<Planned, Failure> {
    if options.inputs.is_empty() {
        return Ok(Planned::Nothing);
    }
    let mut asked = options::convert_defaults()?;
    asked.input.inputs.clone_from(&options.inputs);
    let job = Job::into_folder(&asked, &facts.machine, &options.dir)?;
    let runs = match plan::plan(&job.request, &PlanProgress::default()) {
        Ok(runs) => runs,
        // Of an error with a list the rest is for convert to tell.
        Err(error) => {
            let told = error.to_string();
            let first = told.lines().next().unwrap_or_default();
            return Ok(Planned::Refused(first.trim_end_matches(':').to_owned()));
        }
    };
    let short_of_memory = runs.iter().find_map(|run| {
        let settings = &job.settings;
        Budget::new(settings.memory_limit, run.plan.memory_bytes(), settings.threads).err()
    });
    if let Some(error) = short_of_memory {
        return Ok(Planned::Refused(ConvertError::from(error).to_string()));
    }
    let channels = runs.iter().flat_map(|run| run.plan.channels.iter());
    Ok(Planned::Runs(Need {
        runs: runs.len() as u64,
        bytes: runs.iter().map(|run| run.plan.output_bytes()).sum(),
        largest: channels.map(ChannelPlan::data_bytes).max().unwrap_or_default(),
    }))
}

/// Asks a coordinator for its time.
fn clock(coordinator: &Destination) -> Clock {
    let mut best: Option<Exchange> = None;
    let client = match Client::connect_to(coordinator) {
        Ok(client) => client,
        Err(failure) => return Clock::Away(failure.to_string()),
    };
    for _ in 0..COMPARISONS {
        let asked = now_ms();
        let reply = match client.fleet(async |mut fleet| fleet.list(ListWorkersRequest {}).await) {
            Ok(reply) => reply.into_inner(),
            Err(failure) => return Clock::Away(failure.to_string()),
        };
        let exchange = Exchange {
            asked,
            answered: now_ms(),
            theirs: reply.now_ms,
        };
        if exchange.theirs == 0 {
            return Clock::Untold;
        }
        if best.is_none_or(|best| exchange.trip() < best.trip()) {
            best = Some(exchange);
        }
    }
    best.map_or(Clock::Untold, Clock::Compared)
}

/// Now, in ms since 1970.
fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}

/// A line a finding; what to do about it stands below.
fn list(findings: &[Finding]) -> String {
    let is_shown = |finding: &&Finding| finding.verdict != Verdict::Ok || screen::talk() != Talk::Little;
    let rows = findings.iter().filter(is_shown).flat_map(|finding| {
        let head = format!("{:<4}  {}", finding.verdict.word(), finding.what);
        let advice = finding.advice.iter().map(|advice| (String::new(), advice.clone()));
        std::iter::once((head, finding.found.clone())).chain(advice)
    });
    let rows: Vec<(String, String)> = rows.collect();
    screen::fitted_facts(
        rows.iter().map(|(head, text)| (head.as_str(), text.clone())),
        screen::width(),
    )
}

/// What all of it comes to.
fn sum(findings: &[Finding]) -> String {
    let of = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count() as u64;
    let notes = of(Verdict::Note);
    match (of(Verdict::Bad), notes) {
        (0, 0) => "a long run should go well here".to_owned(),
        (0, _) => format!("a long run should go well here; {} to look at", counted(notes, "note")),
        (bad, _) => format!("a long run would fail here: {} is bad", counted(bad, "thing")),
    }
}
