//! The samples of one row: against its source, or against nothing at all.

use std::io;
use std::ops::Range;

use zerocopy::IntoBytes;

use super::Pass;
use crate::trc::decode::{self, Extrema};
use crate::verify::compare::{Found, decode_piece, first_not_blank};
use crate::verify::difference::What;
use crate::verify::expected::SourceFile;

impl Pass<'_> {
    /// Compares the samples of a row; gives the extrema of its codes. The outer failure is the array's, the inner one the
    /// source's.
    pub(super) fn samples(
        &mut self,
        row: u64,
        source: &SourceFile,
        segment: u32,
        taken: Range<u32>,
        level: Option<f64>,
        label: &str,
    ) -> io::Result<Result<Extrema, io::Error>> {
        let element = self.channel.output.description.element;
        let samples = taken.end - taken.start;
        let mut wanted = source.place(segment, taken);
        let mut extrema = Extrema::NONE;
        let mut at = 0_u64;
        let mut found = Found::default();
        while at < u64::from(samples) {
            let codes = match source.codes(self.source, wanted.clone()) {
                Ok(codes) => codes,
                Err(error) => {
                    self.cursor.pass((u64::from(samples) - at) * element.size())?;
                    return Ok(Err(error));
                }
            };
            let stored = self.cursor.piece(codes.len() as u64 * element.size())?;
            let size = usize::try_from(element.size()).expect("one, two or four");
            let codes = codes.slice(0..stored.len() / size);
            let expected = &mut self.expected.as_mut_bytes()[..stored.len()];
            match decode_piece(codes, element, source, level, expected) {
                Ok(seen) => extrema = extrema.merge(seen),
                Err(decode::LowByteSet { position, code }) => {
                    found.first.get_or_insert((
                        at + position as u64,
                        "its high byte".to_owned(),
                        format!("{code}, which does not fit int8,"),
                    ));
                }
            }
            if expected != stored {
                found.compare(at, element, stored, expected);
            }
            wanted.start += codes.bytes.len() as u64;
            at += codes.len() as u64;
        }
        if let Some((sample, stored, expected)) = found.first {
            let what = What::Samples {
                differing: found.differing.max(1),
                stored,
                expected,
            };
            self.differs_at(row, Some(sample), Some(label), false, what);
        }
        Ok(Ok(extrema))
    }

    /// Passes over samples that must hold nothing: NaN, or the smallest code. The first of them is number `from` of the row.
    pub(super) fn blank(&mut self, row: u64, samples: u64, from: u64) -> io::Result<()> {
        let element = self.channel.output.description.element;
        let mut found: Option<(u64, String)> = None;
        let mut at = 0;
        while at < samples {
            let piece = self.cursor.piece((samples - at) * element.size())?;
            if found.is_none() {
                found = first_not_blank(element, piece).map(|(i, stored)| (from + at + i, stored));
            }
            at += piece.len() as u64 / element.size();
        }
        if let Some((sample, stored)) = found {
            self.differs_at(row, Some(sample), None, false, What::NotBlank { stored });
        }
        Ok(())
    }
}
