//! One length of row for each channel, and what each of its files is taken to hold. Pure.

use rustc_hash::FxHashMap;

use crate::options::{Dtype, Ragged};
use crate::trc::SampleWidth;
use crate::units::Bytes;

use super::error::LengthSeen;
use super::gather::Candidate;
use super::model::{Element, PlannedLayout};

/// [`Candidate::layout`] of a file about which nothing is known: not opened, or the storage failed.
pub(super) const UNKNOWN: u32 = u32::MAX;
/// [`Candidate::layout`] of a file that was opened and has no readable header.
pub(super) const UNREADABLE: u32 = u32::MAX - 1;

/// What a header says of its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Claimed {
    pub(super) segments: u32,
    pub(super) samples: u32,
    pub(super) width: SampleWidth,
    /// Whether the file's bytes bear it out. A file cut short claims what it does not hold.
    pub(super) sound: bool,
}

/// The distinct claims of a channel; [`Candidate::layout`] is a position in it.
#[derive(Debug, Default)]
pub(super) struct Claims {
    all: Vec<Claimed>,
    known: FxHashMap<Claimed, u32>,
}

impl Claims {
    pub(super) fn id(&mut self, claimed: Claimed) -> u32 {
        *self.known.entry(claimed).or_insert_with(|| {
            self.all.push(claimed);
            u32::try_from(self.all.len() - 1).expect("fewer claims than files")
        })
    }

    pub(super) fn get(&self, id: u32) -> Option<Claimed> {
        self.all.get(id as usize).copied()
    }
}

/// The channel's rows, as its headers have it.
#[derive(Debug)]
pub(super) struct Resolved {
    /// Samples a row of the array.
    pub(super) samples: u32,
    /// Lengths of the sound files, commonest first.
    pub(super) lengths: Vec<Length>,
    pub(super) layouts: Vec<PlannedLayout>,
    /// For each claim: its layout.
    of_claim: Vec<u32>,
    /// The layout of files without a readable header.
    of_unknown: u32,
    /// For each claim: whether its files are not sound.
    unsound: Vec<bool>,
    /// For each claim: whether its files are of another length, and bad for it (`--ragged bad`).
    other_length: Vec<bool>,
    pub(super) eight: u64,
    pub(super) sixteen: u64,
}

/// How often one length occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Length {
    pub(super) samples: u32,
    pub(super) files: u64,
    pub(super) sizes: (u64, u64),
    /// Position of the first such file.
    pub(super) first: usize,
}

impl Length {
    /// With the name that people need.
    pub(super) fn shown(&self, name: impl Fn(usize) -> String) -> LengthSeen {
        LengthSeen {
            samples: self.samples,
            files: self.files,
            sizes: (Bytes(self.sizes.0), Bytes(self.sizes.1)),
            example: name(self.first),
        }
    }
}

#[derive(Clone, Copy)]
struct Tally {
    files: u64,
    first: usize,
    sizes: (u64, u64),
}

/// Decides the length of row. None where no header of the channel could be read.
pub(super) fn resolve(claims: &Claims, files: &[Candidate], ragged: Ragged) -> Option<Resolved> {
    let mut tallies = vec![
        Tally {
            files: 0,
            first: usize::MAX,
            sizes: (u64::MAX, 0),
        };
        claims.all.len()
    ];
    for (position, file) in files.iter().enumerate() {
        if let Some(tally) = tallies.get_mut(file.layout as usize) {
            tally.files += 1;
            tally.first = tally.first.min(position);
            tally.sizes = (tally.sizes.0.min(file.size), tally.sizes.1.max(file.size));
        }
    }
    // Only where nothing is sound do the claims of broken files count.
    let any_sound = claims.all.iter().any(|claimed| claimed.sound);
    let counted: Vec<(Claimed, Tally)> = claims
        .all
        .iter()
        .zip(&tallies)
        .filter(|(claimed, tally)| tally.files > 0 && (claimed.sound || !any_sound))
        .map(|(&claimed, &tally)| (claimed, tally))
        .collect();
    let lengths = by_length(&counted);
    let samples = match ragged {
        Ragged::Error | Ragged::Bad => lengths.first()?.samples,
        Ragged::Pad => lengths.iter().map(|length| length.samples).max()?,
        Ragged::Truncate => lengths.iter().map(|length| length.samples).min()?,
    };
    let commonest = commonest(&counted)?;
    let most_segments = counted.iter().map(|(claimed, _)| claimed.segments).max()?;
    let mut table = Table::default();
    let mut order: Vec<usize> = (0..claims.all.len()).filter(|&id| tallies[id].files > 0).collect();
    order.sort_by_key(|&id| tallies[id].first);
    let mut of_claim = vec![0; claims.all.len()];
    for id in order {
        let claimed = claims.all[id];
        // A broken file that claims rows of a length that no sound file has, or more of them than any sound file, is not
        // to be believed: one damaged number would make millions of empty rows.
        let likely =
            claimed.segments <= most_segments && lengths.iter().any(|length| length.samples == claimed.samples);
        let believed = claimed.sound || likely;
        of_claim[id] = table.id(if believed {
            PlannedLayout {
                segments: claimed.segments,
                samples: claimed.samples,
                width: Some(claimed.width),
                whole: claimed.sound,
            }
        } else {
            commonest
        });
    }
    let width_of = |width| {
        let files = counted.iter().filter(|(claimed, _)| claimed.width == width);
        files.map(|(_, tally)| tally.files).sum()
    };
    Some(Resolved {
        samples,
        unsound: claims.all.iter().map(|claimed| !claimed.sound).collect(),
        other_length: claims
            .all
            .iter()
            .map(|claimed| ragged == Ragged::Bad && claimed.samples != samples)
            .collect(),
        of_claim,
        of_unknown: table.id(commonest),
        layouts: table.layouts,
        eight: width_of(SampleWidth::Eight),
        sixteen: width_of(SampleWidth::Sixteen),
        lengths,
    })
}

impl Resolved {
    /// The position in [`Self::layouts`] of a candidate's layout.
    pub(super) fn layout(&self, file: &Candidate) -> u32 {
        self.of_claim
            .get(file.layout as usize)
            .copied()
            .unwrap_or(self.of_unknown)
    }

    /// Whether the file is known to be bad.
    pub(super) fn is_bad(&self, file: &Candidate) -> bool {
        self.is_unsound(file) || self.is_other_length(file)
    }

    fn is_unsound(&self, file: &Candidate) -> bool {
        self.unsound
            .get(file.layout as usize)
            .copied()
            .unwrap_or(file.layout == UNREADABLE)
    }

    /// Whether the file is bad for its length alone (`--ragged bad`).
    pub(super) fn is_other_length(&self, file: &Candidate) -> bool {
        self.other_length.get(file.layout as usize).copied().unwrap_or(false)
    }

    /// Samples of the shortest row that is not bad for its length: the baseline must leave something of it.
    pub(super) fn shortest_row(&self, ragged: Ragged) -> u32 {
        let shortest = self.lengths.iter().map(|length| length.samples).min();
        match ragged {
            Ragged::Bad => self.samples,
            Ragged::Error | Ragged::Pad | Ragged::Truncate => shortest.unwrap_or(self.samples),
        }
    }

    /// What an element of the array is.
    pub(super) fn element(&self, dtype: Dtype) -> Element {
        match dtype {
            Dtype::Float32 => Element::Float32,
            Dtype::Int8 => Element::Int8,
            Dtype::Native if self.sixteen == 0 => Element::Int8,
            Dtype::Int16 | Dtype::Native => Element::Int16,
        }
    }
}

#[derive(Default)]
struct Table {
    layouts: Vec<PlannedLayout>,
    known: FxHashMap<PlannedLayout, u32>,
}

impl Table {
    fn id(&mut self, layout: PlannedLayout) -> u32 {
        *self.known.entry(layout).or_insert_with(|| {
            self.layouts.push(layout);
            u32::try_from(self.layouts.len() - 1).expect("fewer layouts than files")
        })
    }
}

fn by_length(counted: &[(Claimed, Tally)]) -> Vec<Length> {
    let mut lengths: FxHashMap<u32, Length> = FxHashMap::default();
    for (claimed, tally) in counted {
        let length = lengths.entry(claimed.samples).or_insert(Length {
            samples: claimed.samples,
            files: 0,
            sizes: (u64::MAX, 0),
            first: usize::MAX,
        });
        length.files += tally.files;
        length.first = length.first.min(tally.first);
        length.sizes = (length.sizes.0.min(tally.sizes.0), length.sizes.1.max(tally.sizes.1));
    }
    let mut lengths: Vec<Length> = lengths.into_values().collect();
    lengths.sort_by_key(|length| (std::cmp::Reverse(length.files), length.first));
    lengths
}

/// The commonest rows and samples of a file; where two are as common, those that come first.
fn commonest(counted: &[(Claimed, Tally)]) -> Option<PlannedLayout> {
    let mut shapes: FxHashMap<(u32, u32), (u64, usize)> = FxHashMap::default();
    for (claimed, tally) in counted {
        let shape = shapes
            .entry((claimed.segments, claimed.samples))
            .or_insert((0, usize::MAX));
        *shape = (shape.0 + tally.files, shape.1.min(tally.first));
    }
    let best = shapes
        .into_iter()
        .min_by_key(|&(_, (files, first))| (std::cmp::Reverse(files), first))?;
    let (segments, samples) = best.0;
    Some(PlannedLayout {
        segments,
        samples,
        width: None,
        whole: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claimed(segments: u32, samples: u32, bits: u8, sound: bool) -> Claimed {
        Claimed {
            segments,
            samples,
            width: if bits == 8 {
                SampleWidth::Eight
            } else {
                SampleWidth::Sixteen
            },
            sound,
        }
    }

    fn channel(files: &[Option<Claimed>]) -> (Claims, Vec<Candidate>) {
        let mut claims = Claims::default();
        let files = files
            .iter()
            .zip(0..)
            .map(|(claimed, index)| Candidate {
                index,
                size: 100 + index,
                mtime_ns: 0,
                pattern: 0,
                layout: claimed.map_or(UNREADABLE, |claimed| claims.id(claimed)),
            })
            .collect();
        (claims, files)
    }

    #[test]
    fn the_option_chooses_the_length_of_the_row() {
        let (long, short) = (claimed(1, 20, 16, true), claimed(1, 10, 16, true));
        let (claims, files) = channel(&[Some(long), Some(short), Some(short)]);
        for (ragged, samples, bad) in [
            (Ragged::Bad, 10, [true, false, false]),
            (Ragged::Pad, 20, [false; 3]),
            (Ragged::Truncate, 10, [false; 3]),
        ] {
            let resolved = resolve(&claims, &files, ragged).unwrap();
            assert_eq!(resolved.samples, samples, "{ragged:?}");
            assert_eq!(resolved.shortest_row(ragged), 10, "{ragged:?}");
            assert_eq!(
                files.iter().map(|f| resolved.is_bad(f)).collect::<Vec<_>>(),
                bad,
                "{ragged:?}"
            );
            assert_eq!(resolved.lengths.len(), 2);
            assert_eq!(resolved.lengths[0].files, 2);
            // The layout keeps the file's own length: conversion sees the difference.
            assert_eq!(resolved.layouts[resolved.layout(&files[0]) as usize].samples, 20);
        }
        // As many of each: the earlier rules.
        let (claims, files) = channel(&[Some(long), Some(short)]);
        let resolved = resolve(&claims, &files, Ragged::Bad).unwrap();
        assert_eq!((resolved.samples, resolved.shortest_row(Ragged::Bad)), (20, 20));
    }

    #[test]
    fn files_without_a_header_are_taken_to_be_as_the_commonest() {
        let (five, one) = (claimed(5, 10, 16, true), claimed(1, 10, 16, true));
        let (claims, files) = channel(&[None, Some(five), Some(one), Some(one)]);
        let resolved = resolve(&claims, &files, Ragged::Error).unwrap();
        let layout = |i: usize| resolved.layouts[resolved.layout(&files[i]) as usize];
        assert_eq!((layout(0).segments, layout(0).samples, layout(0).width), (1, 10, None));
        assert_eq!((layout(1).segments, layout(1).width), (5, Some(SampleWidth::Sixteen)));
        assert!(resolved.is_bad(&files[0]) && !resolved.is_bad(&files[1]));
        assert!(resolve(&Claims::default(), &files[..1], Ragged::Error).is_none());
    }

    #[test]
    fn a_broken_file_is_believed_only_where_a_sound_one_agrees() {
        let sound = claimed(8, 10, 16, true);
        let (claims, files) = channel(&[
            Some(sound),
            Some(claimed(7, 10, 16, false)),
            Some(claimed(9, 10, 16, false)),
            Some(claimed(1, 999, 8, false)),
        ]);
        let resolved = resolve(&claims, &files, Ragged::Error).unwrap();
        let layout = |i: usize| resolved.layouts[resolved.layout(&files[i]) as usize];
        assert_eq!((resolved.samples, resolved.lengths.len()), (10, 1));
        assert_eq!((layout(1).segments, layout(1).width), (7, Some(SampleWidth::Sixteen)));
        // More rows than any sound file has, or rows of another length: taken to be as the commonest.
        for i in [2, 3] {
            assert_eq!((layout(i).segments, layout(i).samples, layout(i).width), (8, 10, None));
        }
        assert_eq!((resolved.eight, resolved.sixteen), (0, 1));

        // Nothing sound at all: better their word than none.
        let (claims, files) = channel(&[Some(claimed(7, 10, 16, false)), None]);
        let resolved = resolve(&claims, &files, Ragged::Error).unwrap();
        assert_eq!((resolved.samples, resolved.layouts[0].segments), (10, 7));
    }

    #[test]
    fn native_is_the_stored_width_and_int16_for_both() {
        for (bits, element) in [
            (&[8][..], Element::Int8),
            (&[16], Element::Int16),
            (&[8, 16], Element::Int16),
        ] {
            let files: Vec<_> = bits.iter().map(|&bits| Some(claimed(1, 10, bits, true))).collect();
            let (claims, files) = channel(&files);
            let resolved = resolve(&claims, &files, Ragged::Error).unwrap();
            assert_eq!(resolved.element(Dtype::Native), element, "{bits:?}");
            assert_eq!(resolved.element(Dtype::Float32), Element::Float32);
        }
    }
}
