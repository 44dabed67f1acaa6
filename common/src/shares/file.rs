//! The plan file of several shares. Everything that is read is checked; a damaged file is an error, never a panic.
//!
//! ```text
//! 8 bytes  magic            TRC2RUNS
//! u32      version          little-endian, as all numbers
//! u64      bytes of head
//! ...      head             JSON: where things are, settings, of each run its output and pieces
//! u32      CRC32C           of everything before it
//! plans    of each run      as `plan.bin`, each with a checksum of its own
//! ```

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::site::Anchor;
use crate::convert::Checksum;
use crate::fs::{self, StorageError};
use crate::plan::{Findings, Plan, PlanFileError};
use crate::units::{Bytes, RowRange};

const MAGIC: [u8; 8] = *b"TRC2RUNS";
const VERSION: u32 = 1;
/// Magic, version, length of the head.
const OPENING: usize = 20;
/// Far more than the head of any plan.
const LONGEST_HEAD: u64 = 256 << 20;

/// Why a plan file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ShareFileError {
    /// The storage failed.
    #[error("cannot be read: {0}")]
    Storage(#[from] io::Error),
    /// The file is something else.
    #[error("not a file of trc2npy plan: it begins with other bytes")]
    NotAPlan,
    /// Written by another version of this program.
    #[error(
        "a plan of version {found}, this program reads version {VERSION}: use the program that planned, or plan again with \
         this one"
    )]
    OtherVersion {
        /// Its version.
        found: u32,
    },
    /// Not what was written.
    #[error("damaged: {0}; plan again: what is made already is kept")]
    Damaged(String),
}

/// What is known of all runs of a plan file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Head {
    /// What the places in it begin with.
    pub(super) anchors: Vec<Anchor>,
    pub(super) settle: Duration,
    pub(super) trust_size: bool,
    pub(super) name: String,
    pub(super) sync_every: Bytes,
    pub(super) runs: Vec<RunHead>,
}

/// What is known of one of them, besides its plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct RunHead {
    /// The output folder, as a place.
    pub(super) out: String,
    /// The name of the folder that has its state; none where it was finished when it was planned.
    pub(super) state: Option<String>,
    /// The name of the folder for shards in it.
    pub(super) folder: String,
    /// Length of its plan.
    pub(super) plan_bytes: u64,
    pub(super) findings: Findings,
    /// The pieces of each channel, in the plan's order.
    pub(super) pieces: Vec<Vec<RowRange>>,
}

fn damaged(what: impl Into<String>) -> ShareFileError {
    ShareFileError::Damaged(what.into())
}

impl From<PlanFileError> for ShareFileError {
    fn from(error: PlanFileError) -> Self {
        match error {
            PlanFileError::Storage(error) => error.into(),
            other => damaged(other.to_string()),
        }
    }
}

/// Writes the file whole, or not at all. `plans` are portable ones, in the order of the runs.
pub(super) fn write(path: &Path, head: &Head, plans: &[Plan]) -> Result<(), StorageError> {
    let json = serde_json::to_vec(head).expect("a head holds nothing that JSON cannot");
    let mut front = Vec::with_capacity(OPENING + json.len());
    front.extend(MAGIC);
    front.extend(VERSION.to_le_bytes());
    front.extend((json.len() as u64).to_le_bytes());
    front.extend(json);
    front.extend(Checksum::of(&front).crc.to_le_bytes());
    fs::write_file_with(path, |mut file| {
        file.write_all(&front)?;
        plans.iter().try_for_each(|plan| plan.write(&mut file))
    })
}

/// Whether a file begins as one of these, of whichever version.
pub(super) fn is_one(path: &Path) -> io::Result<bool> {
    let mut magic = [0; MAGIC.len()];
    match File::open(path)?.read_exact(&mut magic) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| magic == MAGIC),
    }
}

/// Reads a file: its head, and the plan of each run.
pub(super) fn read(path: &Path) -> Result<(Head, Vec<Plan>), ShareFileError> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut input = BufReader::new(file);
    if !is_one(path)? {
        return Err(ShareFileError::NotAPlan);
    }
    let mut front = vec![0; OPENING];
    read_exact(&mut input, &mut front)?;
    let version = u32::from_le_bytes([front[8], front[9], front[10], front[11]]);
    if version != VERSION {
        return Err(ShareFileError::OtherVersion { found: version });
    }
    let head_bytes = u64::from_le_bytes(*front.last_chunk().expect("the opening ends in it"));
    if head_bytes > length.min(LONGEST_HEAD) {
        return Err(damaged("it is shorter than it says"));
    }
    front.resize(OPENING + Bytes(head_bytes).as_usize(), 0);
    read_exact(&mut input, &mut front[OPENING..])?;
    let mut written = [0; 4];
    read_exact(&mut input, &mut written)?;
    let (written, found) = (u32::from_le_bytes(written), Checksum::of(&front).crc);
    if written != found {
        return Err(damaged(format!(
            "the checksum of its head is {found:08x}, {written:08x} was written"
        )));
    }
    let head: Head =
        serde_json::from_slice(&front[OPENING..]).map_err(|error| damaged(format!("its head: {error}")))?;
    let before = front.len() as u64 + 4;
    let expected = head
        .runs
        .iter()
        .try_fold(before, |sum, run| sum.checked_add(run.plan_bytes));
    if expected != Some(length) {
        return Err(damaged(format!("{length} bytes are not as many as its head says")));
    }
    let mut plans = Vec::with_capacity(head.runs.len());
    for run in &head.runs {
        let plan = Plan::read((&mut input).take(run.plan_bytes), Bytes(run.plan_bytes))?;
        check_pieces(run, &plan).map_err(damaged)?;
        plans.push(plan);
    }
    Ok((head, plans))
}

fn read_exact(input: &mut impl Read, to: &mut [u8]) -> Result<(), ShareFileError> {
    input.read_exact(to).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => damaged("it ends early"),
        _ => error.into(),
    })
}

/// What every file keeps to: else shards could lie outside of their arrays.
fn check_pieces(run: &RunHead, plan: &Plan) -> Result<(), String> {
    if run.pieces.len() != plan.channels.len() {
        return Err("pieces of other channels than the plan has".to_owned());
    }
    for (channel, pieces) in plan.channels.iter().zip(&run.pieces) {
        let mut next = 0;
        for piece in pieces {
            if piece.is_empty() || piece.start < next || piece.end > channel.rows {
                return Err(format!("channel {}: rows {piece} are no piece", channel.channel));
            }
            next = piece.end;
        }
    }
    let names = [Some(run.folder.as_str()), run.state.as_deref()];
    if !names.into_iter().flatten().all(crate::roots::is_file_name) {
        return Err("a folder's name that is none".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::plan_of;

    fn written(folder: &Path) -> std::path::PathBuf {
        let plan = plan_of(&[(0, 1, 100), (1, 1, 100)], 2);
        let head = Head {
            anchors: Vec::new(),
            settle: Duration::from_secs(10),
            trust_size: false,
            name: "{channel}.npy".to_owned(),
            sync_every: Bytes::gib(1),
            runs: vec![RunHead {
                out: "at0:npy".to_owned(),
                state: Some("0123".to_owned()),
                folder: "shares-0123".to_owned(),
                plan_bytes: plan.encode().len() as u64,
                findings: Findings::default(),
                pieces: vec![vec![RowRange::new(0, 1), RowRange::new(1, 2)], Vec::new()],
            }],
        };
        let path = folder.join("run.plan");
        write(&path, &head, &[plan]).unwrap();
        path
    }

    #[test]
    fn what_is_written_is_read_and_every_flipped_or_lacking_byte_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path());
        assert!(is_one(&path).unwrap());
        let (head, plans) = read(&path).unwrap();
        assert_eq!(head.runs[0].pieces[0].len(), 2);
        assert_eq!(plans[0].channels[0].rows, 2);
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            std::fs::write(&path, &flipped).unwrap();
            assert!(read(&path).is_err(), "byte {at}");
            std::fs::write(&path, &bytes[..at]).unwrap();
            assert!(read(&path).is_err(), "only {at} bytes");
        }
        std::fs::write(&path, [&bytes[..], b"x"].concat()).unwrap();
        assert!(read(&path).is_err());
    }

    #[test]
    fn another_version_and_another_file_are_told_apart_from_a_damaged_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = written(dir.path());
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[8] = 2;
        std::fs::write(&path, &bytes).unwrap();
        assert!(matches!(read(&path), Err(ShareFileError::OtherVersion { found: 2 })));
        assert!(is_one(&path).unwrap());
        std::fs::write(&path, b"\x93NUMPY, and more than twenty bytes").unwrap();
        assert!(matches!(read(&path), Err(ShareFileError::NotAPlan)));
        assert!(!is_one(&path).unwrap());
    }
}
