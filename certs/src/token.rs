//! What lets a machine fetch its certificate over the wire: once, for a quarter of an hour.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use trc2npy_common::fs::StorageError;

use crate::error::CertsError;
use crate::folder::provider;
use crate::identity::{Fingerprint, day};
use crate::private;
use crate::role::Roles;

/// How long a token can be used.
pub const TOKEN_LIFE: Duration = Duration::from_mins(15);

const PREFIX: &str = "trc2npy-join-";
/// Nobody guesses 128 bits, and nobody makes a certificate with the same 128 bits of a fingerprint.
const HALF: usize = 16;

/// A secret, and whom to trust with it.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    secret: [u8; HALF],
    /// The beginning of the authority's fingerprint.
    pin: [u8; HALF],
}

impl JoinToken {
    pub(crate) fn new(authority: Fingerprint) -> Result<Self, CertsError> {
        let mut secret = [0; HALF];
        let filled = provider().secure_random.fill(&mut secret);
        filled.map_err(|_| CertsError::Made("the system gives no random numbers".to_owned()))?;
        let mut pin = [0; HALF];
        pin.copy_from_slice(&authority.0[..HALF]);
        Ok(Self { secret, pin })
    }

    /// Whether it was made by this authority.
    pub fn is_of(&self, authority: Fingerprint) -> bool {
        authority.0.starts_with(&self.pin)
    }

    /// The name of its record: whoever reads the records does not know the tokens.
    fn record(&self, folder: &Path) -> PathBuf {
        let mut name = Fingerprint(Sha256::digest(self.secret).into()).to_string();
        name.push_str(".json");
        folder.join(name)
    }
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        let bytes = self.secret.iter().chain(&self.pin);
        bytes.into_iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}..")
    }
}

impl FromStr for JoinToken {
    type Err = CertsError;

    fn from_str(text: &str) -> Result<Self, CertsError> {
        let digits = text.trim().strip_prefix(PREFIX).ok_or(CertsError::TokenForm)?;
        if digits.len() != 4 * HALF || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(CertsError::TokenForm);
        }
        let mut bytes = [0; 2 * HALF];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let two = &digits[2 * index..2 * index + 2];
            *byte = u8::from_str_radix(two, 16).map_err(|_| CertsError::TokenForm)?;
        }
        let (mut secret, mut pin) = ([0; HALF], [0; HALF]);
        secret.copy_from_slice(&bytes[..HALF]);
        pin.copy_from_slice(&bytes[HALF..]);
        Ok(Self { secret, pin })
    }
}

/// What an authority remembers of a token that it has made.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Whom it is for; none: for whoever comes with it.
    pub(crate) name: Option<String>,
    pub(crate) roles: Roles,
    pub(crate) until_ms: i64,
}

/// Keeps a new token's record; those that have ended go.
pub(crate) fn remember(folder: &Path, token: &JoinToken, record: &Record) -> Result<(), CertsError> {
    private::make_folder(folder).map_err(|error| StorageError::new("create", folder, error))?;
    forget_ended(folder);
    let text = serde_json::to_string(record).expect("texts and numbers become JSON");
    Ok(private::write(&token.record(folder), &text)?)
}

/// A token that nobody else can take any more.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) record: Record,
    path: PathBuf,
    aside: PathBuf,
}

impl Taken {
    /// It was of no use.
    pub(crate) fn give_back(self) {
        // Where that fails it stays used up.
        let _ = fs::rename(&self.aside, &self.path);
    }
}

/// Takes a token: it is known, has not ended, and nobody can take it again.
pub(crate) fn take(folder: &Path, token: &JoinToken, name: &str) -> Result<Taken, CertsError> {
    let path = token.record(folder);
    let text = fs::read_to_string(&path).map_err(|_| CertsError::TokenUnknown)?;
    let record: Record = serde_json::from_str(&text).map_err(|error| CertsError::Content {
        path: path.clone(),
        expected: "a join token's record",
        found: error.to_string(),
    })?;
    if record.until_ms < Timestamp::now().as_millisecond() {
        let until = Timestamp::from_millisecond(record.until_ms).map_or_else(|_| "?".to_owned(), day);
        return Err(CertsError::TokenExpired(until));
    }
    if let Some(expected) = &record.name
        && expected != name
    {
        return Err(CertsError::TokenName {
            expected: expected.clone(),
            found: name.to_owned(),
        });
    }
    // Of two who come at once one has it.
    let aside = path.with_extension("used");
    fs::rename(&path, &aside).map_err(|_| CertsError::TokenUnknown)?;
    Ok(Taken { record, path, aside })
}

fn forget_ended(folder: &Path) {
    let now = Timestamp::now().as_millisecond();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        if serde_json::from_str::<Record>(&text).is_ok_and(|record| record.until_ms < now) {
            // One that stays is refused for its time.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::role::Role;

    fn token() -> JoinToken {
        JoinToken::new(Fingerprint([7; 32])).unwrap()
    }

    #[test]
    fn tokens_are_read_as_they_are_written() {
        let token = token();
        let text = token.to_string();
        assert!(text.parse::<JoinToken>().unwrap() == token);
        assert!(token.is_of(Fingerprint([7; 32])));
        assert!(!token.is_of(Fingerprint([8; 32])));
        for bad in [
            "",
            "trc2npy-join-",
            &text[1..],
            &text[..text.len() - 1],
            &text.replace("join-", "join-é"),
        ] {
            assert!(bad.parse::<JoinToken>().is_err(), "{bad}");
        }
        assert!(!format!("{token:?}").contains(&text[20..]), "the secret is not printed");
    }

    #[test]
    fn a_token_is_taken_once_in_its_time_and_by_the_one_it_is_for() {
        let dir = tempfile::tempdir().unwrap();
        let record = |name: Option<&str>, until_ms| Record {
            name: name.map(str::to_owned),
            roles: [Role::Worker].into_iter().collect(),
            until_ms,
        };
        let later = Timestamp::now().as_millisecond() + 60_000;
        let good = token();
        assert!(matches!(take(dir.path(), &good, "pc1"), Err(CertsError::TokenUnknown)));
        remember(dir.path(), &good, &record(Some("pc1"), later)).unwrap();
        assert!(matches!(
            take(dir.path(), &good, "pc2"),
            Err(CertsError::TokenName { .. })
        ));
        assert!(take(dir.path(), &good, "pc1").unwrap().record.roles.allow(Role::Worker));
        assert!(matches!(take(dir.path(), &good, "pc1"), Err(CertsError::TokenUnknown)));
        let old = token();
        remember(dir.path(), &old, &record(None, 1)).unwrap();
        assert!(matches!(
            take(dir.path(), &old, "pc1"),
            Err(CertsError::TokenExpired(_))
        ));
        remember(dir.path(), &token(), &record(None, later)).unwrap();
        // The one that was taken stays, as used, until its end.
        let left = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 2, "those that have ended go");
    }
}
