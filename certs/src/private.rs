//! Files that only their owner may read, from their first byte on.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use trc2npy_common::fs::{self, StorageError};

/// Writes a private file: beside its name first, renamed once it is on the storage.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), StorageError> {
    let beside = beside(path);
    let written = (|| {
        fs::remove_file(&beside)?;
        let mut file = create(&beside).map_err(|error| StorageError::new("create", &beside, error))?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        written.map_err(|error| StorageError::new("write", &beside, error))?;
        drop(file);
        fs::rename(&beside, path).map_err(|error| StorageError::new("rename", &beside, error))
    })();
    if written.is_err() {
        // What is told is why it could not be written.
        let _ = std::fs::remove_file(&beside);
    }
    written
}

fn beside(path: &Path) -> std::path::PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{:08x}.tmp", fastrand::u32(..)));
    path.with_file_name(name)
}

/// Makes a folder that only its owner may look into; one that is there stays as it is.
#[cfg(unix)]
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The same; on Windows the files in it are guarded one by one.
#[cfg(windows)]
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

#[cfg(unix)]
fn create(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// By an access list that inherits nothing: the owner, the system and its administrators.
#[cfg(windows)]
fn create(path: &Path) -> io::Result<File> {
    windows::create(path, "D:P(A;;FA;;;OW)(A;;FA;;;SY)(A;;FA;;;BA)")
}

/// Whether others on this machine may read it.
#[cfg(unix)]
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o007 != 0)
}

/// Access lists are not judged: what they grant depends on the machine's groups.
#[cfg(windows)]
pub(crate) fn is_open_to_others(_: &Path) -> bool {
    false
}

#[cfg(windows)]
#[expect(unsafe_code, reason = "std has no way to create a file with an access list")]
mod windows {
    use std::fs::File;
    use std::io;
    use std::os::windows::ffi::OsStrExt as _;
    use std::os::windows::io::FromRawHandle as _;
    use std::path::Path;
    use std::ptr;

    use windows_sys::Win32::Foundation::{GENERIC_WRITE, INVALID_HANDLE_VALUE, LocalFree};
    use windows_sys::Win32::Security::Authorization::{
        ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1,
    };
    use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
    use windows_sys::Win32::Storage::FileSystem::{CREATE_NEW, CreateFileW, FILE_ATTRIBUTE_NORMAL};

    /// Creates a file with the access list that `sddl` writes down.
    pub(super) fn create(path: &Path, sddl: &str) -> io::Result<File> {
        let sddl: Vec<u16> = sddl.encode_utf16().chain([0]).collect();
        let name: Vec<u16> = path.as_os_str().encode_wide().chain([0]).collect();
        let mut descriptor = ptr::null_mut();
        // SAFETY: the text ends with a 0; the descriptor is freed below.
        let read = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                sddl.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                ptr::null_mut(),
            )
        };
        if read == 0 {
            return Err(io::Error::last_os_error());
        }
        let attributes = SECURITY_ATTRIBUTES {
            nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).expect("a few bytes"),
            lpSecurityDescriptor: descriptor,
            bInheritHandle: 0,
        };
        // SAFETY: the name ends with a 0, and the attributes live until the call returns.
        let handle = unsafe {
            CreateFileW(
                name.as_ptr(),
                GENERIC_WRITE,
                0,
                &raw const attributes,
                CREATE_NEW,
                FILE_ATTRIBUTE_NORMAL,
                ptr::null_mut(),
            )
        };
        let made = if handle == INVALID_HANDLE_VALUE {
            Err(io::Error::last_os_error())
        } else {
            // SAFETY: the handle is open, and nobody else has it.
            Ok(unsafe { File::from_raw_handle(handle) })
        };
        // SAFETY: it was allocated by the conversion, and nothing uses it any more.
        unsafe { LocalFree(descriptor) };
        made
    }
}
