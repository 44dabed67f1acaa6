//! What lies under a path: how much room, which file system.
#![cfg_attr(
    windows,
    allow(
        unsafe_code,
        reason = "Windows tells these things only through its C interface. Each call gets null-terminated strings and \
                  buffers that outlive it, with their true lengths."
    )
)]

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::StorageError;
use crate::units::Bytes;

/// The room on a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// What this user may still write.
    pub available: Bytes,
    /// The whole volume.
    pub total: Bytes,
}

/// A file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FsKind {
    /// As the system calls it: `ext4`, `nfs`, `NTFS`.
    pub name: String,
    /// Whether its bytes come over a network, where mappings may fail and locks may not hold.
    pub network: bool,
    /// Whether it is known to be this machine's own: whoever opens a file sees all that has been written to it, by
    /// whichever process, synced or not. False for a network, and for what is not known.
    pub local: bool,
}

impl FsKind {
    /// One that was recognised.
    fn known(name: impl Into<String>, network: bool) -> Self {
        Self {
            name: name.into(),
            network,
            local: !network,
        }
    }
}

/// The room on the volume of `path`, which need not exist yet.
pub fn space(path: &Path) -> io::Result<Space> {
    system::space(&nearest_existing(path)?)
}

/// What is missing on a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// The first folder on it.
    pub folder: PathBuf,
    /// Bytes to be written there, and into others on the same volume.
    pub needed: Bytes,
    /// Bytes that are free.
    pub available: Bytes,
}

/// The first volume that has no room for what is to be written into these folders, which need not exist yet.
///
/// Volumes are told apart by their sizes: two of one size with as much free would be taken for one.
pub fn shortage<'p>(needs: impl IntoIterator<Item = (&'p Path, Bytes)>) -> Result<Option<Shortage>, StorageError> {
    let mut volumes: Vec<(Space, Shortage)> = Vec::new();
    for (folder, needed) in needs {
        let space = space(folder).map_err(|source| StorageError::new("ask for the free space of", folder, source))?;
        match volumes.iter_mut().find(|(known, _)| *known == space) {
            Some((_, sum)) => sum.needed += needed,
            None => volumes.push((
                space,
                Shortage {
                    folder: folder.to_owned(),
                    needed,
                    available: space.available,
                },
            )),
        }
    }
    let sums = volumes.into_iter().map(|(_, sum)| sum);
    Ok(sums.into_iter().find(|sum| sum.needed > sum.available))
}

/// The file system of `path`, which need not exist yet.
pub fn kind(path: &Path) -> io::Result<FsKind> {
    system::kind(&nearest_existing(path)?)
}

/// What a file takes on its volume: less than its length where it has holes.
pub fn allocated(file: &File) -> io::Result<Bytes> {
    system::allocated(file)
}

/// `path`, or the nearest folder above it that exists.
pub fn nearest_existing(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    for ancestor in absolute.ancestors() {
        match std::fs::metadata(ancestor) {
            Ok(_) => return Ok(ancestor.to_owned()),
            // A pattern (`r*`) is no name at all on Windows.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename
                ) => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::ErrorKind::NotFound.into())
}

#[cfg(unix)]
mod system {
    use std::os::unix::fs::MetadataExt;

    use super::{Bytes, File, FsKind, Path, Space, io};

    pub(super) fn space(path: &Path) -> io::Result<Space> {
        let volume = rustix::fs::statvfs(path)?;
        Ok(Space {
            available: Bytes(volume.f_bavail.saturating_mul(volume.f_frsize)),
            total: Bytes(volume.f_blocks.saturating_mul(volume.f_frsize)),
        })
    }

    pub(super) fn allocated(file: &File) -> io::Result<Bytes> {
        // POSIX leaves the unit open; Linux counts 512 bytes whatever the block size.
        Ok(Bytes(file.metadata()?.blocks() * 512))
    }

    /// `f_type` of `statfs(2)`, the name, whether it is a network file system.
    const KINDS: [(u32, &str, bool); 25] = [
        (0xEF53, "ext4", false),
        (0x5846_5342, "xfs", false),
        (0x9123_683E, "btrfs", false),
        (0x2FC1_2FC1, "zfs", false),
        (0xF2F5_2010, "f2fs", false),
        (0xCA45_1A4E, "bcachefs", false),
        (0x0102_1994, "tmpfs", false),
        (0x8584_58F6, "ramfs", false),
        (0x794C_7630, "overlay", false),
        (0x4D44, "vfat", false),
        (0x2011_BAB0, "exfat", false),
        (0x5346_544E, "ntfs", false),
        (0x7366_746E, "ntfs3", false),
        (0x9660, "iso9660", false),
        (0x1501_3346, "udf", false),
        (0x7371_7368, "squashfs", false),
        (0x6969, "nfs", true),
        (0xFF53_4D42, "cifs", true),
        (0xFE53_4D42, "smb2", true),
        (0x517B, "smb", true),
        (0x0102_1997, "9p", true),
        (0x00C3_6400, "ceph", true),
        (0x0BD0_0BD0, "lustre", true),
        (0x4750_4653, "gpfs", true),
        (0x1983_0326, "beegfs", true),
    ];

    const FUSE: u32 = 0x6573_5546;

    /// What `fuse` serves from a local disk; everything else behind it is taken for a network.
    const LOCAL_FUSE: [&str; 8] = [
        "fuseblk",
        "fuse.ntfs-3g",
        "fuse.exfat",
        "fuse.fuse-overlayfs",
        "fuse.mergerfs",
        "fuse.bindfs",
        "fuse.encfs",
        "fuse.gocryptfs",
    ];

    pub(super) fn kind(path: &Path) -> io::Result<FsKind> {
        // The magic numbers have 32 bits; the field has the machine's word and may come sign-extended.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the low 32 bits are meant"
        )]
        let magic = rustix::fs::statfs(path)?.f_type as u32;
        if magic == FUSE {
            let device = std::fs::metadata(path)?.dev();
            let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
            let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
            return Ok(fuse_kind(mounted_type(&mounts, &number).unwrap_or("fuse")));
        }
        let known = KINDS.iter().find(|(number, ..)| *number == magic);
        Ok(known.map_or_else(
            || FsKind {
                name: format!("file system {magic:#x}"),
                network: false,
                local: false,
            },
            |&(_, name, network)| FsKind::known(name, network),
        ))
    }

    pub(super) fn fuse_kind(name: &str) -> FsKind {
        FsKind {
            name: name.to_owned(),
            network: !LOCAL_FUSE.contains(&name),
            // A program stands in between, and may itself lie on a network.
            local: false,
        }
    }

    /// The type of the file system with device number `MAJOR:MINOR` in the text of `/proc/self/mountinfo`.
    pub(super) fn mounted_type<'a>(mounts: &'a str, device: &str) -> Option<&'a str> {
        mounts
            .lines()
            .find(|line| line.split(' ').nth(2) == Some(device))
            .and_then(|line| line.split_once(" - "))
            .and_then(|(_, rest)| rest.split(' ').next())
    }
}

#[cfg(windows)]
mod system {
    use std::os::windows::ffi::OsStrExt;
    use std::os::windows::io::AsRawHandle;
    use std::ptr::null_mut;

    use windows_sys::Win32::Storage::FileSystem::{
        FILE_STANDARD_INFO, FileStandardInfo, GetDiskFreeSpaceExW, GetDriveTypeW, GetFileInformationByHandleEx,
        GetVolumeInformationW, GetVolumePathNameW,
    };
    use windows_sys::Win32::System::WindowsProgramming::DRIVE_REMOTE;

    use super::{Bytes, File, FsKind, Path, Space, io};

    /// Null-terminated. These calls, unlike std's, take no path of more than 260 characters that is not written as one without
    /// limit (`\\?\`).
    fn wide(path: &Path) -> Vec<u16> {
        const SHORT: usize = 240;
        let encode = |path: &Path| path.as_os_str().encode_wide().chain([0]).collect::<Vec<_>>();
        let plain = encode(path);
        if plain.len() < SHORT {
            return plain;
        }
        super::super::real(path).map_or(plain, |real| encode(&real))
    }

    fn checked(result: i32) -> io::Result<()> {
        if result == 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    pub(super) fn space(path: &Path) -> io::Result<Space> {
        // The call wants a folder.
        let folder = if path.is_dir() {
            path
        } else {
            path.parent().unwrap_or(path)
        };
        let (mut available, mut total) = (0, 0);
        // SAFETY: the string is null-terminated; both numbers outlive the call, the third pointer may be null.
        checked(unsafe { GetDiskFreeSpaceExW(wide(folder).as_ptr(), &raw mut available, &raw mut total, null_mut()) })?;
        Ok(Space {
            available: Bytes(available),
            total: Bytes(total),
        })
    }

    pub(super) fn allocated(file: &File) -> io::Result<Bytes> {
        let mut info = FILE_STANDARD_INFO::default();
        let size = u32::try_from(size_of::<FILE_STANDARD_INFO>()).expect("a few dozen bytes");
        // SAFETY: the handle is open while `file` is borrowed; the buffer is of the type and size that the class names.
        checked(unsafe {
            GetFileInformationByHandleEx(file.as_raw_handle(), FileStandardInfo, (&raw mut info).cast(), size)
        })?;
        Ok(Bytes(u64::try_from(info.AllocationSize).unwrap_or(0)))
    }

    pub(super) fn kind(path: &Path) -> io::Result<FsKind> {
        let path = wide(path);
        let mut root = vec![0_u16; path.len().max(260) + 1];
        let root_size = u32::try_from(root.len()).map_err(|_| io::ErrorKind::InvalidFilename)?;
        // SAFETY: `path` is null-terminated; `root` has the length named.
        checked(unsafe { GetVolumePathNameW(path.as_ptr(), root.as_mut_ptr(), root_size) })?;
        // SAFETY: the call above left a null-terminated string in `root`.
        let network = unsafe { GetDriveTypeW(root.as_ptr()) } == DRIVE_REMOTE;
        let mut name = [0_u16; 64];
        // SAFETY: `root` is null-terminated, `name` has the length named; the other pointers may be null.
        checked(unsafe {
            GetVolumeInformationW(
                root.as_ptr(),
                null_mut(),
                0,
                null_mut(),
                null_mut(),
                null_mut(),
                name.as_mut_ptr(),
                64,
            )
        })?;
        let end = name.iter().position(|&unit| unit == 0).unwrap_or(name.len());
        Ok(FsKind::known(String::from_utf16_lossy(&name[..end]), network))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_known_for_a_folder_that_does_not_exist_yet() {
        let folder = tempfile::tempdir().unwrap();
        let room = space(&folder.path().join("not/yet/there")).unwrap();
        assert_eq!(room.total, space(folder.path()).unwrap().total);
        assert!(room.available <= room.total && room.total > Bytes::mib(1), "{room:?}");
        assert_eq!(kind(&folder.path().join("a/b")).unwrap(), kind(folder.path()).unwrap());
    }

    #[test]
    fn the_nearest_folder_above_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, b"x").unwrap();
        assert_eq!(nearest_existing(&folder.path().join("a/b")).unwrap(), folder.path());
        assert_eq!(nearest_existing(&file.join("below")).unwrap(), file);
    }

    #[test]
    fn written_bytes_take_room() {
        use std::io::Write;
        let mut file = tempfile::tempfile().unwrap();
        assert_eq!(allocated(&file).unwrap(), Bytes(0));
        file.write_all(&vec![7; 1 << 20]).unwrap();
        file.sync_all().unwrap();
        assert!(allocated(&file).unwrap() >= Bytes::kib(4));
    }

    #[cfg(unix)]
    #[test]
    fn the_mount_table_names_what_serves_a_fuse_mount() {
        let table = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
                     90 22 0:47 / /mnt/lab rw,nosuid shared:9 master:2 - fuse.sshfs lab:/data rw,user_id=0\n";
        assert_eq!(system::mounted_type(table, "0:47"), Some("fuse.sshfs"));
        assert_eq!(system::mounted_type(table, "0:4"), None);
        assert!(system::fuse_kind("fuse.sshfs").network);
        assert!(!system::fuse_kind("fuseblk").network);
        assert!(!system::fuse_kind("fuseblk").local);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_folder_of_shared_memory_is_in_memory() {
        let kind = kind(Path::new("/dev/shm")).unwrap();
        assert_eq!((kind.name.as_str(), kind.network, kind.local), ("tmpfs", false, true));
    }
}
