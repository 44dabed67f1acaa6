//! Why certificates cannot be made or used: each says what to do.

use std::path::PathBuf;

use trc2npy_common::fs::StorageError;

use crate::role::{Role, Roles};

/// Certificates that cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum CertsError {
    /// A file cannot be written.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A file cannot be read.
    #[error("{}: cannot be read: {source}{}", path.display(), hint(source))]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It holds something else.
    #[error("{}: {expected} was expected in PEM form, found {found}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What is.
        found: String,
    },
    /// The key of another certificate.
    #[error("{}: this key is not the one of {}: copy both from the same folder", key.display(), cert.display())]
    OtherKey {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        cert: PathBuf,
    },
    /// The certificate has ended.
    #[error("{}: this certificate ({name}) has expired on {since}: issue a new one (trc2npy certs issue {name})", path.display())]
    Expired {
        /// Its file.
        path: PathBuf,
        /// Whose.
        name: String,
        /// When it ended.
        since: String,
    },
    /// The certificate has not begun.
    #[error("{}: this certificate ({name}) is valid from {from} on, and this machine's clock says {now}: is the clock right?", path.display())]
    NotYet {
        /// Its file.
        path: PathBuf,
        /// Whose.
        name: String,
        /// When it begins.
        from: String,
        /// What the clock says.
        now: String,
    },
    /// The certificate comes from another authority than the one beside it.
    #[error("{}: this certificate ({name}) was issued by another lab CA than {}: copy both from the same folder", path.display(), ca.display())]
    OtherCa {
        /// Its file.
        path: PathBuf,
        /// Whose.
        name: String,
        /// The authority's file.
        ca: PathBuf,
    },
    /// The certificate is for something else.
    #[error("{}: this certificate ({name}) is for {has}, and {needs} is needed here: trc2npy certs issue {name} {}", path.display(), has.with(*needs).as_options())]
    OtherRole {
        /// Its file.
        path: PathBuf,
        /// Whose.
        name: String,
        /// What it is for.
        has: Roles,
        /// What it should be for.
        needs: Role,
    },
    /// There is an authority already.
    #[error("{}: there is a lab CA already; all certificates of a lab come from one: use it, or choose another folder (--ca)", .0.display())]
    CaExists(PathBuf),
    /// There is none.
    #[error("{}: there is no lab CA here (no ca.crt and ca.key): make one with trc2npy certs init, or say where it is (--ca)", .0.display())]
    NoCa(PathBuf),
    /// A name that is none.
    #[error(
        "{0:?}: a certificate's name is 1 to 64 letters, digits, '-', '_' or '.', and begins with a letter or digit"
    )]
    Name(String),
    /// A host that is none.
    #[error("--host {0}: a machine's name or address was expected, as pc1, pc1.lab.example or 192.168.1.5")]
    Host(String),
    /// A join token that was garbled.
    #[error("this is no join token: one is made with trc2npy certs join-token, and looks like trc2npy-join-...")]
    TokenForm,
    /// A join token that is not known.
    #[error(
        "the coordinator does not know this join token: it was used already, or made with another --ca; make a new one with trc2npy certs join-token"
    )]
    TokenUnknown,
    /// A join token that has ended.
    #[error("this join token was valid for 15 minutes, until {0}: make a new one with trc2npy certs join-token")]
    TokenExpired(String),
    /// A join token for somebody else.
    #[error("this join token is for {expected}, not for {found}")]
    TokenName {
        /// Whom it was made for.
        expected: String,
        /// Who came.
        found: String,
    },
    /// The request for a certificate cannot be read.
    #[error("the request for a certificate is damaged: {0}")]
    Request(String),
    /// The libraries refuse.
    #[error("a certificate cannot be made: {0}")]
    Made(String),
}

impl CertsError {
    pub(crate) fn read(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }
}

impl From<rcgen::Error> for CertsError {
    fn from(error: rcgen::Error) -> Self {
        Self::Made(error.to_string())
    }
}

fn hint(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            "; a machine's certificate is a folder with ca.crt, tls.crt and tls.key, made by trc2npy certs issue"
        }
        std::io::ErrorKind::PermissionDenied => "; only the owner of a private key may read it: run as that user",
        _ => "",
    }
}
