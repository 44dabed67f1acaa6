//! By what two machines know that a root leads both of them to the same storage.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::convert::Checksum;
use crate::fs;
use crate::units::Bytes;

/// The file in the folder of a job that holds what its maker has told to the workers: another folder of that name is
/// not the same storage.
pub const TOKEN: &str = "token";

/// How much of an input is compared.
pub const COMPARED: Bytes = Bytes::kib(4);

/// What tells an input from another one of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Its length.
    pub size: Bytes,
    /// CRC32C of its first 4 KiB.
    pub crc: u32,
}

impl Sighting {
    /// Looks at an input, without changing it.
    pub fn of(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let size = Bytes(file.metadata()?.len());
        let mut bytes = vec![0; size.min(COMPARED).as_usize()];
        fs::read_at(&file, &mut bytes, 0)?;
        let crc = Checksum::of(&bytes).crc;
        Ok(Self { size, crc })
    }
}
