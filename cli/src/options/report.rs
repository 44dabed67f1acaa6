//! The options of `report`.

use std::path::PathBuf;

use clap::Args;

/// The options of `report`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
The page is made of what lies in the folder: arrays, indices, JSONs and
report.json. Of each array some hundred rows are read, so that it takes about a
second however large the arrays are. A page that is there is replaced.

Exit codes: 0 written, 1 failed, 2 wrong usage.

Examples:
  trc2npy report out
  trc2npy report npy/r005 npy/r006")]
pub(crate) struct ReportOptions {
    /// Folders of finished arrays, or folders above them
    #[arg(value_name = "OUT", required = true)]
    pub(crate) outputs: Vec<PathBuf>,
}
