//! A look at the state of a conversion by those who have not locked it: they change nothing of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::super::journal::{self, Journal, Record};
use super::{FOLDER, JOURNAL};
use crate::channel::Channel;
use crate::fs::StorageError;
use crate::units::RowRange;

/// What a conversion's journal says at the moment. Whoever writes it may be ahead of that, never behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// All rows are there: only names are missing, if anything.
    pub complete: bool,
    /// The command cannot succeed as it was planned.
    pub hopeless: bool,
    /// Rows that need no work any more, in order.
    pub committed: BTreeMap<Channel, Vec<RowRange>>,
}

/// The folder of the state that has the name `state` in an output folder.
pub fn state_folder(out: &Path, state: &str) -> PathBuf {
    out.join(FOLDER).join(state)
}

/// The state that has the name `state` in an output folder; none where it is not there.
pub fn seen(out: &Path, state: &str) -> Result<Option<Seen>, StorageError> {
    let path = state_folder(out, state).join(JOURNAL);
    let Some((_, records)) = Journal::open(&path)? else {
        return Ok(None);
    };
    let mut seen = Seen::default();
    for record in journal::standing(records) {
        match record {
            Record::Committed(done) => seen.committed.entry(done.channel).or_default().push(done.rows),
            Record::Publishing | Record::Done { .. } => seen.complete = true,
            Record::Hopeless => seen.hopeless = true,
            Record::Opened { .. } => {}
        }
    }
    for rows in seen.committed.values_mut() {
        rows.sort_unstable();
    }
    Ok(Some(seen))
}
