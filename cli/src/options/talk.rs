//! How much is said, and in which colours: options of every subcommand.

use anstream::ColorChoice;
use clap::Args;

use super::parsers::{Choice, choice};
use crate::screen::Talk;

const COLORS: &[Choice<ColorChoice>] = &[
    (
        "auto",
        "on a terminal, unless NO_COLOR, CLICOLOR=0 or TERM=dumb is set; with CLICOLOR_FORCE everywhere",
        ColorChoice::Auto,
    ),
    ("always", "everywhere", ColorChoice::Always),
    ("never", "nowhere", ColorChoice::Never),
];

#[derive(Args, Clone, Copy, Debug)]
#[command(next_help_heading = "Talk")]
pub(crate) struct TalkOptions {
    /// Colours of errors, warnings and bad rows
    #[arg(long, value_name = "WHEN", value_parser = choice(COLORS), default_value = "auto", global = true)]
    color: ColorChoice,

    /// Say nothing but warnings, errors and bad rows
    #[arg(short, long, global = true, overrides_with = "quiet")]
    quiet: bool,

    /// Say also what is as it should be
    #[arg(short, long, global = true, overrides_with = "verbose", conflicts_with = "quiet")]
    verbose: bool,
}

impl TalkOptions {
    /// How much is to be said.
    pub(crate) const fn talk(self) -> Talk {
        match (self.quiet, self.verbose) {
            (true, _) => Talk::Little,
            (false, true) => Talk::Much,
            (false, false) => Talk::Usual,
        }
    }
}

/// Settles the colours before anything is parsed: what is wrong with a command line is said in colours, too.
pub(super) fn settle_colors(argv: &[std::ffi::OsString]) {
    let words = argv.iter().map(|word| word.to_str().unwrap_or_default());
    let mut following = words.clone().skip(1);
    for word in words {
        let next = following.next();
        let value = match word.strip_prefix("--color") {
            Some("") => next,
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        if let Some((.., color)) = COLORS.iter().find(|(name, ..)| Some(*name) == value) {
            color.write_global();
        }
    }
}
