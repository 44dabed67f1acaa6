//! Secrets of the example's certificates, as cert-manager would issue them, in folders as the kubelet mounts secrets: links to
//! links, of which one is replaced when a secret changes.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use serde_json::Value;
use trc2npy_tests::yaml;

use crate::common::{at, read};

/// What cert-manager knows.
pub(crate) struct CertManager {
    certificates: Vec<Value>,
    ca: String,
    issuer: Issuer<'static, KeyPair>,
}

impl CertManager {
    /// With the example's objects; none where they cannot be read, which is said.
    pub(crate) fn new() -> Option<Self> {
        let certificates = yaml(&read(&at("kubernetes/overlays/example/certificates.yaml")))?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "trc2npy lab CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().unwrap();
        let ca = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Some(Self {
            certificates,
            ca,
            issuer,
        })
    }

    /// The three files of a secret.
    fn issue(&self, secret: &str) -> [(&'static str, String); 3] {
        let found = self
            .certificates
            .iter()
            .find(|object| object["spec"]["secretName"] == secret);
        let spec = &found.unwrap_or_else(|| panic!("nothing makes {secret}"))["spec"];
        let texts = |key: &str| {
            let texts = spec[key].as_array().into_iter().flatten();
            texts.map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let mut params = CertificateParams::default();
        let name = spec["commonName"].as_str().unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::ExplicitNoCa;
        for usage in texts("usages") {
            match usage.as_str() {
                "digital signature" => params.key_usages.push(KeyUsagePurpose::DigitalSignature),
                "server auth" => params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth),
                "client auth" => params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth),
                other => panic!("{secret}: {other}"),
            }
        }
        let names = texts("dnsNames")
            .into_iter()
            .map(|name| SanType::DnsName(name.try_into().unwrap()));
        let roles = texts("uris")
            .into_iter()
            .map(|role| SanType::URI(role.try_into().unwrap()));
        let addresses = texts("ipAddresses")
            .into_iter()
            .map(|address| SanType::IpAddress(address.parse().unwrap()));
        params.subject_alt_names = names.chain(roles).chain(addresses).collect();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        [
            ("ca.crt", self.ca.clone()),
            ("tls.crt", certificate),
            ("tls.key", key.serialize_pem()),
        ]
    }

    /// Mounts a secret, or brings what has become of it to where it is mounted.
    pub(crate) fn mount(&self, secret: &str, folder: &Path) -> PathBuf {
        fs::create_dir_all(folder).unwrap();
        let data = folder.join("..data");
        let old = fs::read_link(&data).ok();
        let new = if old.as_deref() == Some(Path::new("..1")) {
            "..2"
        } else {
            "..1"
        };
        fs::create_dir(folder.join(new)).unwrap();
        for (name, text) in self.issue(secret) {
            let file = folder.join(new).join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o440)).unwrap();
        }
        symlink(new, folder.join("..data_tmp")).unwrap();
        fs::rename(folder.join("..data_tmp"), &data).unwrap();
        match old {
            Some(old) => fs::remove_dir_all(folder.join(old)).unwrap(),
            None => {
                for name in ["ca.crt", "tls.crt", "tls.key"] {
                    symlink(Path::new("..data").join(name), folder.join(name)).unwrap();
                }
            }
        }
        folder.to_owned()
    }
}
