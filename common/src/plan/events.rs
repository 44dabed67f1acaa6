//! Which rows the files of all channels get: events joined on (folder, index, segment). Pure.

use std::ops::Range;

use crate::options::Events;

/// A file as the join sees it. A channel's files are sorted by folder and index, without duplicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EventFile {
    /// Position of its folder in the run.
    pub(super) folder: u32,
    /// Segments that it holds.
    pub(super) segments: u32,
    /// The number in its name.
    pub(super) index: u64,
}

impl EventFile {
    const fn key(self) -> (u32, u64) {
        (self.folder, self.index)
    }
}

/// The rows of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// Position of the channel.
    pub(super) channel: usize,
    /// Position in the channel's files.
    pub(super) file: usize,
    pub(super) first_row: u64,
    /// From its first segment on; 0 where the file gives none.
    pub(super) rows: u32,
}

/// Segments of one file index that not all channels have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lacking {
    /// The channel without them; none for `complete`, where they are left out of all channels.
    pub(super) channel: Option<usize>,
    pub(super) folder: u32,
    pub(super) index: u64,
    /// The first of them.
    pub(super) segment: u32,
    pub(super) segments: u32,
    /// The row of the first, where they are rows (`union`).
    pub(super) row: u64,
}

/// Who is told of the join's results, in row order.
pub(super) trait Sink {
    fn place(&mut self, placed: Placed);
    fn lack(&mut self, lacking: Lacking);
}

/// Joins the files of so many channels and gives the number of rows of each. `file` tells a channel's file at a position,
/// or nothing behind its last: asked once for each, so that nobody has to hold all of them in this form.
pub(super) fn join(
    channels: usize,
    file: &impl Fn(usize, usize) -> Option<EventFile>,
    events: Events,
    sink: &mut impl Sink,
) -> Vec<u64> {
    match events {
        Events::Separate => (0..channels)
            .map(|channel| join_some(channel..channel + 1, file, events, sink))
            .collect(),
        Events::Union | Events::Complete => vec![join_some(0..channels, file, events, sink); channels],
    }
}

fn join_some(
    channels: Range<usize>,
    file: &impl Fn(usize, usize) -> Option<EventFile>,
    events: Events,
    sink: &mut impl Sink,
) -> u64 {
    let mut next = vec![0_usize; channels.len()];
    let mut all_heads: Vec<Option<EventFile>> = channels.clone().map(|channel| file(channel, 0)).collect();
    let mut row = 0_u64;
    loop {
        let heads = || all_heads.iter().copied();
        let Some(key) = heads().flatten().map(EventFile::key).min() else {
            return row;
        };
        let segments_of = |head: Option<EventFile>| match head {
            Some(file) if file.key() == key => file.segments,
            _ => 0,
        };
        let most = heads().map(segments_of).max().unwrap_or(0);
        let fewest = heads().map(segments_of).min().unwrap_or(0);
        let rows = if events == Events::Complete { fewest } else { most };
        let lacking = |channel, segment| Lacking {
            channel,
            folder: key.0,
            index: key.1,
            segment,
            segments: most - segment,
            row: row + u64::from(segment),
        };
        if events == Events::Complete && fewest < most {
            sink.lack(lacking(None, fewest));
        }
        for (i, channel) in channels.clone().enumerate() {
            let head = all_heads[i].filter(|file| file.key() == key);
            let own = segments_of(head);
            if events == Events::Union && own < most {
                sink.lack(lacking(Some(channel), own));
            }
            if head.is_some() {
                sink.place(Placed {
                    channel,
                    file: next[i],
                    first_row: row,
                    rows: own.min(rows),
                });
                next[i] += 1;
                all_heads[i] = file(channel, next[i]);
            }
        }
        row += u64::from(rows);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Collected {
        placed: Vec<Placed>,
        lacking: Vec<Lacking>,
    }

    impl Sink for Collected {
        fn place(&mut self, placed: Placed) {
            self.placed.push(placed);
        }
        fn lack(&mut self, lacking: Lacking) {
            self.lacking.push(lacking);
        }
    }

    type Channels = Vec<BTreeMap<(u32, u64), u32>>;

    fn files(channels: &Channels) -> Vec<Vec<EventFile>> {
        channels
            .iter()
            .map(|files| {
                files
                    .iter()
                    .map(|(&(folder, index), &segments)| EventFile {
                        folder,
                        segments,
                        index,
                    })
                    .collect()
            })
            .collect()
    }

    fn joined(files: &[Vec<EventFile>], events: Events, sink: &mut Collected) -> Vec<u64> {
        let file = |channel: usize, at: usize| files[channel].get(at).copied();
        join(files.len(), &file, events, sink)
    }

    /// The row of every (channel, folder, index, segment), from sets of single events.
    fn slowly(channels: &Channels, events: Events) -> BTreeMap<(usize, u32, u64, u32), u64> {
        let set = |channel: &BTreeMap<(u32, u64), u32>| -> BTreeSet<(u32, u64, u32)> {
            channel
                .iter()
                .flat_map(|(&(folder, index), &segments)| (0..segments).map(move |s| (folder, index, s)))
                .collect()
        };
        let sets: Vec<_> = channels.iter().map(set).collect();
        let mut rows = BTreeMap::new();
        for (channel, own) in sets.iter().enumerate() {
            let all: BTreeSet<_> = match events {
                Events::Union => sets.iter().flatten().copied().collect(),
                Events::Complete => own
                    .iter()
                    .copied()
                    .filter(|e| sets.iter().all(|s| s.contains(e)))
                    .collect(),
                Events::Separate => own.clone(),
            };
            for (row, (folder, index, segment)) in (0..).zip(all) {
                if own.contains(&(folder, index, segment)) {
                    rows.insert((channel, folder, index, segment), row);
                }
            }
        }
        rows
    }

    proptest! {
        #[test]
        fn rows_are_those_of_sets_of_single_events(
            channels in prop::collection::vec(
                prop::collection::btree_map((0..2_u32, 0..6_u64), 1..4_u32, 0..8), 1..4),
            events in prop::sample::select(vec![Events::Union, Events::Complete, Events::Separate]),
        ) {
            let files = files(&channels);
            let mut found = Collected::default();
            let totals = joined(&files, events, &mut found);
            let mut rows = BTreeMap::new();
            for placed in &found.placed {
                let file = files[placed.channel][placed.file];
                for s in 0..placed.rows {
                    rows.insert((placed.channel, file.folder, file.index, s), placed.first_row + u64::from(s));
                }
            }
            prop_assert_eq!(&rows, &slowly(&channels, events));
            prop_assert_eq!(found.placed.len(), files.iter().map(Vec::len).sum::<usize>());
            // Rows that a channel has not are exactly those reported as lacking.
            for (channel, &total) in totals.iter().enumerate() {
                let own = rows.keys().filter(|key| key.0 == channel).count() as u64;
                let lacking: u64 = found.lacking.iter().filter(|l| l.channel == Some(channel)).map(|l| u64::from(l.segments)).sum();
                prop_assert_eq!(own + lacking, total);
            }
            if events == Events::Complete {
                let union = slowly(&channels, Events::Union).values().collect::<BTreeSet<_>>().len() as u64;
                let left_out: u64 = found.lacking.iter().map(|l| u64::from(l.segments)).sum();
                prop_assert_eq!(totals[0] + left_out, union);
            }
        }
    }

    #[test]
    fn a_channel_alone_has_its_rows_in_order() {
        let one = vec![BTreeMap::from([((0, 5), 2), ((1, 0), 1)])];
        let mut found = Collected::default();
        assert_eq!(joined(&files(&one), Events::Union, &mut found), [3]);
        assert!(found.lacking.is_empty());
        assert_eq!(found.placed.iter().map(|p| p.first_row).collect::<Vec<_>>(), [0, 2]);
    }
}
