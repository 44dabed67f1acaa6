//! The calling side of a connection: whom it trusts, and what it says when it cannot.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::error::CertsError;
use crate::folder::{Folder, provider};
use crate::identity::{Fingerprint, Identity, day};
use crate::role::Role;
use crate::token::JoinToken;

const HTTP2: &[u8] = b"h2";

/// Shows a machine's certificate, and trusts coordinators of the same lab.
#[derive(Clone, Debug)]
pub struct Client {
    /// How it connects.
    pub config: Arc<ClientConfig>,
}

impl Client {
    /// Reads the folder; an error where it cannot be used now, for this.
    pub fn open(path: &Path, role: Role) -> Result<Self, CertsError> {
        let folder = Folder::read_settled(path)?;
        folder.check(role)?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(&folder.roots), provider())
            .build()
            .map_err(|error| CertsError::Made(error.to_string()))?;
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .expect("the primitives have TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Coordinators::new(Trusted::Roots(verifier))))
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(&folder.key))));
        Ok(Self { config: finish(config) })
    }

    /// Has no certificate yet, and trusts whom the token trusts.
    pub fn joining(token: &JoinToken) -> Self {
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])
            .expect("the primitives have TLS 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Coordinators::new(Trusted::Token(token.clone()))))
            .with_no_client_auth();
        Self { config: finish(config) }
    }
}

fn finish(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![HTTP2.to_vec()];
    // Each connection shows its certificate anew.
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

/// Whose word counts.
#[derive(Debug)]
enum Trusted {
    /// These authorities'.
    Roots(Arc<WebPkiServerVerifier>),
    /// The one's whose fingerprint a token carries: the other side sends it along.
    Token(JoinToken),
}

/// Trusts coordinators: certificates that authorities have issued for this role. Another server of theirs is none.
#[derive(Debug)]
struct Coordinators {
    trusted: Trusted,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Coordinators {
    fn new(trusted: Trusted) -> Self {
        Self {
            trusted,
            algorithms: provider().signature_verification_algorithms,
        }
    }
}

fn by_token(token: &JoinToken, sent: &[CertificateDer<'_>]) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
    let authority = sent
        .iter()
        .find(|certificate| token.is_of(Fingerprint::of(certificate)))
        .ok_or(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone().into_owned())?;
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))
}

impl ServerCertVerifier for Coordinators {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verifier = match &self.trusted {
            Trusted::Roots(verifier) => Arc::clone(verifier),
            Trusted::Token(token) => by_token(token, intermediates)?,
        };
        let known = verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        let leads = Identity::of(end_entity).is_some_and(|identity| identity.roles.allow(Role::Coordinator));
        if leads {
            Ok(known)
        } else {
            Err(rustls::Error::InvalidCertificate(CertificateError::InvalidPurpose))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Why two machines do not trust each other, as the calling one sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The coordinator speaks openly.
    Open,
    /// Its certificate is of another authority.
    OtherCa,
    /// Its certificate has expired.
    Expired(String),
    /// Its certificate is not valid yet.
    NotYet(String),
    /// Its certificate is for other names than the one it was called by.
    OtherName(Vec<String>),
    /// Its certificate is not a coordinator's.
    NoCoordinator,
    /// The coordinator does not accept the caller's certificate.
    Refused(AlertDescription),
    /// Something else.
    Other(String),
}

impl Trouble {
    /// Reads an error of a connection; none where certificates have nothing to do with it.
    pub fn of(error: &std::io::Error) -> Option<Self> {
        let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        Some(match error {
            rustls::Error::InvalidMessage(_) => Self::Open,
            rustls::Error::AlertReceived(alert) => Self::Refused(*alert),
            rustls::Error::InvalidCertificate(error) => match error {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => Self::OtherCa,
                CertificateError::ExpiredContext { not_after, .. } => Self::Expired(when(*not_after)),
                CertificateError::NotValidYetContext { not_before, .. } => Self::NotYet(when(*not_before)),
                CertificateError::NotValidForNameContext { presented, .. } => Self::OtherName(presented.clone()),
                CertificateError::NotValidForName => Self::OtherName(Vec::new()),
                CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                    Self::NoCoordinator
                }
                other => Self::Other(other.to_string()),
            },
            other => Self::Other(other.to_string()),
        })
    }
}

fn when(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| "?".to_owned(), day)
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = || day(jiff::Timestamp::now());
        match self {
            Self::Open => f.write_str(
                "it speaks without certificates: start it with --certs (or speak openly, without --certs, and with --insecure \
                 where it is another machine)",
            ),
            Self::OtherCa => f.write_str(
                "its certificate comes from another lab CA than the one that is trusted here: is it the right coordinator, \
                 and the newest ca.crt?",
            ),
            Self::Expired(since) => write!(
                f,
                "its certificate has expired on {since} (this machine's clock says {}): issue a new one for the coordinator, \
                 it is taken without a restart",
                now()
            ),
            Self::NotYet(from) => write!(
                f,
                "its certificate is valid from {from} on, and this machine's clock says {}: is the clock right?",
                now()
            ),
            Self::OtherName(names) if names.is_empty() => {
                f.write_str("its certificate is for another name: issue one with --host for this address")
            }
            Self::OtherName(names) => write!(
                f,
                "its certificate is for {}: use one of these names, or issue one with --host for this address",
                shown(names)
            ),
            Self::NoCoordinator => f.write_str(
                "its certificate is not a coordinator's: issue it one with trc2npy certs issue --role coordinator",
            ),
            Self::Refused(AlertDescription::CertificateExpired) => f.write_str(
                "it says that this machine's certificate has expired or is not valid yet: are the clocks of both machines right?",
            ),
            Self::Refused(
                AlertDescription::UnknownCA | AlertDescription::DecryptError | AlertDescription::BadCertificate,
            ) => f.write_str(
                "it does not accept this machine's certificate: it comes from another lab CA than the coordinator's",
            ),
            Self::Refused(alert) => write!(f, "it does not accept this machine's certificate ({alert:?})"),
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// The hosts among the names: roles stand there, too.
fn shown(names: &[String]) -> String {
    let hosts = names
        .iter()
        .map(|name| plain(name))
        .filter(|name| Role::from_uri(name).is_none());
    hosts.collect::<Vec<_>>().join(", ")
}

/// `DnsName("pc1")`, as rustls writes it, as people write it.
fn plain(name: &str) -> String {
    name.split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'))
        .map_or_else(|| name.to_owned(), |inner| inner.trim_matches('"').to_owned())
}
