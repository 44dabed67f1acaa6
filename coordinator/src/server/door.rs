//! Connections: who may open one, how many, and how long it may take until it says something.
//!
//! Nothing that comes in before a caller is known costs more than one of a bounded number of places, for a bounded time.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsStream;
use tonic::transport::server::Connected;
use trc2npy_certs::{Identity, why_refused};
use trc2npy_proto::link::Wire;

use super::pass::Complaints;
use super::start;
use crate::callers::{Callers, Place};
use crate::guard::Guard;

/// Connections at a time; more wait until one ends.
const CONNECTIONS: usize = 4096;
/// Of one address, on which many workers may be.
const OF_ONE: usize = 512;
/// Until a caller has shown its certificate, and until it has begun to speak.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// What a caller must have said then: `PRI * HTTP/2.0` and two empty lines.
const PREFACE: usize = 24;

/// Who has opened a connection.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) address: SocketAddr,
    /// Whether certificates count on this connection.
    pub(crate) is_sealed: bool,
    /// What its certificate says; none where it has shown none.
    pub(crate) identity: Option<Arc<Identity>>,
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address.ip().to_canonical();
        match &self.identity {
            Some(identity) => write!(f, "{} ({}) at {address}", identity.name, identity.roles),
            None => write!(f, "{address} (no certificate)"),
        }
    }
}

/// One that may be answered.
pub(crate) struct Connection {
    wire: Wire,
    caller: Caller,
    /// Until the caller has begun to speak: how much is missing, and when it is too late.
    silent: Option<(usize, Pin<Box<Sleep>>)>,
    _place: (OwnedSemaphorePermit, Place),
}

impl Connected for Connection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if let Some((_, late)) = &mut self.silent
            && late.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        ready!(Pin::new(&mut self.wire).poll_read(cx, buffer))?;
        let came = buffer.filled().len() - before;
        if let Some((missing, _)) = &mut self.silent {
            *missing = missing.saturating_sub(came);
            if *missing == 0 {
                self.silent = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}

/// Lets callers in.
pub(crate) struct Door {
    guard: Option<Arc<Guard>>,
    complaints: Complaints,
    room: Arc<Semaphore>,
    callers: Callers,
}

impl Door {
    /// `guard`: none where everything is said openly.
    pub(crate) fn new(guard: Option<Arc<Guard>>, complaints: Complaints) -> Arc<Self> {
        Arc::new(Self {
            guard,
            complaints,
            room: Arc::new(Semaphore::new(CONNECTIONS)),
            callers: Callers::default(),
        })
    }

    /// Hands on who comes, until nobody takes them any more.
    pub(crate) async fn watch(self: Arc<Self>, listener: TcpListener, out: mpsc::Sender<io::Result<Connection>>) {
        while let Ok(permit) = Arc::clone(&self.room).acquire_owned().await {
            if out.is_closed() {
                return;
            }
            let Ok((stream, address)) = listener.accept().await else {
                // Too many files are open, or the other one has gone: the next may be taken.
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            let from = address.ip().to_canonical();
            let Some(place) = self.callers.let_in(from, OF_ONE) else {
                let why = format!("more than {OF_ONE} connections at a time: one is closed at once");
                self.complaints.tell(from, &why);
                continue;
            };
            let (door, out) = (Arc::clone(&self), out.clone());
            start("greet", async move {
                match timeout(HANDSHAKE, door.greet(stream, address, (permit, place))).await {
                    // Who does not take it is ending.
                    Ok(Ok(connection)) => drop(out.send(Ok(connection)).await),
                    Ok(Err(why)) => door.complaints.tell(from, &format!("a connection is refused: {why}")),
                    Err(_) => door.complaints.tell(from, "a connection is refused: it says nothing"),
                }
            });
        }
    }

    async fn greet(
        &self,
        mut stream: TcpStream,
        address: SocketAddr,
        place: (OwnedSemaphorePermit, Place),
    ) -> Result<Connection, String> {
        let broke = |error: io::Error| why_refused(&error);
        // A lease is a small message: gathered with the next one it would come 40 ms late.
        stream.set_nodelay(true).map_err(broke)?;
        let mut caller = Caller {
            address,
            is_sealed: false,
            identity: None,
        };
        let wire = match &self.guard {
            None => Wire::Left(stream),
            Some(guard) => {
                let mut first = [0];
                if stream.peek(&mut first).await.map_err(broke)? == 1 && first == *b"P" {
                    // What happens to it is of no interest.
                    let _ = refuse_openly(&mut stream).await;
                    return Err("it speaks without a certificate".to_owned());
                }
                let sealed = guard.services().accept(stream).await.map_err(broke)?;
                let shown = sealed.get_ref().1.peer_certificates();
                caller.is_sealed = true;
                caller.identity = shown.and_then(|chain| Identity::of(chain.first()?)).map(Arc::new);
                Wire::Right(Box::new(TlsStream::from(sealed)))
            }
        };
        Ok(Connection {
            wire,
            caller,
            silent: Some((PREFACE, Box::pin(sleep(HANDSHAKE)))),
            _place: place,
        })
    }
}

/// Tells a caller who speaks HTTP/2 openly that this is not enough: an empty SETTINGS, and GOAWAY with the reason
/// INADEQUATE_SECURITY (RFC 9113, 6.8 and 7).
async fn refuse_openly(stream: &mut TcpStream) -> io::Result<()> {
    const LAST_WORD: [u8; 9 + 9 + 8] = [
        0, 0, 0, 4, 0, 0, 0, 0, 0, // SETTINGS
        0, 0, 8, 7, 0, 0, 0, 0, 0, // GOAWAY, 8 bytes
        0, 0, 0, 0, 0, 0, 0, 0xc, // no stream was looked at; INADEQUATE_SECURITY
    ];
    stream.write_all(&LAST_WORD).await?;
    stream.shutdown().await?;
    // A connection that is closed with unread bytes is reset, and the last word lost.
    let mut rest = [0; 1024];
    for _ in 0..16 {
        if timeout(Duration::from_secs(1), stream.read(&mut rest))
            .await
            .map_or(true, |read| !matches!(read, Ok(1..)))
        {
            break;
        }
    }
    Ok(())
}
