//! `stitch`: what a batch system's tasks have made becomes arrays.

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;
use trc2npy_common::convert::{Converted, Io, Overwrite, Settings, Watch};
use trc2npy_common::resources::{Machine, default_memory_limit};
use trc2npy_common::shares::{Gather, Gathered, Shares};
use trc2npy_common::units::Bytes;

use super::convert::{stop_on_ctrl_c, tell};
use crate::failure::{Failure, INTERRUPTED};
use crate::options::{self, StitchOptions};
use crate::screen::{self, Display, Event};

/// Puts the arrays together, or says what is missing.
pub(crate) fn run(options: &StitchOptions, argv: &[OsString]) -> Result<ExitCode, Failure> {
    let shares = Shares::open(&options.plan)?;
    let machine = Machine::detect();
    // What decides about bytes, and when they are synced, stands in the plan.
    let settings = Settings {
        threads: options.threads.map_or_else(|| options::threads(&machine), Into::into),
        memory_limit: default_memory_limit(&machine),
        memory_threshold: 1.0,
        io: Io::Auto,
        range_size: None,
        sync_every: Bytes::gib(1),
        settle: std::time::Duration::ZERO,
        overwrite: Overwrite::Never,
        trust_size: false,
        name: shares.name().clone(),
    };
    let display = Display::new(options.progress);
    let watch = Arc::new(Watch::new());
    let stop = stop_on_ctrl_c(&display);
    let following = display.follow(Arc::clone(&watch), None);
    let gathered = shares.gather(&Gather {
        settings: &settings,
        waits: options.wait,
        timeout: options.timeout,
        watch: &watch,
        stop: &stop,
        tell: &|text| display.note(text),
    });
    drop(following);
    match gathered? {
        Gathered::All(outcomes) => {
            let converted = Converted {
                outcomes,
                ..Converted::default()
            };
            tell(&converted, &settings, &display, argv).map(ExitCode::from)
        }
        Gathered::Missing(missing) => {
            if display.is_json() {
                let rows = missing
                    .rows
                    .iter()
                    .map(|(run, stretches)| json!({"run": run, "rows": stretches}));
                let (shares, count) = missing.shares.clone().unzip();
                let rows: Vec<_> = rows.collect();
                Event::End(&json!({"missing": rows, "shares": shares, "count": count})).emit()?;
            }
            Err(Failure::work(1, &missing))
        }
        Gathered::Interrupted => {
            screen::remark("interrupted; what has come is kept, and the same command goes on");
            Ok(INTERRUPTED.into())
        }
    }
}
