//! The calls of Windows that no crate makes safe: the event log, and what a drive letter is.
#![allow(
    unsafe_code,
    reason = "the event log and drive letters are reached through Windows' C interface alone. Each call gets null-terminated \
              strings and buffers that outlive it, with their true lengths; handles are closed where they are opened."
)]

use std::ptr::{null, null_mut};

use windows_registry::CURRENT_USER;
use windows_sys::Win32::Foundation::ERROR_SUCCESS;
use windows_sys::Win32::NetworkManagement::WNet::WNetGetConnectionW;
use windows_sys::Win32::Storage::FileSystem::{GetDriveTypeW, QueryDosDeviceW};
use windows_sys::Win32::System::EventLog::{
    DeregisterEventSource, EVENTLOG_ERROR_TYPE, EVENTLOG_INFORMATION_TYPE, RegisterEventSourceW, ReportEventW,
};

use crate::service::drive::Letter;

/// The longest name of a share or device that is asked for, with the null at its end.
const LONGEST: u32 = 4096;
/// What an event's text may have at most, in units of UTF-16 (`ReportEventW`).
const LONGEST_EVENT: usize = 31_839;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It ended the work.
    Error,
    /// It began, or it ended as it should.
    Information,
}

fn wide(text: &str) -> Vec<u16> {
    // A null inside would end it.
    text.replace('\0', " ").encode_utf16().chain([0]).collect()
}

fn narrow(buffer: &[u16]) -> String {
    let end = buffer.iter().position(|unit| *unit == 0).unwrap_or(buffer.len());
    String::from_utf16_lossy(&buffer[..end])
}

/// Writes into the event log of applications. Where that cannot be there is nobody to tell.
pub(super) fn report(source: &str, kind: Kind, text: &str) {
    let source = wide(source);
    let text: String = text.chars().take(LONGEST_EVENT / 2).collect();
    let text = wide(&text);
    let (kind, id) = match kind {
        Kind::Error => (EVENTLOG_ERROR_TYPE, 1),
        Kind::Information => (EVENTLOG_INFORMATION_TYPE, 3),
    };
    let strings = [text.as_ptr()];
    // SAFETY: no server is named; the source is null-terminated.
    let log = unsafe { RegisterEventSourceW(null(), source.as_ptr()) };
    if log.is_null() {
        return;
    }
    // SAFETY: the handle is open; one null-terminated string is passed as one, no data and no user.
    unsafe { ReportEventW(log, kind, 0, id, null_mut(), 1, 0, strings.as_ptr(), null()) };
    // SAFETY: it was opened above, and is not used any more.
    unsafe { DeregisterEventSource(log) };
}

/// What this letter is to the session that asks.
pub(super) fn letter(letter: char) -> Letter {
    /// `GetDriveTypeW`: the letter has no root; it is a network drive.
    const NO_ROOT: u32 = 1;
    const REMOTE: u32 = 4;
    let root = wide(&format!(r"{letter}:\"));
    // SAFETY: the string is null-terminated.
    let kind = unsafe { GetDriveTypeW(root.as_ptr()) };
    if let Some(share) = connection(letter) {
        return Letter::Share(Some(share));
    }
    match kind {
        REMOTE => Letter::Share(remembered(letter)),
        // Administrators do not have the drives of the same person without these rights, but can see that there are.
        NO_ROOT => match remembered(letter) {
            Some(share) => Letter::Share(Some(share)),
            None => Letter::Nothing,
        },
        _ => substituted(letter).map_or(Letter::Disk, Letter::Folder),
    }
}

/// The share behind a letter of this session.
fn connection(letter: char) -> Option<String> {
    let name = wide(&format!("{letter}:"));
    let mut buffer = vec![0_u16; LONGEST as usize];
    let mut length = LONGEST;
    // SAFETY: the string is null-terminated; `buffer` has the `length` units that are told.
    let result = unsafe { WNetGetConnectionW(name.as_ptr(), buffer.as_mut_ptr(), &raw mut length) };
    (result == ERROR_SUCCESS)
        .then(|| narrow(&buffer))
        .filter(|share| share.starts_with(r"\\"))
}

/// The share that a letter of this person is connected to whenever he logs on.
fn remembered(letter: char) -> Option<String> {
    let drive = CURRENT_USER.open(format!(r"Network\{letter}")).ok()?;
    drive.get_string("RemotePath").ok()
}

/// The folder that `subst` gave this letter to.
fn substituted(letter: char) -> Option<String> {
    let name = wide(&format!("{letter}:"));
    let mut buffer = vec![0_u16; LONGEST as usize];
    // SAFETY: the string is null-terminated; `buffer` has as many units as are told.
    let written = unsafe { QueryDosDeviceW(name.as_ptr(), buffer.as_mut_ptr(), LONGEST) };
    let device = (written > 0).then(|| narrow(&buffer))?;
    let folder = device.strip_prefix(r"\??\")?;
    Some(match folder.strip_prefix(r"UNC\") {
        Some(share) => format!(r"\\{share}"),
        None => folder.to_owned(),
    })
}
