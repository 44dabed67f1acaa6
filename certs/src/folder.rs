//! A machine's certificate: a folder with the authority's certificate, its own, and its key.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::pki_types::pem::{Error as PemError, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, InconsistentKeys, RootCertStore};

use crate::error::CertsError;
use crate::identity::{Fingerprint, Identity, day};
use crate::private;
use crate::role::Role;

/// The certificate of the lab's authority: whom to trust.
pub const CA_FILE: &str = "ca.crt";
/// The machine's own certificate; others of its chain may follow.
pub const CERT_FILE: &str = "tls.crt";
/// Its private key.
pub const KEY_FILE: &str = "tls.key";

/// No file of a certificate is longer.
const LONGEST: u64 = 1 << 20;
/// While a certificate is renewed, its files are replaced one after the other.
const RENEWAL: Duration = Duration::from_millis(100);

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
    /// The authorities that it trusts.
    pub authorities: Vec<Fingerprint>,
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
        let authorities = ca.iter().map(Fingerprint::of).collect();
        let chain = own.into_iter().chain(ca).collect();
        let key = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => CertsError::OtherKey {
                key: file(KEY_FILE),
                cert: file(CERT_FILE),
            },
            other => CertsError::Content {
                path: file(KEY_FILE),
                expected: "a private key (ECDSA P-256 or P-384, Ed25519, or RSA)",
                found: format!("another one ({other})"),
            },
        })?;
        Ok(Self {
            path: path.to_owned(),
            identity,
            roots,
            key: Arc::new(key),
            authorities,
        })
    }

    /// The same, where a moment later another certificate may lie there.
    pub fn read_settled(path: &Path) -> Result<Self, CertsError> {
        for _ in 0..3 {
            match Self::read(path) {
                Err(CertsError::OtherKey { .. } | CertsError::OtherCa { .. }) => thread::sleep(RENEWAL),
                other => return other,
            }
        }
        Self::read(path)
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
            let (since, now) = (day(self.identity.not_after), day(now));
            return Err(CertsError::Expired { path, name, since, now });
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
        self.others_accept(role)
            .map_err(|why| CertsError::Unusable { path, name, role, why })
    }

    /// Whether who is connected to can accept it.
    fn others_accept(&self, role: Role) -> Result<(), String> {
        let told = |error: rustls::Error| match error {
            rustls::Error::InvalidCertificate(
                CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. },
            ) => "it lacks the purpose (extended key usage) that this needs".to_owned(),
            other => other.to_string(),
        };
        let chain = &self.key.cert;
        let (own, rest) = (&chain[0], &chain[1..]);
        let as_client = WebPkiClientVerifier::builder_with_provider(Arc::clone(&self.roots), provider()).build();
        let as_client = as_client.map_err(|error| error.to_string())?;
        // A coordinator is connected to, and its owner submits with the same certificate.
        as_client.verify_client_cert(own, rest, UnixTime::now()).map_err(told)?;
        if role != Role::Coordinator {
            return Ok(());
        }
        let host = self
            .identity
            .hosts
            .first()
            .ok_or("it has no host's name or address in it")?;
        let host = ServerName::try_from(host.trim_start_matches("*.").to_owned()).map_err(|error| error.to_string())?;
        let as_server = WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.roots), provider()).build();
        let as_server = as_server.map_err(|error| error.to_string())?;
        match as_server.verify_server_cert(own, rest, &host, &[], UnixTime::now()) {
            // One with a wildcard is for names below this one.
            Ok(_)
            | Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(()),
            Err(error) => Err(told(error)),
        }
    }

    /// What its owner should know although it can be used: that it ends soon, or that its key lies open.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let left = self.identity.days_left();
        if (0..SOON).contains(&left) {
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
    let text = read(path)?;
    let content = |found: String| CertsError::Content {
        path: path.to_owned(),
        expected: "a certificate",
        found,
    };
    let all: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .map_err(|error| content(found(&error, &text)))?;
    if all.is_empty() {
        return Err(content(format!("{} bytes of something else", text.len())));
    }
    Ok(all)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, CertsError> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| CertsError::Content {
        path: path.to_owned(),
        expected: "a private key",
        found: found(&error, &text),
    })
}

/// A file's bytes, without the mark that some editors put in front.
fn read(path: &Path) -> Result<Vec<u8>, CertsError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes));
    let read = read.and_then(|length| {
        if length as u64 > LONGEST {
            return Err(io::Error::other("it is longer than any certificate"));
        }
        Ok(())
    });
    read.map_err(CertsError::read(path))?;
    Ok(bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes))
}

/// What a file holds that should have been read.
fn found(error: &PemError, text: &[u8]) -> String {
    let is_encrypted = text.windows(9).any(|word| word == b"ENCRYPTED");
    match error {
        PemError::NoItemsFound if is_encrypted => {
            "an encrypted one: nobody is there to type its password; decrypt it (openssl pkey -in OLD -out tls.key)"
                .to_owned()
        }
        PemError::NoItemsFound => format!("{} bytes of something else", text.len()),
        PemError::MissingSectionEnd { .. } => "one that is cut off".to_owned(),
        other => format!("a damaged one ({other})"),
    }
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
