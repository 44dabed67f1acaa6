//! A lab with a CA of its own.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Cluster, Convert, Ended, Outputs, Running, outputs, scratch, write_run};

/// A cluster whose coordinator has a certificate, on a root with the run `run` in it.
pub(crate) struct Sealed {
    pub(crate) cluster: Cluster,
    folder: TempDir,
}

impl Sealed {
    pub(crate) fn new(spec: &RunSpec) -> Self {
        let folder = scratch();
        let root = folder.path().join("root");
        write_run(spec, &root.join("run"));
        let sealed = Self {
            cluster: Cluster::new(&root),
            folder,
        };
        sealed.init("ca");
        sealed.issue("ca", "pc1", &["--role", "coordinator"]);
        sealed
    }

    /// Beside the root.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a lab's CA in this folder.
    pub(crate) fn init(&self, ca: &str) {
        self.certs(ca, "init", &[]).must_succeed();
    }

    /// Calls `certs` for this CA.
    pub(crate) fn certs(&self, ca: &str, action: &str, args: &[&str]) -> Ended {
        let call = Call::of("certs").args([action, "--ca"]);
        call.args([self.path(ca)]).args(args).run()
    }

    /// Issues a certificate and tells where it is.
    pub(crate) fn issue(&self, ca: &str, name: &str, args: &[&str]) -> PathBuf {
        let folder = self.path(ca).join("machines").join(name);
        self.certs(ca, "issue", &[&[name][..], args].concat()).must_succeed();
        folder
    }

    /// A token with which a machine can join.
    pub(crate) fn token(&self, args: &[&str]) -> String {
        let told = self.certs("ca", "join-token", args);
        told.must_succeed();
        told.stdout.trim().to_owned()
    }

    /// The coordinator's own certificate.
    pub(crate) fn of_coordinator(&self) -> PathBuf {
        self.path("ca").join("machines/pc1")
    }

    /// The call that starts the coordinator.
    pub(crate) fn coordinator(&self) -> Call {
        let call = self
            .cluster
            .coordinator()
            .args(["--certs"])
            .args([self.of_coordinator()]);
        call.args(["--ca"]).args([self.path("ca")])
    }

    /// A coordinator that listens.
    pub(crate) fn start_coordinator(&self) -> Running {
        let mut running = self.coordinator().start();
        running.says("listening on");
        running
    }

    /// A worker with this certificate that is connected.
    pub(crate) fn start_worker(&self, name: &str, certs: &Path) -> Running {
        let mut running = self.cluster.worker(name).args(["--certs"]).args([certs]).start();
        running.says("connected to");
        running
    }

    /// A client's call with this certificate.
    pub(crate) fn client(&self, subcommand: &str, certs: &Path) -> Call {
        self.cluster.client(subcommand).args(["--certs"]).args([certs])
    }

    /// What `convert` makes of the run.
    pub(crate) fn reference(&self) -> Outputs {
        let out = self.path("alone");
        Convert::new([self.cluster.root().join("run")], &out)
            .run()
            .must_succeed();
        outputs(&out)
    }

    /// A certificate that `certs issue` would not make, signed by the lab's CA with other code than its own.
    pub(crate) fn odd(&self, name: &str, odd: &Odd<'_>) -> PathBuf {
        let read = |file: &str| fs::read_to_string(self.path("ca").join(file)).unwrap();
        let key = KeyPair::from_pem(&read("ca.key")).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&read("ca.crt"), key).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let now = OffsetDateTime::now_utc();
        params.not_before = now + odd.from;
        params.not_after = now + odd.until;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        if odd.may_serve {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        let role = format!("urn:trc2npy:role:{}", odd.role);
        params.subject_alt_names = vec![SanType::URI(role.try_into().unwrap())];
        for host in odd.hosts {
            let host = match host.parse() {
                Ok(address) => SanType::IpAddress(address),
                Err(_) => SanType::DnsName((*host).try_into().unwrap()),
            };
            params.subject_alt_names.push(host);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let folder = self.path(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("ca.crt"), read("ca.crt")).unwrap();
        fs::write(folder.join("tls.crt"), certificate.pem()).unwrap();
        fs::write(folder.join("tls.key"), key.serialize_pem()).unwrap();
        folder
    }
}

/// What is odd about a certificate. Times are counted from now.
pub(crate) struct Odd<'a> {
    pub(crate) role: &'a str,
    pub(crate) hosts: &'a [&'a str],
    pub(crate) may_serve: bool,
    pub(crate) from: Duration,
    pub(crate) until: Duration,
}

impl Default for Odd<'_> {
    fn default() -> Self {
        Self {
            role: "coordinator",
            hosts: &["127.0.0.1"],
            may_serve: true,
            from: Duration::days(-10),
            until: Duration::days(10),
        }
    }
}
