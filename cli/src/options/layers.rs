//! Where an option's value comes from: the command line, else the environment, else `trc2npy.toml`, else its default.
//!
//! The file's values become command-line arguments for those options that nothing above it sets, and everything is
//! parsed once more: one set of parsers checks every layer.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::mistakes::first_line;
use super::{command, mistakes};
use crate::failure::Failure;
use crate::screen;

/// Looked for where the program is started.
const DEFAULT_FILE: &str = "trc2npy.toml";
/// What is asked of one call, not a setting to keep.
const ACTIONS: [&str; 11] = [
    "help",
    "config",
    "print-config",
    "dry-run",
    "json",
    "insecure",
    "watch",
    "wait",
    "detach",
    "plan",
    "keep",
];
/// Options that are one choice: the layer that makes it leaves none to those below, also not with the other option.
const ONE_CHOICE: [&str; 2] = ["samples", "time"];
/// The positional arguments' key in the file, those of `convert`.
const INPUT: &str = "input";

/// What the environment variable of every option begins with.
const PREFIX: &str = "TRC2NPY_";
/// Variables of that prefix that are no options: the option file, what a service's account is opened with, and what tests and
/// benchmarks are told.
const OTHER_VARIABLES: [&str; 12] = [
    "CONFIG",
    "BIN",
    "PYTHON",
    "REAL_FILES",
    "SEEDS",
    "SERVICE_PASSWORD",
    "TEST_SHARE",
    "WINDOWS_BIN",
    "WINDOWS_CACHE",
    "WITHIN_RUN",
    "WITHOUT_WINDOWS",
    "YARDSTICKS",
];

/// What the variables begin with that the command of `--on-finish` is given: no options either.
pub(crate) const FINISH: &str = "TRC2NPY_FINISH_";

/// Who set an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Flag,
    Variable(String),
    File(PathBuf),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.pad("command line"),
            Self::Variable(name) => f.pad(name),
            Self::File(path) => f.pad(&path.display().to_string()),
            Self::Default => f.pad("default"),
        }
    }
}

/// An option as it stands in the end.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    /// As on the command line, without dashes.
    pub(crate) name: String,
    /// As it was written; none where nobody wrote one and there is no fixed default.
    pub(crate) value: Option<String>,
    pub(crate) origin: Origin,
}

/// Every setting of the subcommand, in the order of the help.
pub(crate) type Settled = Vec<Setting>;

/// The environment variable of a setting; none for actions and arguments without a name.
pub(super) fn variable(arg: &Arg) -> Option<String> {
    setting_name(arg).map(variable_of)
}

fn variable_of(setting: &str) -> String {
    format!("{PREFIX}{}", setting.replace('-', "_").to_uppercase())
}

fn setting_name(arg: &Arg) -> Option<&str> {
    arg.get_long().filter(|name| !ACTIONS.contains(name))
}

/// Reads all layers. The settings are empty for subcommands that take none from the file.
pub(super) fn read(argv: &[OsString]) -> Result<(ArgMatches, Settled), Failure> {
    let command = command();
    let (matches, environment) = parse_above_file(argv)?;
    let Some((options, given)) = matches.subcommand().and_then(|(name, given)| {
        let layered = super::LAYERED.contains(&name);
        Some((command.find_subcommand(name).filter(|_| layered)?, given))
    }) else {
        return Ok((matches, Settled::new()));
    };
    refuse_misspelt(std::env::vars_os().map(|(name, _)| name), &command)?;
    let file = match given.get_one::<PathBuf>("config") {
        Some(path) => Some(OptionFile::read(path, &command)?),
        None => OptionFile::read_if_there(Path::new(DEFAULT_FILE), &command)?,
    };
    let Some(file) = file else {
        let settled = settle(options, given, None);
        return Ok((matches, settled));
    };

    let chosen = ONE_CHOICE.iter().any(|name| is_set(given, name));
    let missing = |name: &str| {
        let id = options
            .get_arguments()
            .find(|arg| key_of(arg) == Some(name))
            .map(Arg::get_id);
        let settled = chosen && ONE_CHOICE.contains(&name);
        id.is_some_and(|id| !settled && !is_set(given, id.as_str()))
    };
    let used: BTreeMap<&str, &Value> = file
        .values
        .iter()
        .filter(|(name, _)| missing(name))
        .map(|(name, value)| (name.as_str(), value))
        .collect();
    let [first, second] = ONE_CHOICE;
    if used.contains_key(first) && used.contains_key(second) {
        return Err(Failure::Options(format!(
            "{}: {first} and {second} cannot be used together: keep one of them",
            file.path.display()
        )));
    }
    // Each alone first: what fails is then this key's value.
    for (name, value) in &used {
        parse(&with(argv, [(*name, *value)]), environment).map_err(|error| file.refuse(name, error))?;
    }
    let matches = parse(
        &with(argv, used.iter().map(|(name, value)| (*name, *value))),
        environment,
    )?;
    let (_, given) = matches.subcommand().expect("the same subcommand as before");
    let settled = settle(options, given, Some((&file.path, &used)));
    Ok((matches, settled))
}

/// The options of all subcommands that read the file and the environment: what one of them knows is no mistake in the
/// other, to which it means nothing.
pub(super) fn all_options(command: &Command) -> impl Iterator<Item = &Arg> {
    let layered = super::LAYERED.iter().filter_map(|name| command.find_subcommand(name));
    layered.flat_map(Command::get_arguments)
}

/// How much of the environment counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Environment {
    Whole,
    /// All but [`ONE_CHOICE`].
    WithoutChoice,
}

/// Reads the command line and, where that leaves it a say, the environment.
fn parse_above_file(argv: &[OsString]) -> Result<(ArgMatches, Environment), Failure> {
    let matches = parse(argv, Environment::WithoutChoice)?;
    let Some((name, given)) = matches.subcommand() else {
        return Ok((matches, Environment::Whole));
    };
    if !super::LAYERED.contains(&name) || ONE_CHOICE.iter().any(|name| is_set(given, name)) {
        return Ok((matches, Environment::WithoutChoice));
    }
    let variables = ONE_CHOICE.map(variable_of);
    if variables.iter().all(|name| std::env::var_os(name).is_some()) {
        return Err(Failure::Options(format!(
            "environment variables {} cannot be used together: unset one of them",
            variables.join(" and ")
        )));
    }
    parse(argv, Environment::Whole).map(|matches| (matches, Environment::Whole))
}

fn parse(argv: &[OsString], environment: Environment) -> Result<ArgMatches, Failure> {
    let unheard = |arg: Arg| match arg.get_long() {
        Some(name) if ONE_CHOICE.contains(&name) => arg.env(Resettable::Reset),
        _ => arg,
    };
    let command = match environment {
        Environment::Whole => command(),
        Environment::WithoutChoice => super::LAYERED.iter().fold(command(), |command, name| {
            command.mut_subcommand(name, |subcommand| subcommand.mut_args(unheard))
        }),
    };
    command
        .try_get_matches_from(argv)
        .map_err(|error| mistakes::explained(error, argv))
}

fn is_set(matches: &ArgMatches, id: &str) -> bool {
    matches
        .value_source(id)
        .is_some_and(|source| source != ValueSource::DefaultValue)
}

/// `argv` with these settings as arguments of the subcommand.
fn with<'a>(argv: &[OsString], settings: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Vec<OsString> {
    let mut inputs = Vec::new();
    // Options of all subcommands can stand before its name.
    let is_subcommand = |word: &OsString| super::LAYERED.iter().any(|name| word == name);
    let (front, rest) = argv.split_at(argv.iter().position(is_subcommand).map_or(argv.len(), |at| at + 1));
    let mut all = front.to_vec();
    for (name, value) in settings {
        if name == INPUT {
            inputs.push(OsString::from("--"));
            inputs.extend(value.0.iter().map(OsString::from));
        } else {
            all.push(format!("--{name}={}", value.0.join(",")).into());
        }
    }
    all.extend_from_slice(rest);
    all.append(&mut inputs);
    all
}

/// Each setting with the layer that it comes from.
fn settle(options: &Command, matches: &ArgMatches, file: Option<(&PathBuf, &BTreeMap<&str, &Value>)>) -> Settled {
    options
        .get_arguments()
        .filter_map(|arg| key_of(arg).map(|name| (name, arg)))
        .map(|(name, arg)| {
            let id = arg.get_id().as_str();
            let origin = match (file, matches.value_source(id)) {
                (Some((path, used)), _) if used.contains_key(name) => Origin::File(path.clone()),
                (_, Some(ValueSource::CommandLine)) => Origin::Flag,
                (_, Some(ValueSource::EnvVariable)) => Origin::Variable(variable(arg).unwrap_or_default()),
                _ => Origin::Default,
            };
            let value = if super::is_switch(arg) {
                matches.get_one(id).map(|on| if *on { "yes" } else { "no" }.to_owned())
            } else {
                matches
                    .get_raw(id)
                    .map(|raw| raw.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(","))
            };
            Setting {
                name: name.to_owned(),
                value,
                origin,
            }
        })
        .collect()
}

/// The key of an option in the file.
fn key_of(arg: &Arg) -> Option<&str> {
    setting_name(arg).or_else(|| (arg.get_id() == INPUT).then_some(INPUT))
}

/// A value of the file as the texts that the command line would hold.
struct Value(Vec<String>);

struct OptionFile {
    path: PathBuf,
    /// By the option's name.
    values: BTreeMap<String, Value>,
}

impl OptionFile {
    fn read_if_there(path: &Path, command: &Command) -> Result<Option<Self>, Failure> {
        match fs::exists(path) {
            Ok(false) => Ok(None),
            _ => Self::read(path, command).map(Some),
        }
    }

    fn read(path: &Path, command: &Command) -> Result<Self, Failure> {
        let shown = path.display();
        let text = fs::read_to_string(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::Options(format!("{shown}: no such option file (see --config)")),
            _ => Failure::Options(format!("{shown}: cannot be read: {error}")),
        })?;
        let table: toml::Table = text.parse().map_err(|error| {
            Failure::Options(
                format!("{shown}: not TOML (texts stand in quotes, as dtype = \"int16\"): {error}")
                    .trim_end()
                    .to_owned(),
            )
        })?;
        let known: Vec<&str> = all_options(command).filter_map(key_of).collect();
        let mut values = BTreeMap::new();
        for (key, value) in table {
            let name = key.replace('_', "-");
            let Some(known_name) = known.iter().find(|known| **known == name) else {
                if value.is_table() {
                    return Err(Failure::Options(format!(
                        "{shown}: [{key}]: tables are not used; write the options without one, as dtype = \"int16\""
                    )));
                }
                return Err(Failure::Options(format!("{shown}: {}", unknown(&key, &name, &known))));
            };
            let list = all_options(command)
                .any(|arg| key_of(arg) == Some(known_name) && (arg.get_value_delimiter().is_some() || name == INPUT));
            let value = texts(&value, list)
                .map_err(|expected| Failure::Options(format!("{shown}: {key} = {value}: expected {expected}")))?;
            if values.insert(name, value).is_some() {
                return Err(Failure::Options(format!(
                    "{shown}: {key} is set twice (with - and with _)"
                )));
            }
        }
        Ok(Self {
            path: path.to_path_buf(),
            values,
        })
    }

    fn refuse(&self, name: &str, error: Failure) -> Failure {
        let shown = self.path.display();
        match error {
            Failure::Usage(error) => Failure::Options(format!("{shown}: {name}: {}", first_line(&error))),
            other => other,
        }
    }
}

/// A variable that is almost an option's would silently change nothing, and the values with it. One that is like none
/// is somebody else's.
fn refuse_misspelt(variables: impl Iterator<Item = OsString>, command: &Command) -> Result<(), Failure> {
    let known: Vec<String> = all_options(command).filter_map(variable).collect();
    let rests = || known.iter().filter_map(|known| known.strip_prefix(PREFIX));
    for name in variables.filter_map(|name| name.into_string().ok()) {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if known.contains(&name) || OTHER_VARIABLES.contains(&rest) || name.starts_with(FINISH) {
            continue;
        }
        if let Some(near) = nearest(rest, rests(), 0.85) {
            return Err(Failure::Options(format!(
                "environment variable {name}: no such option (did you mean {PREFIX}{near}?)"
            )));
        }
        screen::remark(&format!(
            "warning: environment variable {name} is not used: no option has this name"
        ));
    }
    Ok(())
}

/// The most alike of `known`, where one is alike at all; `least` is 0 to 1.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>, least: f64) -> Option<&'a str> {
    known
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness > least)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

fn unknown(key: &str, name: &str, known: &[&str]) -> String {
    if ACTIONS.contains(&name) {
        return format!("{key} belongs on the command line, not in a file");
    }
    match nearest(name, known.iter().copied(), 0.75) {
        Some(near) => format!("unknown option {key} (did you mean {near}?)"),
        None => format!("unknown option {key} (keys are the long options of `trc2npy convert --help`)"),
    }
}

fn texts(value: &toml::Value, list: bool) -> Result<Value, &'static str> {
    let scalar = |value: &toml::Value| match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(_) | toml::Value::Float(_) | toml::Value::Boolean(_) => Some(value.to_string()),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
    };
    match value {
        toml::Value::Array(items) if list => items
            .iter()
            .map(scalar)
            .collect::<Option<_>>()
            .map(Value)
            .ok_or("a list of texts or numbers"),
        _ => scalar(value)
            .map(|text| Value(vec![text]))
            .ok_or("a text, a number, true or false"),
    }
}
