//! `plan`: what `convert` would do, written down for a batch system's tasks.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;
use trc2npy_common::convert::ConvertRun;
use trc2npy_common::plan::Severity;
use trc2npy_common::resources::Machine;
use trc2npy_common::shares::{self, Begun, ShareError};

use super::convert::Job;
use super::dry_run;
use crate::failure::Failure;
use crate::options::{self, PlanOptions, ProgressStyle, Settled};
use crate::screen::{self, Talk, count, counted};

/// Between two looks at what another process plans.
const LOOK: Duration = Duration::from_millis(200);

/// Plans, takes the output folders, and writes the plan file.
pub(crate) fn run(options: &PlanOptions, settled: &Settled) -> Result<ExitCode, Failure> {
    let machine = Machine::detect();
    if options.display.print_config {
        return options::print(settled, &machine);
    }
    if options.input.inputs.is_empty() || options.output.out.is_none() {
        return Err(Failure::Options(
            "no INPUT or no --out: name folders, .trc files or patterns, and the folder for the arrays (trc2npy plan \
             INPUT... --out DIR -o FILE)"
                .to_owned(),
        ));
    }
    let job = Job::new(&options.as_convert(options::convert_defaults()?), &machine)?;
    let as_json = options.display.json || options.display.progress == ProgressStyle::Json;
    if options.display.dry_run {
        return dry_run::run(&job, as_json);
    }
    let Some(path) = &options.plan else {
        return Err(Failure::Options(
            "no -o: name the file for the plan, on storage that all tasks share (trc2npy plan INPUT... --out DIR -o \
             FILE)"
                .to_owned(),
        ));
    };
    let Some(begun) = begin(&job.run(), path, options.keep)? else {
        screen::tell(&format!("{}: is there, and stays as it is", path.display()))?;
        return Ok(ExitCode::SUCCESS);
    };
    for run in &begun.runs {
        let warnings = run.findings.warnings().map(ToString::to_string);
        for warning in warnings.chain(run.notes.iter().cloned()) {
            screen::remark(&format!("warning: {warning}"));
        }
        if screen::talk() == Talk::Much {
            let notes = run.findings.all.iter();
            for note in notes.filter(|finding| finding.severity() == Severity::Note) {
                screen::remark(&format!("note: {note}"));
            }
        }
    }
    if as_json {
        screen::show_json(&record(&begun))?;
    } else {
        screen::tell(&told(&begun, &screen::quoted(&path.to_string_lossy())))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Plans; nothing where a plan that is there is to be kept. Several that begin at once are one plan then: one makes it, and
/// the others wait for it.
fn begin(run: &ConvertRun, path: &Path, keep: bool) -> Result<Option<Begun>, ShareError> {
    let mut told = false;
    loop {
        if keep && path.exists() {
            // One that cannot be used is told, not replaced.
            shares::keep(run, path)?;
            return Ok(None);
        }
        match shares::begin(run, path) {
            Err(error) if keep && error.is_in_use() => {
                if !told {
                    screen::remark(&format!("{error}; waiting"));
                    told = true;
                }
                std::thread::sleep(LOOK);
            }
            begun => return begun.map(Some),
        }
    }
}

fn told(begun: &Begun, plan: &str) -> String {
    let mut text = String::new();
    for run in &begun.runs {
        let done = match run.rows_done {
            0 => String::new(),
            _ if run.finished => ", finished already".to_owned(),
            done => format!(", {} done already", count(done)),
        };
        let _ = writeln!(
            text,
            "Run {}: {}{done}; {} to read, {} to write into {}",
            run.name,
            counted(run.rows, "row"),
            run.bytes_in,
            run.bytes_out,
            run.out.display()
        );
    }
    if begun.pieces == 0 {
        let _ = writeln!(text, "Nothing is left to make: trc2npy stitch {plan}");
        return text;
    }
    let _ = writeln!(
        text,
        "\n{plan}: {}; {} worth a task of its own, at most {} can be told apart\n\n  \
         trc2npy run-range {plan} --index I --count N    each share, I from 0 to N - 1\n  \
         trc2npy stitch {plan}                           then\n",
        counted(begun.pieces, "piece"),
        match begun.sensible {
            1 => "1 share is".to_owned(),
            shares => format!("{} shares are each", count(shares)),
        },
        count(begun.pieces),
    );
    text
}

fn record(begun: &Begun) -> serde_json::Value {
    let runs: Vec<_> = begun
        .runs
        .iter()
        .map(|run| {
            json!({
                "name": run.name,
                "out": run.out,
                "rows": run.rows,
                "rows_done": run.rows_done,
                "bytes_in": run.bytes_in,
                "bytes_out": run.bytes_out,
                "finished": run.finished,
                "findings": run.findings,
                "notes": run.notes,
            })
        })
        .collect();
    json!({"runs": runs, "pieces": begun.pieces, "sensible_shares": begun.sensible})
}

impl From<ShareError> for Failure {
    fn from(error: ShareError) -> Self {
        Self::work(error.exit_code(), &error)
    }
}
