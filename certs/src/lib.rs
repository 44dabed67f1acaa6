//! A lab's own certificates: an authority that the lab makes itself ([`Authority`]), what it issues to one machine
//! ([`Folder`]), and how coordinator, workers and clients use that ([`Server`], [`Client`]).
//!
//! A certificate says who someone is ([`Identity`]) and what it is for ([`Role`]): workers do not submit, clients take no
//! leases. Files are named as Kubernetes and cert-manager name them, so that certificates of a site's own authority can be
//! used as well.

mod authority;
mod client;
mod error;
mod folder;
mod identity;
mod private;
mod role;
mod server;
mod token;

pub use authority::{Asked, Authority, DEFAULT_DAYS, Issued, KeyRequest, is_of_use};
pub use client::{Client, Trouble};
pub use error::CertsError;
pub use folder::{CA_FILE, CERT_FILE, Folder, KEY_FILE};
pub use identity::{Fingerprint, Identity, day};
pub use role::{Role, Roles};
pub use server::{Server, why_refused};
pub use token::{JoinToken, TOKEN_LIFE};
