//! The options of `batch`: those of `convert` that hold for every run, and where to look for runs.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::convert::{
    BadInputOptions, ComfortOptions, ConvertOptions, DisplayOptions, InputOptions, OutputOptions, ReadingOptions,
    ResourceOptions, SelectionOptions, ValueOptions,
};
use super::parsers::duration;

/// The options of `batch`.
#[derive(Args, Clone, Debug)]
pub(crate) struct BatchOptions {
    /// Folders below which every run is converted, at any depth
    #[arg(value_name = "FOLDER", id = "folder")]
    pub(crate) folders: Vec<PathBuf>,

    /// A run whose folders changed within this time may still be recorded: it is left for the next time
    #[arg(
        long,
        value_name = "TIME",
        value_parser = duration,
        allow_negative_numbers = true,
        default_value = "1m",
        help_heading = "Input"
    )]
    pub(crate) idle: Duration,

    #[command(flatten)]
    reading: ReadingOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
    #[command(flatten)]
    selection: SelectionOptions,
    #[command(flatten)]
    values: ValueOptions,
    #[command(flatten)]
    bad: BadInputOptions,
    #[command(flatten)]
    resources: ResourceOptions,
    #[command(flatten)]
    pub(crate) comfort: ComfortOptions,
    #[command(flatten)]
    pub(crate) display: DisplayOptions,
}

impl BatchOptions {
    /// What `convert` would be given for one of the runs.
    pub(crate) fn of_run(&self, inputs: Vec<PathBuf>, out: PathBuf) -> ConvertOptions {
        ConvertOptions {
            input: InputOptions {
                inputs,
                reading: self.reading.clone(),
                recursive: false,
                join: false,
            },
            output: OutputOptions {
                out: Some(out),
                ..self.output.clone()
            },
            selection: self.selection.clone(),
            values: self.values.clone(),
            bad: self.bad.clone(),
            resources: self.resources.clone(),
            comfort: self.comfort.clone(),
            display: self.display.clone(),
        }
    }
}
