//! How far another machine's clock is from this one's.

/// What is known of a coordinator's clock.
#[derive(Clone, Debug)]
pub enum Clock {
    /// No coordinator was named.
    NotAsked,
    /// It does not answer: why.
    Away(String),
    /// It answers, and is too old to tell its time.
    Untold,
    /// It was compared.
    Compared(Exchange),
}

/// A question and its answer, in ms since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// When it was asked, by this machine's clock.
    pub asked: u64,
    /// When the answer came, by this machine's clock.
    pub answered: u64,
    /// The other machine's clock when it answered.
    pub theirs: u64,
}

impl Exchange {
    /// How far theirs is ahead of ours, in ms: what it said against the middle of the way there and back.
    pub fn ahead(self) -> i64 {
        let here = self.asked + self.trip() / 2;
        let apart = i64::try_from(self.theirs.abs_diff(here)).unwrap_or(i64::MAX);
        if self.theirs >= here { apart } else { -apart }
    }

    /// The way there and back, in ms. Half of it is the most by which [`ahead`](Self::ahead) can be wrong.
    pub fn trip(self) -> u64 {
        self.answered.saturating_sub(self.asked)
    }

    /// By how much the clocks are apart for certain, in ms.
    pub(super) fn surely_apart(self) -> u64 {
        self.ahead().unsigned_abs().saturating_sub(self.trip().div_ceil(2))
    }
}
