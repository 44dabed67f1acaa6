//! What stdout can show of a drawing: how large, and by which characters.

use std::env;
use std::io::{self, IsTerminal as _};

use console::Term;

/// Room for a drawing made of characters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Canvas {
    pub(crate) columns: usize,
    pub(crate) lines: usize,
    pub(crate) glyphs: Glyphs,
}

/// The characters that dots are put together from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glyphs {
    /// Two dots across and four down.
    Braille,
    /// Two dots down, as upper and lower half of a block: fonts of older consoles have no braille.
    Halves,
    /// The same in ASCII.
    Ascii,
}

impl Canvas {
    /// Below this there is no room for labels and traces.
    const LEAST: usize = 24;

    /// The terminal behind stdout; 80x24 where there is none.
    pub(crate) fn of_stdout() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let size = is_terminal.then(|| Term::stdout().size_checked()).flatten();
        let (lines, columns) = size.map_or((24, 80), |(lines, columns)| (lines.into(), columns.into()));
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            columns: usize::max(columns, Self::LEAST),
            lines,
            glyphs: if cfg!(windows) {
                of_windows(is_terminal, variable("WT_SESSION").is_some())
            } else {
                of_locale(variable)
            },
        }
    }
}

/// What a program behind a pipe takes the bytes for nobody knows; Windows Terminal finds every character in some font.
fn of_windows(is_terminal: bool, windows_terminal: bool) -> Glyphs {
    match (is_terminal, windows_terminal) {
        (false, _) => Glyphs::Ascii,
        (true, true) => Glyphs::Braille,
        (true, false) => Glyphs::Halves,
    }
}

/// By POSIX: the first of three variables that is set names the characters.
fn of_locale(variable: impl Fn(&str) -> Option<String>) -> Glyphs {
    let dumb = variable("TERM").is_some_and(|name| name == "dumb");
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(&variable)
        .unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    if !dumb && (locale.contains("utf-8") || locale.contains("utf8")) {
        Glyphs::Braille
    } else {
        Glyphs::Ascii
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_says_which_characters_there_are() {
        let glyphs = |set: &[(&str, &str)]| {
            of_locale(|name| {
                set.iter()
                    .find(|(set, _)| *set == name)
                    .map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(glyphs(&[("LANG", "de_CH.UTF-8")]), Glyphs::Braille);
        assert_eq!(glyphs(&[("LANG", "C"), ("LC_CTYPE", "C.utf8")]), Glyphs::Braille);
        assert_eq!(glyphs(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")]), Glyphs::Ascii);
        assert_eq!(glyphs(&[("TERM", "dumb"), ("LANG", "en_US.UTF-8")]), Glyphs::Ascii);
        assert_eq!(glyphs(&[]), Glyphs::Ascii);
        assert_eq!(of_windows(true, true), Glyphs::Braille);
        assert_eq!(of_windows(true, false), Glyphs::Halves);
        assert_eq!(of_windows(false, true), Glyphs::Ascii);
    }
}
