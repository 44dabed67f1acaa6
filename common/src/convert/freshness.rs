//! Whether a file is still the planned one, and whether it may still be written.

use std::fs::File;
use std::time::{Duration, SystemTime};

use super::file::{FileFault, FileJob, Halt};
use super::range::RangeOptions;
use crate::fs::Stamp;
use crate::plan::FileEntry;
use crate::status::Status;
use crate::units::count;

/// Fails where the file is not what it was when it was opened, with the stamp `opened`.
pub(super) fn check_unchanged(
    job: &FileJob<'_>,
    file: &File,
    opened: Stamp,
    whole: bool,
    options: &RangeOptions<'_>,
) -> Result<(), FileFault> {
    let now = Stamp::of(file).map_err(FileFault::Storage)?;
    if now.size < opened.size {
        return Err(FileFault::Short { at: now.size.0 });
    }
    let change = changed_since(&job.file, now, options.trust_size);
    match change {
        Some(change) if whole => Err(FileFault::Halt(Halt::Changed(change))),
        _ if !whole && now != opened => Err(FileFault::Bad {
            status: Status::StillWriting,
            why: "it was written to while it was read".to_owned(),
            young: true,
        }),
        _ => Ok(()),
    }
}

pub(super) fn is_young(stamp: Stamp, settle: Duration) -> bool {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
    let settle = i64::try_from(settle.as_nanos()).unwrap_or(i64::MAX);
    // The clock of a scope or a server can run ahead of ours: a file from the future is young as well.
    settle > 0 && now.saturating_sub(stamp.mtime_ns) < settle
}

pub(super) fn changed_since(planned: &FileEntry, now: Stamp, trust_size: bool) -> Option<String> {
    if planned.size != now.size {
        return Some(format!(
            "its size was {} bytes and is {} now",
            count(planned.size.0),
            count(now.size.0)
        ));
    }
    let moved = planned.stamp().time_apart(&now).is_some();
    (moved && !trust_size)
        .then(|| "it was written again (another modification time; --trust-size ignores it)".to_owned())
}
