//! A machine's certificate: a folder with the authority's certificate, its own, and its key.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore};

use crate::error::CertsError;
use crate::identity::{Identity, day};
use crate::private;
use crate::role::Role;

/// The certificate of the lab's authority: whom to trust.
pub const CA_FILE: &str = "ca.crt";
/// The machine's own certificate; others of its chain may follow.
pub const CERT_FILE: &str = "tls.crt";
/// Its private key.
pub const KEY_FILE: &str = "tls.key";

/// A certificate that is soon to end is told of this many days before.
const SOON: i64 = 30;

/// What is read from such a folder, and fits together.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    /// Whose it is.
    pub identity: Identity,
    pub(crate) roots: Arc<RootCertStore>,
    pub(crate) key: Arc<CertifiedKey>,
}

/// The primitives that everything here uses.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

impl Folder {
    /// Reads it. An error where a file is missing or damaged, or they do not belong together.
    pub fn read(path: &Path) -> Result<Self, CertsError> {
        let file = |name: &str| path.join(name);
        let content = |name: &str, found: String| CertsError::Content {
            path: file(name),
            expected: "a certificate",
            found,
        };
        let ca = certificates(&file(CA_FILE))?;
        let mut roots = RootCertStore::empty();
        for certificate in &ca {
            let added = roots.add(certificate.clone());
            added.map_err(|error| content(CA_FILE, error.to_string()))?;
        }
        let roots = Arc::new(roots);
        let own = certificates(&file(CERT_FILE))?;
        let identity = Identity::of(&own[0]).ok_or_else(|| content(CERT_FILE, "one without a name".to_owned()))?;
        if !is_issued_by(&own, &roots) {
            return Err(CertsError::OtherCa {
                path: file(CERT_FILE),
                name: identity.name,
                ca: file(CA_FILE),
            });
        }
        let key = key(&file(KEY_FILE))?;
        // With the authority's at the end: who joins knows the authority by its fingerprint alone.
        let chain = own.into_iter().chain(ca).collect();
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|_| CertsError::OtherKey {
            key: file(KEY_FILE),
            cert: file(CERT_FILE),
        })?;
        Ok(Self {
            path: path.to_owned(),
            identity,
            roots,
            key: Arc::new(key),
        })
    }

    /// Whether all three files are there.
    pub fn is_there(path: &Path) -> bool {
        [CA_FILE, CERT_FILE, KEY_FILE]
            .iter()
            .all(|name| path.join(name).exists())
    }

    /// Whether it can be used now, for this.
    pub fn check(&self, role: Role) -> Result<(), CertsError> {
        let (path, name) = (self.path.join(CERT_FILE), self.identity.name.clone());
        let now = Timestamp::now();
        if now < self.identity.not_before {
            let (from, now) = (day(self.identity.not_before), day(now));
            return Err(CertsError::NotYet { path, name, from, now });
        }
        if now > self.identity.not_after {
            let since = day(self.identity.not_after);
            return Err(CertsError::Expired { path, name, since });
        }
        if !self.identity.roles.allow(role) {
            let has = self.identity.roles.clone();
            return Err(CertsError::OtherRole {
                path,
                name,
                has,
                needs: role,
            });
        }
        Ok(())
    }

    /// What its owner should know although it can be used: that it ends soon, or that its key lies open.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let left = self.identity.days_left();
        if left < SOON {
            warnings.push(format!(
                "{}: this certificate ({name}) ends on {}, in {left} days: issue a new one in time (trc2npy certs issue \
                 {name}); it is taken without a restart",
                self.path.join(CERT_FILE).display(),
                day(self.identity.not_after),
                name = self.identity.name,
            ));
        }
        let key = self.path.join(KEY_FILE);
        if private::is_open_to_others(&key) {
            warnings.push(format!(
                "{}: everyone on this machine can read this private key: chmod 600 it",
                key.display()
            ));
        }
        warnings
    }
}

/// The certificates in a PEM file: one or more.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertsError> {
    let text = std::fs::read(path).map_err(CertsError::read(path))?;
    let content = |found: String| CertsError::Content {
        path: path.to_owned(),
        expected: "a certificate",
        found,
    };
    let all: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| content(error.to_string()))?;
    if all.is_empty() {
        return Err(content(format!("{} bytes of something else", text.len())));
    }
    Ok(all)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, CertsError> {
    let text = std::fs::read(path).map_err(CertsError::read(path))?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| CertsError::Content {
        path: path.to_owned(),
        expected: "a private key",
        found: match error {
            PemError::NoItemsFound => format!("{} bytes of something else", text.len()),
            other => other.to_string(),
        },
    })
}

/// Whether the chain leads to one of the roots; whether it can be used now is another question.
fn is_issued_by(chain: &[CertificateDer<'static>], roots: &Arc<RootCertStore>) -> bool {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider()).build();
    let Ok(verifier) = verifier else { return false };
    !matches!(
        verifier.verify_client_cert(&chain[0], &chain[1..], UnixTime::now()),
        Err(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature | CertificateError::BadEncoding
        ))
    )
}
