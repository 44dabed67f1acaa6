//! The `trc2npy` command: reads what is asked, and hands it to a subcommand.

mod commands;
mod dropped;
mod failure;
mod options;
mod screen;
mod service;
mod signals;
mod telemetry;

use std::ffi::OsString;
use std::process::ExitCode;

use failure::Failure;
use options::Request;

fn main() -> ExitCode {
    trc2npy_common::hang_up::outlive_large_files();
    let typed: Vec<_> = std::env::args_os().collect();
    let dropped = dropped::meant(&typed);
    let by_mouse = dropped.is_some() || typed.len() == 1;
    let argv = dropped.unwrap_or(typed);
    let code = failure::guarded(|| {
        if let Some(ended) = service::instead(&argv) {
            return ended;
        }
        let (request, telemetry) = options::read(&argv)?;
        telemetry::begin(&telemetry, &request)?;
        let ended = run(request, &argv);
        telemetry::end();
        ended
    });
    if by_mouse {
        dropped::keep_window();
    }
    code
}

fn run(request: Request, argv: &[OsString]) -> Result<ExitCode, Failure> {
    match request {
        Request::Convert(options, settled) => commands::convert::run(&options, &settled, argv),
        Request::Inspect(options) => commands::inspect::run(&options),
        Request::Preview(options) => commands::preview::run(&options),
        Request::Report(options) => commands::report::run(&options),
        Request::Verify(options) => commands::verify::run(&options),
        Request::Batch(options, settled) => commands::batch::run(&options, &settled, argv),
        Request::TesAna(options) => commands::tes_ana::run(&options, argv),
        Request::Coordinator(options) => commands::coordinator::run(&options),
        Request::Worker(options) => commands::worker::run(&options),
        Request::Submit(options, settled) => commands::submit::run(&options, &settled),
        Request::Plan(options, settled) => commands::plan::run(&options, &settled),
        Request::RunRange(options) => commands::run_range::run(&options),
        Request::Stitch(options) => commands::stitch::run(&options, argv),
        Request::Jobs(options) => commands::jobs::list(&options),
        Request::Job(options) => commands::jobs::show(&options),
        Request::Cancel(options) => commands::jobs::cancel(&options),
        Request::Explain(options) => commands::jobs::explain(&options),
        Request::Workers(options) => commands::workers::list(&options),
        Request::Drain(options) => commands::workers::drain(&options),
        Request::Certs(options) => commands::certs::run(&options),
        Request::Doctor(options) => commands::doctor::run(&options),
        Request::Synth(options) => commands::synth::run(&options),
        Request::Demo(options) => commands::demo::run(&options),
        Request::Completions(options) => commands::shell::completions(&options),
        Request::Man(options) => commands::shell::man(&options),
    }
}
