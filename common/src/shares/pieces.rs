//! Which pieces there are, and which of them are one of N equal shares. Pure.

use std::ops::Range;

use crate::plan::{ChannelPlan, Plan};
use crate::units::{Bytes, RowRange};

/// Pieces of a run of any size, where there is no better reason: enough of them for hundreds of equal shares.
const PIECES: u64 = 1024;
/// Smaller ones are files and syncs without end.
const SMALLEST: Bytes = Bytes::kib(256);
/// A task that is killed loses one of these for each thread.
const LARGEST: Bytes = Bytes::mib(64);
/// Each is a line of the journal, and of the plan file.
const MOST: u64 = 16_384;
/// With less to do than this, a task is mostly begun and ended.
const WORTH_A_TASK: Bytes = Bytes::gib(1);

/// One of several equal shares of all rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    index: u64,
    count: u64,
}

/// Numbers that are no share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadShare {
    /// Of none there is none.
    #[error("0 shares: there must be 1 at least")]
    NoShares,
    /// They are counted from 0.
    #[error("share {index} of {count}: shares are counted from 0, so that the last one is {}", count - 1)]
    Beyond {
        /// Which was asked for.
        index: u64,
        /// How many there are.
        count: u64,
    },
}

impl Share {
    /// The `index`-th of `count`, counted from 0.
    pub const fn new(index: u64, count: u64) -> Result<Self, BadShare> {
        if count == 0 {
            return Err(BadShare::NoShares);
        }
        if index >= count {
            return Err(BadShare::Beyond { index, count });
        }
        Ok(Self { index, count })
    }

    /// Which it is, counted from 0.
    pub const fn index(self) -> u64 {
        self.index
    }

    /// How many there are.
    pub const fn count(self) -> u64 {
        self.count
    }

    /// Its part of things that cost so much, in their order: each belongs to exactly one of all shares, the one in which its
    /// middle lies.
    pub(super) fn of(self, costs: &[Bytes]) -> Range<usize> {
        let total: u128 = costs.iter().map(|cost| u128::from(cost.0)).sum();
        let mut before = 0_u128;
        let owner = costs.iter().map(|cost| {
            let twice_the_middle = 2 * before + u128::from(cost.0);
            before += u128::from(cost.0);
            (twice_the_middle * u128::from(self.count))
                .checked_div(2 * total)
                .unwrap_or_default()
                // One that costs nothing, at the very end.
                .min(u128::from(self.count) - 1)
        });
        let owner: Vec<u128> = owner.collect();
        let from = |index: u64| owner.partition_point(|&owner| owner < u128::from(index));
        from(self.index)..from(self.index + 1)
    }
}

/// Bytes of a piece: as asked, else by the size of the runs.
pub(super) fn piece_size<'p>(plans: impl Iterator<Item = &'p Plan> + Clone, asked: Option<Bytes>) -> Bytes {
    let total: Bytes = plans.map(cost_of).sum();
    let chosen = || Bytes(total.0 / PIECES).clamp(SMALLEST, LARGEST);
    Bytes(asked.unwrap_or_else(chosen).0.max(total.0 / MOST))
}

/// Shares that are worth a task each.
pub(super) fn sensible(costs: &[Bytes]) -> u64 {
    let total: Bytes = costs.iter().copied().sum();
    total.0.div_ceil(WORTH_A_TASK.0).min(costs.len() as u64).max(1)
}

fn cost_of(plan: &Plan) -> Bytes {
    let written = plan.channels.iter().map(ChannelPlan::data_bytes).sum();
    plan.input_bytes().max(written)
}

/// What making each of these pieces of a channel costs: bytes read or written, whichever are more.
pub(super) fn costs(channel: &ChannelPlan, pieces: &[RowRange]) -> Vec<Bytes> {
    let mut stretches = Vec::new();
    let mut next = 0;
    for stretch in channel.stretches() {
        let rows = RowRange::new(next, next + stretch.rows);
        next = rows.end;
        stretches.push((rows, stretch.row_bytes));
    }
    let cost = |piece: &RowRange| {
        let first = stretches.partition_point(|(rows, _)| rows.end <= piece.start);
        let touched = stretches[first..].iter().take_while(|(rows, _)| rows.start < piece.end);
        touched
            .map(|(rows, each)| *each * rows.intersection(*piece).len())
            .sum()
    };
    pieces.iter().map(cost).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::plan::testing::channel_of;

    #[test]
    fn a_share_is_one_of_those_that_there_are() {
        assert!(Share::new(0, 1).is_ok());
        assert!(Share::new(7, 8).is_ok());
        assert_eq!(Share::new(0, 0), Err(BadShare::NoShares));
        assert_eq!(Share::new(8, 8), Err(BadShare::Beyond { index: 8, count: 8 }));
    }

    #[test]
    fn pieces_cost_what_is_read_or_written() {
        // A row of the array has 40 bytes; rows 1 and 2 are missing.
        let channel = channel_of(&[(0, 1, 100), (3, 2, 600)], 5);
        let pieces = [(0, 1), (1, 3), (2, 4), (3, 5)].map(|(start, end)| RowRange::new(start, end));
        assert_eq!(costs(&channel, &pieces), [100, 80, 340, 600].map(Bytes));
    }

    #[test]
    fn pieces_that_cost_nothing_are_in_a_share_too() {
        let costs = [0, 3, 0].map(Bytes);
        assert_eq!(Share::new(0, 1).unwrap().of(&costs), 0..3);
        assert_eq!(Share::new(1, 2).unwrap().of(&costs), 1..3);
    }

    proptest! {
        #[test]
        fn every_piece_is_in_one_share_and_shares_are_about_equal(
            costs in prop::collection::vec(0..1000_u64, 0..200), count in 1..50_u64,
        ) {
            let costs: Vec<Bytes> = costs.into_iter().map(Bytes).collect();
            let total: u64 = costs.iter().map(|cost| cost.0).sum();
            let largest = costs.iter().map(|cost| cost.0).max().unwrap_or(0);
            let mut next = 0;
            for index in 0..count {
                let part = Share::new(index, count).unwrap().of(&costs);
                prop_assert_eq!(part.start, next);
                next = part.end;
                let cost: u64 = costs[part].iter().map(|cost| cost.0).sum();
                prop_assert!(cost <= total / count + largest + 1, "{cost} of {total} in {count} shares");
            }
            prop_assert_eq!(next, costs.len());
        }
    }
}
