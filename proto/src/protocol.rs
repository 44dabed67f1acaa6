//! Which version of the protocol both sides speak, and how large a message may be.

use std::fmt;
use std::str::FromStr;

use tonic::metadata::{Ascii, MetadataMap, MetadataValue};

/// The header of every call.
const HEADER: &str = "trc2npy-protocol";
/// The header that tells the caller's program and version, for the sentence about a mismatch.
const PROGRAM: &str = "trc2npy-version";

/// No message is larger; one that is would be refused before it is in memory.
pub const LARGEST_MESSAGE: usize = 4 << 20;
/// A piece of a plan in `GetJob`.
pub const PLAN_PIECE: usize = 1 << 20;

/// The versions of the protocol that a program speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    oldest: u32,
    newest: u32,
}

impl Protocol {
    /// What this program speaks. A build for tests can be made to claim something else.
    pub fn ours() -> Self {
        const OURS: Protocol = Protocol { oldest: 1, newest: 1 };
        if cfg!(debug_assertions)
            && let Some(claimed) = std::env::var("TRC2NPY_TEST_PROTOCOL")
                .ok()
                .and_then(|text| text.parse().ok())
        {
            return claimed;
        }
        OURS
    }

    /// Writes the headers of a call.
    pub fn announce(self, headers: &mut MetadataMap) {
        let ascii = |text: String| MetadataValue::<Ascii>::try_from(text).expect("digits, dots and a dash are ASCII");
        headers.insert(HEADER, ascii(self.to_string()));
        headers.insert(PROGRAM, ascii(env!("CARGO_PKG_VERSION").to_owned()));
    }

    /// Whether the caller with these headers can be understood.
    pub fn check(self, headers: &MetadataMap) -> Result<(), ProtocolMismatch> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let mismatch = || ProtocolMismatch {
            ours: self,
            theirs: text(HEADER).map(|text| text.chars().take(20).collect()),
            version: text(PROGRAM).map(|text| text.chars().take(20).collect()),
        };
        let theirs: Self = text(HEADER).and_then(|text| text.parse().ok()).ok_or_else(mismatch)?;
        let shared = self.oldest.max(theirs.oldest) <= self.newest.min(theirs.newest);
        if shared { Ok(()) } else { Err(mismatch()) }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.oldest == self.newest {
            write!(f, "{}", self.newest)
        } else {
            write!(f, "{}-{}", self.oldest, self.newest)
        }
    }
}

impl FromStr for Protocol {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (oldest, newest) = text.split_once('-').unwrap_or((text, text));
        Ok(Self {
            oldest: oldest.parse()?,
            newest: newest.parse()?,
        })
    }
}

/// Two programs that do not understand each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolMismatch {
    ours: Protocol,
    theirs: Option<String>,
    version: Option<String>,
}

impl std::error::Error for ProtocolMismatch {}

impl fmt::Display for ProtocolMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ours = env!("CARGO_PKG_VERSION");
        write!(
            f,
            "protocol mismatch: this coordinator (trc2npy {ours}) speaks protocol {}, ",
            self.ours
        )?;
        match (&self.theirs, &self.version) {
            (Some(theirs), Some(version)) => write!(f, "the caller (trc2npy {version}) {theirs}")?,
            (Some(theirs), None) => write!(f, "the caller {theirs}")?,
            (None, _) => write!(f, "the caller did not say which it speaks")?,
        }
        write!(f, ": use the same version of trc2npy on both")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_that_share_a_version_understand_each_other() {
        let protocol = |text: &str| text.parse::<Protocol>().unwrap();
        for (ours, theirs, good) in [
            ("1", "1", true),
            ("1-2", "2-3", true),
            ("2-3", "1-2", true),
            ("1", "2-3", false),
            ("3-4", "1-2", false),
        ] {
            let mut headers = MetadataMap::new();
            protocol(theirs).announce(&mut headers);
            assert_eq!(protocol(ours).check(&headers).is_ok(), good, "{ours} and {theirs}");
        }
    }

    #[test]
    fn a_mismatch_is_one_sentence_with_both_sides() {
        let mut headers = MetadataMap::new();
        let ours: Protocol = "1".parse().unwrap();
        let told = ours.check(&headers).unwrap_err().to_string();
        assert!(told.contains("did not say"), "{told}");
        "3-4".parse::<Protocol>().unwrap().announce(&mut headers);
        let told = ours.check(&headers).unwrap_err().to_string();
        assert!(
            told.contains("speaks protocol 1,") && told.contains(") 3-4: use the same"),
            "{told}"
        );
        headers.insert("trc2npy-protocol", "one".parse().unwrap());
        assert!(ours.check(&headers).is_err());
    }
}
