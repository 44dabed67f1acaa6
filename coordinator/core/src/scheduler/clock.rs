//! Time without what the process has slept through.

use crate::ids::Millis;

/// A longer gap between two steps is taken out of time.
const LEAP: Millis = Millis::seconds(2);

/// Turns the times of steps into one that deadlines can be compared with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    last: Millis,
    now: Millis,
}

impl Clock {
    pub(super) fn new(now: Millis) -> Self {
        Self {
            last: now,
            now: Millis(0),
        }
    }

    pub(super) fn advance(&mut self, now: Millis) {
        self.now = self.at(now);
        self.last = self.last.max(now);
    }

    pub(super) fn now(&self) -> Millis {
        self.now
    }

    /// What a step at `now` would take for the time.
    pub(crate) fn at(&self, now: Millis) -> Millis {
        let gap = now.since(self.last);
        if gap > LEAP { self.now } else { self.now + gap }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_goes_back_nor_leaps() {
        let mut clock = Clock::new(Millis(5000));
        for (now, expected) in [
            (5000, 0),
            (5250, 250),
            (4000, 250),
            (5300, 300),
            (7300, 2300),
            (9301, 2300),
            (9400, 2399),
        ] {
            clock.advance(Millis(now));
            assert_eq!(clock.now(), Millis(expected), "at {now}");
        }
    }
}
