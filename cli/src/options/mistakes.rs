//! What is said of a command line that cannot be understood, where clap alone would not help.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use super::command;
use super::layers::all_options;
use crate::failure::Failure;
use crate::screen;

/// Options of `convert` that another subcommand has not: which, which, and why.
const NOT_HERE: [(&str, &str, &str); 8] = [
    ("batch", "--recursive", "it always descends, to every folder below"),
    (
        "batch",
        "--join",
        "X, X-2, X-3, ... beside one another are one run, other folders are runs of their own (trc2npy convert --join makes one of them)",
    ),
    (
        "submit",
        "--threads",
        "each worker is started with its own number (--cpus)",
    ),
    (
        "submit",
        "--memory-limit",
        "each worker is started with its own (--memory)",
    ),
    (
        "plan",
        "--threads",
        "each task is given its own number (run-range --threads)",
    ),
    (
        "plan",
        "--memory-limit",
        "each task is given its own (run-range --memory-limit)",
    ),
    ("worker", "--threads", "it is called --cpus there"),
    ("worker", "--memory-limit", "it is called --memory there"),
];

/// The error with what people need to mend it.
pub(super) fn explained(mut error: clap::Error, argv: &[OsString]) -> Failure {
    let mut program = command();
    // Until then an argument does not know how it is written.
    program.build();
    match error.kind() {
        ErrorKind::InvalidUtf8 => return not_unicode(error, argv, &program),
        ErrorKind::UnknownArgument => {
            if let Some(failure) = suggest_option(&mut error, argv, &mut program) {
                return failure;
            }
        }
        ErrorKind::InvalidSubcommand => suggest_subcommand(&mut error, &program),
        _ => {}
    }
    match variable_of(&error, &program) {
        Some(name) => Failure::Options(format!("environment variable {name}: {}", first_line(&error))),
        None => Failure::Usage(error),
    }
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text),
        _ => None,
    }
}

/// A wrong value from the environment looks like one from the command line: the variable that holds it.
fn variable_of(error: &clap::Error, program: &Command) -> Option<String> {
    let shown = text(error, ContextKind::InvalidArg)?;
    let value = text(error, ContextKind::InvalidValue)?;
    let arg = all_options(program).find(|arg| arg.to_string() == shown)?;
    let name = arg.get_env()?.to_str()?.to_owned();
    // A flag would have won; that it holds the same wrong text as the variable matters to nobody.
    let held = std::env::var(&name).ok()?;
    held.split(',').any(|part| part == value).then_some(name)
}

/// clap does not say what it could not read.
fn not_unicode(error: clap::Error, argv: &[OsString], program: &Command) -> Failure {
    let is_odd = |name: &&OsStr| std::env::var_os(name).is_some_and(|value| value.to_str().is_none());
    if let Some(name) = all_options(program).filter_map(Arg::get_env).find(is_odd) {
        let name = name.display();
        return Failure::Options(format!("environment variable {name}: its value is not Unicode"));
    }
    let odd: Vec<String> = argv
        .iter()
        .filter(|word| word.to_str().is_none())
        .map(|word| format!("'{}'", word.display()))
        .collect();
    if odd.is_empty() {
        return Failure::Usage(error);
    }
    Failure::Options(format!(
        "not Unicode: {}; only names of files and folders may be something else, write all other values in the locale's \
         UTF-8",
        odd.join(", ")
    ))
}

/// Replaces clap's suggestion by the option that is nearest; says so where one is left out on purpose.
fn suggest_option(error: &mut clap::Error, argv: &[OsString], program: &mut Command) -> Option<Failure> {
    let unknown = text(error, ContextKind::InvalidArg)?.to_owned();
    let name = unknown.strip_prefix("--")?;
    let mut subcommand = program;
    for word in argv.iter().skip(1) {
        // `worker probe` is one of `worker`.
        if subcommand.find_subcommand(word).is_some() {
            subcommand = subcommand.find_subcommand_mut(word)?;
        }
    }
    let left_out = NOT_HERE
        .iter()
        .find(|(of, option, _)| (*of, *option) == (subcommand.get_name(), &unknown));
    if let Some((of, option, why)) = left_out {
        return Some(Failure::Options(format!("{of} has no {option}: {why}")));
    }
    let longs = subcommand.get_arguments().filter_map(Arg::get_long);
    let nearest = nearest(name, longs).map(|near| format!("--{near}"));
    let usage: StyledStr = subcommand.render_usage();
    error.remove(ContextKind::SuggestedArg);
    // That it might be the name of a file.
    error.remove(ContextKind::Suggested);
    if let Some(near) = nearest {
        error.insert(ContextKind::SuggestedArg, ContextValue::String(near));
    }
    error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
    None
}

/// `trc2npy help convrt` is told of as `trc2npy convrt` is.
fn suggest_subcommand(error: &mut clap::Error, program: &Command) {
    let nearest = text(error, ContextKind::InvalidSubcommand)
        .and_then(|unknown| nearest(unknown, program.get_subcommands().map(Command::get_name)))
        .map(str::to_owned);
    if let (None, Some(near)) = (error.get(ContextKind::SuggestedSubcommand), nearest) {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::String(near));
    }
    // What is dragged onto the icon on Windows converts; here it lacks its verb.
    let folder = text(error, ContextKind::InvalidSubcommand).filter(|unknown| Path::new(unknown).is_dir());
    if let Some(folder) = folder {
        let tip = format!(
            "'{folder}' is a folder: to convert the runs in it, write trc2npy batch {}",
            screen::command_line(&[folder.into()])
        );
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
}

/// The name with the fewest letters wrong, or that which goes on where the word ends.
fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    /// Of 1.
    const ALIKE: f64 = 0.6;
    let likeness = |name: &str| {
        if name.starts_with(word) && word.len() > 1 {
            1.0
        } else {
            strsim::normalized_damerau_levenshtein(word, name)
        }
    };
    known
        .map(|name| (likeness(name), name))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// What clap says, without its frame.
pub(super) fn first_line(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let body = text.strip_prefix("error: ").unwrap_or(&text);
    let frame = ["\n\nUsage:", "\n\nFor more information"];
    let end = frame.iter().filter_map(|part| body.find(part)).min();
    body[..end.unwrap_or(body.len())].trim_end().to_owned()
}
