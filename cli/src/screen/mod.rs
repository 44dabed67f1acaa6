//! What people see: the block at the start, progress, the tables. Results go to stdout, all else to stderr, so that
//! a pipe carries results alone.

mod canvas;
mod end;
mod pace;
mod progress;
mod start;
mod terminal;
mod text;

pub(crate) use canvas::{Canvas, Glyphs};
pub(crate) use end::{bad_rows, summary, type_name};
pub(crate) use progress::{Display, Event};
pub(crate) use start::Start;
pub(crate) use text::{
    PREFIXES, command_line, count, counted, date, facts, indented, paragraph, python_text, si, table, wrapped,
};

use std::io::{self, Write as _};

/// A result, on stdout. A reader that has gone (`| head`) has read what it wanted: no error, and the exit code stays
/// that of the work.
pub(crate) fn show(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(out, "{text}{end}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        done => done,
    }
}

/// A remark, on stderr. Where that is closed there is nobody to tell.
pub(crate) fn remark(text: &str) {
    let _ = writeln!(io::stderr(), "{}", text.trim_end());
}
