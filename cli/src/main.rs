//! The `trc2npy` command: reads what is asked, and hands it to a subcommand.

mod commands;
mod failure;
mod options;
mod screen;

use std::process::ExitCode;

use options::Request;

fn main() -> ExitCode {
    failure::guarded(|| {
        let argv: Vec<_> = std::env::args_os().collect();
        match options::read(&argv)? {
            Request::Convert(options, settled) => commands::convert::run(&options, &settled, &argv),
            Request::Inspect(options) => commands::inspect::run(&options),
            Request::Preview(options) => commands::preview::run(&options),
            Request::Verify(options) => commands::verify::run(&options),
            Request::Batch(options, settled) => commands::batch::run(&options, &settled, &argv),
            Request::TesAna(options) => commands::tes_ana::run(&options, &argv),
            Request::Synth(options) => commands::synth::run(&options),
            Request::Demo(options) => commands::demo::run(&options),
            Request::Completions(options) => commands::shell::completions(&options),
            Request::Man(options) => commands::shell::man(&options),
        }
    })
}
