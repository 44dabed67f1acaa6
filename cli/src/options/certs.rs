//! The options of `certs`.

use std::path::PathBuf;

use clap::{ArgAction, Args, Subcommand};
use trc2npy_certs::{DEFAULT_DAYS, JoinToken, Role};
use trc2npy_proto::link::Address;

/// The options of `certs`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
A machine's certificate is a folder with ca.crt, tls.crt and tls.key; coordinator,
worker and all commands that ask a coordinator take it by --certs.

Example: the coordinator's certificate, and a token for the first worker
  trc2npy certs init
  trc2npy certs issue pc1 --role coordinator
  trc2npy certs join-token")]
pub(crate) struct CertsOptions {
    #[command(subcommand)]
    pub(crate) action: CertsAction,
}

/// What can be done with certificates.
#[derive(Subcommand, Clone, Debug)]
pub(crate) enum CertsAction {
    /// Make the lab's own certificate authority (CA): once, on the coordinator's machine
    Init(InitOptions),
    /// Issue a machine's certificate: a folder to copy there
    Issue(IssueOptions),
    /// Print a token with which one machine can fetch its certificate from the coordinator, once, within 15 minutes
    JoinToken(JoinTokenOptions),
    /// Fetch this machine's certificate with a token
    Join(JoinOptions),
    /// Say what a certificate is for and how long it is valid; exit code 1 where it cannot be used
    Show(ShowOptions),
}

/// Where the lab's authority is.
#[derive(Args, Clone, Debug)]
pub(crate) struct CaOptions {
    /// Folder of the lab's CA; whoever can read its ca.key can issue certificates
    #[arg(long, value_name = "DIR", default_value = "trc2npy-ca")]
    pub(crate) ca: PathBuf,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct InitOptions {
    #[command(flatten)]
    pub(crate) ca: CaOptions,

    /// The lab's name, as certificates have it
    #[arg(long, value_name = "NAME", default_value = "trc2npy lab CA")]
    pub(crate) lab: String,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct IssueOptions {
    /// Name of the machine or person
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// What it is for: worker, client or coordinator (which may do what a client may); several are allowed [default: worker;
    /// of one that is renewed, what it was for]
    #[arg(long = "role", value_name = "ROLE", action = ArgAction::Append)]
    pub(crate) roles: Vec<Role>,

    /// Name or address by which others reach the coordinator; several are allowed, localhost is always added [default: NAME;
    /// of one that is renewed, those that it had]
    #[arg(long = "host", value_name = "HOST", action = ArgAction::Append)]
    pub(crate) hosts: Vec<String>,

    /// Days until it ends
    #[arg(long, value_name = "N", default_value_t = DEFAULT_DAYS, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    pub(crate) days: u32,

    #[command(flatten)]
    pub(crate) ca: CaOptions,

    /// Folder to write [default: machines/NAME below the CA's]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct JoinTokenOptions {
    /// What the certificate will be for: worker or client; both are allowed
    #[arg(long = "role", value_name = "ROLE", action = ArgAction::Append, default_value = "worker")]
    pub(crate) roles: Vec<Role>,

    /// Only for a machine of this name
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,

    #[command(flatten)]
    pub(crate) ca: CaOptions,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct JoinOptions {
    /// As trc2npy certs join-token has printed it
    #[arg(value_name = "TOKEN")]
    pub(crate) token: JoinToken,

    /// Where the coordinator listens
    #[arg(long, value_name = "HOST:PORT", env = "TRC2NPY_COORDINATOR", hide_env = true)]
    pub(crate) coordinator: Address,

    /// Folder for the certificate; made if needed
    #[arg(long, value_name = "DIR", env = "TRC2NPY_CERTS", hide_env = true)]
    pub(crate) certs: PathBuf,

    /// Name in the certificate [default: this machine's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
}

#[derive(Args, Clone, Debug)]
pub(crate) struct ShowOptions {
    /// Folder of the certificate
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,

    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}
