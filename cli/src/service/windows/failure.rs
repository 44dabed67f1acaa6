//! What Windows refuses, and what to do about it.

use std::io;

use windows_service::Error;
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_DUPLICATE_SERVICE_NAME, ERROR_FAILED_SERVICE_CONTROLLER_CONNECT, ERROR_FILE_NOT_FOUND,
    ERROR_INVALID_SERVICE_ACCOUNT, ERROR_PATH_NOT_FOUND, ERROR_SERVICE_CANNOT_ACCEPT_CTRL, ERROR_SERVICE_DISABLED,
    ERROR_SERVICE_DOES_NOT_EXIST, ERROR_SERVICE_EXISTS, ERROR_SERVICE_LOGON_FAILED, ERROR_SERVICE_MARKED_FOR_DELETE,
    ERROR_SERVICE_REQUEST_TIMEOUT,
};

use super::NAME;
use crate::failure::Failure;

/// A call that the system has refused.
#[derive(Debug)]
pub(super) struct Refused {
    /// What was to be done with the service.
    doing: &'static str,
    /// The system's number; 0 where it is none of the system's.
    pub(super) code: u32,
    /// The system's sentence.
    says: String,
}

/// What to do about the numbers that people meet.
const ADVICE: [(u32, &str); 13] = [
    (
        ERROR_ACCESS_DENIED,
        "this needs the rights of an administrator: open the console by \"Run as administrator\", and try again there",
    ),
    (
        ERROR_SERVICE_EXISTS,
        "a service of this name is there already and is another program's; remove it with its own installer, or by `sc delete`",
    ),
    (
        ERROR_DUPLICATE_SERVICE_NAME,
        "another service is shown under this one's name; remove that one first",
    ),
    (
        ERROR_SERVICE_DOES_NOT_EXIST,
        "it is not installed; `trc2npy worker service install --root NAME=PATH` does that, with the options of `worker`",
    ),
    (
        ERROR_SERVICE_MARKED_FOR_DELETE,
        "it is being removed, and is gone once nobody looks at it any more: close the windows of services, of the task manager \
         and of the event viewer, and try again; at the latest it is gone after a restart of the machine",
    ),
    (
        ERROR_INVALID_SERVICE_ACCOUNT,
        "there is no such account, or its password is another one: write DOMAIN\\user, or .\\user for a user of this machine",
    ),
    (
        ERROR_SERVICE_LOGON_FAILED,
        "its account cannot log on: the password is another one, or the account lacks the right \"Log on as a service\". \
         Entering account and password once more in services.msc (the service's properties, Log On) sets both right",
    ),
    (
        ERROR_SERVICE_DISABLED,
        "somebody has disabled it; `sc config trc2npy-worker start= delayed-auto` enables it",
    ),
    (
        ERROR_SERVICE_CANNOT_ACCEPT_CTRL,
        "it is just starting or ending; try again in a minute",
    ),
    (
        ERROR_SERVICE_REQUEST_TIMEOUT,
        "it did not answer; the system's event log may say why (`Get-WinEvent -LogName System -MaxEvents 10` in PowerShell)",
    ),
    (
        ERROR_FILE_NOT_FOUND,
        "its program is not where it was when it was installed; install it again with the program that is there now",
    ),
    (
        ERROR_PATH_NOT_FOUND,
        "its program is not where it was when it was installed; install it again with the program that is there now",
    ),
    // Told by the dispatcher, to whoever is no service.
    (
        ERROR_FAILED_SERVICE_CONTROLLER_CONNECT,
        "`worker service run` is what Windows itself starts; `trc2npy worker service start` has it do so, and `trc2npy worker` \
         works in this console",
    ),
];

impl Refused {
    /// An error of the service manager.
    pub(super) fn new(doing: &'static str, error: &Error) -> Self {
        let Error::Winapi(error) = error else {
            return Self {
                doing,
                code: 0,
                says: error.to_string(),
            };
        };
        let code = error.raw_os_error().map_or(0, i32::cast_unsigned);
        Self {
            doing,
            code,
            says: error.to_string(),
        }
    }

    /// An error of the registry: 0x8007 and the system's number.
    pub(super) fn of_registry(doing: &'static str, result: i32) -> Self {
        let code = result.cast_unsigned() & 0xFFFF;
        Self {
            doing,
            code,
            says: io::Error::from_raw_os_error(code.cast_signed()).to_string(),
        }
    }

    /// Whether it is this number.
    pub(super) fn is(&self, code: u32) -> bool {
        self.code == code
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let Refused { doing, code, says } = refused;
        let advice = ADVICE.iter().find(|(known, _)| *known == code);
        let what = advice.map_or(says.as_str(), |(_, advice)| *advice);
        let number = if code == 0 {
            String::new()
        } else {
            format!(" (Windows' error {code})")
        };
        Self::Work {
            code: 1,
            message: format!("cannot {doing} the service {NAME}: {what}{number}"),
        }
    }
}

/// The sentence of a service that has ended by itself with a number of the system's.
pub(super) fn about(code: u32) -> String {
    let advice = ADVICE.iter().find(|(known, _)| *known == code);
    advice.map_or_else(
        || io::Error::from_raw_os_error(code.cast_signed()).to_string(),
        |(_, advice)| (*advice).to_owned(),
    )
}
