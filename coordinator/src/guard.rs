//! The coordinator's certificate at work: each new connection is answered with the one that lies in its folder now.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;
use trc2npy_certs::{Authority, CertsError, Fingerprint, Folder, Server, day};
use trc2npy_telemetry::Tell;

/// How often the certificate's files are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Answers connections that are sealed.
#[derive(Debug)]
pub(crate) struct Guard {
    server: Server,
    /// Whom callers' certificates must come from.
    authorities: watch::Sender<Vec<Fingerprint>>,
    tell: Tell,
}

impl Guard {
    /// Reads the certificate's folder, and looks whether the lab's authority, where there is one, is the same.
    pub(crate) fn open(path: &Path, authority: Option<&Path>, tell: Tell) -> Result<Arc<Self>, CertsError> {
        let (server, folder) = Server::open(path)?;
        if let Some(path) = authority {
            let authority = Authority::open(path)?;
            if !folder.authorities.contains(&authority.fingerprint) {
                return Err(CertsError::OtherAuthority(path.to_owned()));
            }
            if let Some(warning) = authority.warning() {
                tell.warn(&warning);
            }
        }
        tell.info(&format!("certificate: {}", told(&folder)));
        for warning in folder.warnings() {
            tell.warn(&warning);
        }
        Ok(Arc::new(Self {
            server,
            authorities: watch::Sender::new(folder.authorities),
            tell,
        }))
    }

    /// How the next caller of the services is answered.
    pub(crate) fn services(&self) -> TlsAcceptor {
        self.server.configs().0.into()
    }

    /// How the next browser is answered.
    pub(crate) fn page(&self) -> TlsAcceptor {
        self.server.configs().1.into()
    }

    /// Returns once other authorities count than when it was called: who was let in before must come again.
    pub(crate) fn changed(&self) -> impl Future<Output = ()> + use<> {
        let mut authorities = self.authorities.subscribe();
        async move {
            // It is told of changes, or that the coordinator ends.
            let _ = authorities.changed().await;
        }
    }

    /// Looks for new files, as long as the server runs. Disks are waited for elsewhere.
    pub(crate) async fn watch(self: Arc<Self>) {
        loop {
            sleep(LOOK).await;
            let guard = Arc::clone(&self);
            let Ok(looked) = spawn_blocking(move || guard.server.look()).await else {
                continue;
            };
            match looked {
                None => {}
                Some(Ok(folder)) => {
                    self.tell.info(&format!("new certificate: {}", told(&folder)));
                    self.authorities.send_if_modified(|known| {
                        let is_new = *known != folder.authorities;
                        if is_new {
                            self.tell
                                .info("another lab CA counts now: whoever is connected must show a certificate of it");
                            known.clone_from(&folder.authorities);
                        }
                        is_new
                    });
                }
                Some(Err(error)) => self
                    .tell
                    .warn(&format!("{error}; going on with the former certificate")),
            }
        }
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
