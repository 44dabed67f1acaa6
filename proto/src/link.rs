//! How a coordinator is found and called: the same for workers and clients.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use tonic::service::Interceptor;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::protocol::Protocol;

/// Where a coordinator listens unless told otherwise.
pub const DEFAULT_PORT: u16 = 7070;
/// A connection on which nothing is heard is asked so often whether it still stands.
pub const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(10);
/// And is given up after so long without an answer.
pub const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

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
        if host.is_empty() || !host.chars().all(plain) {
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
    pub fn to_listen(&self) -> std::io::Result<Vec<SocketAddr>> {
        (self.host.as_str(), self.port).to_socket_addrs().map(Iterator::collect)
    }

    /// A connection to a coordinator there.
    pub async fn connect(&self) -> Result<Channel, Unreachable> {
        let unreachable = |why: String| Unreachable {
            address: self.clone(),
            why,
        };
        Endpoint::try_from(format!("http://{self}"))
            .map_err(|error| unreachable(error.to_string()))?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE_EVERY)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true)
            .connect()
            .await
            .map_err(|error| unreachable(innermost(&error)))
    }
}

/// A coordinator that did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no coordinator answers at {address} ({why}): is `trc2npy coordinator` running there, and does its firewall let port {port} in?", port = address.port)]
pub struct Unreachable {
    address: Address,
    why: String,
}

/// What an error of the transport is at its root: that is the part which says something.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
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
