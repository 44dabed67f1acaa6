//! The `trc2npy` command: reads what is asked, and hands it to a subcommand.

mod failure;
mod options;
mod screen;

use std::process::ExitCode;

use failure::Failure;

fn main() -> ExitCode {
    failure::guarded(|| {
        let argv: Vec<_> = std::env::args_os().collect();
        let r = options::read(&argv)?;
        println!("{r:?}");
        Ok::<_, Failure>(ExitCode::SUCCESS)
    })
}
