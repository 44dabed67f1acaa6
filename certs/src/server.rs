//! The answering side of a connection: a coordinator's certificate, read again when its files change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{AlertDescription, CertificateError, ServerConfig};

use crate::error::CertsError;
use crate::folder::{CA_FILE, CERT_FILE, Folder, KEY_FILE, provider};
use crate::role::Role;

/// A coordinator's certificate.
#[derive(Debug)]
pub struct Server {
    path: PathBuf,
    now: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    config: Arc<ServerConfig>,
    /// What browsers are answered with: they have no certificates.
    page: Arc<ServerConfig>,
    files: Files,
}

/// When the files were written, and how long they are.
type Files = [Option<(SystemTime, u64)>; 3];

impl Server {
    /// Reads the folder; an error where it cannot be used now. Returns the folder too, for what is to be told of it.
    pub fn open(path: &Path) -> Result<(Self, Folder), CertsError> {
        let files = files(path);
        let folder = Folder::read(path)?;
        folder.check(Role::Coordinator)?;
        let (config, page) = configs(&folder)?;
        let now = Mutex::new(Current { config, page, files });
        Ok((
            Self {
                path: path.to_owned(),
                now,
            },
            folder,
        ))
    }

    /// How the next connection is answered: (by the services, by the page).
    pub fn configs(&self) -> (Arc<ServerConfig>, Arc<ServerConfig>) {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        (Arc::clone(&now.config), Arc::clone(&now.page))
    }

    /// Reads the files again where they have changed; where they cannot be used, the former ones stay in use. It waits for
    /// the disk. None where nothing has changed.
    pub fn look(&self) -> Option<Result<Folder, CertsError>> {
        let files = files(&self.path);
        if files == self.now.lock().unwrap_or_else(PoisonError::into_inner).files {
            return None;
        }
        let read = Folder::read_settled(&self.path).and_then(|folder| {
            folder.check(Role::Coordinator)?;
            Ok((configs(&folder)?, folder))
        });
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        now.files = files;
        Some(read.map(|((config, page), folder)| {
            (now.config, now.page) = (config, page);
            folder
        }))
    }
}

fn files(path: &Path) -> Files {
    [CA_FILE, CERT_FILE, KEY_FILE].map(|name| {
        let metadata = std::fs::metadata(path.join(name)).ok()?;
        Some((metadata.modified().ok()?, metadata.len()))
    })
}

fn configs(folder: &Folder) -> Result<(Arc<ServerConfig>, Arc<ServerConfig>), CertsError> {
    let made = |error: &dyn std::fmt::Display| CertsError::Made(error.to_string());
    // Who has no certificate yet may join; each service asks for what it needs.
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&folder.roots), provider())
        .allow_unauthenticated()
        .build()
        .map_err(|error| made(&error))?;
    let builder = || {
        ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .expect("the primitives have TLS 1.3")
    };
    let key = || Arc::new(SingleCertAndKey::from(Arc::clone(&folder.key)));
    let finish = |mut config: ServerConfig, protocol: &[u8]| {
        config.alpn_protocols = vec![protocol.to_vec()];
        // Each connection shows its certificate anew.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Arc::new(config)
    };
    let services = builder().with_client_cert_verifier(verifier).with_cert_resolver(key());
    let page = builder().with_no_client_auth().with_cert_resolver(key());
    Ok((finish(services, b"h2"), finish(page, b"http/1.1")))
}

/// Why a caller's handshake failed, for the coordinator's log.
pub fn why_refused(error: &std::io::Error) -> String {
    let Some(error) = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>()) else {
        return format!("it broke off ({error})");
    };
    match error {
        rustls::Error::InvalidMessage(_) => "it does not speak TLS".to_owned(),
        rustls::Error::InvalidCertificate(error) => match error {
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "its certificate comes from another lab CA".to_owned()
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired by this machine's clock".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet by this machine's clock: is the clock right?".to_owned()
            }
            other => format!("its certificate: {other}"),
        },
        rustls::Error::AlertReceived(
            AlertDescription::UnknownCA | AlertDescription::BadCertificate | AlertDescription::DecryptError,
        ) => "it does not trust this coordinator's certificate: its ca.crt is of another lab CA".to_owned(),
        rustls::Error::AlertReceived(alert) => format!("it does not accept this coordinator's certificate ({alert:?})"),
        other => other.to_string(),
    }
}
