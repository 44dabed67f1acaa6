//! A terminal for the binary to write to, and what a person sees on it.

use std::fs::File;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::process::Command;

use rustix::pty::{self, OpenptFlags};
use rustix::termios::{Winsize, tcsetwinsize};
use vt100::{Parser, Screen};

use crate::call::Call;
use crate::convert::Convert;
use crate::process::{Ended, Running};

/// Lines that are kept once they have left the screen.
const SCROLLBACK: usize = 500;

/// A terminal of so many rows and columns.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Lines that are seen at once.
    pub rows: u16,
    /// Characters of a line.
    pub columns: u16,
}

impl Terminal {
    /// Starts a conversion with stdout and stderr on the terminal.
    ///
    /// # Panics
    /// Where there are no pseudo-terminals, or the binary cannot be started.
    pub fn start(self, conversion: &Convert) -> Running {
        self.start_command(conversion.command())
    }

    /// Runs a call of another subcommand to its end, with stdout and stderr on the terminal.
    ///
    /// # Panics
    /// Where there are no pseudo-terminals, or the binary cannot be started, panics or does not end.
    pub fn run(self, call: Call) -> Ended {
        self.start_command(call.into_command()).wait()
    }

    /// Starts a call of another subcommand, with stdout and stderr on the terminal.
    ///
    /// # Panics
    /// Where there are no pseudo-terminals, or the binary cannot be started.
    pub fn start_call(self, call: Call) -> Running {
        self.start_command(call.into_command())
    }

    fn start_command(self, mut command: Command) -> Running {
        let master = pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a pseudo-terminal");
        pty::grantpt(&master).expect("access to its other side");
        pty::unlockpt(&master).expect("access to its other side");
        let name = pty::ptsname(&master, Vec::new()).expect("the name of its other side");
        let name = PathBuf::from(std::ffi::OsString::from_vec(name.into_bytes()));
        let slave = File::options()
            .read(true)
            .write(true)
            .open(&name)
            .expect("its other side");
        let size = Winsize {
            ws_row: self.rows,
            ws_col: self.columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&slave, size).expect("a size");
        command
            .env("TERM", "xterm-256color")
            .stdout(slave.try_clone().expect("another handle"))
            .stderr(slave);
        Running::start_on(command, File::from(master))
    }

    /// The screen whenever the cursor was about to move or a colour to change, the last one as it was left.
    pub fn replay(self, ended: &Ended) -> Vec<Screen> {
        let mut parser = Parser::new(self.rows, self.columns, SCROLLBACK);
        let mut screens = Vec::new();
        for piece in ended.stdout.split_inclusive('\x1b') {
            parser.process(piece.as_bytes());
            screens.push(parser.screen().clone());
        }
        screens
    }
}

/// All lines of a screen from the first that has left it, without their trailing blanks.
pub fn lines(screen: &Screen) -> Vec<String> {
    let mut screen = screen.clone();
    let columns = screen.size().1;
    screen.set_scrollback(usize::MAX);
    let mut lines = Vec::new();
    for back in (1..=screen.scrollback()).rev() {
        screen.set_scrollback(back);
        lines.extend(screen.rows(0, columns).next());
    }
    screen.set_scrollback(0);
    lines.extend(screen.rows(0, columns));
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}
