//! Which numbers the files of a channel have, folder by folder, and which are missing between them.

use serde::Serialize;

use crate::channel::Channel;
use crate::plan::{ChannelPlan, Plan};

/// Gaps that are listed of each channel and folder.
const LISTED: usize = 10;

/// The numbers of one channel's files in one folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Numbers {
    /// The folder, as the lists of files show it.
    pub folder: String,
    /// The channel.
    pub channel: Channel,
    /// Files.
    pub files: u64,
    /// The smallest number.
    pub first: u64,
    /// The largest one.
    pub last: u64,
    /// Numbers between these two that no file has.
    pub missing: u64,
    /// The first gaps.
    pub gaps: Vec<Gap>,
}

/// Numbers that no file has, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

/// The numbers of a channel's files, in the order of the folders.
pub(super) fn numbers(plan: &Plan, channel: &ChannelPlan) -> Vec<Numbers> {
    let mut all: Vec<Numbers> = Vec::new();
    let mut of = None;
    // Files come sorted by folder and number.
    for file in channel.files.iter() {
        let folder = plan.patterns[file.pattern.0 as usize].folder;
        match all.last_mut().filter(|_| of == Some(folder)) {
            Some(numbers) => numbers.add(file.index),
            None => all.push(Numbers {
                folder: plan.folder_of(file.pattern).label.clone(),
                channel: channel.channel,
                files: 1,
                first: file.index,
                last: file.index,
                missing: 0,
                gaps: Vec::new(),
            }),
        }
        of = Some(folder);
    }
    all
}

impl Numbers {
    fn add(&mut self, index: u64) {
        let between = index.saturating_sub(self.last + 1);
        if between > 0 {
            self.missing += between;
            if self.gaps.len() < LISTED {
                self.gaps.push(Gap {
                    from: self.last + 1,
                    to: index - 1,
                });
            }
        }
        self.last = index;
        self.files += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_lie_between_the_numbers_that_are_there() {
        let mut numbers = Numbers {
            folder: "r".to_owned(),
            channel: "C1".parse().unwrap(),
            files: 1,
            first: 3,
            last: 3,
            missing: 0,
            gaps: Vec::new(),
        };
        for index in [4, 6, 10] {
            numbers.add(index);
        }
        assert_eq!((numbers.files, numbers.last, numbers.missing), (4, 10, 4));
        assert_eq!(numbers.gaps, [Gap { from: 5, to: 5 }, Gap { from: 7, to: 9 }]);
    }
}
