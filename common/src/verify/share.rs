//! Which rows are compared with their sources.

use serde::Serialize;

/// All rows, or some that a seed chooses.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Share {
    /// Every row.
    All,
    /// Each row by chance.
    Some {
        /// The chance, above 0 and up to 1.
        share: f64,
        /// The same seed chooses the same rows.
        seed: u64,
    },
}

impl Share {
    /// Whether this row, of so many, is compared. One of them always is.
    pub fn chooses(self, row: u64, rows: u64) -> bool {
        match self {
            Self::All => true,
            Self::Some { share, seed } => {
                let always = fastrand::Rng::with_seed(seed).u64(0..rows.max(1));
                // Rows are asked for in any order, by any thread: each has a generator of its own.
                let mut own = fastrand::Rng::with_seed(seed ^ row.wrapping_mul(0x9e37_79b9_7f4a_7c15));
                row == always || own.f64() < share
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_the_share_is_chosen_and_never_nothing() {
        for seed in 0..20 {
            let share = Share::Some { share: 0.01, seed };
            let chosen: Vec<u64> = (0..100_000).filter(|&row| share.chooses(row, 100_000)).collect();
            assert!((800..1200).contains(&chosen.len()), "seed {seed}: {}", chosen.len());
            // Not only from one end.
            let first_half = chosen.iter().filter(|&&row| row < 50_000).count();
            assert!((350..650).contains(&first_half), "seed {seed}: {first_half}");
            assert!((0..3).any(|row| share.chooses(row, 3)), "seed {seed}");
        }
    }
}
