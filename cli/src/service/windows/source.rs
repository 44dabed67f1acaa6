//! The program's name in the event log: registered with the service, removed with it.

use windows_registry::LOCAL_MACHINE;
use windows_sys::Win32::Foundation::ERROR_FILE_NOT_FOUND;

use super::calls::{self, Kind};
use super::failure::Refused;

const SOURCE: &str = "trc2npy";
const LOGS: &str = r"SYSTEM\CurrentControlSet\Services\EventLog\Application";
/// A program of Windows whose messages, 1 to 1000, are each the event's own text: so no file of ours has to stay where
/// it is for old events to be read.
const MESSAGES: &str = r"%SystemRoot%\System32\EventCreate.exe";
/// Errors, warnings and information.
const KINDS: u32 = 7;

/// Whether it was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Was {
    There,
    Missing,
}

/// Registers it.
pub(super) fn register() -> Result<Was, Refused> {
    let path = format!(r"{LOGS}\{SOURCE}");
    let was = match LOCAL_MACHINE.open(&path) {
        Ok(_) => Was::There,
        Err(_) => Was::Missing,
    };
    let written = LOCAL_MACHINE.create(&path).and_then(|key| {
        key.set_expand_string("EventMessageFile", MESSAGES)?;
        key.set_u32("TypesSupported", KINDS)?;
        // As programs of Windows mark sources that others have registered.
        key.set_u32("CustomSource", 1)
    });
    match written {
        Ok(()) => Ok(was),
        Err(error) => {
            if was == Was::Missing {
                let _ = remove();
            }
            Err(Refused::of_registry("register the events of", error.code().0))
        }
    }
}

/// Removes it; what it has told stays.
pub(super) fn remove() -> Result<(), Refused> {
    let removed = LOCAL_MACHINE
        .options()
        .read()
        .write()
        .open(LOGS)
        .and_then(|logs| logs.remove_tree(SOURCE));
    match removed {
        Ok(()) => Ok(()),
        Err(error) => match Refused::of_registry("remove the registered events of", error.code().0) {
            refused if refused.code == ERROR_FILE_NOT_FOUND => Ok(()),
            refused => Err(refused),
        },
    }
}

/// Tells what ended the work.
pub(super) fn error(text: &str) {
    calls::report(SOURCE, Kind::Error, text);
}

/// Tells what began, or ended as it should.
pub(super) fn note(text: &str) {
    calls::report(SOURCE, Kind::Information, text);
}
