//! `completions` and `man`: what the command line knows of itself, for shells and for `man`.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use trc2npy_common::fs::StorageError;

use crate::failure::Failure;
use crate::options::{self, CompletionsOptions, ManOptions};
use crate::screen;

/// Prints the script that the shell reads.
pub(crate) fn completions(asked: &CompletionsOptions) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(asked.shell, &mut options::command(), "trc2npy", &mut script);
    screen::show(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes `trc2npy.1` and a page for each subcommand, and says which.
pub(crate) fn man(asked: &ManOptions) -> Result<ExitCode, Failure> {
    let dir = &asked.dir;
    fs::create_dir_all(dir).map_err(|source| storage("create the folder", dir, source))?;
    // Of which commit and for which machine it was built is this binary's affair, not the pages'.
    let mut program = options::command().long_version(None).disable_help_subcommand(true);
    program.build();
    write_page(dir, &program)?;
    for subcommand in program.get_subcommands() {
        write_page(dir, subcommand)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write_page(dir: &Path, command: &clap::Command) -> Result<(), Failure> {
    let page = clap_mangen::Man::new(command.clone());
    let path = dir.join(page.get_filename());
    let mut text = Vec::new();
    page.render(&mut text)?;
    fs::write(&path, text).map_err(|source| storage("write", &path, source))?;
    Ok(screen::tell(&path.display().to_string())?)
}

fn storage(doing: &'static str, path: &Path, source: std::io::Error) -> Failure {
    Failure::Work {
        code: 1,
        message: StorageError::new(doing, path, source).to_string(),
    }
}
