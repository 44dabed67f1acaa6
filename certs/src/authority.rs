//! The lab's authority: a folder with its certificate, its key, and what it has issued.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use time::OffsetDateTime;
use trc2npy_common::fs::{StorageError, write_file};
use trc2npy_common::roots::is_file_name;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::error::CertsError;
use crate::folder::{CA_FILE, CERT_FILE, Folder, KEY_FILE, certificates, provider};
use crate::identity::{Fingerprint, Identity, day};
use crate::private;
use crate::role::{Role, Roles};
use crate::token::{self, JoinToken, Record, TOKEN_LIFE};

/// The authority's private key: who has it, can be everyone.
const CA_KEY: &str = "ca.key";
/// One line for each certificate that was issued.
const ISSUED: &str = "issued.jsonl";
/// Below it the folders to be copied to the machines.
const MACHINES: &str = "machines";
const TOKENS: &str = "tokens";

/// A machine's certificate ends after this many days, unless told otherwise.
pub const DEFAULT_DAYS: u32 = 730;
/// The authority itself.
const CA_DAYS: u32 = 3650;
/// Certificates are valid from a day before: lab machines' clocks differ.
const CLOCKS_DIFFER: time::Duration = time::Duration::days(1);

/// A certificate that is asked for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its holder.
    pub name: String,
    /// What for.
    pub roles: Roles,
    /// Names and addresses under which others reach the holder. One without a coordinator's role has none.
    pub hosts: Vec<String>,
    /// How long it is to be valid.
    pub days: u32,
}

/// A certificate that was issued.
#[derive(Debug)]
pub struct Issued {
    /// Whose it is.
    pub identity: Identity,
    /// The folder that the machine needs.
    pub folder: PathBuf,
    /// Whether the folder held one before.
    pub is_renewed: bool,
}

/// Who issues a lab's certificates.
#[derive(Debug)]
pub struct Authority {
    path: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    /// The certificate, as machines get it.
    pem: String,
    /// Which it is.
    pub fingerprint: Fingerprint,
    not_after: OffsetDateTime,
}

impl Authority {
    /// Makes a new one. `lab`: its name in certificates.
    pub fn create(path: &Path, lab: &str) -> Result<Self, CertsError> {
        if is_whole(path)? {
            return Err(CertsError::CaExists(path.to_owned()));
        }
        if path.join(CERT_FILE).exists() {
            return Err(CertsError::Holds {
                path: path.to_owned(),
                holds: "a machine's certificate".to_owned(),
            });
        }
        private::make_folder(path).map_err(|error| StorageError::new("create", path, error))?;
        let key = KeyPair::generate()?;
        let mut params = params(lab, CA_DAYS, None)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        // The key first: without it the certificate would be of no use, and the next call would refuse.
        private::write(&path.join(CA_KEY), &key.serialize_pem())?;
        write_file(&path.join(CA_FILE), certificate.pem().as_bytes())?;
        Self::open(path)
    }

    /// Opens one that was made.
    pub fn open(path: &Path) -> Result<Self, CertsError> {
        let (key_path, cert_path) = (path.join(CA_KEY), path.join(CA_FILE));
        if !is_whole(path)? {
            return Err(CertsError::NoCa(path.to_owned()));
        }
        let key = fs::read_to_string(&key_path).map_err(CertsError::read(&key_path))?;
        let key = KeyPair::from_pem(&key).map_err(|error| CertsError::Content {
            path: key_path,
            expected: "a private key",
            found: error.to_string(),
        })?;
        let pem = fs::read_to_string(&cert_path).map_err(CertsError::read(&cert_path))?;
        let certificate = certificates(&cert_path)?.swap_remove(0);
        let content = |found: String| CertsError::Content {
            path: cert_path.clone(),
            expected: "a lab CA's certificate",
            found,
        };
        let identity = Identity::of(&certificate).ok_or_else(|| content("one without a name".to_owned()))?;
        if identity.days_left() < 0 {
            return Err(CertsError::Expired {
                path: cert_path,
                name: identity.name,
                since: day(identity.not_after),
                now: day(Timestamp::now()),
            });
        }
        if let Some(why) = unfit(&certificate, &key) {
            return Err(CertsError::NotCa {
                path: path.to_owned(),
                why,
            });
        }
        let not_after = OffsetDateTime::from_unix_timestamp(identity.not_after.as_second());
        let issuer = Issuer::from_ca_cert_der(&certificate, key).map_err(|error| content(error.to_string()))?;
        Ok(Self {
            path: path.to_owned(),
            issuer,
            pem,
            fingerprint: Fingerprint::of(&certificate),
            not_after: not_after.map_err(|error| content(error.to_string()))?,
        })
    }

    /// What its owner should know: whether others can read its key.
    pub fn warning(&self) -> Option<String> {
        let key = self.path.join(CA_KEY);
        let warning = || {
            format!(
                "{}: others on this machine can read this private key, and with it issue certificates: chmod 600 it",
                key.display()
            )
        };
        private::is_open_to_others(&key).then(warning)
    }

    /// Where the folder of a machine is written unless another one is named.
    pub fn folder_of(&self, name: &str) -> PathBuf {
        self.path.join(MACHINES).join(name)
    }

    /// Issues a certificate and writes the folder that its machine needs: `out`, or one below the authority's.
    pub fn issue(&self, asked: &Asked, out: Option<&Path>) -> Result<Issued, CertsError> {
        let params = self.params(asked)?;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let folder = out.map_or_else(|| self.folder_of(&asked.name), Path::to_owned);
        let before = holds(&folder)?;
        if let Some(other) = before.as_ref().filter(|before| before.name != asked.name) {
            return Err(CertsError::Holds {
                path: folder,
                holds: format!("the certificate of {}", other.name),
            });
        }
        let is_renewed = before.is_some();
        let identity = self.note(certificate.der(), "issue")?;
        install(&folder, &self.pem, &certificate.pem(), &key.serialize_pem())?;
        Ok(Issued {
            identity,
            folder,
            is_renewed,
        })
    }

    /// Makes a token with which one machine can fetch its certificate. `name`: whose, where that is known already.
    pub fn token(&self, roles: Roles, name: Option<String>) -> Result<JoinToken, CertsError> {
        if let Some(name) = &name {
            check_name(name)?;
        }
        let token = JoinToken::new(self.fingerprint)?;
        let life = i64::try_from(TOKEN_LIFE.as_millis()).expect("a quarter of an hour");
        let until_ms = Timestamp::now().as_millisecond() + life;
        token::remember(&self.path.join(TOKENS), &token, &Record { name, roles, until_ms })?;
        Ok(token)
    }

    /// Issues the certificate that a machine asks for with a token. `request`: see [`KeyRequest`].
    ///
    /// Returns what it needs: its own certificate and the authority's, both as PEM.
    pub fn join(
        &self,
        token: &JoinToken,
        name: &str,
        request: &[u8],
    ) -> Result<(String, String, Identity), CertsError> {
        check_name(name)?;
        // Only its key counts, and that it has signed with it: what it may do stands in the token.
        let bad = |error: rcgen::Error| CertsError::Request(error.to_string());
        let mut request = CertificateSigningRequestParams::from_der(&request.into()).map_err(bad)?;
        let claim = token::take(&self.path.join(TOKENS), token, name)?;
        match self.join_with(&claim.record, name, &mut request) {
            Ok(joined) => Ok(joined),
            Err(error) => {
                // Who came with it comes again once that is mended.
                claim.give_back();
                Err(error)
            }
        }
    }

    fn join_with(
        &self,
        record: &Record,
        name: &str,
        request: &mut CertificateSigningRequestParams,
    ) -> Result<(String, String, Identity), CertsError> {
        // A token for whoever comes is no way to become somebody else.
        if record.name.is_none() && self.has_issued_to(name) {
            return Err(CertsError::NameTaken(name.to_owned()));
        }
        request.params = self.params(&Asked {
            name: name.to_owned(),
            roles: record.roles.clone(),
            hosts: Vec::new(),
            days: DEFAULT_DAYS,
        })?;
        let certificate = request.signed_by(&self.issuer)?;
        let identity = self.note(certificate.der(), "join")?;
        Ok((certificate.pem(), self.pem.clone(), identity))
    }

    fn has_issued_to(&self, name: &str) -> bool {
        let issued = fs::read_to_string(self.path.join(ISSUED)).unwrap_or_default();
        issued.lines().any(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            line["name"]
                .as_str()
                .is_some_and(|known| known.eq_ignore_ascii_case(name))
        })
    }

    fn params(&self, asked: &Asked) -> Result<CertificateParams, CertsError> {
        check_name(&asked.name)?;
        let mut params = params(&asked.name, asked.days, Some(self.not_after))?;
        let mut names = Vec::new();
        for host in &asked.hosts {
            let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
            names.push(match host.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) if is_host(&host) => SanType::DnsName(host.to_ascii_lowercase().try_into()?),
                Err(_) => return Err(CertsError::Host(host.clone())),
            });
        }
        for role in asked.roles.iter() {
            names.push(SanType::URI(role.uri().try_into()?));
        }
        params.subject_alt_names = names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        // Without it nobody can pretend to lead.
        if asked.roles.allow(Role::Coordinator) {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }

    /// Writes down what is issued, before it is given away.
    fn note(&self, certificate: &CertificateDer<'_>, by: &str) -> Result<Identity, CertsError> {
        let identity =
            Identity::of(certificate).ok_or_else(|| CertsError::Made("it could not be read again".to_owned()))?;
        let line = json!({
            "time": day(Timestamp::now()),
            "by": by,
            "name": identity.name,
            "roles": identity.roles,
            "hosts": identity.hosts,
            "until": day(identity.not_after),
            "fingerprint": identity.fingerprint.to_string(),
        });
        let path = self.path.join(ISSUED);
        let file = fs::OpenOptions::new().append(true).create(true).open(&path);
        let written = file.and_then(|mut file| {
            file.write_all(format!("{line}\n").as_bytes())?;
            file.sync_data()
        });
        written.map_err(|error| StorageError::new("write", &path, error))?;
        Ok(identity)
    }
}

fn params(name: &str, days: u32, until: Option<OffsetDateTime>) -> Result<CertificateParams, CertsError> {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    let now = OffsetDateTime::now_utc();
    params.not_before = now - CLOCKS_DIFFER;
    params.not_after = now + time::Duration::days(days.into());
    if let Some(until) = until {
        params.not_after = params.not_after.min(until);
    }
    let mut serial = [0; 16];
    let filled = provider().secure_random.fill(&mut serial);
    filled.map_err(|_| CertsError::Made("the system gives no random numbers".to_owned()))?;
    // A serial number is positive.
    serial[0] &= 0x7f;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn check_name(name: &str) -> Result<(), CertsError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if first && name.len() <= 64 && name.chars().all(plain) && is_file_name(name) {
        Ok(())
    } else {
        Err(CertsError::Name(name.to_owned()))
    }
}

/// Whether it is a machine's name as it stands in certificates.
fn is_host(host: &str) -> bool {
    rustls::pki_types::DnsName::try_from(host).is_ok()
}

/// Whether a folder holds both files of an authority; an error where it holds one of them.
fn is_whole(path: &Path) -> Result<bool, CertsError> {
    let half = |missing| CertsError::HalfCa {
        path: path.to_owned(),
        missing,
    };
    match (path.join(CA_KEY).exists(), path.join(CA_FILE).exists()) {
        (true, true) => Ok(true),
        (false, false) => Ok(false),
        (true, false) => Err(half(CA_FILE)),
        // A machine's folder has its authority's certificate, and never the key.
        (false, true) if path.join(CERT_FILE).exists() => Ok(false),
        (false, true) => Err(half(CA_KEY)),
    }
}

/// Why a certificate and a key are no authority.
fn unfit(certificate: &CertificateDer<'_>, key: &KeyPair) -> Option<&'static str> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else {
        return Some("its certificate cannot be read");
    };
    if parsed.public_key().raw != key.subject_public_key_info() {
        return Some("ca.key is not the key of ca.crt; copy both from the same folder");
    }
    let may_issue = parsed
        .basic_constraints()
        .ok()
        .flatten()
        .is_some_and(|basic| basic.value.ca);
    (!may_issue).then_some("its certificate is a machine's, which may not issue others")
}

/// Whose certificate a folder holds. An error where it is an authority's.
fn holds(folder: &Path) -> Result<Option<Identity>, CertsError> {
    if folder.join(CA_KEY).exists() {
        return Err(CertsError::Holds {
            path: folder.to_owned(),
            holds: "a lab CA".to_owned(),
        });
    }
    // What cannot be read is of no use to anybody.
    let held = certificates(&folder.join(CERT_FILE)).ok();
    Ok(held.and_then(|held| Identity::of(held.first()?)))
}

/// Writes a machine's folder. The key last but one: until the certificate is there too, the former pair is not replaced.
fn install(folder: &Path, ca: &str, certificate: &str, key: &str) -> Result<(), CertsError> {
    private::make_folder(folder).map_err(|error| StorageError::new("create", folder, error))?;
    write_file(&folder.join(CA_FILE), ca.as_bytes())?;
    private::write(&folder.join(KEY_FILE), key)?;
    write_file(&folder.join(CERT_FILE), certificate.as_bytes())?;
    Ok(())
}

/// Whether a folder holds a certificate that works now and is of the lab that made the token.
pub fn is_of_use(folder: &Path, token: &JoinToken) -> bool {
    Folder::read_settled(folder).is_ok_and(|held| {
        held.identity.days_left() >= 0 && held.authorities.iter().any(|authority| token.is_of(*authority))
    })
}

/// A machine that asks for its certificate: its key never leaves it.
#[derive(Debug)]
pub struct KeyRequest {
    key: KeyPair,
    token: JoinToken,
    /// The request to send (PKCS #10, DER).
    pub request: Vec<u8>,
}

impl KeyRequest {
    /// Makes a key and asks for a certificate of it, which is to be written into `folder`. An error where that could not be
    /// done, or where something else would be lost: the token is used up by then.
    pub fn new(name: &str, folder: &Path, token: &JoinToken) -> Result<Self, CertsError> {
        check_name(name)?;
        if let Some(held) = holds(folder)?
            && is_of_use(folder, token)
        {
            return Err(CertsError::Holds {
                path: folder.to_owned(),
                holds: format!("the certificate of {} ({})", held.name, held.roles),
            });
        }
        private::make_folder(folder).map_err(|error| StorageError::new("create", folder, error))?;
        let trial = folder.join("trial");
        private::write(&trial, "")?;
        trc2npy_common::fs::remove_file(&trial)?;
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        let mut subject = DistinguishedName::new();
        subject.push(DnType::CommonName, name);
        params.distinguished_name = subject;
        let request = params.serialize_request(&key)?.der().to_vec();
        Ok(Self {
            key,
            request,
            token: token.clone(),
        })
    }

    /// Writes the machine's folder from what the authority has answered.
    pub fn install(&self, folder: &Path, certificate: &str, ca: &str) -> Result<Folder, CertsError> {
        let made = CertificateDer::from_pem_slice(ca.as_bytes());
        if !made.is_ok_and(|made| self.token.is_of(Fingerprint::of(&made))) {
            return Err(CertsError::Made(
                "the coordinator has answered with another CA than the token's".to_owned(),
            ));
        }
        install(folder, ca, certificate, &self.key.serialize_pem())?;
        Folder::read(folder)
    }
}
