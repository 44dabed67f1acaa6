//! The coordinator's certificate at work: each new connection is answered with the one that lies in its folder now.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use trc2npy_certs::{CertsError, Folder, Server, day};
use trc2npy_telemetry::Tell;

/// Answers connections that are sealed.
#[derive(Debug)]
pub(crate) struct Guard {
    server: Server,
    tell: Tell,
}

impl Guard {
    /// Reads the certificate's folder.
    pub(crate) fn open(path: &Path, tell: Tell) -> Result<Arc<Self>, CertsError> {
        let (server, folder) = Server::open(path)?;
        tell.info(&format!("certificate: {}", told(&folder)));
        folder.warnings().iter().for_each(|warning| tell.warn(warning));
        Ok(Arc::new(Self { server, tell }))
    }

    /// How the next caller of the services is answered.
    pub(crate) fn services(&self) -> TlsAcceptor {
        self.configs().0
    }

    /// How the next browser is answered.
    pub(crate) fn page(&self) -> TlsAcceptor {
        self.configs().1
    }

    fn configs(&self) -> (TlsAcceptor, TlsAcceptor) {
        let (services, page) = self.server.configs(|read| match read {
            Ok(folder) => self.tell.info(&format!("new certificate: {}", told(folder))),
            Err(error) => self
                .tell
                .warn(&format!("{error}; going on with the former certificate")),
        });
        (services.into(), page.into())
    }
}

fn told(folder: &Folder) -> String {
    let identity = &folder.identity;
    format!(
        "{} ({}), valid until {}",
        identity.name,
        identity.hosts.join(", "),
        day(identity.not_after)
    )
}
