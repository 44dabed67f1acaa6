//! Who may look: whom the page's address is meant for, and who knows the token.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use axum::http::header::{AUTHORIZATION, COOKIE, HOST};
use axum::http::{HeaderMap, HeaderValue, Uri};
use subtle::ConstantTimeEq;

/// What a request must know.
#[derive(Clone)]
pub struct Token(String);

/// Fewer characters could be guessed.
const SHORTEST: usize = 16;

/// A token that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadToken {
    /// Its file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It can be guessed, or would not come through an address or a header unharmed.
    #[error(
        "{path}: a token is one line of at least {SHORTEST} letters, digits, '-', '_', '.' or '~', found {found}; for example: \
         openssl rand -hex 24 > {path}"
    )]
    Form {
        /// Its file.
        path: String,
        /// What is wrong.
        found: String,
    },
}

impl Token {
    /// Reads the file that holds it.
    pub fn read(path: &Path) -> Result<Self, BadToken> {
        let shown = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| BadToken::File {
            path: shown.clone(),
            source,
        })?;
        Self::parse(text.trim_end_matches(['\r', '\n'])).map_err(|found| BadToken::Form { path: shown, found })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~".contains(c);
        if let Some(other) = text.chars().find(|c| !plain(*c)) {
            return Err(format!("{other:?} in it"));
        }
        if text.len() < SHORTEST {
            return Err(format!("{} characters", text.len()));
        }
        Ok(Self(text.to_owned()))
    }

    /// In a time that does not depend on where they differ.
    fn is(&self, other: &str) -> bool {
        self.0.as_bytes().ct_eq(other.as_bytes()).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Lets requests in, or says why not.
#[derive(Debug)]
pub(super) struct Gate {
    token: Option<Token>,
    /// The addresses that are listened on.
    addresses: Vec<SocketAddr>,
    /// Whether all of it is encrypted: browsers then send the token nowhere else.
    is_sealed: bool,
}

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is answered.
    In,
    /// It is answered, and brings the token by itself from now on.
    Remember(HeaderValue),
    /// It came to a name that is none of this machine: a page from elsewhere may be behind it.
    WrongHost,
    /// It lacks the token.
    Unknown,
}

impl Gate {
    pub(super) fn new(token: Option<Token>, addresses: Vec<SocketAddr>, is_sealed: bool) -> Self {
        Self {
            token,
            addresses,
            is_sealed,
        }
    }

    /// Judges a request that came to `at`.
    pub(super) fn judge(&self, at: SocketAddr, uri: &Uri, headers: &HeaderMap) -> Verdict {
        // Who knows the token may come by whatever name: through a proxy on this machine, for example.
        let Some(token) = &self.token else {
            let is_foreign = at.ip().to_canonical().is_loopback() && !self.is_for_us(headers);
            return if is_foreign { Verdict::WrongHost } else { Verdict::In };
        };
        let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        if bearer.is_some_and(|found| token.is(found)) {
            return Verdict::In;
        }
        let name = cookie(at);
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='));
        if pairs.any(|(of, found)| of == name && token.is(found)) {
            return Verdict::In;
        }
        let mut asked = uri.query().unwrap_or_default().split('&');
        let asked = asked.find_map(|pair| pair.strip_prefix("token="));
        if !asked.is_some_and(|found| token.is(found)) {
            return Verdict::Unknown;
        }
        let secure = if self.is_sealed { "; Secure" } else { "" };
        let remember = format!("{name}={}; Path=/; HttpOnly; SameSite=Strict{secure}", token.0);
        HeaderValue::try_from(remember).map_or(Verdict::In, Verdict::Remember)
    }

    /// Whether a request on the loopback names this machine. A name that someone else's name server has led here is none
    /// of its: the browser would let that one's script read what comes back.
    fn is_for_us(&self, headers: &HeaderMap) -> bool {
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) else {
            return false;
        };
        self.addresses.iter().any(|address| {
            let port = address.port();
            let is = |name: &str| {
                let host = host.to_ascii_lowercase();
                host == format!("{name}:{port}") || (port == 80 && host == name)
            };
            let own = match address.ip() {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            };
            is("localhost") || is("127.0.0.1") || is("[::1]") || is(&own)
        })
    }
}

/// Cookies are sent to all ports of a machine: each has a name of its own.
fn cookie(at: SocketAddr) -> String {
    format!("trc2npy-{}", at.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef";

    fn judged(token: bool, at: &str, uri: &str, headers: &[(&'static str, &str)]) -> Verdict {
        let at: SocketAddr = at.parse().unwrap();
        let gate = Gate::new(token.then(|| Token::parse(SECRET).unwrap()), vec![at], false);
        let headers = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let mut map = HeaderMap::new();
        headers.for_each(|(name, value): (axum::http::HeaderName, HeaderValue)| {
            map.append(name, value);
        });
        gate.judge(at, &uri.parse().unwrap(), &map)
    }

    #[test]
    fn who_knows_the_token_may_come_by_any_name() {
        let by_proxy = [("host", "lab.example"), ("authorization", "Bearer 0123456789abcdef")];
        assert!(matches!(judged(true, "127.0.0.1:7071", "/", &by_proxy), Verdict::In));
        let unknown = [("host", "lab.example"), ("authorization", "Bearer 0123456789abcdeF")];
        assert!(matches!(
            judged(true, "127.0.0.1:7071", "/", &unknown),
            Verdict::Unknown
        ));
    }

    #[test]
    fn on_the_loopback_only_names_of_this_machine_count() {
        let host = |host: &str| matches!(judged(false, "127.0.0.1:7071", "/", &[("host", host)]), Verdict::In);
        for good in ["localhost:7071", "127.0.0.1:7071", "[::1]:7071", "LOCALHOST:7071"] {
            assert!(host(good), "{good}");
        }
        for bad in [
            "evil.example:7071",
            "localhost",
            "localhost:7070",
            "127.0.0.1",
            "",
            "localhost:7071.evil.example",
        ] {
            assert!(!host(bad), "{bad}");
        }
        let none = judged(false, "127.0.0.1:7071", "/", &[]);
        assert!(matches!(none, Verdict::WrongHost));
        let two = [("host", "localhost:7071"), ("host", "evil.example")];
        assert!(matches!(judged(false, "127.0.0.1:7071", "/", &two), Verdict::WrongHost));
        let port_80 = judged(false, "127.0.0.1:80", "/", &[("host", "localhost")]);
        assert!(matches!(port_80, Verdict::In), "browsers leave port 80 out");
        // Elsewhere machines have names that are not known here.
        let elsewhere = judged(false, "192.0.2.7:7071", "/", &[("host", "pc1:7071")]);
        assert!(matches!(elsewhere, Verdict::In));
    }

    #[test]
    fn a_token_comes_as_header_cookie_or_once_in_the_address() {
        let host = ("host", "localhost:7071");
        let judged =
            |uri: &str, more: &[(&'static str, &str)]| judged(true, "127.0.0.1:7071", uri, &[&[host], more].concat());
        assert!(matches!(judged("/", &[]), Verdict::Unknown));
        for good in ["Bearer 0123456789abcdef", "bearer 0123456789abcdef"] {
            assert!(matches!(judged("/", &[("authorization", good)]), Verdict::In), "{good}");
        }
        for bad in [
            "0123456789abcdef",
            "Basic 0123456789abcdef",
            "Bearer 0123456789abcdeg",
            "Bearer ",
        ] {
            assert!(
                matches!(judged("/", &[("authorization", bad)]), Verdict::Unknown),
                "{bad}"
            );
        }
        let cookie = [("cookie", "a=b; trc2npy-7071=0123456789abcdef")];
        assert!(matches!(judged("/", &cookie), Verdict::In));
        let other_port = [("cookie", "trc2npy-7072=0123456789abcdef")];
        assert!(matches!(judged("/", &other_port), Verdict::Unknown));
        let Verdict::Remember(set) = judged("/?x=1&token=0123456789abcdef", &[]) else {
            panic!("it is not remembered")
        };
        assert_eq!(set, "trc2npy-7071=0123456789abcdef; Path=/; HttpOnly; SameSite=Strict");
        assert!(matches!(judged("/?token=wrong", &[]), Verdict::Unknown));
    }

    #[test]
    fn tokens_that_can_be_guessed_or_garbled_are_refused() {
        assert_eq!(Token::parse("short").unwrap_err(), "5 characters");
        assert!(Token::parse("0123456789abcdef;").unwrap_err().contains("';'"));
        assert_eq!(format!("{:?}", Token::parse(SECRET).unwrap()), "Token(..)");
    }
}
