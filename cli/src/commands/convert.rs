//! `convert`: `.trc` files in, one array a channel out.

use std::ffi::OsString;
use std::path::{Component, Path};
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;
use trc2npy_common::convert::{
    self, ConvertError, ConvertRun, Converted, Outcome, RunFailure, Settings, State, Stop, Watch,
};
use trc2npy_common::options::{Baseline, ByteOptions};
use trc2npy_common::plan::{LongBaseline, Out, PlanError, PlanRequest, Severity};
use trc2npy_common::resources::Machine;
use trc2npy_common::roots::is_device_name;

use super::on_finish::{Ending, OnFinish};
use crate::failure::{BAD_ROWS, Failure, INTERRUPTED};
use crate::options::{
    self, BadInputOptions, ConvertOptions, ProgressStyle, ReadingOptions, SelectionOptions, Settled, ValueOptions,
};
use crate::screen::{self, Display, Event, Start, Talk};
use crate::signals::{self, Asked};
use crate::telemetry::ConvertTrace;

/// Does what was asked: shows the settings, shows what would be done, or does it.
pub(crate) fn run(options: &ConvertOptions, settled: &Settled, argv: &[OsString]) -> Result<ExitCode, Failure> {
    options.comfort.give_way();
    let machine = Machine::detect();
    if options.display.print_config {
        return options::print(settled, &machine);
    }
    let job = Job::new(options, &machine)?;
    if options.display.dry_run {
        let json = options.display.json || options.display.progress == ProgressStyle::Json;
        return super::dry_run::run(&job, json);
    }
    let display = Display::new(options.display.progress);
    if !display.is_json() {
        screen::chat(&job.start(options, &machine));
        screen::chat("");
    }
    let on_finish = OnFinish::new(&options.comfort, settled, argv);
    let mut ending = Ending::default();
    let awake = options.comfort.stay_awake("converts .trc files");
    let converted = job.convert(&display, None, &stop_on_ctrl_c(&display));
    drop(awake);
    let ended = match converted {
        Ok(converted) => {
            ending.add(&converted);
            tell(&converted, &job.settings, &display, argv)
        }
        Err(error) => {
            ending.add_failed();
            Err(error.into())
        }
    };
    Ok(on_finish.end(ended, &ending))
}

/// What is to be converted, whereto and how: complete, and nothing of it looked at yet.
pub(crate) struct Job {
    pub(crate) request: PlanRequest,
    pub(crate) out: Out,
    pub(crate) settings: Settings,
}

impl Job {
    /// With `--out` as it was typed, perhaps with `{run}` in it.
    pub(crate) fn new(options: &ConvertOptions, machine: &Machine) -> Result<Self, Failure> {
        if options.input.inputs.is_empty() {
            return Err(Failure::Options(
                "no INPUT: name folders, .trc files or patterns (trc2npy convert INPUT... --out DIR)".to_owned(),
            ));
        }
        let Some(out) = &options.output.out else {
            return Err(Failure::Options(
                "no --out: name the folder for the arrays (trc2npy convert INPUT... --out DIR)".to_owned(),
            ));
        };
        let text = output_folder(out)?;
        refuse_unknown_place(&text)?;
        Ok(Self::with_out(options, machine, Out::Template(text)))
    }

    /// Into this folder, whatever it is called.
    pub(crate) fn into_folder(options: &ConvertOptions, machine: &Machine, out: &Path) -> Result<Self, Failure> {
        let out = Out::Folder(output_folder(out)?);
        Ok(Self::with_out(options, machine, out))
    }

    fn with_out(options: &ConvertOptions, machine: &Machine, out: Out) -> Self {
        let input = &options.input;
        let reading = &input.reading;
        let settings = options::settings(options, machine);
        let request = PlanRequest {
            inputs: input.inputs.clone(),
            recursive: input.recursive,
            join: input.join,
            channels: (!reading.channels.is_empty()).then(|| reading.channels.clone()),
            stem: reading.stem.clone(),
            probe: reading.probe,
            settle: settings.settle,
            threads: settings.threads,
            long_baseline: LongBaseline::Refuse,
            options: byte_options(reading, &options.values, &options.bad, &options.selection),
        };
        Self { request, out, settings }
    }

    pub(super) fn start(&self, options: &ConvertOptions, machine: &Machine) -> String {
        let start = Start {
            machine,
            settings: &self.settings,
            inputs: &self.request.inputs,
            out: Path::new(self.out.text()),
            threads_asked: options.resources.threads.is_some(),
            memory_asked: options.resources.memory_limit.is_some(),
        };
        start.block()
    }

    /// As the engine takes it.
    pub(crate) fn run(&self) -> ConvertRun {
        ConvertRun {
            request: self.request.clone(),
            out: self.out.clone(),
            settings: self.settings.clone(),
        }
    }

    /// Converts, shows progress meanwhile, under the name `run` where there is one, and ends early when `stop` is
    /// requested.
    pub(crate) fn convert(&self, display: &Display, run: Option<&str>, stop: &Stop) -> Result<Converted, ConvertError> {
        let name = run.map(str::to_owned);
        let run = self.run();
        let trace = ConvertTrace::begin();
        let watch = Arc::new(Watch::heard_by(trace.as_ref().map(ConvertTrace::listener)));
        let following = display.follow(Arc::clone(&watch), name);
        let converted = convert::convert(&run, &watch, stop);
        drop(following);
        if let Some(trace) = trace {
            trace.end(&watch, &converted);
        }
        converted
    }
}

/// Refuses what can never become the output folder, before anything is looked at.
fn output_folder(out: &Path) -> Result<String, Failure> {
    let shown = out.display();
    let Some(text) = out.to_str() else {
        return Err(Failure::Options(format!(
            "--out {shown}: the path is not Unicode and would be written as another one; choose another folder"
        )));
    };
    let named = out.components().filter_map(|part| match part {
        Component::Normal(name) => name.to_str(),
        _ => None,
    });
    if let Some(device) = named.filter(|_| cfg!(windows)).find(|name| is_device_name(name)) {
        return Err(Failure::Options(format!(
            "--out {shown}: Windows keeps the name {device} for a device; choose another folder"
        )));
    }
    match out.ancestors().find(|above| above.exists()) {
        Some(file) if file.is_file() => Err(Failure::Options(format!(
            "--out {shown}: {} is a file; name a folder, which is made if needed",
            file.display()
        ))),
        _ => Ok(text.to_owned()),
    }
}

/// Refuses a misspelt `{run}`.
pub(super) fn refuse_unknown_place(out: &str) -> Result<(), Failure> {
    match unknown_place(out) {
        None => Ok(()),
        Some(unknown) => Err(Failure::Options(format!(
            "--out {out}: {unknown} stands for nothing; only {{run}} stands for something, the run's name"
        ))),
    }
}

/// A `{word}` that is not `{run}`, and surely was meant to stand for something. An existing folder may be called so.
fn unknown_place(out: &str) -> Option<&str> {
    let start = out.find('{')?;
    let end = start + out[start..].find('}')? + 1;
    let place = &out[start..end];
    if place == "{run}" || Path::new(out).exists() {
        return unknown_place(&out[end..]);
    }
    Some(place)
}

/// The choices that decide about bytes.
pub(super) fn byte_options(
    reading: &ReadingOptions,
    values: &ValueOptions,
    bad: &BadInputOptions,
    selection: &SelectionOptions,
) -> ByteOptions {
    ByteOptions {
        dtype: values.dtype,
        baseline: Baseline {
            points: values.baseline,
            method: values.baseline_method,
        },
        events: reading.events,
        ragged: bad.ragged,
        mixed: bad.mixed,
        on_bad_file: bad.on_bad_file,
        selection: selection.selection(),
    }
}

/// The first Ctrl-C lets the work in flight end; the second ends the program. To be set up once.
pub(crate) fn stop_on_ctrl_c(display: &Display) -> Stop {
    let stop = Stop::new();
    let asked = stop.clone();
    let display = display.clone();
    // Without it Ctrl-C ends the program at once: the next run goes on from the last record all the same.
    signals::on_end(move |how| {
        if asked.requested() && how == Asked::ToEnd {
            display.note("stopped; the same command goes on from the last rows that are safely on the disk");
            display.leave(i32::from(INTERRUPTED));
        }
        asked.request();
        display.note("finishing what is in flight; press Ctrl-C again to stop at once");
    });
    stop
}

/// The end: the table, bad rows, how to load the arrays or how to go on.
pub(super) fn tell(
    converted: &Converted,
    settings: &Settings,
    display: &Display,
    argv: &[OsString],
) -> Result<u8, Failure> {
    let outcomes = &converted.outcomes;
    let bad: u64 = outcomes
        .iter()
        .flat_map(|outcome| &outcome.channels)
        .map(screen::bad_rows)
        .sum();
    let interrupted = outcomes.iter().any(|outcome| outcome.state == State::Interrupted);
    let again = screen::command_line(argv);
    if display.is_json() {
        Event::End(&end_record(converted, &again)).emit()?;
    } else {
        for outcome in outcomes {
            warn(outcome);
        }
        for outcome in outcomes.iter().filter(|outcome| outcome.state != State::Interrupted) {
            if outcome.state == State::AlreadyDone {
                screen::chat("nothing to do: these arrays are finished, from the same files with the same options\n");
            }
            let bad = screen::bad_rows_alone(outcome, &settings.name);
            if screen::talk() == Talk::Little {
                if !bad.is_empty() {
                    screen::remark(&bad);
                }
            } else {
                // People have it in the table.
                screen::log::record(screen::log::Level::Warning, &bad, None);
                screen::show(&screen::summary(outcome, &settings.name))?;
            }
        }
        if interrupted {
            screen::remark(&format!(
                "interrupted; what is done is kept. To go on, give the same command:\n\n  {again}\n"
            ));
        }
    }
    if let Some(failure) = failure(converted) {
        return Err(failure);
    }
    Ok(match (interrupted, bad) {
        (true, _) => INTERRUPTED,
        (false, 0) => 0,
        (false, _) => BAD_ROWS,
    })
}

/// What is said last where a run failed, or several did.
fn failure(converted: &Converted) -> Option<Failure> {
    let Converted {
        outcomes,
        failures,
        not_begun,
    } = converted;
    let code = failures.iter().map(|failure| failure.error.exit_code()).max()?;
    let several = outcomes.len() + failures.len() + not_begun.len() > 1;
    let mut lines: Vec<String> = failures
        .iter()
        .map(|RunFailure { run, error }| {
            if several {
                format!("run {run}: {error}")
            } else {
                error.to_string()
            }
        })
        .collect();
    if !not_begun.is_empty() {
        lines.push(format!("not begun: {}", not_begun.join(", ")));
    }
    Some(Failure::Work {
        code,
        message: lines.join("\nerror: "),
    })
}

/// What someone should know, and the table does not tell.
fn warn(outcome: &Outcome) {
    for warning in outcome.warnings().chain(outcome.notes.iter().cloned()) {
        screen::remark(&format!("warning: {warning}"));
    }
    if screen::talk() == Talk::Much {
        let all = outcome.findings.all.iter();
        for note in all.filter(|finding| finding.severity() == Severity::Note) {
            screen::remark(&format!("note: {note}"));
        }
    }
}

fn end_record(converted: &Converted, again: &str) -> serde_json::Value {
    let runs: Vec<_> = converted.outcomes.iter().map(run_record).collect();
    let failures: Vec<_> = converted
        .failures
        .iter()
        .map(|RunFailure { run, error }| json!({"run": run, "error": error.to_string()}))
        .collect();
    json!({"runs": runs, "failures": failures, "not_begun": converted.not_begun, "command": again})
}

/// What became of a run, for programs.
pub(super) fn run_record(outcome: &Outcome) -> serde_json::Value {
    let channels: Vec<_> = outcome
        .channels
        .iter()
        .map(|channel| {
            json!({
                "channel": channel.channel,
                "path": channel.path,
                "rows": channel.rows,
                "samples": channel.samples,
                "dtype": channel.element,
                "bytes": channel.bytes,
                "seconds": channel.seconds,
                "bad": channel.bad.iter().map(|(status, rows)| json!({"status": status, "rows": rows})).collect::<Vec<_>>(),
            })
        })
        .collect();
    let state = match outcome.state {
        State::Finished => "finished",
        State::AlreadyDone => "already done",
        State::Interrupted => "interrupted",
    };
    json!({
        "state": state,
        "channels": channels,
        "findings": outcome.findings,
        "notes": outcome.notes,
    })
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        Self::work(if error.is_usage() { 2 } else { 1 }, &error)
    }
}

impl From<ConvertError> for Failure {
    fn from(error: ConvertError) -> Self {
        Self::work(error.exit_code(), &error)
    }
}
