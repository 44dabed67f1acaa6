//! How the memory that a run may use is shared out.

use crate::units::{Bytes, count};

/// With less no run can be worked on, however small: the buffers of one thread, and room for a plan.
pub const LEAST_MEMORY: Bytes = Bytes::mib(2);

/// What a thread takes at the least, whatever the pressure.
const LEAST: Bytes = Bytes::mib(1);
/// Input and output blocks that together stay in a core's own cache.
const INPUT: Bytes = Bytes::kib(128);
/// The least that is mapped at a time.
const SMALLEST_WINDOW: Bytes = Bytes::kib(128);
const OUTPUT: Bytes = Bytes::kib(256);
const INDEX: Bytes = Bytes::kib(72);
/// What memory is mapped in; every window and block is a multiple of it, so it never cuts a sample.
const PAGE: Bytes = Bytes::kib(4);
/// Above this a mapped window gains nothing.
const LARGEST_WINDOW: Bytes = Bytes::mib(16);

/// The buffers of one thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSizes {
    /// Bytes read at a time.
    pub input: Bytes,
    /// Bytes of array written at a time.
    pub output: Bytes,
    /// Bytes of index written at a time.
    pub index: Bytes,
    /// Bytes of input mapped at a time.
    pub window: Bytes,
}

/// Not enough memory is allowed to work at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryShort {
    /// What was allowed.
    pub limit: Bytes,
    /// What the plan and one thread need.
    pub needed: Bytes,
}

impl MemoryShort {
    /// The sentence about it, for whom sets the limit by this option.
    pub fn told(&self, option: &str) -> String {
        format!(
            "{option} of {} bytes: at least {} are needed for this run (plan and one thread); write {option} {}MiB",
            count(self.limit.0),
            count(self.needed.0),
            self.needed.0.div_ceil(1 << 20)
        )
    }
}

/// Threads and their buffers within a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Threads that fit; at most as many as were asked for.
    pub threads: usize,
    /// What each has in ordinary times.
    pub ample: BlockSizes,
    /// What each has under memory pressure.
    pub scarce: BlockSizes,
}

impl Budget {
    /// Shares `limit` among up to `threads`, after `plan` bytes for the plan.
    ///
    /// # Errors
    /// Where not one thread fits beside the plan.
    pub fn new(limit: Bytes, plan: Bytes, threads: usize) -> Result<Self, MemoryShort> {
        let left = limit.saturating_sub(plan);
        if left < LEAST {
            return Err(MemoryShort {
                limit,
                needed: plan + LEAST,
            });
        }
        let threads = threads.clamp(1, Bytes(left.0 / LEAST.0).as_usize());
        let share = Bytes(left.0 / threads as u64);
        let scarce = BlockSizes {
            input: INPUT,
            output: OUTPUT,
            index: INDEX,
            window: SMALLEST_WINDOW,
        };
        let window = share
            .saturating_sub(INPUT + OUTPUT + INDEX)
            .clamp(SMALLEST_WINDOW, LARGEST_WINDOW);
        // Whole pages: a window of odd length would end in the middle of a 16-bit sample.
        let window = Bytes(window.0 / PAGE.0 * PAGE.0);
        Ok(Self {
            threads,
            ample: BlockSizes { window, ..scarce },
            scarce,
        })
    }

    /// What the buffers and windows of all threads take in ordinary times.
    pub fn bytes(&self) -> Bytes {
        let BlockSizes {
            input,
            output,
            index,
            window,
        } = self.ample;
        (input + output + index + window) * self.threads as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buffers_of_all_threads_stay_within_the_limit() {
        let odd = [2_000_001, 3_333_333].map(Bytes);
        for limit in [1, 2, 3, 7, 16, 128, 1024].map(Bytes::mib).into_iter().chain(odd) {
            for threads in [1, 2, 8, 64] {
                let budget = Budget::new(limit, Bytes(1000), threads);
                let Ok(budget) = budget else {
                    assert_eq!(
                        limit,
                        Bytes::mib(1),
                        "only the plan beside one thread's least does not fit"
                    );
                    continue;
                };
                assert!(budget.bytes() <= limit, "{limit} for {threads}: {budget:?}");
                assert!(budget.threads >= 1 && budget.threads <= threads);
                for sizes in [budget.ample, budget.scarce] {
                    for block in [sizes.input, sizes.output, sizes.index, sizes.window] {
                        assert!(block.0 % 8 == 0, "a block of {block} cuts a sample");
                    }
                }
                assert!(
                    budget.scarce.input + budget.scarce.output + budget.scarce.index + budget.scarce.window <= LEAST
                );
            }
        }
    }
}
