//! The terminal as the bar sees it.

use std::io::{self, IsTerminal as _};

use console::Term;
use indicatif::{ProgressDrawTarget, TermLike};

/// indicatif fills the bar's last line with blanks up to the edge; the `^C` that the terminal itself writes there would
/// open a new line, which nobody counts, and a piece of the bar would stay behind. This one leaves the blanks out.
#[derive(Debug)]
struct Unfilled(Term);

/// Draws on stderr, at most `hz` times a second.
pub(super) fn target(hz: u8) -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::new(Unfilled(Term::buffered_stderr())), hz)
}

/// Whether stderr is a terminal on which something can be drawn: one that calls itself dumb would show codes.
pub(super) fn draws() -> bool {
    io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|name| name != "dumb")
}

/// Columns of stderr's terminal.
pub(super) fn width() -> usize {
    usize::from(Term::stderr().size().1)
}

impl TermLike for Unfilled {
    fn width(&self) -> u16 {
        self.0.size().1
    }

    fn height(&self) -> u16 {
        self.0.size().0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_up(n)
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_down(n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_right(n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.0.move_cursor_left(n)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        if text.bytes().all(|byte| byte == b' ') {
            return Ok(());
        }
        self.0.write_str(text)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.clear_line()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.flush()
    }
}
