//! How a coordinator is found and called: the same for workers and clients.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::AsyncBufReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsConnector, TlsStream};
use tokio_util::either::Either;
use tonic::service::Interceptor;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};
use tower::service_fn;
use trc2npy_certs::{Client, JoinToken, Role, Trouble};

use crate::protocol::Protocol;

/// Where a coordinator listens unless told otherwise.
pub const DEFAULT_PORT: u16 = 7070;
/// A connection on which nothing is heard is asked so often whether it still stands.
pub const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);
/// And is given up after so long without an answer.
pub const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A coordinator says something of itself as soon as it trusts the caller.
const GREETING: Duration = Duration::from_secs(10);

/// `pc1:7070`: a machine and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name, an IPv4 or an IPv6 address without brackets.
    host: String,
    port: u16,
}

/// An address that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address: write HOST or HOST:PORT, for example pc1:7070 or [::1]:7070")]
pub struct BadAddress(String);

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        let bad = || BadAddress(text.to_owned());
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(bad)?;
            (host, rest.strip_prefix(':'))
        } else {
            match text.split_once(':') {
                // More than one colon: IPv6 without brackets.
                Some((_, rest)) if rest.contains(':') => (text, None),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        let port = port.map_or(Ok(DEFAULT_PORT), |port| port.parse().map_err(|_| bad()))?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._:%".contains(c);
        // A number alone is meant as a port; the system would take it for 0.0.27.158.
        let is_number = host.chars().all(|c| c.is_ascii_digit());
        if is_number || !host.chars().all(plain) {
            return Err(bad());
        }
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self {
            host: address.ip().to_string(),
            port: address.port(),
        }
    }
}

impl Address {
    /// Whether it leads to nowhere but this machine. A name is looked up.
    pub fn is_loopback(&self) -> bool {
        let mut found = match (self.host.as_str(), self.port).to_socket_addrs() {
            Ok(found) => found.peekable(),
            Err(_) => return false,
        };
        found.peek().is_some() && found.all(|address| address.ip().to_canonical().is_loopback())
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The addresses to listen on.
    pub fn to_listen(&self) -> io::Result<Vec<SocketAddr>> {
        (self.host.as_str(), self.port).to_socket_addrs().map(Iterator::collect)
    }
}

/// Whom to trust at the other end, and what to show there.
#[derive(Clone, Debug)]
pub enum Trust {
    /// Nothing is encrypted, and everyone is believed.
    Open,
    /// By certificates: this folder, used for this. Read anew for each connection.
    Certs {
        /// See [`trc2npy_certs::Folder`].
        folder: PathBuf,
        /// What the caller is going to do.
        role: Role,
    },
    /// Only what made this token, without showing anything.
    Token(JoinToken),
}

/// A coordinator, and how to trust it.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Where it listens.
    pub address: Address,
    /// How it is spoken to.
    pub trust: Trust,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl Destination {
    /// One to which everything is said openly.
    pub const fn open(address: Address) -> Self {
        Self {
            address,
            trust: Trust::Open,
        }
    }

    /// A connection to it.
    pub async fn connect(&self) -> Result<Channel, Unreachable> {
        let sealed = match &self.trust {
            Trust::Open => None,
            Trust::Certs { folder, role } => {
                let client = Client::open(folder, *role).map_err(|error| Unreachable::Own(error.to_string()))?;
                Some(client.config)
            }
            Trust::Token(token) => Some(Client::joining(token).config),
        };
        let address = self.address.clone();
        let connector = service_fn(move |_: Uri| {
            let (address, sealed) = (address.clone(), sealed.clone());
            async move { reach(&address, sealed).await }
        });
        // The scheme stays: what is sealed is not tonic's to know.
        let endpoint =
            Endpoint::try_from(format!("http://{}", self.address)).map_err(|error| self.unreachable(&error))?;
        endpoint
            .http2_keep_alive_interval(KEEP_ALIVE_EVERY)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .connect_with_connector(connector)
            .await
            .map_err(|error| self.unreachable(&error))
    }

    fn unreachable(&self, error: &(dyn Error + 'static)) -> Unreachable {
        let address = self.address.clone();
        if let Some(trouble) = chain(error).find_map(|error| Trouble::of(error.downcast_ref()?)) {
            return Unreachable::Distrust { address, trouble };
        }
        let closed = chain(error).find_map(|error| error.downcast_ref::<io::Error>());
        let why = match closed.map(io::Error::kind) {
            Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => {
                "it has closed the connection: too many may be there at the moment, try again".to_owned()
            }
            _ => chain(error).last().map_or_else(String::new, ToString::to_string),
        };
        Unreachable::Away { address, why }
    }
}

/// Bytes that go over the network: openly, or sealed.
pub type Wire = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// Opens a connection, sealed where that is asked.
async fn reach(address: &Address, sealed: Option<Arc<ClientConfig>>) -> io::Result<TokioIo<Wire>> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "it does not answer in time");
    let connect = TcpStream::connect((address.host.as_str(), address.port));
    let stream = tokio::time::timeout(CONNECT_TIMEOUT, connect).await.map_err(late)??;
    stream.set_nodelay(true)?;
    let Some(config) = sealed else {
        return Ok(TokioIo::new(Wire::Left(stream)));
    };
    let name = ServerName::try_from(address.host.clone()).map_err(io::Error::other)?;
    let greet = async {
        let mut stream = TlsConnector::from(config).connect(name, stream).await?;
        // Only now does the other side look at this side's certificate; its first word, or its refusal, comes behind that.
        stream.fill_buf().await?;
        io::Result::Ok(stream)
    };
    let stream = tokio::time::timeout(GREETING, greet).await.map_err(late)??;
    Ok(TokioIo::new(Wire::Right(Box::new(TlsStream::from(stream)))))
}

/// A coordinator that was not reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreachable {
    /// It did not answer.
    #[error("no coordinator answers at {address} ({why}): is `trc2npy coordinator` running there, and does its firewall let port {port} in?", port = address.port)]
    Away {
        /// Where.
        address: Address,
        /// What the network says.
        why: String,
    },
    /// It is there, and one of both does not trust the other.
    #[error("the coordinator at {address}: {trouble}")]
    Distrust {
        /// Where.
        address: Address,
        /// Why.
        trouble: Trouble,
    },
    /// The caller's own certificate cannot be used.
    #[error("{0}")]
    Own(String),
}

impl Unreachable {
    /// Whether it may go by itself within moments.
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::Away { .. })
    }
}

/// The coordinator's last word to a caller who speaks openly where certificates are asked for.
pub const CERTIFICATES_ASKED: &str =
    "this coordinator asks for certificates: say where this machine's is (--certs DIR)";

/// Whether a call failed for want of a certificate.
pub fn wants_certificates(status: &Status) -> bool {
    chain(status).any(|error| {
        let closed = error.downcast_ref::<h2::Error>();
        closed.and_then(h2::Error::reason) == Some(h2::Reason::INADEQUATE_SECURITY)
    })
}

/// An error and its sources.
fn chain<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// Whether everyone on the network could reach what listens there.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// Writes the protocol's headers into every call.
#[derive(Clone, Copy, Debug)]
pub struct Announce;

impl Interceptor for Announce {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        Protocol::ours().announce(request.metadata_mut());
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, shown) in [
            ("pc1", "pc1:7070"),
            ("pc1:80", "pc1:80"),
            ("127.0.0.1:7071", "127.0.0.1:7071"),
            ("[::1]:7071", "[::1]:7071"),
            ("[::1]", "[::1]:7070"),
            ("fe80::1", "[fe80::1]:7070"),
            ("lab-pc.uni.example:7070", "lab-pc.uni.example:7070"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            ":7070",
            "7070",
            "7070:7070",
            "pc1:",
            "pc1:port",
            "pc1:70000",
            "http://pc1",
            "pc 1",
            "[::1",
            "pc1/x",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_loopback() {
        for (text, loopback) in [
            ("127.0.0.1", true),
            ("[::1]:1", true),
            ("0.0.0.0", false),
            ("192.0.2.1", false),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().is_loopback(), loopback, "{text}");
        }
    }
}
