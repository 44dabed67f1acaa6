//! How many there are of something, and the first few of them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many there are, and the first few.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examples<T> {
    /// All of them.
    pub count: u64,
    /// At most [`Examples::MOST`].
    pub examples: Vec<T>,
}

impl<T> Default for Examples<T> {
    fn default() -> Self {
        Self {
            count: 0,
            examples: Vec::new(),
        }
    }
}

impl<T> Examples<T> {
    /// How many are shown.
    pub const MOST: usize = 10;

    /// Counts one more; makes it only if it is to be shown.
    pub fn add_with(&mut self, make: impl FnOnce() -> T) {
        self.count += 1;
        if self.examples.len() < Self::MOST {
            self.examples.push(make());
        }
    }

    /// Counts one more.
    pub fn add(&mut self, one: T) {
        self.add_with(|| one);
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

impl<T: Ord> Examples<T> {
    /// Counts one more; the smallest are shown, whatever the order they come in.
    pub fn add_smallest(&mut self, one: T) {
        self.count += 1;
        let at = self.examples.partition_point(|known| *known <= one);
        if at < Self::MOST {
            self.examples.insert(at, one);
            self.examples.truncate(Self::MOST);
        }
    }

    /// Both together.
    pub fn merge_smallest(&mut self, other: Self) {
        let count = self.count + other.count;
        for one in other.examples {
            self.add_smallest(one);
        }
        self.count = count;
    }
}

/// `(a, b, c, ...)`
impl<T: fmt::Display> fmt::Display for Examples<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Ten names in one sentence are not read; the JSON has them all.
        const IN_A_SENTENCE: usize = 3;
        f.write_str("(")?;
        for (i, one) in self.examples.iter().take(IN_A_SENTENCE).enumerate() {
            let comma = if i > 0 { ", " } else { "" };
            write!(f, "{comma}{one}")?;
        }
        f.write_str(if self.count > IN_A_SENTENCE as u64 {
            ", ...)"
        } else {
            ")"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_do_not_depend_on_the_order_they_come_in() {
        let mut up = Examples::default();
        let mut down = Examples::default();
        for i in 0..25 {
            up.add_smallest(i);
            down.add_smallest(24 - i);
        }
        assert_eq!(up, down);
        assert_eq!(up.examples, (0..10).collect::<Vec<_>>());
        let mut both = up.clone();
        both.merge_smallest(down);
        assert_eq!(both.count, 50);
        assert_eq!(both.examples, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
    }
}
