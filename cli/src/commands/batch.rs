//! `batch`: every run below some folders, one after the other; what is finished stays as it is.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;
use trc2npy_common::convert::{ConvertError, Outcome, State, Stop};
use trc2npy_common::fs::LockError;
use trc2npy_common::plan::{self, FoundRun, FoundRuns, PlanError};
use trc2npy_common::resources::Machine;

use super::convert::{Job, refuse_unknown_place, run_record, stop_on_ctrl_c};
use super::on_finish::{Ending, OnFinish};
use crate::failure::{BAD_ROWS, Failure, INTERRUPTED};
use crate::options::{self, BatchOptions, ProgressStyle, Settled};
use crate::screen::{self, Display, Event, count, counted};

const PLACE: &str = "{run}";

/// Does what was asked: shows the settings, shows which runs there are, or converts them.
pub(crate) fn run(options: &BatchOptions, settled: &Settled, argv: &[OsString]) -> Result<ExitCode, Failure> {
    options.comfort.give_way();
    let machine = Machine::detect();
    if options.display.print_config {
        return options::print(settled, &machine);
    }
    if options.display.dry_run {
        let json = options.display.json || options.display.progress == ProgressStyle::Json;
        return find(options)?.show(json);
    }
    let on_finish = OnFinish::new(&options.comfort, settled, argv);
    let mut ending = Ending::default();
    let awake = options.comfort.stay_awake("converts .trc files");
    let ended =
        find(options).and_then(|found| Batch::new(options, &machine, &found).convert(&found, &mut ending, argv));
    drop(awake);
    Ok(on_finish.end(ended, &ending))
}

/// What there is to do.
struct Found {
    runs: Vec<(FoundRun, PathBuf)>,
    unreadable: Vec<String>,
}

/// Looks for runs, and decides for each where it goes.
fn find(options: &BatchOptions) -> Result<Found, Failure> {
    if options.folders.is_empty() {
        return Err(Failure::Options(
            "no FOLDER: name the folders below which every run is to be converted (trc2npy batch FOLDER...)".to_owned(),
        ));
    }
    if let Some(out) = options.output.out.as_deref().and_then(Path::to_str) {
        refuse_unknown_place(out)?;
    }
    let FoundRuns { runs, unreadable } = plan::search(&options.folders)?;
    if runs.is_empty() && unreadable.is_empty() {
        let folders: Vec<String> = options
            .folders
            .iter()
            .map(|folder| folder.display().to_string())
            .collect();
        let there = format!("nothing of the kind in or below {}", folders.join(", "));
        return Err(PlanError::NoTraces { there }.into());
    }
    let mut known: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    let mut placed = Vec::with_capacity(runs.len());
    for run in runs {
        let out = output_folder(options.output.out.as_deref(), &run)?;
        let first = run.folders[0].clone();
        if let Some(other) = known.insert(out.clone(), first.clone()) {
            return Err(Failure::Options(format!(
                "{} and {} would both be written into {}; give each FOLDER its own --out, in calls of their own",
                other.display(),
                first.display(),
                out.display()
            )));
        }
        placed.push((run, out));
    }
    Ok(Found {
        runs: placed,
        unreadable: unreadable
            .into_iter()
            .map(|(folder, error)| {
                format!(
                    "{}: cannot be listed, there may be runs in it: {error}",
                    folder.display()
                )
            })
            .collect(),
    })
}

/// The tree below FOLDER is found again below the output folder, so that runs of one name never meet.
fn output_folder(asked: Option<&Path>, run: &FoundRun) -> Result<PathBuf, Failure> {
    let Some(asked) = asked else {
        let name = run.root.file_name().ok_or_else(|| {
            Failure::Options(format!(
                "no --out: {} has no name that the folder for the arrays could be named after (trc2npy batch FOLDER... --out DIR)",
                run.root.display()
            ))
        })?;
        let mut beside = name.to_owned();
        beside.push("-npy");
        return Ok(run.root.with_file_name(beside).join(&run.place));
    };
    match asked.to_str() {
        Some(text) if text.contains(PLACE) => Ok(PathBuf::from(text.replace(PLACE, &run.place))),
        _ => Ok(asked.join(&run.place)),
    }
}

impl Found {
    /// The runs and where they go, and nothing else.
    fn show(&self, json: bool) -> Result<ExitCode, Failure> {
        for folder in &self.unreadable {
            screen::remark(&format!("warning: {folder}"));
        }
        if json {
            let runs: Vec<_> = self
                .runs
                .iter()
                .map(|(run, out)| json!({"run": run.place, "folders": run.folders, "out": out}))
                .collect();
            screen::show_json(&json!({"runs": runs, "unreadable": self.unreadable}))?;
        } else {
            let rows = self.runs.iter().map(|(run, out)| {
                let folders = run.folders.len() as u64;
                vec![run.place.clone(), count(folders), out.display().to_string()]
            });
            screen::show(&screen::table(&["run", ">folders", "output"], rows))?;
            screen::show("\nNothing was written.")?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What became of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Became {
    Converted,
    DoneBefore,
    Failed,
    Interrupted,
    /// It may still be recorded, or another call works on it.
    Left,
}

impl Became {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Converted, "converted"),
        (Self::DoneBefore, "done before"),
        (Self::Failed, "failed"),
        (Self::Interrupted, "interrupted"),
        (Self::Left, "left for later"),
    ];

    fn word(self) -> &'static str {
        Self::ALL
            .iter()
            .find_map(|(became, word)| (*became == self).then_some(*word))
            .unwrap_or_default()
    }
}

/// The columns behind the run's name: what became of it, rows, bad rows, seconds.
fn line(width: usize, name: &str, became: &str, numbers: [&str; 3]) -> String {
    let [rows, bad, seconds] = numbers;
    format!("{name:<width$}  {became:<14}  {rows:>11}  {bad:>8}  {seconds:>8}")
}

/// The work on all runs.
struct Batch<'a> {
    options: &'a BatchOptions,
    machine: &'a Machine,
    display: Display,
    stop: Stop,
    /// Of the longest name.
    width: usize,
    became: Vec<Became>,
    rows: u64,
    bad_rows: u64,
    /// Runs with bad rows.
    bad_runs: Vec<String>,
    /// Why a line could not be shown.
    unsaid: Option<io::Error>,
}

impl<'a> Batch<'a> {
    fn new(options: &'a BatchOptions, machine: &'a Machine, found: &Found) -> Self {
        let display = Display::new(options.display.progress);
        let stop = stop_on_ctrl_c(&display);
        let names = found.runs.iter().map(|(run, _)| run.place.chars().count());
        Self {
            options,
            machine,
            display,
            stop,
            width: names.max().unwrap_or(0).max("run".len()),
            became: Vec::new(),
            rows: 0,
            bad_rows: 0,
            bad_runs: Vec::new(),
            unsaid: None,
        }
    }

    fn convert(mut self, found: &Found, ending: &mut Ending, argv: &[OsString]) -> Result<u8, Failure> {
        if !self.display.is_json() && !found.runs.is_empty() {
            self.note(screen::tell(&line(
                self.width,
                "run",
                "",
                ["rows", "bad rows", "seconds"],
            )));
        }
        for (run, out) in &found.runs {
            if self.stop.requested() {
                break;
            }
            self.convert_one(run, out, ending);
        }
        for folder in &found.unreadable {
            ending.add_failed();
            screen::remark(&format!("error: {folder}"));
        }
        let interrupted =
            self.stop.requested() && (self.count(Became::Interrupted) > 0 || self.became.len() < found.runs.len());
        self.summarise(found, interrupted, &screen::command_line(argv))?;
        if let Some(error) = self.unsaid {
            return Err(error.into());
        }
        Ok(if interrupted {
            INTERRUPTED
        } else if self.count(Became::Failed) > 0 || !found.unreadable.is_empty() {
            1
        } else if self.bad_rows > 0 {
            BAD_ROWS
        } else {
            0
        })
    }

    fn convert_one(&mut self, run: &FoundRun, out: &Path, ending: &mut Ending) {
        let began = Instant::now();
        if may_be_recorded(&run.folders, self.options.idle) {
            let what = format!(
                "its folders changed less than {} s ago: it may still be recorded (--idle)",
                self.options.idle.as_secs()
            );
            return self.tell(run, Became::Left, None, began, &[("note", what)]);
        }
        let asked = self.options.of_run(run.folders.clone(), out.to_owned());
        let job = match Job::into_folder(&asked, self.machine, out) {
            Ok(job) => job,
            Err(failure) => {
                ending.add_failed();
                return self.tell(run, Became::Failed, None, began, &[("error", failure.to_string())]);
            }
        };
        let converted = job.convert(&self.display, Some(&run.place), &self.stop);
        let anew = || {
            let words: Vec<OsString> = job.run().command().into_iter().map(OsString::from).collect();
            format!("{} --overwrite", screen::command_line(&words))
        };
        let (outcome, error) = match converted {
            Ok(mut converted) => {
                ending.add(&converted);
                let error = converted.failures.pop().map(|failure| failure.error);
                (converted.outcomes.pop(), error)
            }
            // It gets done all the same, or will be found unfinished the next time.
            Err(ConvertError::Lock(error @ LockError::Held { .. })) => {
                return self.tell(run, Became::Left, None, began, &[("note", error.to_string())]);
            }
            Err(error) => {
                ending.add_failed();
                (None, Some(error))
            }
        };
        match (outcome, error) {
            (Some(outcome), _) => {
                let became = match outcome.state {
                    State::Finished => Became::Converted,
                    State::AlreadyDone => Became::DoneBefore,
                    State::Interrupted => Became::Interrupted,
                };
                let said = said_of(&outcome, anew);
                self.tell(run, became, Some(&outcome), began, &said);
            }
            (None, error) => {
                let error = error.map(|error| explained(&error, anew)).unwrap_or_default();
                self.tell(run, Became::Failed, None, began, &[("error", error)]);
            }
        }
    }

    /// The run's line, and below it what else is to be said of it.
    fn tell(
        &mut self,
        run: &FoundRun,
        became: Became,
        outcome: Option<&Outcome>,
        began: Instant,
        said: &[(&str, String)],
    ) {
        self.became.push(became);
        let finished = outcome.filter(|outcome| outcome.state != State::Interrupted);
        let channels = || finished.into_iter().flat_map(|outcome| &outcome.channels);
        let rows: u64 = channels().map(|channel| channel.rows).sum();
        let bad: u64 = channels().map(screen::bad_rows).sum();
        self.rows += rows;
        self.bad_rows += bad;
        if bad > 0 {
            self.bad_runs.push(run.place.clone());
        }
        let seconds = began.elapsed().as_secs_f64();
        if self.display.is_json() {
            let mut record = outcome.map_or_else(|| json!({}), run_record);
            record["run"] = json!(run.place);
            record["became"] = json!(became.word());
            record["rows"] = json!(rows);
            record["bad_rows"] = json!(bad);
            record["seconds"] = json!(seconds);
            record["said"] = said
                .iter()
                .map(|(kind, text)| json!({"kind": kind, "text": text}))
                .collect();
            self.note(Event::Run(&record).emit());
            return;
        }
        let number = |number: u64| finished.map_or_else(|| "-".to_owned(), |_| count(number));
        let numbers = [number(rows), number(bad), format!("{seconds:.1}")];
        let numbers = numbers.each_ref().map(String::as_str);
        self.note(screen::tell(&line(self.width, &run.place, became.word(), numbers)));
        for (kind, text) in said {
            screen::remark(&format!("{kind}: {}: {text}", run.place));
        }
    }

    /// Stdout that takes no more (a full disk behind it) is an error in the end, and no reason to leave runs undone.
    fn note(&mut self, said: io::Result<()>) {
        if let Err(error) = said {
            self.unsaid.get_or_insert(error);
        }
    }

    fn count(&self, what: Became) -> usize {
        self.became.iter().filter(|became| **became == what).count()
    }

    fn summarise(&self, found: &Found, interrupted: bool, again: &str) -> Result<(), Failure> {
        let mut parts: Vec<String> = Became::ALL
            .iter()
            .map(|(became, word)| (self.count(*became), *word))
            .chain([(found.runs.len() - self.became.len(), "not begun")])
            .filter(|(runs, _)| *runs > 0)
            .map(|(runs, word)| format!("{} {word}", count(runs as u64)))
            .collect();
        if !found.unreadable.is_empty() {
            parts.push(format!(
                "{} not readable",
                counted(found.unreadable.len() as u64, "folder")
            ));
        }
        if self.display.is_json() {
            let runs: BTreeMap<&str, usize> = Became::ALL
                .iter()
                .map(|(became, word)| (*word, self.count(*became)))
                .collect();
            Event::End(&json!({
                "runs": runs,
                "not_begun": found.runs.len() - self.became.len(),
                "unreadable": found.unreadable,
                "rows": self.rows,
                "bad_rows": self.bad_rows,
                "command": again,
            }))
            .emit()?;
            return Ok(());
        }
        screen::tell(&format!(
            "\n{}: {}; {}",
            counted(found.runs.len() as u64, "run"),
            parts.join(", "),
            counted(self.rows, "row")
        ))?;
        if self.bad_rows > 0 {
            const NAMED: usize = 10;
            let more = if self.bad_runs.len() > NAMED { ", ..." } else { "" };
            screen::show(&format!(
                "BAD ROWS: {} of them are not to be used, in {}{more}; the report.json beside the arrays says why",
                count(self.bad_rows),
                self.bad_runs[..self.bad_runs.len().min(NAMED)].join(", ")
            ))?;
        }
        if interrupted {
            screen::remark(&format!(
                "interrupted; what is done is kept. To go on, give the same command:\n\n  {again}\n"
            ));
        }
        Ok(())
    }
}

/// Whether one of the folders has changed a moment ago: a file that is recorded is a new name in it.
fn may_be_recorded(folders: &[PathBuf], idle: Duration) -> bool {
    /// Clocks that are further apart are wrong: such a run would wait for ever.
    const APART: Duration = Duration::from_hours(24);
    let now = SystemTime::now();
    let changed = folders
        .iter()
        .filter_map(|folder| std::fs::metadata(folder).ok()?.modified().ok());
    changed.into_iter().any(|changed| match now.duration_since(changed) {
        Ok(age) => age < idle,
        Err(ahead) => !idle.is_zero() && ahead.duration() < APART,
    })
}

/// What someone should know of a run that came to an end: of one that was done before, only what is new since.
fn said_of(outcome: &Outcome, anew: impl Fn() -> String) -> Vec<(&'static str, String)> {
    let mut said: Vec<_> = match outcome.state {
        State::AlreadyDone => Vec::new(),
        _ => outcome.warnings().map(|warning| ("warning", warning)).collect(),
    };
    said.extend(outcome.notes.iter().map(|note| {
        let note = match outcome.state {
            State::AlreadyDone => format!("{note}; to give them rows, make it anew:\n  {}", anew()),
            _ => note.clone(),
        };
        ("warning", note)
    }));
    said
}

/// An error with the command that gets over it, where that is to begin anew.
fn explained(error: &ConvertError, anew: impl Fn() -> String) -> String {
    match error {
        ConvertError::Exists { .. } | ConvertError::Unfinished { .. } => format!(
            "{error}\n(made of fewer folders, or with other options? To make it anew:\n  {})",
            anew()
        ),
        ConvertError::NotAsLeft { .. } | ConvertError::Changed { .. } | ConvertError::Inputs { .. } => {
            format!("{error}:\n  {}", anew())
        }
        _ => error.to_string(),
    }
}
