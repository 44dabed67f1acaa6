//! How fast a worker is, and how long it has been watched.

use trc2npy_common::units::Bytes;

use crate::ids::Millis;

/// After so much more work, what was before weighs half.
const HALF: Millis = Millis::seconds(30);

/// Bytes over the time that they took, of one lease at a time; what is newer weighs more.
///
/// Weighed by time, not by leases: one of a moment, from a file system's cache or between two pauses of a held-back process,
/// says next to nothing about the next quarter of a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    bytes: Bytes,
    time: Millis,
}

impl Pace {
    pub(crate) fn note(&mut self, bytes: Bytes, took: Millis) {
        // A lease of no measurable time took some all the same.
        let took = Millis(took.0.max(1));
        let kept = |before: u64| {
            let kept = u128::from(before) * u128::from(HALF.0) / (u128::from(HALF.0) + u128::from(took.0));
            u64::try_from(kept).expect("it is no more than it was")
        };
        self.bytes = Bytes(kept(self.bytes.0).saturating_add(bytes.0));
        self.time = Millis(kept(self.time.0).saturating_add(took.0));
    }

    /// Bytes a second in one lease; none of a worker of which nothing has come yet.
    pub(crate) fn speed(self) -> Option<Bytes> {
        let speed = (u128::from(self.bytes.0) * 1000).checked_div(u128::from(self.time.0))?;
        Some(Bytes(u64::try_from(speed).unwrap_or(u64::MAX).max(1)))
    }

    /// How much of its work is behind that.
    pub(crate) const fn watched(self) -> Millis {
        self.time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paced(leases: &[(u64, u64)]) -> Pace {
        let mut pace = Pace::default();
        for &(bytes, took) in leases {
            pace.note(Bytes(bytes), Millis(took));
        }
        pace
    }

    #[test]
    fn speed_follows_the_newest() {
        assert_eq!(paced(&[]).speed(), None);
        assert_eq!(paced(&[(3000, 3000)]).speed(), Some(Bytes(1000)));
        // 30 s at 1,000 weigh half against 30 s at 3,000.
        assert_eq!(
            paced(&[(30_000, 30_000), (90_000, 30_000)]).speed(),
            Some(Bytes(105_000 * 1000 / 45_000))
        );
        assert_eq!(paced(&[(5, 0)]).speed(), Some(Bytes(5000)));
        assert_eq!(paced(&[(0, 7)]).speed(), Some(Bytes(1)));
        let most = paced(&[(u64::MAX, 0), (u64::MAX, 0), (u64::MAX, u64::MAX)]);
        assert!(most.speed().is_some_and(|speed| speed.0 >= 1));
    }

    #[test]
    fn a_lease_of_a_moment_says_little() {
        let steady = [(100_000, 1000); 15];
        let before = paced(&steady).speed().unwrap().0;
        let mut all = steady.to_vec();
        all.push((5000, 1));
        let after = paced(&all).speed().unwrap().0;
        assert!(before.abs_diff(after) < before / 100, "{before} and {after}");
        assert_eq!(paced(&all[15..]).watched(), Millis(1));
    }
}
