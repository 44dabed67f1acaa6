//! The options of `plan`: those of `convert` that decide about the result, and where the plan goes.

use std::path::PathBuf;

use clap::Args;

use super::cluster::WorkOptions;
use super::convert::{
    BadInputOptions, ConvertOptions, DisplayOptions, InputOptions, OutputOptions, SelectionOptions, ValueOptions,
};

/// The options of `plan`.
#[derive(Args, Clone, Debug)]
pub(crate) struct PlanOptions {
    #[command(flatten)]
    pub(crate) input: InputOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,

    /// File for the plan, on storage that all tasks share; an older plan is replaced
    #[arg(long, short = 'o', value_name = "FILE", help_heading = "Output")]
    pub(crate) plan: Option<PathBuf>,

    /// Leave a plan that is there as it is: tasks that are started at the same time may all plan, and one of them does
    #[arg(long, help_heading = "Output")]
    pub(crate) keep: bool,

    #[command(flatten)]
    selection: SelectionOptions,
    #[command(flatten)]
    values: ValueOptions,
    #[command(flatten)]
    bad: BadInputOptions,
    #[command(flatten)]
    work: WorkOptions,
    #[command(flatten)]
    pub(crate) display: DisplayOptions,
}

impl PlanOptions {
    /// What `convert` would be given; `defaults` are its own.
    pub(crate) fn as_convert(&self, defaults: ConvertOptions) -> ConvertOptions {
        let mut convert = ConvertOptions {
            input: self.input.clone(),
            output: self.output.clone(),
            selection: self.selection.clone(),
            values: self.values.clone(),
            bad: self.bad.clone(),
            display: self.display.clone(),
            ..defaults
        };
        convert.resources.range_size = self.work.range_size;
        convert.resources.sync_every = self.work.sync_every;
        convert
    }
}
