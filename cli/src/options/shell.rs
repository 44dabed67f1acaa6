//! The options of what makes the program at home in a shell: completions and manual pages.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// The options of `completions`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Where the shells look for it:
  bash        ~/.local/share/bash-completion/completions/trc2npy
  zsh         a folder of $fpath, as _trc2npy
  fish        ~/.config/fish/completions/trc2npy.fish
  powershell  at the end of the file $PROFILE

Example:
  trc2npy completions fish > ~/.config/fish/completions/trc2npy.fish")]
pub(crate) struct CompletionsOptions {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub(crate) shell: Shell,
}

/// The options of `man`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Example:
  trc2npy man ~/.local/share/man/man1 && man trc2npy-convert")]
pub(crate) struct ManOptions {
    /// Folder for the pages, one a command; made if needed
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}
