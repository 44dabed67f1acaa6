//! The rows of one channel. Every row is open, held or committed, and one of these only.

use std::collections::BTreeMap;
use std::ops::{AddAssign, SubAssign};

use trc2npy_common::units::{Bytes, RowRange};

use super::care::Care;
use super::cost::Cost;
use super::regions::Regions;
use super::spans::Spans;
use crate::event::{ChannelSpec, Terms};
use crate::ids::{LeaseId, Millis, SessionId};

/// How many rows, and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Rows.
    pub rows: u64,
    /// Their bytes, by [`trc2npy_common::plan::Stretch::row_bytes`].
    pub bytes: Bytes,
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
    }
}

impl SubAssign for Amount {
    fn sub_assign(&mut self, other: Self) {
        self.rows -= other.rows;
        self.bytes = Bytes(self.bytes.0 - other.bytes.0);
    }
}

/// Rows with what is known of them; none where nothing is known.
pub(crate) type Pieces = Vec<(RowRange, Option<Box<Care>>)>;

/// Rows in someone's hands. Their bounds never change.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) rows: RowRange,
    /// What they were before, and become again where no shard comes of it.
    pub(crate) pieces: Pieces,
    pub(crate) hands: Hands,
}

/// Whose hands.
#[derive(Clone, Debug)]
pub(crate) enum Hands {
    /// One attempt.
    One(LeaseId),
    /// Two attempts, of which the first delivery wins.
    Two(LeaseId, LeaseId),
    /// None any more: a shard is being checked and copied to its place.
    Landing(Landing),
}

/// A shard that is being checked and copied to its place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Landing {
    pub(crate) lease: LeaseId,
    /// Who made it and waits for word of it.
    pub(crate) maker: Option<SessionId>,
    /// An earlier start has it among its records.
    pub(crate) recorded: bool,
    /// No file was opened for it.
    pub(crate) given_up: bool,
}

impl Held {
    /// What is known of the rows.
    pub(crate) fn cares(&self) -> impl Iterator<Item = &Care> {
        self.pieces.iter().filter_map(|(_, care)| care.as_deref())
    }

    /// What a lease of all of them may be asked: what holds for some of them only is not, but for care that does no harm.
    pub(crate) fn terms(&self) -> Terms {
        let each = self
            .pieces
            .iter()
            .map(|(_, care)| care.as_ref().map(|care| care.terms()).unwrap_or_default());
        let both = |one: Terms, other: Terms| Terms {
            settled: one.settled && other.settled,
            take_unreadable: one.take_unreadable && other.take_unreadable,
            apart: one.apart || other.apart,
            give_up: one.give_up && other.give_up,
        };
        each.reduce(both).unwrap_or_default()
    }
}

impl Hands {
    /// Whether the lease is one of them.
    pub(crate) fn have(&self, lease: LeaseId) -> bool {
        self.leases().any(|one| one == lease)
    }

    /// The attempts.
    pub(crate) fn leases(&self) -> impl Iterator<Item = LeaseId> + use<> {
        let (one, two) = match *self {
            Self::One(lease) => (Some(lease), None),
            Self::Two(first, second) => (Some(first), Some(second)),
            Self::Landing(_) => (None, None),
        };
        one.into_iter().chain(two)
    }
}

#[derive(Clone, Debug)]
struct Open {
    end: u64,
    care: Option<Box<Care>>,
}

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct Channel {
    pub(crate) cost: Cost,
    regions: Regions,
    /// To be had now.
    open: BTreeMap<u64, Open>,
    /// Open too, but not before a time.
    waiting: BTreeMap<u64, Open>,
    held: BTreeMap<u64, Held>,
    committed: Spans,
    pub(crate) rows_open: Amount,
    pub(crate) rows_waiting: Amount,
    pub(crate) rows_held: Amount,
    pub(crate) rows_committed: Amount,
    /// Of the committed ones.
    pub(crate) bad_rows: u64,
    /// Of the committed ones: their files have ended several processes and were not opened.
    pub(crate) rows_given_up: u64,
}

impl Channel {
    /// All rows are open but those that `spec` has as committed.
    pub(crate) fn new(spec: &ChannelSpec) -> Self {
        let cost = Cost::new(&spec.stretches);
        let mut committed = Spans::default();
        let whole = RowRange::new(0, cost.rows());
        for &rows in &spec.committed {
            committed.insert(rows.intersection(whole));
        }
        let mut channel = Self {
            cost,
            regions: Regions::new(&spec.regions),
            open: BTreeMap::new(),
            waiting: BTreeMap::new(),
            held: BTreeMap::new(),
            committed: Spans::default(),
            rows_open: Amount::default(),
            rows_waiting: Amount::default(),
            rows_held: Amount::default(),
            rows_committed: Amount::default(),
            bad_rows: 0,
            rows_given_up: 0,
        };
        for rows in committed.gaps(whole.end) {
            channel.add_open(rows, None, Millis::default());
        }
        for rows in committed.iter() {
            channel.rows_committed += channel.amount(rows);
        }
        channel.committed = committed;
        channel
    }

    pub(crate) fn amount(&self, rows: RowRange) -> Amount {
        Amount {
            rows: rows.len(),
            bytes: self.cost.bytes(rows),
        }
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.rows_committed.rows == self.cost.rows()
    }

    /// Whether these rows, at least one, are all open (to be had now or later).
    pub(crate) fn is_open(&self, rows: RowRange) -> bool {
        let mut at = rows.start;
        while at < rows.end {
            let Some((_, part)) = before(&self.open, at).or_else(|| before(&self.waiting, at)) else {
                return false;
            };
            at = part.end;
        }
        !rows.is_empty()
    }

    /// The lowest open rows of which all are alike and that suit `may`, by the roots that they need besides the job's and
    /// by their history; with that.
    pub(crate) fn first(&self, may: impl Fn(&[String], Option<&Care>) -> bool) -> Option<(RowRange, Option<&Care>)> {
        self.open.iter().find_map(|(&start, part)| {
            let care = part.care.as_deref();
            let mut parts = self.regions.parts(RowRange::new(start, part.end));
            parts.find(|(_, roots)| may(roots, care)).map(|(rows, _)| (rows, care))
        })
    }

    /// Every part of the open rows, with the roots that it needs besides the job's, and with what is known of it.
    pub(crate) fn open_parts(&self) -> impl Iterator<Item = (RowRange, &[String], Option<&Care>)> {
        let all = self.open.iter().chain(&self.waiting);
        all.flat_map(|(&start, part)| {
            let parts = self.regions.parts(RowRange::new(start, part.end));
            parts.map(|(rows, roots)| (rows, roots, part.care.as_deref()))
        })
    }

    /// The position of the region in which rows of one lease lie.
    pub(crate) fn region(&self, rows: RowRange) -> usize {
        self.regions.at(rows.start)
    }

    /// The roots that rows of one lease need besides the job's.
    pub(crate) fn roots(&self, rows: RowRange) -> &[String] {
        self.regions.roots(rows.start)
    }

    /// What is held, in row order.
    pub(crate) fn all_held(&self) -> impl Iterator<Item = &Held> {
        self.held.values()
    }

    /// Committed rows, as merged spans.
    pub(crate) fn all_committed(&self) -> impl Iterator<Item = RowRange> {
        self.committed.iter()
    }

    /// Whether an earlier start or this one has committed all of `rows`.
    pub(crate) fn is_committed(&self, rows: RowRange) -> bool {
        self.committed.covers(rows)
    }

    /// What is held with exactly these bounds.
    pub(crate) fn held(&self, rows: RowRange) -> Option<&Held> {
        self.held.get(&rows.start).filter(|held| held.rows == rows)
    }

    /// The same, to be changed.
    pub(crate) fn held_mut(&mut self, rows: RowRange) -> Option<&mut Held> {
        self.held.get_mut(&rows.start).filter(|held| held.rows == rows)
    }

    /// The same, with what rows cost.
    pub(crate) fn held_with_cost(&mut self, rows: RowRange) -> Option<(&Cost, &mut Held)> {
        let held = self.held.get_mut(&rows.start).filter(|held| held.rows == rows)?;
        Some((&self.cost, held))
    }

    /// Takes open rows into someone's hands; [`Self::is_open`] holds of them.
    pub(crate) fn hold(&mut self, rows: RowRange, hands: Hands) {
        let mut pieces = Pieces::new();
        let mut at = rows.start;
        while at < rows.end {
            let in_open = before(&self.open, at).is_some();
            let (map, sum) = if in_open {
                (&mut self.open, &mut self.rows_open)
            } else {
                (&mut self.waiting, &mut self.rows_waiting)
            };
            let Some((start, part)) = before(map, at).map(|(start, part)| (start, part.clone())) else {
                debug_assert!(false, "{rows:?} is not open at {at}");
                break;
            };
            map.remove(&start);
            if start < at {
                let care = part.care.clone();
                map.insert(start, Open { end: at, care });
            }
            let end = part.end.min(rows.end);
            if end < part.end {
                let care = part.care.clone();
                map.insert(end, Open { end: part.end, care });
            }
            let piece = RowRange::new(at, end);
            *sum -= Amount {
                rows: piece.len(),
                bytes: self.cost.bytes(piece),
            };
            pieces.push((piece, part.care));
            at = end;
        }
        self.rows_held += self.amount(rows);
        self.held.insert(rows.start, Held { rows, pieces, hands });
    }

    /// Takes rows out of the hands that have them; they are nowhere until opened or committed.
    pub(crate) fn release(&mut self, rows: RowRange) -> Option<Held> {
        self.held(rows)?;
        let held = self.held.remove(&rows.start)?;
        self.rows_held -= self.amount(rows);
        Some(held)
    }

    /// Commits rows that were released.
    pub(crate) fn commit(&mut self, rows: RowRange) {
        self.committed.insert(rows);
        self.rows_committed += self.amount(rows);
    }

    /// Opens rows that were released; says when, where that is not now.
    pub(crate) fn add_open(&mut self, rows: RowRange, care: Option<Box<Care>>, now: Millis) -> Option<Millis> {
        if rows.is_empty() {
            return None;
        }
        let care = care.filter(|care| !care.is_none(now));
        let later = care.as_ref().map(|care| care.not_before).filter(|&time| time > now);
        let care = care.map(|mut care| {
            care.not_before = later.unwrap_or_default();
            care
        });
        let amount = self.amount(rows);
        if later.is_some() {
            self.rows_waiting += amount;
            self.waiting.insert(rows.start, Open { end: rows.end, care });
            return later;
        }
        self.rows_open += amount;
        let RowRange { mut start, mut end } = rows;
        // Rows that are alike grow together again; those that have ended a process keep the bounds in which they did.
        if care.as_ref().is_none_or(|care| care.lost.is_empty()) {
            if let Some((&before, part)) = self.open.range(..start).next_back()
                && part.end == start
                && part.care == care
            {
                start = before;
            }
            if let Some(after) = self.open.get(&end)
                && after.care == care
            {
                let its_end = after.end;
                self.open.remove(&end);
                end = its_end;
            }
        }
        self.open.insert(start, Open { end, care });
        None
    }

    /// Rows whose time has come can be had from now on; says whether there were any.
    pub(crate) fn wake(&mut self, now: Millis) -> bool {
        let due = |part: &Open| part.care.as_ref().is_none_or(|care| care.not_before <= now);
        let starts: Vec<_> = self
            .waiting
            .iter()
            .filter(|(_, part)| due(part))
            .map(|(&start, _)| start)
            .collect();
        for &start in &starts {
            if let Some(part) = self.waiting.remove(&start) {
                let rows = RowRange::new(start, part.end);
                self.rows_waiting -= self.amount(rows);
                self.add_open(rows, part.care, now);
            }
        }
        !starts.is_empty()
    }

    /// An attempt's process was taken for dead, and is not: what was held against these rows for it goes.
    pub(crate) fn pardon(&mut self, rows: RowRange, lease: LeaseId) {
        for map in [&mut self.open, &mut self.waiting] {
            let from = before(map, rows.start).map_or(rows.start, |(start, _)| start);
            for (_, part) in map.range_mut(from..rows.end) {
                if let Some(care) = &mut part.care {
                    care.pardon(lease);
                }
            }
        }
        let from = self
            .held
            .range(..=rows.start)
            .next_back()
            .map_or(rows.start, |(&start, _)| start);
        for (_, held) in self.held.range_mut(from..rows.end) {
            for care in held.pieces.iter_mut().filter_map(|(_, care)| care.as_mut()) {
                care.pardon(lease);
            }
        }
    }

    /// Every row exactly once, and sums that agree.
    pub(crate) fn check(&self) -> Result<(), String> {
        let parts = |map: &BTreeMap<u64, Open>| -> Vec<_> {
            map.iter()
                .map(|(&start, part)| RowRange::new(start, part.end))
                .collect()
        };
        let held: Vec<_> = self.held.values().map(|held| held.rows).collect();
        let kinds = [
            (parts(&self.open), self.rows_open, "open"),
            (parts(&self.waiting), self.rows_waiting, "waiting"),
            (held, self.rows_held, "held"),
            (self.committed.iter().collect(), self.rows_committed, "committed"),
        ];
        let mut all = Vec::new();
        for (parts, sum, kind) in kinds {
            let mut counted = Amount::default();
            for &rows in &parts {
                counted += self.amount(rows);
            }
            if counted != sum {
                return Err(format!("{kind}: {sum:?} said, {counted:?} found"));
            }
            all.extend(parts);
        }
        all.sort_unstable_by_key(|rows| rows.start);
        let mut at = 0;
        for rows in all {
            if rows.start != at || rows.is_empty() {
                return Err(format!("rows {}..{}: {at} expected to come next", rows.start, rows.end));
            }
            at = rows.end;
        }
        if at != self.cost.rows() {
            return Err(format!("{} rows expected, {at} found", self.cost.rows()));
        }
        for held in self.held.values() {
            let rows: u64 = held.pieces.iter().map(|(rows, _)| rows.len()).sum();
            if rows != held.rows.len() {
                return Err(format!("{:?}: the pieces have {rows} rows", held.rows));
            }
        }
        Ok(())
    }
}

/// The part that `row` lies in.
fn before(map: &BTreeMap<u64, Open>, row: u64) -> Option<(u64, &Open)> {
    let (&start, part) = map.range(..=row).next_back()?;
    (part.end > row).then_some((start, part))
}
