//! `inspect`: what a `.trc` file, a run or a finished array holds. One file a kind; each turns a report into text.

mod output;
mod run;
mod trace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use trc2npy_common::inspect::{self, OutputReport, StemReport, TraceReport};
use trc2npy_common::outputs::{self, ChannelOutput, OutputError, Paths};
use trc2npy_common::plan::PlanRequest;
use trc2npy_common::resources::Machine;
use trc2npy_common::trc::Field;

use crate::failure::{BAD_ROWS, Failure};
use crate::options::{self, InspectOptions};
use crate::screen;

/// Looks at what is named, and shows it.
pub(crate) fn run(options: &InspectOptions) -> Result<ExitCode, Failure> {
    let mut named = Named::default();
    for path in &options.paths {
        named.add(path)?;
    }
    if let Some(field) = options.field {
        return show_field(field, &named, options);
    }
    let mut seen = Seen::default();
    for path in &named.traces {
        seen.traces.push(TraceReport::read(path)?);
    }
    if !named.runs.is_empty() {
        seen.runs = inspect::runs(&request(&named.runs, options))?;
    }
    for paths in &named.outputs {
        let output = ChannelOutput::open(paths).map_err(damaged)?;
        seen.outputs.push(OutputReport::read(&output, options.rows)?);
    }
    if options.json {
        screen::show_json(&seen.as_json())?;
    } else {
        screen::show(&seen.told())?;
    }
    let bad = seen.traces.iter().any(|trace| trace.error.is_some());
    Ok(if bad { BAD_ROWS.into() } else { ExitCode::SUCCESS })
}

/// What is said of an array that is not what was written.
pub(super) fn damaged(error: OutputError) -> Failure {
    match error {
        OutputError::Damaged { .. } => Failure::Work {
            code: 1,
            message: format!("{error}; trc2npy verify looks at all of it"),
        },
        other => other.into(),
    }
}

/// What the paths name, by kind.
#[derive(Default)]
struct Named {
    traces: Vec<PathBuf>,
    runs: Vec<PathBuf>,
    outputs: Vec<Paths>,
}

impl Named {
    fn add(&mut self, path: &Path) -> Result<(), Failure> {
        if path.is_dir() {
            match outputs::find(path) {
                Ok(found) => {
                    self.outputs.extend(found.outputs);
                    // Arrays may lie beside their sources.
                    if holds_traces(path) {
                        self.runs.push(path.to_owned());
                    }
                }
                Err(OutputError::None { .. }) => self.runs.push(path.to_owned()),
                Err(error) => return Err(error.into()),
            }
        } else if !path.exists() {
            // A pattern, or a mistake that the planner explains.
            self.runs.push(path.to_owned());
        } else if Paths::of_any(path).is_some() {
            self.outputs.extend(outputs::find(path)?.outputs);
        } else {
            self.traces.push(path.to_owned());
        }
        Ok(())
    }
}

fn holds_traces(folder: &Path) -> bool {
    let is_trace = |path: PathBuf| {
        path.extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case("trc"))
    };
    std::fs::read_dir(folder)
        .is_ok_and(|mut entries| entries.any(|entry| entry.is_ok_and(|entry| is_trace(entry.path()))))
}

fn request(runs: &[PathBuf], options: &InspectOptions) -> PlanRequest {
    PlanRequest {
        recursive: options.recursive,
        join: options.join,
        channels: (!options.channels.is_empty()).then(|| options.channels.clone()),
        stem: options.stem.clone(),
        probe: options.probe,
        ..PlanRequest::new(runs.to_vec(), options::threads(&Machine::detect()))
    }
}

/// What was seen.
#[derive(Default)]
struct Seen {
    traces: Vec<TraceReport>,
    runs: Vec<StemReport>,
    outputs: Vec<OutputReport>,
}

impl Seen {
    fn as_json(&self) -> Value {
        json!({"traces": self.traces, "runs": self.runs, "outputs": self.outputs})
    }

    fn told(&self) -> String {
        let traces = self.traces.iter().map(trace::told);
        let runs = self.runs.iter().map(run::told);
        let outputs = self.outputs.iter().map(output::told);
        traces.chain(runs).chain(outputs).collect::<Vec<_>>().join("\n")
    }
}

/// The field of each file, a line each; `-` where a file has no such field or no header.
fn show_field(field: Field, named: &Named, options: &InspectOptions) -> Result<ExitCode, Failure> {
    let mut all_there = true;
    let mut line = |path: &Path| -> Result<(), Failure> {
        let value = match TraceReport::field(path, field)? {
            Ok(value) => value,
            Err(error) => {
                screen::remark(&format!("{}: {error}", path.display()));
                None
            }
        };
        all_there &= value.is_some();
        screen::show(&value.map_or_else(|| "-".to_owned(), |value| trace::shown(&value)))?;
        Ok(())
    };
    for path in &named.traces {
        line(path)?;
    }
    if !named.runs.is_empty() {
        inspect::each_file(&request(&named.runs, options), &mut line)?;
    }
    for paths in &named.outputs {
        let output = ChannelOutput::open(paths).map_err(damaged)?;
        let value = output.description.fields.get(field.name());
        all_there &= value.is_some();
        screen::show(&match value {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "-".to_owned(),
        })?;
    }
    Ok(if all_there { ExitCode::SUCCESS } else { BAD_ROWS.into() })
}
