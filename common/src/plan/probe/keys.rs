//! Which files have to be opened so that each (folder, size) of a channel is known.

use rustc_hash::FxHashMap;

use super::{Names, TRIES};
use crate::plan::gather::Candidate;
use crate::plan::layouts::{Claims, UNKNOWN, UNREADABLE};

/// The first files of each (folder, size).
pub(super) struct Keys {
    first: FxHashMap<(u32, u64), [u32; TRIES]>,
}

impl Keys {
    const NONE: u32 = u32::MAX;

    pub(super) fn new(names: Names<'_>, files: &[Candidate]) -> Self {
        let mut first: FxHashMap<(u32, u64), [u32; TRIES]> = FxHashMap::default();
        // Most files have the size of the one before: the map is asked only where that changes or is not yet full.
        let mut full = None;
        for (at, file) in (0..).zip(files) {
            let key = (names.patterns[file.pattern as usize].folder, file.size);
            if full == Some(key) {
                continue;
            }
            let slots = first.entry(key).or_insert([Self::NONE; TRIES]);
            match slots.iter_mut().find(|slot| **slot == Self::NONE) {
                Some(slot) => *slot = at,
                None => full = Some(key),
            }
        }
        Self { first }
    }

    pub(super) fn positions(&self, attempt: usize) -> Vec<usize> {
        let mut positions: Vec<usize> = self
            .first
            .values()
            .map(|slots| slots[attempt])
            .filter(|&at| at != Self::NONE)
            .map(|at| at as usize)
            .collect();
        positions.sort_unstable();
        positions
    }

    pub(super) fn retain_unread(&mut self, files: &[Candidate]) {
        self.first.retain(|_, slots| {
            let known = |&at: &u32| at != Self::NONE && files[at as usize].layout < UNREADABLE;
            !slots.iter().any(known)
        });
    }

    /// Gives the files not opened the layout of their key: that of its first sound file, else of its first with a header.
    pub(super) fn spread_layouts(names: Names<'_>, files: &mut [Candidate], claims: &Claims) {
        let mut of_key: FxHashMap<(u32, u64), (bool, u32)> = FxHashMap::default();
        for file in files.iter().filter(|file| file.layout < UNREADABLE) {
            let sound = claims.get(file.layout).is_some_and(|claimed| claimed.sound);
            let key = (names.patterns[file.pattern as usize].folder, file.size);
            let known = of_key.entry(key).or_insert((sound, file.layout));
            if sound && !known.0 {
                *known = (true, file.layout);
            }
        }
        let mut last = None;
        for file in files.iter_mut().filter(|file| file.layout == UNKNOWN) {
            let key = (names.patterns[file.pattern as usize].folder, file.size);
            let layout = match last {
                Some((same, layout)) if same == key => layout,
                _ => of_key.get(&key).map_or(UNKNOWN, |&(_, layout)| layout),
            };
            last = Some((key, layout));
            file.layout = layout;
        }
    }
}
