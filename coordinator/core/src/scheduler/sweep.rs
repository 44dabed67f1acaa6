//! What passes with time alone.

use super::Core;
use super::loss::Gone;
use crate::effect::Effect;
use crate::ids::{LeaseId, Millis, SessionId};
use crate::lease::Holder;

/// Time is looked at so often, whatever comes in between.
const EVERY: Millis = Millis(250);
/// A worker is taken for dead after so much silence.
const DEAD: Millis = Millis::seconds(30);
/// A lease that does not get on, and that nobody else has taken either, is taken back after so much more time.
const TAKEN_BACK: Millis = Millis::seconds(600);

impl Core {
    pub(super) fn sweep(&mut self, tick: bool) {
        let now = self.now();
        if !tick && now.since(self.swept) < EVERY {
            return;
        }
        self.swept = now;
        self.fleets.get_mut().clear();
        self.wake_rows(now);
        self.end_silence(now);
        while let Some(&(deadline, id)) = self.deadlines.first()
            && deadline <= now
        {
            self.expire(id);
        }
        // Rests end, silent workers are heard of again, second attempts begin to pay.
        self.look_at_all = true;
    }

    fn wake_rows(&mut self, now: Millis) {
        while let Some(&due) = self.waits.first()
            && due.0 <= now
        {
            self.waits.remove(&due);
            let (_, id, channel) = due;
            if let Some(channel) = self.jobs.get_mut(&id).and_then(|job| job.channel_mut(channel)) {
                channel.wake(now);
            }
            self.note_open(id);
        }
    }

    fn end_silence(&mut self, now: Millis) {
        let silent = self.workers.iter().filter(|(_, worker)| now.since(worker.heard) > DEAD);
        let silent: Vec<SessionId> = silent.map(|(&session, _)| session).collect();
        for session in silent {
            let name = self
                .workers
                .get(&session)
                .map(|worker| worker.name.clone())
                .unwrap_or_default();
            self.lose(session, Gone::Dead);
            let why = format!("nothing was heard of {name} for {} s", DEAD.0 / 1000);
            self.effects.push(Effect::Disconnect { session, why });
        }
    }

    /// A lease has not got on in time, or its worker has not come back.
    fn expire(&mut self, id: LeaseId) {
        let Some(lease) = self.leases.get_mut(&id) else { return };
        if lease.holder == Holder::Orphan {
            return self.strike(id, false);
        }
        let first_time = !lease.stalled;
        lease.stalled = true;
        let lease = lease.clone();
        let other = self.other_attempt(id, &lease);
        self.set_deadline(id, self.now() + TAKEN_BACK);
        self.index(id);
        match other {
            // Of two that do not get on, the older one makes room for a third.
            Some(other) if self.leases.get(&other).is_some_and(|other| other.stalled) => self.take_back(other.min(id)),
            Some(_) => {}
            None if first_time => {}
            None => {
                self.revoke(id, &lease);
                self.end_attempt(id, |_, pieces| pieces);
            }
        }
    }
}
