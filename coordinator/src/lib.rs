//! The coordinator: takes submits, leases rows to workers, puts their shards together.
//!
//! [`owner`] has the pure core (`trc2npy-coordinator-core`) and is the one place where its state changes. Around it:
//! [`server`] (gRPC), [`planner`] (submits), [`recorder`] and [`journal`] (what survives a restart), [`stitcher`] (the
//! arrays of one job). [`http`] shows all of it, and changes nothing.

mod audit;
mod callers;
mod clock;
mod guard;
mod http;
mod job;
pub mod journal;
mod owner;
mod planner;
mod recorder;
mod scout;
mod server;
mod spec;
mod stitcher;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use prometheus::proto::MetricFamily;
use tokio::sync::oneshot;
use trc2npy_certs::CertsError;
use trc2npy_common::roots::Roots;
use trc2npy_common::units::counted;
use trc2npy_coordinator_core::JobId;
use trc2npy_telemetry::{Spans, Tell};

use audit::Audit;
use guard::Guard;
use http::Served;
use http::snapshot::Chronicle;
pub use http::{BadToken, HttpConfig, Token};
use journal::{JobRecord, Journal, JournalError};
use owner::{Inbox, Message, Owner, TRY_AGAIN};
use planner::Planner;
use server::Services;

/// What a coordinator needs to know.
pub struct CoordinatorConfig {
    /// Where it listens.
    pub listen: Vec<SocketAddr>,
    /// Where it finds the roots.
    pub roots: Roots,
    /// The folder of its state, on its own disk.
    pub state: PathBuf,
    /// Shards of one job that are copied side by side.
    pub stitch_threads: usize,
    /// Where spans of its jobs go.
    pub spans: Spans,
    /// Its certificate's folder; none: everything is said openly, and everyone is believed.
    pub certs: Option<PathBuf>,
    /// The folder of the lab's authority, where it may issue certificates to whoever has a join token.
    pub authority: Option<PathBuf>,
    /// How its status page is served; none: not at all.
    pub http: Option<HttpConfig>,
    /// Told, in sentences for people, what happens.
    pub tell: Tell,
}

/// Why a coordinator cannot start, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    /// Its state cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Its certificate, or the lab's authority, cannot be used.
    #[error(transparent)]
    Certs(#[from] CertsError),
    /// It cannot listen.
    #[error("{address}: {}", told(*address, source))]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Its status page cannot be served.
    #[error("{address}: {}", told_of_page(*address, source))]
    Page {
        /// Where.
        address: SocketAddr,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The machine cannot run it.
    #[error("this machine cannot start the coordinator: {0}")]
    Machine(#[from] std::io::Error),
    /// The server ended by itself.
    #[error("the server has ended: {0}")]
    Server(#[from] tonic::transport::Error),
}

fn told(address: SocketAddr, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "port {} is in use: another coordinator may be running; stop it, or choose another port (--listen)",
            address.port()
        ),
        std::io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; --listen 0.0.0.0 listens on all of its own".to_owned()
        }
        _ => error.to_string(),
    }
}

fn told_of_page(address: SocketAddr, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => format!(
            "port {} is in use: choose another one for the status page (--http)",
            address.port()
        ),
        std::io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address for the status page (--http)".to_owned()
        }
        _ => error.to_string(),
    }
}

/// A coordinator at work.
pub struct Coordinator {
    addresses: Vec<SocketAddr>,
    pages: Vec<SocketAddr>,
    _page: Option<Served>,
    inbox: Inbox,
    owner: JoinHandle<Result<(), JournalError>>,
    server: JoinHandle<Result<(), CoordinatorError>>,
    stop_server: oneshot::Sender<()>,
}

impl Coordinator {
    /// Opens the state, goes on with its jobs, and listens. Returns once workers and clients can come.
    pub fn start(config: CoordinatorConfig) -> Result<Self, CoordinatorError> {
        let CoordinatorConfig {
            listen,
            roots,
            state,
            stitch_threads,
            spans,
            certs,
            authority,
            http,
            tell,
        } = config;
        trc2npy_common::resources::allow_many_files();
        // One thread is enough: the server only passes messages on.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let guard = certs.map(|path| Guard::open(&path, authority.as_deref(), tell.clone()));
        let guard = guard.transpose()?;
        // First of all, so that a port in use changes nothing in the state.
        let listeners = runtime
            .block_on(server::bind(&listen))
            .map_err(|(address, source)| CoordinatorError::Listen { address, source })?;
        let addresses = listeners
            .iter()
            .map(tokio::net::TcpListener::local_addr)
            .collect::<Result<_, _>>()?;
        let page = http.as_ref().map(http::bind).transpose();
        let page = page.map_err(|(address, source)| CoordinatorError::Page { address, source })?;
        let pages = page.as_ref().map_or_else(Vec::new, |page| page.addresses.clone());
        let chronicle = Chronicle::default();
        let tell = if page.is_some() { chronicle.listen(tell) } else { tell };
        let journal = Arc::new(Journal::open(&state)?);
        let audit = Arc::new(Audit::open(&state, tell.clone())?);
        let (inbox, messages) = Inbox::new();
        let planner = Planner {
            journal: Arc::clone(&journal),
            roots: roots.clone(),
            inbox: inbox.clone(),
            stitch_threads,
            spans: spans.clone(),
        };
        let restored = restore(&planner, &tell)?;
        let (submits, submitted) = mpsc::channel();
        let (tries, waiting) = mpsc::channel();
        let names = roots.iter().map(|(name, _)| name.to_string()).collect();
        let owner = Owner::new(journal, inbox.clone(), tries, names, restored, (spans, tell.clone()))?;
        let owner = thread::Builder::new()
            .name("owner".to_owned())
            .spawn(move || owner.run(&messages))?;
        let planner = Arc::new(planner);
        let again = Arc::clone(&planner);
        thread::Builder::new()
            .name("waiting".to_owned())
            .spawn(move || again.try_again(&waiting))?;
        thread::Builder::new()
            .name("planner".to_owned())
            .spawn(move || planner.work(&submitted))?;
        let services = Services {
            inbox: inbox.clone(),
            planner: submits,
            tell,
            audit,
            guard: guard.clone(),
            authority,
        };
        let watched = page
            .map(|page| page.serve(inbox.clone(), chronicle, roots, guard))
            .transpose()?;
        let (stop_server, stopped) = oneshot::channel();
        let server = thread::Builder::new().name("server".to_owned()).spawn(move || {
            let served = runtime.block_on(server::serve(listeners, services, stopped));
            runtime.shutdown_background();
            served.map_err(CoordinatorError::from)
        })?;
        Ok(Self {
            addresses,
            pages,
            _page: watched,
            inbox,
            owner,
            server,
            stop_server,
        })
    }

    /// Where it listens; a port that was asked as 0 is known here.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where its status page is; empty where it has none.
    pub fn pages(&self) -> &[SocketAddr] {
        &self.pages
    }

    /// What it counts and measures, whenever it is asked, from any thread; nothing once it has ended.
    pub fn metrics(&self) -> impl Fn() -> Vec<MetricFamily> + Send + use<> {
        let inbox = self.inbox.clone();
        move || {
            let looked = inbox.ask_and_wait(|owner| (owner.status(), owner.gauges()));
            let families = looked.and_then(|(status, gauges)| inbox.meters().families(&status, &gauges).ok());
            families.unwrap_or_default()
        }
    }

    /// Something that makes it end, from any thread.
    pub fn stopper(&self) -> impl Fn() + Send + Sync + use<> {
        let inbox = self.inbox.clone();
        move || inbox.post(Message::Stop)
    }

    /// Waits for its end: no new leases, the journal closed. Workers finish what they have, and come back to the next.
    pub fn wait(self) -> Result<(), CoordinatorError> {
        let owner = self.owner.join();
        // Dropping it would do the same.
        let _ = self.stop_server.send(());
        let server = self.server.join();
        let crashed = |_| std::io::Error::other("one of its threads crashed; start it again, it goes on with its jobs");
        owner.map_err(crashed)??;
        server.map_err(crashed)?
    }
}

/// The jobs of earlier starts that are not worked on.
pub(crate) struct Restored {
    ended: Vec<(JobId, JobRecord)>,
    /// Those that cannot be gone on with at the moment, and why.
    waiting: Vec<(JobId, JobRecord, String)>,
}

/// Reads the journal's jobs. Those that can be gone on with wait for the owner as messages.
fn restore(planner: &Planner, tell: &Tell) -> Result<Restored, CoordinatorError> {
    let jobs = planner.journal.tidy()?;
    let (mut ended, mut waiting, mut going_on, mut recorded) = (Vec::new(), Vec::new(), 0, 0);
    for (id, mut record) in jobs {
        if record.end.is_some() {
            ended.push((id, record));
            continue;
        }
        let shards = planner.journal.shards(id)?;
        recorded += shards.len();
        match planner.go_on(id, &record) {
            Ok(accepted) => {
                going_on += u64::from(accepted.work.is_some());
                planner.inbox.post(Message::Opened(Box::new(accepted)));
            }
            // Storage that is away, a root that was forgotten, another program at work there: all that passes.
            Err(why) => {
                tell.warn(&format!(
                    "job {id} waits: {why}; it is tried again every {} s (trc2npy cancel {id} ends it)",
                    TRY_AGAIN.as_secs()
                ));
                record.note_unfinished(&shards);
                waiting.push((id, record, why));
            }
        }
    }
    let waits = if waiting.is_empty() {
        String::new()
    } else {
        format!("{} waiting, ", counted(waiting.len() as u64, "job"))
    };
    tell.info(&format!(
        "state {} (start {}): {} going on with {} recorded, {waits}{} ended",
        planner.journal.coordinator,
        planner.journal.epoch.0,
        counted(going_on, "job"),
        counted(recorded as u64, "shard"),
        counted(ended.len() as u64, "job"),
    ));
    Ok(Restored { ended, waiting })
}
