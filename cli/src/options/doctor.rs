//! The options of `doctor`.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use trc2npy_proto::link::Address;

use super::cluster::TrustOptions;

/// The options of `doctor`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Exit codes: 0 nothing is bad, 1 something is, 2 wrong usage

Examples:
  trc2npy doctor out --for run/r005
  trc2npy doctor D:\\npy --coordinator pc1:7070 --certs C:\\lab-cert")]
pub(crate) struct DoctorOptions {
    /// Folder that arrays are to be written to; it need not exist yet
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,

    /// Look also whether the arrays of this run have room there; folders, .trc files or patterns, as for convert
    #[arg(long = "for", value_name = "INPUT", num_args = 1.., action = ArgAction::Append)]
    pub(crate) inputs: Vec<PathBuf>,

    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Compare the clock with that of the coordinator that listens here
    #[arg(
        long,
        value_name = "HOST:PORT",
        env = "TRC2NPY_COORDINATOR",
        hide_env = true,
        help_heading = "Coordinator"
    )]
    pub(crate) coordinator: Option<Address>,

    #[command(flatten)]
    pub(crate) trust: TrustOptions,
}
