//! What a certificate says of its holder.

use std::fmt;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use crate::role::{Role, Roles};

/// SHA-256 of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub(crate) [u8; 32]);

impl Fingerprint {
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl Fingerprint {
    /// As it is.
    pub const fn bytes(self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Whom a certificate was issued to, for what, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its holder's name.
    pub name: String,
    /// What it is for.
    pub roles: Roles,
    /// The machine's names and addresses by which it can be reached; only a coordinator has some.
    pub hosts: Vec<String>,
    /// The issuer's name.
    pub issuer: String,
    /// Valid from then on.
    pub not_before: Timestamp,
    /// And until then.
    pub not_after: Timestamp,
    /// Which certificate it is.
    pub fingerprint: Fingerprint,
}

impl Identity {
    /// Reads a certificate; none where it is none.
    pub fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
        let common = |name: &x509_parser::x509::X509Name<'_>| {
            let first = name.iter_common_name().next();
            first.and_then(|name| name.as_str().ok()).map(str::to_owned)
        };
        let mut hosts = Vec::new();
        let mut roles = Vec::new();
        let mut other = None;
        let fingerprint = Fingerprint::of(certificate);
        let names = parsed.subject_alternative_name().ok().flatten();
        for name in names.iter().flat_map(|names| &names.value.general_names) {
            match name {
                GeneralName::DNSName(name) => hosts.push((*name).to_owned()),
                GeneralName::IPAddress(bytes) => hosts.extend(address(bytes)),
                GeneralName::URI(uri) => match Role::from_uri(uri) {
                    Some(role) => roles.push(role),
                    None => other = other.or_else(|| Some((*uri).to_owned())),
                },
                _ => {}
            }
        }
        let time = |time: x509_parser::time::ASN1Time| Timestamp::from_second(time.timestamp()).ok();
        Some(Self {
            // Not every CA gives a common name.
            name: common(parsed.subject())
                .or_else(|| hosts.first().cloned())
                .or(other)
                .unwrap_or_else(|| fingerprint.to_string()[..16].to_owned()),
            roles: roles.into_iter().collect(),
            hosts,
            issuer: common(parsed.issuer()).unwrap_or_else(|| parsed.issuer().to_string()),
            not_before: time(parsed.validity().not_before)?,
            not_after: time(parsed.validity().not_after)?,
            fingerprint,
        })
    }

    /// Days until it ends; negative once it has ended.
    pub fn days_left(&self) -> i64 {
        self.not_after
            .duration_since(Timestamp::now())
            .as_hours()
            .div_euclid(24)
    }
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(std::net::IpAddr::from);
    let v6 = || <[u8; 16]>::try_from(bytes).map(std::net::IpAddr::from);
    v4.or_else(|_| v6()).ok().map(|address| address.to_string())
}

/// A time as people read it, to the minute.
pub fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
