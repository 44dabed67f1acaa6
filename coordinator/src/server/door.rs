//! Connections: who may open one, how many, and how long it may take until it says something.
//!
//! Nothing that comes in before a caller is known costs more than one of a bounded number of places, for a bounded time.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsStream;
use trc2npy_certs::{Identity, why_refused};
use trc2npy_proto::link::Wire;

use super::connection::{Connection, PREFACE};
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
/// Callers of one address without a certificate where one is asked for: they may join, a few at a time.
const STRANGERS: usize = 16;
/// And not for long.
const STAY: Duration = Duration::from_secs(30);

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

/// Lets callers in.
pub(crate) struct Door {
    guard: Option<Arc<Guard>>,
    complaints: Complaints,
    room: Arc<Semaphore>,
    strangers: Callers,
    callers: Callers,
}

impl Door {
    /// `guard`: none where everything is said openly.
    pub(crate) fn new(guard: Option<Arc<Guard>>, complaints: Complaints) -> Arc<Self> {
        Arc::new(Self {
            guard,
            complaints,
            room: Arc::new(Semaphore::new(CONNECTIONS)),
            strangers: Callers::default(),
            callers: Callers::default(),
        })
    }

    /// Hands on who comes, until nobody takes them any more.
    pub(crate) async fn watch(self: Arc<Self>, listener: TcpListener, out: mpsc::Sender<io::Result<Connection>>) {
        while let Ok(permit) = Arc::clone(&self.room).acquire_owned().await {
            if out.is_closed() {
                return;
            }
            let (stream, address) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Too many files are open, or the other one has gone: the next may be taken.
                    let here = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
                    self.complaints
                        .tell(here, &format!("a connection cannot be taken: {error}"));
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
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
        let Some(guard) = &self.guard else {
            // Before anything is set up for it: a preface costs its few bytes alone.
            let mut said = [0; PREFACE.len()];
            stream.read_exact(&mut said).await.map_err(broke)?;
            if said == *PREFACE {
                let places = (place.0, place.1, None);
                return Ok(Connection::new(Wire::Left(stream), caller, places).that_has_said(said));
            }
            if said[0] == HANDSHAKE_RECORD {
                // What happens to it is of no interest.
                let _ = last_word(&mut stream, &SETTINGS).await;
                return Err("it wants certificates, and this coordinator was started without --certs".to_owned());
            }
            return Err("it does not speak HTTP/2".to_owned());
        };
        let mut first = [0];
        if stream.peek(&mut first).await.map_err(broke)? == 1 && first[0] == PREFACE[0] {
            let _ = last_word(&mut stream, &[&SETTINGS[..], &GOAWAY].concat()).await;
            return Err("it speaks without a certificate".to_owned());
        }
        let sealed = guard.services().accept(stream).await.map_err(broke)?;
        let shown = sealed.get_ref().1.peer_certificates();
        caller.is_sealed = true;
        caller.identity = shown.and_then(|chain| Identity::of(chain.first()?)).map(Arc::new);
        let from = address.ip().to_canonical();
        let identity = caller.identity.clone();
        let mut places = (place.0, place.1, None);
        if identity.is_none() {
            let stranger = self.strangers.let_in(from, STRANGERS);
            places.2 =
                Some(stranger.ok_or_else(|| "too many of its address are here without a certificate".to_owned())?);
        }
        let changed = guard.changed();
        let end = async move {
            let expires = identity.map_or(STAY, |identity| time_left(&identity));
            tokio::select! {
                () = sleep(expires) => {}
                () = changed => {}
            }
        };
        let wire = Wire::Right(Box::new(TlsStream::from(sealed)));
        let connection = Connection::new(wire, caller, places);
        Ok(connection.that_must_speak_within(HANDSHAKE).that_ends_with(end))
    }
}

/// Until a caller's certificate ends.
fn time_left(identity: &Identity) -> Duration {
    let left = identity.not_after.duration_since(Timestamp::now());
    Duration::try_from(left).unwrap_or_default()
}

/// The first byte of TLS.
const HANDSHAKE_RECORD: u8 = 0x16;
/// An empty SETTINGS: what a server says first (RFC 9113, 3.4).
const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
/// GOAWAY with the reason INADEQUATE_SECURITY, no stream was looked at (RFC 9113, 6.8 and 7).
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xc];

/// Tells a caller why it is not let in, in what it speaks.
async fn last_word(stream: &mut TcpStream, word: &[u8]) -> io::Result<()> {
    stream.write_all(word).await?;
    stream.shutdown().await?;
    // A connection that is closed with unread bytes is reset, and the last word lost.
    let mut rest = [0; 1024];
    for _ in 0..16 {
        match timeout(Duration::from_secs(1), stream.read(&mut rest)).await {
            Ok(Ok(1..)) => {}
            _ => break,
        }
    }
    Ok(())
}
