//! What the machine decides where the user did not.

use std::process::ExitCode;

use trc2npy_common::convert::{Overwrite, Settings};
use trc2npy_common::resources::{Machine, default_memory_limit};

use super::ConvertOptions;
use super::layers::Settled;
use crate::failure::Failure;
use crate::screen;

/// One thread for each core that the process may use; hyper-threads share the caches that decoding lives on.
pub(crate) fn threads(machine: &Machine) -> usize {
    machine.physical_cores.min(machine.usable_cores).max(1)
}

/// The engine's settings: what was asked for, and the machine's choice for the rest.
pub(crate) fn settings(options: &ConvertOptions, machine: &Machine) -> Settings {
    let ConvertOptions {
        input,
        output,
        bad,
        resources,
        ..
    } = options;
    Settings {
        threads: resources.threads.map_or_else(|| threads(machine), Into::into),
        memory_limit: resources.memory_limit.unwrap_or_else(|| default_memory_limit(machine)),
        memory_threshold: resources.memory_threshold,
        io: resources.io,
        range_size: resources.range_size,
        sync_every: resources.sync_every,
        settle: bad.settle,
        overwrite: if output.overwrite {
            Overwrite::Always
        } else {
            Overwrite::Never
        },
        trust_size: input.reading.trust_size,
        name: output.name.clone(),
    }
}

/// Shows every setting and where it came from: `--print-config`.
pub(crate) fn print(settled: &Settled, machine: &Machine) -> Result<ExitCode, Failure> {
    screen::show(&screen::table(&["option", "value", "from"], shown(settled, machine)))?;
    Ok(ExitCode::SUCCESS)
}

/// Name, value and origin of every setting.
fn shown(settled: &Settled, machine: &Machine) -> Vec<Vec<String>> {
    let by_machine = |name: &str| match name {
        "threads" => Some(threads(machine).to_string()),
        "memory-limit" => Some(default_memory_limit(machine).to_string()),
        _ => None,
    };
    settled
        .iter()
        .map(|setting| {
            let (value, origin) = match (&setting.value, by_machine(&setting.name)) {
                (Some(value), _) => (value.clone(), setting.origin.to_string()),
                (None, Some(value)) => (value, "chosen for this machine".to_owned()),
                (None, None) => ("-".to_owned(), setting.origin.to_string()),
            };
            vec![setting.name.clone(), value, origin]
        })
        .collect()
}
