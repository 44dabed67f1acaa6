//! What kind of file system a path lies on, and how much room it has.
#![cfg_attr(windows, allow(unsafe_code))]
// On Windows these questions are calls of the system library. Each is given pointers to live, NUL-terminated or sized
// local buffers and keeps none of them.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::units::Bytes;

/// Room on a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Free for this user.
    pub available: Bytes,
    /// All of it.
    pub total: Bytes,
}

/// A kind of file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FsKind {
    /// `ext4`, `ntfs`, `nfs`.
    pub name: String,
    /// Whether the bytes lie on another machine.
    pub network: bool,
}

/// The path itself, or the nearest folder above it that exists: where it would be made.
fn existing(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let mut ancestors = absolute.ancestors().filter(|path| path.exists());
    ancestors
        .next()
        .map(Path::to_owned)
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// The room where `path` is or would be.
pub fn space(path: &Path) -> io::Result<Space> {
    system::space(&existing(path)?)
}

/// The file system on which `path` is or would be.
pub fn kind(path: &Path) -> io::Result<FsKind> {
    system::kind(&existing(path)?)
}

/// What a file takes of the disk: less than its size where it has holes.
pub fn allocated(file: &File) -> io::Result<Bytes> {
    system::allocated(file)
}

#[cfg(unix)]
mod system {
    use super::{Bytes, File, FsKind, Path, Space, io};

    pub(super) fn space(path: &Path) -> io::Result<Space> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(Space {
            available: Bytes(stat.f_bavail * stat.f_frsize),
            total: Bytes(stat.f_blocks * stat.f_frsize),
        })
    }

    pub(super) fn allocated(file: &File) -> io::Result<Bytes> {
        use std::os::unix::fs::MetadataExt;
        Ok(Bytes(file.metadata()?.blocks() * 512))
    }

    #[cfg(target_os = "linux")]
    pub(super) fn kind(path: &Path) -> io::Result<FsKind> {
        let device = rustix::fs::stat(path)?.st_dev;
        let device = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
        let mounts = std::fs::read_to_string("/proc/self/mountinfo")?;
        let by_device = super::type_of_mount(&mounts, |mount| mount.device == device);
        // Btrfs and overlays show other device numbers in their files than in the list: go by the mount point.
        let name = by_device.or_else(|| {
            let path = path.canonicalize().ok()?;
            super::type_of_mount(&mounts, |mount| path.starts_with(mount.point))
        });
        Ok(super::of_name(&name.unwrap_or_else(|| "unknown".to_owned())))
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn kind(path: &Path) -> io::Result<FsKind> {
        let disks = sysinfo::Disks::new_with_refreshed_list();
        let path = path.canonicalize()?;
        let disk = disks
            .iter()
            .filter(|disk| path.starts_with(disk.mount_point()))
            .max_by_key(|disk| disk.mount_point().as_os_str().len());
        let name = disk.map_or("unknown".to_owned(), |disk| {
            disk.file_system().to_string_lossy().into_owned()
        });
        Ok(super::of_name(&name))
    }
}

/// A line of `/proc/self/mountinfo` (proc(5)).
#[cfg(target_os = "linux")]
struct Mount<'a> {
    device: &'a str,
    point: &'a str,
    kind: &'a str,
}

/// The type of the last mount that fits, deepest mount point first.
#[cfg(target_os = "linux")]
fn type_of_mount(mounts: &str, fits: impl Fn(&Mount<'_>) -> bool) -> Option<String> {
    let mounts = mounts.lines().filter_map(|line| {
        let (front, back) = line.split_once(" - ")?;
        let mut front = front.split(' ').skip(2);
        let device = front.next()?;
        let point = front.nth(1)?;
        Some(Mount {
            device,
            point,
            kind: back.split(' ').next()?,
        })
    });
    let found = mounts.filter(fits).max_by_key(|mount| mount.point.len());
    found.map(|mount| mount.kind.to_owned())
}

/// Whether a file system of this name is reached over a network.
#[cfg(unix)]
fn of_name(name: &str) -> FsKind {
    const NETWORK: [&str; 21] = [
        "nfs",
        "nfs4",
        "cifs",
        "smb",
        "smb2",
        "smb3",
        "smbfs",
        "ncpfs",
        "afs",
        "ceph",
        "lustre",
        "gpfs",
        "gfs2",
        "ocfs2",
        "9p",
        "beegfs",
        "orangefs",
        "pvfs2",
        "glusterfs",
        "afpfs",
        "webdav",
    ];
    // Nearly all that is mounted through FUSE comes over a network; the exceptions are known.
    const LOCAL_FUSE: [&str; 4] = ["fuseblk", "fuse.ntfs", "fuse.ntfs-3g", "fuse.exfat"];
    let network = NETWORK.contains(&name) || (name.starts_with("fuse") && !LOCAL_FUSE.contains(&name));
    FsKind {
        name: name.to_owned(),
        network,
    }
}

#[cfg(windows)]
mod system {
    use std::os::windows::ffi::OsStrExt;
    use std::os::windows::io::AsRawHandle;
    use std::path::Prefix;

    use windows_sys::Win32::Storage::FileSystem::{
        FILE_STANDARD_INFO, FileStandardInfo, GetDiskFreeSpaceExW, GetDriveTypeW, GetFileInformationByHandleEx,
        GetVolumeInformationW, GetVolumePathNameW,
    };

    use super::{Bytes, File, FsKind, Path, Space, io};

    /// DRIVE_REMOTE of GetDriveTypeW.
    const REMOTE: u32 = 4;

    fn wide(path: &Path) -> Vec<u16> {
        path.as_os_str().encode_wide().chain([0]).collect()
    }

    pub(super) fn space(path: &Path) -> io::Result<Space> {
        let (mut available, mut total) = (0, 0);
        let path = wide(path);
        // SAFETY: a NUL-terminated path and two live places for results; the third may be null.
        let done = unsafe { GetDiskFreeSpaceExW(path.as_ptr(), &mut available, &mut total, std::ptr::null_mut()) };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Space {
            available: Bytes(available),
            total: Bytes(total),
        })
    }

    pub(super) fn kind(path: &Path) -> io::Result<FsKind> {
        let over_network = matches!(
            path.components().next(),
            Some(std::path::Component::Prefix(prefix))
                if matches!(prefix.kind(), Prefix::UNC(..) | Prefix::VerbatimUNC(..))
        );
        let path = wide(path);
        let mut root = [0_u16; 260];
        let mut name = [0_u16; 64];
        // SAFETY: a NUL-terminated path and a live buffer of the length that is told.
        if unsafe { GetVolumePathNameW(path.as_ptr(), root.as_mut_ptr(), root.len() as u32) } == 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: `root` was NUL-terminated by the call above.
        let remote = unsafe { GetDriveTypeW(root.as_ptr()) } == REMOTE;
        let null = std::ptr::null_mut();
        // SAFETY: as above; results that are not wanted may be null.
        let named = unsafe {
            GetVolumeInformationW(
                root.as_ptr(),
                std::ptr::null_mut(),
                0,
                null,
                null,
                null,
                name.as_mut_ptr(),
                name.len() as u32,
            )
        };
        let length = name.iter().position(|&unit| unit == 0).unwrap_or(0);
        let name = if named == 0 {
            "unknown".to_owned()
        } else {
            String::from_utf16_lossy(&name[..length]).to_lowercase()
        };
        Ok(FsKind {
            name,
            network: remote || over_network,
        })
    }

    pub(super) fn allocated(file: &File) -> io::Result<Bytes> {
        // SAFETY: the structure is plain numbers, for which zero is a value.
        let mut info: FILE_STANDARD_INFO = unsafe { std::mem::zeroed() };
        // SAFETY: an open handle, and a live structure of the size that is told.
        let done = unsafe {
            GetFileInformationByHandleEx(
                file.as_raw_handle(),
                FileStandardInfo,
                std::ptr::from_mut(&mut info).cast(),
                size_of::<FILE_STANDARD_INFO>() as u32,
            )
        };
        if done == 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Bytes(u64::try_from(info.AllocationSize).unwrap_or(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_made_yet_is_judged_by_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/b/c");
        assert_eq!(space(&deep).unwrap().total, space(folder.path()).unwrap().total);
        assert_eq!(kind(&deep).unwrap(), kind(folder.path()).unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn network_file_systems_are_known_by_name() {
        for (name, network) in [
            ("ext4", false),
            ("nfs4", true),
            ("cifs", true),
            ("fuse.sshfs", true),
            ("fuseblk", false),
            ("tmpfs", false),
        ] {
            assert_eq!(of_name(name).network, network, "{name}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_deepest_mount_decides() {
        let mounts = "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 21 0:40 / /mnt/lab rw shared:1 - nfs4 pc1:/lab rw\n";
        let at = |path: &str| type_of_mount(mounts, |mount| Path::new(path).starts_with(mount.point));
        assert_eq!(at("/mnt/lab/run").as_deref(), Some("nfs4"));
        assert_eq!(at("/mnt/other").as_deref(), Some("ext4"));
        assert_eq!(
            type_of_mount(mounts, |mount| mount.device == "0:40").as_deref(),
            Some("nfs4")
        );
    }

    #[test]
    fn holes_take_no_room() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(1 << 30).unwrap();
        assert!(allocated(&file).unwrap() < Bytes::mib(1));
    }
}
