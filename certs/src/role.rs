//! What a certificate is for.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What the holder of a certificate may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Lead: others connect to it. May do what a client may, too.
    Coordinator,
    /// Take leases.
    Worker,
    /// Submit, follow, cancel and drain.
    Client,
}

/// How a role stands in a certificate: as a name of it (subject alternative name) that is a URI.
const URI: &str = "urn:trc2npy:role:";

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Coordinator, Self::Worker, Self::Client];

    const fn word(self) -> &'static str {
        match self {
            Self::Coordinator => "coordinator",
            Self::Worker => "worker",
            Self::Client => "client",
        }
    }

    pub(crate) fn uri(self) -> String {
        format!("{URI}{}", self.word())
    }

    pub(crate) fn from_uri(uri: &str) -> Option<Self> {
        uri.strip_prefix(URI)?.parse().ok()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.word() == text)
            .ok_or_else(|| format!("{text:?} is no role: coordinator, worker or client"))
    }
}

/// The roles of one certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Roles(Vec<Role>);

impl Roles {
    /// Whether its holder may do what `role` may.
    pub fn allow(&self, role: Role) -> bool {
        // Whoever leads the machines could do all that a client asks for anyway.
        self.0.contains(&role) || (role == Role::Client && self.0.contains(&Role::Coordinator))
    }

    /// With one more.
    #[must_use]
    pub fn with(&self, role: Role) -> Self {
        self.iter().chain([role]).collect()
    }

    /// As `certs issue` is told them.
    pub fn as_options(&self) -> String {
        let options: Vec<String> = self.iter().map(|role| format!("--role {role}")).collect();
        options.join(" ")
    }

    /// Each of them once, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = Role> {
        self.0.iter().copied()
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        let mut roles: Vec<Role> = roles.into_iter().collect();
        roles.sort_unstable();
        roles.dedup();
        Self(roles)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("no role");
        }
        for (index, role) in self.0.iter().enumerate() {
            let before = if index == 0 { "" } else { " and " };
            write!(f, "{before}{role}")?;
        }
        Ok(())
    }
}
