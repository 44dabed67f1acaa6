//! What people see: the block at the start, progress, the tables. Results go to stdout, all else to stderr, so that
//! a pipe carries results alone.

mod canvas;
mod daily;
mod end;
mod fit;
pub(crate) mod log;
mod pace;
mod progress;
mod start;
mod terminal;
mod text;

pub(crate) use canvas::{Canvas, Glyphs};
pub(crate) use end::{bad_files, bad_rows, bad_rows_alone, loading, summary, verdicts_on_rows};
pub(crate) use fit::{fitted_facts, fitted_table, prose, width};
pub(crate) use progress::{Display, Event};
pub(crate) use start::Start;
pub(crate) use text::{
    clock_time, command_line, count, counted, date, facts, indented, moment, paragraph, python_text, quoted, si, table,
    wrapped,
};

use std::io::{self, Write as _};
use std::sync::OnceLock;

use anstyle::{AnsiColor, Style};
use trc2npy_telemetry::Line;

/// How much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Talk {
    /// Warnings, errors and bad rows.
    Little,
    /// What people want to know.
    Usual,
    /// Also what is as it should be.
    Much,
}

static TALK: OnceLock<Talk> = OnceLock::new();

/// Settles it for this call of the program.
pub(crate) fn set_talk(talk: Talk) {
    // Only the first one counts, and there is only one.
    let _ = TALK.set(talk);
}

/// What was settled.
pub(crate) fn talk() -> Talk {
    TALK.get().copied().unwrap_or(Talk::Usual)
}

/// Words that someone should see first, and in which colour.
const LOUD: [(&str, AnsiColor); 4] = [
    ("error:", AnsiColor::Red),
    ("BAD ROWS:", AnsiColor::Red),
    ("warning:", AnsiColor::Yellow),
    ("note:", AnsiColor::Cyan),
];

/// Colours the loud words at the beginning of lines. Who cannot show colours has them taken out again.
fn painted(text: &str) -> String {
    let paint = |line: &str| {
        let Some((word, color)) = LOUD.iter().find(|(word, _)| line.starts_with(word)) else {
            return line.to_owned();
        };
        let style = Style::new().bold().fg_color(Some((*color).into()));
        format!("{style}{word}{style:#}{}", &line[word.len()..])
    };
    text.split_inclusive('\n').map(paint).collect()
}

/// A result, on stdout. A reader that has gone (`| head`) has read what it wanted: no error, and the exit code stays
/// that of the work.
pub(crate) fn show(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{}{end}", painted(text)).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// A result for programs, on stdout.
pub(crate) fn show_json(value: &impl serde::Serialize) -> io::Result<()> {
    show(&serde_json::to_string_pretty(value).expect("numbers and texts can always be written as JSON"))
}

/// A remark that nobody needs who asked for little.
pub(crate) fn chat(text: &str) {
    log::record(log::level_of(text), text, None);
    if talk() != Talk::Little && log::is_shown(log::level_of(text)) {
        print(text);
    }
}

/// A result that nobody needs who asked for little: the exit code says the same.
pub(crate) fn tell(text: &str) -> io::Result<()> {
    if talk() == Talk::Little { Ok(()) } else { show(text) }
}

/// A remark, on stderr and in the log.
pub(crate) fn remark(text: &str) {
    let level = log::level_of(text);
    log::record(level, text, None);
    if log::is_shown(level) {
        print(text);
    }
}

/// A line of a program that works for days, with the time of day, for whoever watches.
pub(crate) fn line(line: &Line<'_>) {
    let (level, word) = match line.level {
        trc2npy_telemetry::Level::Warning => (log::Level::Warning, "warning: "),
        trc2npy_telemetry::Level::Info => (log::Level::Info, ""),
    };
    log::record(level, line.text, line.place.as_ref());
    if log::is_shown(level) && (talk() != Talk::Little || level == log::Level::Warning) {
        print(&format!("{}  {word}{}", clock_time(), line.text));
    }
}

/// Where the standard error is closed there is nobody to tell.
fn print(text: &str) {
    let _ = writeln!(anstream::stderr(), "{}", painted(text.trim_end()));
}
