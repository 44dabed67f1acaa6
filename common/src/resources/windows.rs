//! Settings of Windows that decide how well long runs go there.
#![cfg_attr(
    windows,
    allow(
        unsafe_code,
        reason = "the registry is read through Windows' C interface. Each call gets null-terminated strings and buffers \
                  that outlive it, with their true lengths."
    )
)]

use std::path::Path;

/// Whether Defender looks into the files of a folder while they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scanning {
    /// The folder, or one above it, is excluded.
    Excluded,
    /// It is not.
    Scanned,
    /// Windows tells administrators alone what is excluded.
    Secret,
    /// There is no Defender.
    Absent,
}

/// What Windows is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowsSettings {
    /// Whether programs may use paths of more than 260 characters.
    pub long_paths: bool,
    /// Of the folder that was asked for.
    pub scanning: Scanning,
}

/// Other systems have no such settings.
#[cfg(not(windows))]
pub fn windows_settings(_: &Path) -> Option<WindowsSettings> {
    None
}

/// The settings, with those for `folder`, which need not exist.
#[cfg(windows)]
pub fn windows_settings(folder: &Path) -> Option<WindowsSettings> {
    Some(WindowsSettings {
        long_paths: registry::number(r"SYSTEM\CurrentControlSet\Control\FileSystem", "LongPathsEnabled") == Some(1),
        scanning: scanning(folder),
    })
}

#[cfg(windows)]
fn scanning(folder: &Path) -> Scanning {
    use registry::Names;
    // What the owner of the machine has set, and what an administrator of many has.
    const EXCLUDED: [&str; 2] = [
        r"SOFTWARE\Microsoft\Windows Defender\Exclusions\Paths",
        r"SOFTWARE\Policies\Microsoft\Windows Defender\Exclusions\Paths",
    ];
    if matches!(registry::names(r"SOFTWARE\Microsoft\Windows Defender"), Names::Absent) {
        return Scanning::Absent;
    }
    let Ok(folder) = std::path::absolute(folder) else {
        return Scanning::Secret;
    };
    let folder = folder.to_string_lossy();
    let mut verdict = Scanning::Scanned;
    for key in EXCLUDED {
        match registry::names(key) {
            Names::Read(names) if names.iter().any(|name| covers(name, &folder)) => return Scanning::Excluded,
            Names::Denied => verdict = Scanning::Secret,
            Names::Read(_) | Names::Absent => {}
        }
    }
    verdict
}

/// Whether the exclusion of a path is one of this folder: it names the folder or one above it, in whatever case.
#[cfg(any(windows, test))]
fn covers(exclusion: &str, folder: &str) -> bool {
    let parts = |path: &str| -> Vec<String> {
        let path = path.trim_start_matches(r"\\?\");
        let parts = path.split(['\\', '/']).filter(|part| !part.is_empty());
        parts.map(str::to_lowercase).collect()
    };
    let mut excluded = parts(exclusion);
    // Everything in a folder is the folder.
    if excluded.last().is_some_and(|last| last == "*") {
        excluded.pop();
    }
    !excluded.is_empty() && parts(folder).starts_with(&excluded)
}

#[cfg(windows)]
mod registry {
    use std::ptr::{null, null_mut};

    use windows_sys::Win32::Foundation::{ERROR_ACCESS_DENIED, ERROR_SUCCESS};
    use windows_sys::Win32::System::Registry::{
        HKEY_LOCAL_MACHINE, KEY_READ, RRF_RT_REG_DWORD, RegCloseKey, RegEnumValueW, RegGetValueW, RegOpenKeyExW,
    };

    /// The names of a key's values.
    pub(super) enum Names {
        Read(Vec<String>),
        Denied,
        Absent,
    }

    /// The longest name of a value, with the null at its end.
    const LONGEST: usize = 16_384;

    fn wide(text: &str) -> Vec<u16> {
        text.encode_utf16().chain([0]).collect()
    }

    /// A number of the machine's part of the registry.
    pub(super) fn number(key: &str, value: &str) -> Option<u32> {
        let (key, value) = (wide(key), wide(value));
        let (mut number, mut size) = (0_u32, 4_u32);
        // SAFETY: both strings are null-terminated; `number` has the four bytes that `size` names, and both outlive it.
        let result = unsafe {
            RegGetValueW(
                HKEY_LOCAL_MACHINE,
                key.as_ptr(),
                value.as_ptr(),
                RRF_RT_REG_DWORD,
                null_mut(),
                (&raw mut number).cast(),
                &raw mut size,
            )
        };
        (result == ERROR_SUCCESS).then_some(number)
    }

    /// The names of the values of a key in the machine's part of the registry.
    pub(super) fn names(key: &str) -> Names {
        let key = wide(key);
        let mut open = null_mut();
        // SAFETY: the string is null-terminated; `open` outlives the call.
        match unsafe { RegOpenKeyExW(HKEY_LOCAL_MACHINE, key.as_ptr(), 0, KEY_READ, &raw mut open) } {
            ERROR_SUCCESS => {}
            ERROR_ACCESS_DENIED => return Names::Denied,
            _ => return Names::Absent,
        }
        let mut names = Vec::new();
        let mut buffer = vec![0_u16; LONGEST];
        for index in 0.. {
            let mut length = u32::try_from(LONGEST).unwrap_or(0);
            // SAFETY: the key is open; `buffer` has `length` units, and the pointers that are null may be.
            let result = unsafe {
                RegEnumValueW(
                    open,
                    index,
                    buffer.as_mut_ptr(),
                    &raw mut length,
                    null(),
                    null_mut(),
                    null_mut(),
                    null_mut(),
                )
            };
            if result != ERROR_SUCCESS {
                break;
            }
            let length = usize::try_from(length).map_or(0, |length| length.min(LONGEST));
            names.push(String::from_utf16_lossy(&buffer[..length]));
        }
        // SAFETY: it was opened above, and is not used any more.
        unsafe { RegCloseKey(open) };
        Names::Read(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exclusion_covers_what_lies_below_it() {
        for (exclusion, folder, covered) in [
            (r"D:\lab", r"D:\lab", true),
            (r"D:\lab\", r"d:\LAB\npy\r005", true),
            (r"D:\lab\*", r"D:\lab\npy", true),
            ("D:/lab", r"\\?\D:\lab\npy", true),
            (r"D:\lab\npy", r"D:\lab", false),
            (r"D:\lab", r"D:\laboratory", false),
            (r"D:\", r"D:\lab", true),
            (r"\\nas\lab", r"\\nas\lab\npy", true),
            ("*", r"D:\lab", false),
        ] {
            assert_eq!(covers(exclusion, folder), covered, "{exclusion} {folder}");
        }
    }

    #[test]
    fn only_windows_has_them() {
        assert_eq!(windows_settings(Path::new(".")).is_some(), cfg!(windows));
    }
}
