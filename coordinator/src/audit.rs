//! Who asked for what: a line for each submit, cancel, drain and certificate, in the log and in a file of the state.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::json;
use trc2npy_telemetry::Tell;

use crate::server::Caller;

/// Lines of JSON, the newest at the end. It is the user's to move or remove: nothing reads it.
const FILE: &str = "audit.jsonl";

/// Keeps the lines.
pub(crate) struct Audit {
    path: PathBuf,
    file: Mutex<File>,
    tell: Tell,
}

impl Audit {
    /// Goes on with the file of a state folder.
    pub(crate) fn open(state: &Path, tell: Tell) -> std::io::Result<Self> {
        let path = state.join(FILE);
        let file = OpenOptions::new().append(true).create(true).open(&path)?;
        let file = Mutex::new(file);
        Ok(Self { path, file, tell })
    }

    /// Notes that somebody has done something.
    pub(crate) fn note(&self, caller: &Caller, what: &str, of: &str) {
        self.tell.info(&format!("audit: {what} by {caller}: {of}"));
        let identity = caller.identity.as_deref();
        let line = json!({
            "time": Timestamp::now().to_string(),
            "what": what,
            "who": identity.map(|identity| &identity.name),
            "roles": identity.map(|identity| &identity.roles),
            "certificate": identity.map(|identity| identity.fingerprint.to_string()),
            "from": caller.address.ip().to_canonical().to_string(),
            "of": of,
        });
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // One write: a line is there or not.
        if let Err(error) = file.write_all(format!("{line}\n").as_bytes()) {
            self.tell.warn(&format!(
                "{}: the audit line could not be written: {error}",
                self.path.display()
            ));
        }
    }
}
