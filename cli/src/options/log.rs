//! How what the program says is written, and where else: options of every subcommand.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::parsers::{Choice, choice};
use crate::screen::log::{Format, Level};

const FORMATS: &[Choice<Format>] = &[
    ("text", "sentences for people", Format::Text),
    (
        "json",
        "an object a line, with time, level, sentence, and the ids of trace and span",
        Format::Json,
    ),
];
const LEVELS: &[Choice<Level>] = &[
    ("error", "what ended the work", Level::Error),
    ("warning", "also what somebody should look at", Level::Warning),
    ("info", "also what began and what ended", Level::Info),
];

#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogOptions {
    /// How what is said beside results is written on the standard error
    #[arg(id = "log_format", long = "log-format", value_name = "FORMAT", value_parser = choice(FORMATS), default_value = "text", global = true)]
    pub(crate) format: Format,

    /// How much of it is said
    #[arg(id = "log_level", long = "log-level", value_name = "LEVEL", value_parser = choice(LEVELS), default_value = "info", global = true)]
    pub(crate) level: Level,

    /// Write it also to this file; each day has a file of its own, with the date behind the name, and two weeks are kept
    #[arg(id = "log_file", long = "log-file", value_name = "FILE", global = true)]
    pub(crate) file: Option<PathBuf>,
}

/// Whether a command line that may be wrong asks for objects.
pub(super) fn asks_for_json(argv: &[OsString]) -> bool {
    let words: Vec<&str> = argv.iter().filter_map(|word| word.to_str()).collect();
    words.contains(&"--log-format=json") || words.windows(2).any(|two| two == ["--log-format", "json"])
}
