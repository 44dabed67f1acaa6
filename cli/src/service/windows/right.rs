//! The right to log on as a service, without which an account cannot start one. The system's own accounts have it.
#![allow(
    unsafe_code,
    reason = "accounts' rights are given through Windows' C interface alone. Each call gets null-terminated strings, and \
              buffers that outlive it and are as long as is told; the handle is closed where it is opened."
)]

use std::io;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::ERROR_INSUFFICIENT_BUFFER;
use windows_sys::Win32::Security::Authentication::Identity::{
    LSA_HANDLE, LSA_OBJECT_ATTRIBUTES, LSA_UNICODE_STRING, LsaAddAccountRights, LsaClose, LsaNtStatusToWinError,
    LsaOpenPolicy, POLICY_CREATE_ACCOUNT, POLICY_LOOKUP_NAMES,
};
use windows_sys::Win32::Security::LookupAccountNameW;

const RIGHT: &str = "SeServiceLogonRight";

/// Gives the account, as the service manager names it, this right. It does no harm where it has it already.
pub(super) fn grant(account: &str) -> io::Result<()> {
    let mut sid = identity(account.strip_prefix(r".\").unwrap_or(account))?;
    let attributes = LSA_OBJECT_ATTRIBUTES::default();
    let access = (POLICY_CREATE_ACCOUNT | POLICY_LOOKUP_NAMES).cast_unsigned();
    let mut policy: LSA_HANDLE = 0;
    // SAFETY: no system is named; the attributes are empty, as the call wants them; `policy` outlives the call.
    result(unsafe { LsaOpenPolicy(null(), &raw const attributes, access, &raw mut policy) })?;
    let mut name: Vec<u16> = RIGHT.encode_utf16().collect();
    // Its length is a few bytes.
    let length = u16::try_from(2 * name.len()).map_err(io::Error::other)?;
    let right = LSA_UNICODE_STRING {
        Length: length,
        MaximumLength: length,
        Buffer: name.as_mut_ptr(),
    };
    // SAFETY: the handle is open; `sid` was filled by the system; one right is passed as one, and its text outlives the call.
    let granted = result(unsafe { LsaAddAccountRights(policy, sid.as_mut_ptr().cast(), &raw const right, 1) });
    // SAFETY: it was opened above, and is not used any more.
    unsafe { LsaClose(policy) };
    granted
}

/// The number by which the system knows an account.
fn identity(account: &str) -> io::Result<Vec<u8>> {
    let account: Vec<u16> = account.encode_utf16().chain([0]).collect();
    let (mut sid, mut domain) = (Vec::<u8>::new(), Vec::<u16>::new());
    loop {
        let room = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let (mut of_sid, mut of_domain, mut kind) = (room(sid.len()), room(domain.len()), 0);
        // SAFETY: the name is null-terminated; both buffers have the lengths that are told, none at first.
        let found = unsafe {
            LookupAccountNameW(
                null(),
                account.as_ptr(),
                if sid.is_empty() {
                    null_mut()
                } else {
                    sid.as_mut_ptr().cast()
                },
                &raw mut of_sid,
                if domain.is_empty() {
                    null_mut()
                } else {
                    domain.as_mut_ptr()
                },
                &raw mut of_domain,
                &raw mut kind,
            )
        };
        if found != 0 {
            return Ok(sid);
        }
        let error = io::Error::last_os_error();
        let is_short = error.raw_os_error().map(i32::cast_unsigned) == Some(ERROR_INSUFFICIENT_BUFFER);
        // Once it has told how much it needs, it has that.
        if !is_short || !sid.is_empty() {
            return Err(error);
        }
        sid = vec![0; of_sid as usize];
        domain = vec![0; of_domain as usize];
    }
}

fn result(status: i32) -> io::Result<()> {
    // SAFETY: takes a number and gives one.
    match unsafe { LsaNtStatusToWinError(status) } {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code.cast_signed())),
    }
}
