//! One shard into its array: looked at block by block, and copied on the way, or its blocks shared after the check.
//!
//! Bytes of a shard that turns out to be damaged may have been copied by then. That does no harm: nothing says that these
//! rows are there, and whoever makes them again writes over them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crc_fast::{CrcAlgorithm, Digest};

use super::error::StitchError;
use super::pieces::{BLOCK, pieces, whole_pages};
use super::source::{Source, open, unreadable};
use super::unpack::unpack;
use crate::convert::{Checksum, Form, Target, Turn};
use crate::fs::{self, StorageError};
use crate::outputs::{Seal, check_seal};
use crate::plan::{ChannelPlan, Element, PlanId};
use crate::shard::{Header, Headers, Part, ShardName, ShardRecord};
use crate::units::Bytes;

/// Far more than the JSON of any shard.
const LONGEST_RECORD: u64 = 64 << 20;

/// What all shards of a job have in common.
#[derive(Debug)]
pub(crate) struct Stitcher {
    /// The folder below which they lie.
    pub(crate) job: PathBuf,
    /// The portable plan that they were made by.
    pub(crate) plan: PlanId,
    /// Whether the array may have the shards' blocks instead of a copy (see [`fs::takes_blocks`]); no longer where that
    /// failed once.
    pub(crate) sharing: AtomicBool,
}

impl Stitcher {
    /// Checks a shard of `channel` and copies it to its place in `target`. Its bytes are not synced yet. `patience`:
    /// how long it may take to be seen here.
    pub(crate) fn land(
        &self,
        channel: &ChannelPlan,
        name: &ShardName,
        target: &Target,
        patience: Duration,
    ) -> Result<ShardRecord, StitchError> {
        let (mut record, headers) = self.judged(channel, name, patience)?;
        let range = &record.range;
        let mut buffer = vec![0; Bytes(BLOCK).as_usize()];
        let mut copy = |part, header, sum, to| {
            let path = name.path(&self.job, part);
            self.copy((&path, patience), header, sum, (to, &target.turn), &mut buffer)
        };
        let index = (&target.index, target.index_path.as_path());
        copy(Part::Index, &headers.index, range.index(), index)?;
        if record.form == Form::Values {
            let data = (&target.data, target.data_path.as_path());
            copy(Part::Data, &headers.data, range.data(), data)?;
            return Ok(record);
        }
        let path = name.path(&self.job, Part::Data);
        let source = Source::open(&path, &headers.data, patience, &mut buffer)?;
        let values = unpack(
            source,
            (channel, record.form),
            (range, headers.data.len()),
            target,
            &mut buffer,
        )?;
        record.hold(values);
        Ok(record)
    }

    /// Whether a shard of `channel` seems to be whole: its JSON is, and its files have their lengths. What they hold is not
    /// looked at.
    pub(crate) fn look(&self, channel: &ChannelPlan, name: &ShardName) -> Result<ShardRecord, StitchError> {
        let (record, headers) = self.judged(channel, name, Duration::ZERO)?;
        for (part, header) in [(Part::Data, &headers.data), (Part::Index, &headers.index)] {
            open(
                &name.path(&self.job, part),
                Some(header.len() + header.payload),
                Duration::ZERO,
            )?;
        }
        Ok(record)
    }

    /// A shard's JSON, where it speaks of these rows, and the headers that belong to it.
    fn judged(
        &self,
        channel: &ChannelPlan,
        name: &ShardName,
        patience: Duration,
    ) -> Result<(ShardRecord, Headers), StitchError> {
        let record = self.record(name, patience)?;
        let json = || name.path(&self.job, Part::Record);
        // Volts alone are made of codes: in an array of anything else they would take other rows' places.
        if record.form != Form::Values && channel.element != Element::Float32 {
            return Err(StitchError::Foreign {
                path: json(),
                what: "codes that no volts are made of",
                expected: format!("{:?}", Form::Values),
                found: format!("{:?}", record.form),
            });
        }
        let headers = Headers::of(channel, name.rows, record.form);
        let range = &record.range;
        let told = [(&headers.data, range.data_len), (&headers.index, range.index_len)];
        if let Some((header, found)) = told.into_iter().find(|(header, told)| header.payload != *told) {
            let expected = header.payload.to_string();
            let found = found.to_string();
            let (path, what) = (json(), "another number of bytes");
            return Err(StitchError::Foreign {
                path,
                what,
                expected,
                found,
            });
        }
        let judged: u64 = range.statuses.all().map(|(_, rows)| rows).sum();
        if judged != name.rows.len() {
            let why = format!("verdicts on {judged} of {} rows", name.rows.len());
            return Err(StitchError::Damaged { path: json(), why });
        }
        Ok((record, headers))
    }

    /// Reads and checks a shard's JSON.
    fn record(&self, name: &ShardName, patience: Duration) -> Result<ShardRecord, StitchError> {
        let path = name.path(&self.job, Part::Record);
        let (file, length) = open(&path, None, patience)?;
        let mut text = Vec::new();
        file.take(length.min(LONGEST_RECORD))
            .read_to_end(&mut text)
            .map_err(|source| unreadable(&path, source))?;
        let damaged = |why: String| StitchError::Damaged {
            path: path.clone(),
            why,
        };
        match check_seal(&text) {
            Seal::Intact => {}
            Seal::Absent => return Err(damaged("it does not end in its checksum".to_owned())),
            Seal::Broken { written, found } => {
                return Err(damaged(format!("its checksum is {found}, {written} was written")));
            }
        }
        let record: ShardRecord = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        let foreign = |what, expected: String, found: String| StitchError::Foreign {
            path: path.clone(),
            what,
            expected,
            found,
        };
        if record.plan != self.plan {
            return Err(foreign(
                "made by another plan",
                self.plan.to_string(),
                record.plan.to_string(),
            ));
        }
        if record.name() != *name {
            return Err(foreign("another shard", name.to_string(), record.name().to_string()));
        }
        Ok(record)
    }

    fn copy(
        &self,
        (path, patience): (&Path, Duration),
        header: &Header,
        expected: Checksum,
        ((to, to_path), turn): ((&File, &Path), &Turn),
        buffer: &mut [u8],
    ) -> Result<(), StitchError> {
        let source = Source::open(path, header, patience, buffer)?;
        let shared = whole_pages(header).filter(|_| self.sharing.load(Ordering::Relaxed));
        let mut sum = Digest::new(CrcAlgorithm::Crc32Iscsi);
        for piece in pieces(header) {
            let bytes = &mut buffer[..Bytes(piece.len).as_usize()];
            source.read(piece.from, bytes)?;
            sum.update(bytes);
            if shared.is_none() || !piece.whole_pages {
                let _turn = turn.take();
                fs::write_all_at(to, bytes, piece.to)
                    .map_err(|source| StitchError::Output(StorageError::new("write", to_path, source)))?;
            }
        }
        source.check(Checksum::from(&sum), expected)?;
        let Some(piece) = shared else { return Ok(()) };
        if fs::share_blocks(&source.file, piece.from, to, piece.to, piece.len).is_ok() {
            return Ok(());
        }
        // The bytes are in memory already: written from there they cost less than copied by the system, which where it
        // shares no blocks goes through them page by page.
        self.sharing.store(false, Ordering::Relaxed);
        self.copy((path, patience), header, expected, ((to, to_path), turn), buffer)
    }
}
