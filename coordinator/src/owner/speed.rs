//! How fast a job gets on, for people.

use std::time::Instant;

/// Bytes a second over the last half minute or so.
#[derive(Default)]
pub(super) struct Speed {
    at: Option<(Instant, u64)>,
    per_second: f64,
}

impl Speed {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "saturates, and is never negative"
    )]
    pub(super) fn bytes_per_second(&self) -> u64 {
        self.per_second as u64
    }

    pub(super) fn look(&mut self, now: Instant, bytes: u64) {
        let Some((then, before)) = self.at else {
            self.at = Some((now, bytes));
            return;
        };
        let seconds = now.duration_since(then).as_secs_f64();
        if seconds >= 1.0 {
            let fresh = bytes.saturating_sub(before) as f64 / seconds;
            let weight = (seconds / 15.0).min(1.0);
            self.per_second = if self.per_second == 0.0 {
                fresh
            } else {
                self.per_second + (fresh - self.per_second) * weight
            };
            self.at = Some((now, bytes));
        }
    }
}

impl super::Owner {
    pub(super) fn look_at_speeds(&mut self) {
        let now = Instant::now();
        for (id, entry) in self.jobs.iter_mut().filter(|(_, entry)| entry.live.is_some()) {
            if let Some(view) = self.core.job(*id) {
                entry
                    .speed
                    .look(now, super::sum(&view, |channel| channel.committed).bytes.0);
            }
        }
    }
}
