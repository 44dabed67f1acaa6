//! The page's own small server: a thread and a runtime apart from those of gRPC, so that no browser can disturb them.
//!
//! Connections are few and bounded, each has a bounded time, and whoever reads too slowly is cut off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::either::Either;

use crate::callers::Callers;
use crate::guard::Guard;
use crate::server::start;

/// Connections at a time; more wait until one ends.
const CONNECTIONS: usize = 128;
/// Of one address: who opens connections and says nothing keeps nobody else out.
const OF_ONE: usize = 100;
/// A request's head must have come within this; a connection that asks nothing ends as soon.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection that does not watch ends after this: browsers open another one.
const LIFE: Duration = Duration::from_mins(1);
/// So much longer for what it has begun.
const GRACE: Duration = Duration::from_secs(20);

/// Holds a connection: it can be cut off, and asked to live longer.
#[derive(Clone, Debug, Default)]
pub(super) struct Leash(Arc<Held>);

#[derive(Debug, Default)]
struct Held {
    stays: AtomicBool,
    is_cut: AtomicBool,
    cut: Notify,
}

impl Leash {
    /// It watches, and has no bounded time.
    pub(super) fn stay(&self) {
        self.0.stays.store(true, Ordering::Relaxed);
    }

    pub(super) fn cut(&self) {
        self.0.is_cut.store(true, Ordering::Relaxed);
        self.0.cut.notify_one();
    }

    #[cfg(test)]
    pub(super) fn is_cut(&self) -> bool {
        self.0.is_cut.load(Ordering::Relaxed)
    }
}

/// Where a request came in, and what holds its connection.
#[derive(Clone, Debug)]
pub(super) struct Came {
    pub(super) at: SocketAddr,
    pub(super) leash: Leash,
}

/// Answers on all of these, until `stop`.
pub(super) async fn serve(
    listeners: Vec<TcpListener>,
    router: Router,
    guard: Option<Arc<Guard>>,
    stop: oneshot::Receiver<()>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let callers = Callers::default();
    for listener in listeners {
        start(
            "page",
            listen(
                listener,
                router.clone(),
                guard.clone(),
                Arc::clone(&room),
                callers.clone(),
            ),
        );
    }
    // Dropped or sent: both mean the end.
    let _ = stop.await;
}

async fn listen(
    listener: TcpListener,
    router: Router,
    guard: Option<Arc<Guard>>,
    room: Arc<Semaphore>,
    callers: Callers,
) {
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let Ok((stream, from)) = listener.accept().await else {
            // Too many files are open, or the other one has gone: the next may be taken.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Some(caller) = callers.let_in(from.ip().to_canonical(), OF_ONE) else {
            continue;
        };
        let (router, guard) = (router.clone(), guard.clone());
        start("browser", async move {
            answer(stream, router, guard).await;
            drop((caller, place));
        });
    }
}

/// One connection, to its end.
async fn answer(stream: TcpStream, router: Router, guard: Option<Arc<Guard>>) {
    let Ok(at) = stream.local_addr() else { return };
    let wire = match guard {
        None => Either::Left(stream),
        Some(guard) => match timeout(PATIENCE, guard.page().accept(stream)).await {
            Ok(Ok(sealed)) => Either::Right(sealed),
            // Browsers ask once and go away where they do not know the certificate.
            Ok(Err(_)) | Err(_) => return,
        },
    };
    let leash = Leash::default();
    let came = Came {
        at,
        leash: leash.clone(),
    };
    let router = router.layer(Extension(came));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(wire), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let mut ending = false;
    loop {
        let time = if ending { GRACE } else { LIFE };
        let ended = async {
            tokio::select! {
                _ = connection.as_mut() => true,
                () = leash.0.cut.notified() => true,
            }
        };
        match timeout(time, ended).await {
            Ok(_) => return,
            Err(_) if leash.0.stays.load(Ordering::Relaxed) => {}
            Err(_) if ending => return,
            Err(_) => {
                ending = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
