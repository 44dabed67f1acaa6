//! Whether a call is answered: the caller speaks this protocol, may do what it asks for, and does not ask too often.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tonic::service::Interceptor;
use tonic::{Request, Status};
use trc2npy_certs::Role;
use trc2npy_proto::Protocol;
use trc2npy_telemetry::Tell;

use super::door::Caller;
use super::rates::{Buckets, Rate};

/// Calls of one caller. Streams count once: a worker's is one.
const CALLS: Rate = Rate {
    at_once: 1000.0,
    a_second: 200.0,
};
/// Sentences about one address.
const SENTENCES: Rate = Rate {
    at_once: 5.0,
    a_second: 1.0 / 60.0,
};

/// Tells of callers that are turned away, each address a few times only: nobody fills the log of others.
#[derive(Clone, Debug)]
pub(crate) struct Complaints {
    of: Arc<Buckets<IpAddr>>,
    /// What was not told, of all.
    untold: Arc<AtomicU64>,
    tell: Tell,
}

impl Complaints {
    pub(crate) fn new(tell: Tell) -> Self {
        let of = Arc::new(Buckets::new(SENTENCES));
        let untold = Arc::default();
        Self { of, untold, tell }
    }

    /// The same about something else, which is counted for itself.
    pub(crate) fn apart(&self) -> Self {
        Self::new(self.tell.clone())
    }

    pub(crate) fn tell(&self, from: IpAddr, why: &str) {
        if !self.of.take(from) {
            self.untold.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let untold = match self.untold.swap(0, Ordering::Relaxed) {
            0 => String::new(),
            untold => format!("; {untold} more were not told"),
        };
        self.tell.warn(&format!("{why} (from {from}{untold})"));
    }
}

/// Lets calls of one service in.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    /// What the caller's certificate must be for; none: nothing, not even a certificate is needed.
    needs: Option<Role>,
    /// Whether the caller must speak our protocol.
    ours: bool,
    calls: Arc<Buckets<Who>>,
    complaints: Complaints,
}

/// A certificate, or an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Who {
    Certificate([u8; 32]),
    Address(IpAddr),
}

impl Pass {
    pub(crate) fn new(complaints: Complaints) -> Self {
        Self {
            needs: None,
            ours: true,
            calls: Arc::new(Buckets::new(CALLS)),
            complaints,
        }
    }

    /// The same for a service that needs this role.
    pub(crate) fn with(&self, needs: Role) -> Self {
        Self {
            needs: Some(needs),
            ..self.clone()
        }
    }

    /// The same for a service that is not ours.
    pub(crate) fn of_others(&self) -> Self {
        Self {
            ours: false,
            ..self.clone()
        }
    }

    fn judge(&self, caller: &Caller, request: &Request<()>) -> Result<(), Status> {
        let from = caller.address.ip().to_canonical();
        let identity = caller.identity.as_deref();
        let who = identity.map_or(Who::Address(from), |identity| {
            Who::Certificate(identity.fingerprint.bytes())
        });
        if !self.calls.take(who) {
            return Err(Status::resource_exhausted(format!(
                "{caller} asks more than {} times a second: ask less often",
                CALLS.a_second
            )));
        }
        if self.ours {
            let checked = Protocol::ours().check(request.metadata());
            checked.map_err(|mismatch| Status::failed_precondition(mismatch.to_string()))?;
        }
        let Some(needs) = self.needs.filter(|_| caller.is_sealed) else {
            return Ok(());
        };
        match identity {
            None => Err(Status::unauthenticated(format!(
                "this needs a certificate for {needs}: see trc2npy certs issue, and --certs"
            ))),
            Some(identity) if !identity.roles.allow(needs) => Err(Status::permission_denied(format!(
                "the certificate of {} is for {}, and this needs one for {needs}: trc2npy certs issue {} {}",
                identity.name,
                identity.roles,
                identity.name,
                identity.roles.with(needs).as_options()
            ))),
            Some(_) => Ok(()),
        }
    }
}

impl Interceptor for Pass {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let Some(caller) = request.extensions().get::<Caller>() else {
            return Err(Status::internal("a connection without a caller"));
        };
        if let Err(status) = self.judge(caller, &request) {
            self.complaints
                .tell(caller.address.ip().to_canonical(), status.message());
            return Err(status);
        }
        Ok(request)
    }
}
