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
    #[error("{}: this certificate ({name}) has expired on {since} (this machine's clock says {now}): issue a new one (trc2npy certs issue {name})", path.display())]
    Expired {
        /// Its file.
        path: PathBuf,
        /// Whose.
        name: String,
        /// When it ended.
        since: String,
        /// What the clock says.
        now: String,
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
    #[error("{}: this certificate ({name}) was issued by another lab CA than {}, or by one between that is missing in it: copy both from the same folder", path.display(), ca.display())]
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
    /// Nobody would accept the certificate.
    #[error("{}: this certificate ({name}) cannot be used as {role}: {why}", path.display())]
    Unusable {
        /// Its file.
        path: PathBuf,
        /// Whose.
        name: String,
        /// What for.
        role: Role,
        /// What is wrong.
        why: String,
    },
    /// The folder holds something else that would be lost.
    #[error("{}: holds {holds}; choose another folder, or move that away", path.display())]
    Holds {
        /// The folder.
        path: PathBuf,
        /// What is in it.
        holds: String,
    },
    /// Two files that belong together, and one of them.
    #[error("{}: half of a lab CA: {missing} is missing; bring it back from where you keep it, or remove the folder and begin anew", path.display())]
    HalfCa {
        /// The folder.
        path: PathBuf,
        /// What is not there.
        missing: &'static str,
    },
    /// The key of another authority, or none at all.
    #[error("{}: this is no lab CA: {why}", path.display())]
    NotCa {
        /// The folder.
        path: PathBuf,
        /// What does not fit.
        why: &'static str,
    },
    /// A coordinator would issue certificates that it does not accept.
    #[error("{}: this lab CA is another one than that of the coordinator's certificate: --ca and --certs must be of one lab", .0.display())]
    OtherAuthority(PathBuf),
    /// There is an authority already.
    #[error("{}: there is a lab CA already; all certificates of a lab come from one: use it, or choose another folder (--ca)", .0.display())]
    CaExists(PathBuf),
    /// There is none.
    #[error("{}: there is no lab CA here (no ca.crt and ca.key): make one with trc2npy certs init, or say where it is (--ca)", .0.display())]
    NoCa(PathBuf),
    /// A name that is none.
    #[error(
        "{0:?}: a certificate's name is 1 to 64 letters, digits, '-', '_' or '.', and begins with a letter or digit; no name that Windows keeps for devices; a worker's is given by --name"
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
    /// A name that somebody has already.
    #[error(
        "a certificate was issued to {0} before: whoever joins under this name again needs a token for it (trc2npy certs join-token --name {0})"
    )]
    NameTaken(String),
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
