//! How large a lease is, who may have one, and whether a second attempt pays. Plain functions of numbers.
//!
//! Knows no job, no worker and no row.

use trc2npy_common::units::Bytes;

use crate::event::Step;
use crate::ids::Millis;

/// How long a lease should take: long against what its beginning and end cost, short against a night.
const LEASE: Millis = Millis::seconds(15);
/// Of a worker of which nothing has come yet.
const FIRST: Bytes = Bytes::mib(16);
/// Of a lease, and of the room on its disk with which a worker is given anything.
pub(crate) const LEAST: Bytes = Bytes::mib(1);
const MOST: Bytes = Bytes::gib(4);
/// Kept free beside what the leases write, as long as there is so much left to do.
const RESERVE: Bytes = Bytes::gib(1);
/// A worker gets nothing after so much silence.
pub(crate) const SILENT: Millis = Millis::seconds(15);

/// What decides about the size of a lease.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sizing {
    /// Of the worker in one lease, bytes a second.
    pub(crate) speed: Option<Bytes>,
    /// What the job's owner wants.
    pub(crate) asked: Option<Bytes>,
    /// Of the job, in nobody's hands.
    pub(crate) remaining: Bytes,
    /// Of all workers.
    pub(crate) slots: u64,
    /// What the worker's disk can take.
    pub(crate) room: Bytes,
}

/// Bytes that a lease should have: 15 s of work, but toward the end no more than leaves two leases for each slot.
pub(crate) fn target(sizing: &Sizing) -> Bytes {
    if let Some(asked) = sizing.asked {
        return Bytes(asked.0.clamp(1, MOST.0));
    }
    let by_speed = sizing.speed.map_or(FIRST.0, |speed| moved(speed, LEASE).0);
    let by_rest = sizing.remaining.0 / (2 * sizing.slots.max(1));
    Bytes(by_speed.min(by_rest).min(sizing.room.0).clamp(LEAST.0, MOST.0))
}

/// How a worker is, as far as it decides whether it gets a lease.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Condition {
    pub(crate) slots: u64,
    pub(crate) leases: u64,
    pub(crate) draining: bool,
    pub(crate) memory_pressure: bool,
    /// Since it was last heard of.
    pub(crate) silence: Millis,
    /// How long it is to be left alone after a fault.
    pub(crate) rest: Millis,
}

/// Why a worker gets no lease, whatever there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    Draining,
    Silent,
    MemoryPressure,
    Resting,
    NoSlots,
    Busy,
}

/// What stands against giving a worker anything: the gravest first.
pub(crate) fn obstacle(condition: &Condition) -> Option<Obstacle> {
    let all = [
        (condition.draining, Obstacle::Draining),
        (condition.silence > SILENT, Obstacle::Silent),
        (condition.memory_pressure, Obstacle::MemoryPressure),
        (condition.rest > Millis(0), Obstacle::Resting),
        (condition.slots == 0, Obstacle::NoSlots),
        (condition.leases >= condition.slots, Obstacle::Busy),
    ];
    all.into_iter().find_map(|(is, obstacle)| is.then_some(obstacle))
}

/// Bytes that one more lease may have where `free` are free and the leases in hand have `in_hand`: twice of all must
/// fit (the shards, and what is made of them), and 1 GiB or what is left of the job, whichever is less.
pub(crate) fn room(free: Option<Bytes>, in_hand: Bytes, unfinished: Bytes) -> Bytes {
    let Some(free) = free else {
        return Bytes(u64::MAX);
    };
    let reserve = RESERVE.min(unfinished);
    Bytes(free.saturating_sub(reserve).0 / 2).saturating_sub(in_hand)
}

/// How long a step may go without a sign of getting on.
pub(crate) const fn patience(step: Step) -> Millis {
    match step {
        Step::Preparing | Step::Converting => Millis::seconds(60),
        // A full cache on its way to a slow disk gives no sign.
        Step::Syncing | Step::Delivering => Millis::seconds(600),
    }
}

/// What decides when a lease will be done.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    pub(crate) now: Millis,
    pub(crate) granted: Millis,
    /// Bytes of the whole lease, and those done.
    pub(crate) bytes: Bytes,
    pub(crate) done: Bytes,
    pub(crate) step: Step,
    /// Of its worker, bytes a second.
    pub(crate) speed: Option<Bytes>,
}

/// When a lease will be done, as it looks now. One of which nothing is known is taken to need twice the time it has had.
pub(crate) fn expected_end(course: &Course) -> Millis {
    let elapsed = course.now.since(course.granted);
    let rest = match (course.step, course.done.0) {
        (Step::Syncing | Step::Delivering, _) => Millis::seconds(1),
        (_, 0) => match course.speed {
            Some(speed) => lasts(course.bytes, speed).since(elapsed).max(Millis(elapsed.0 / 4)),
            None => elapsed,
        },
        (_, done) => {
            let rest = u128::from(course.bytes.0.saturating_sub(done)) * u128::from(elapsed.0) / u128::from(done);
            Millis(u64::try_from(rest).unwrap_or(u64::MAX))
        }
    };
    course.now + rest
}

/// Whether a second attempt that begins now is done well before the first one, which is expected to end at `end`.
pub(crate) fn second_pays(now: Millis, end: Millis, bytes: Bytes, speed: Bytes) -> bool {
    let there = lasts(bytes, speed);
    now + there + Millis(there.0 / 4) + Millis::seconds(1) < end
}

/// The mean of speeds, the newest weighing most.
pub(crate) fn speed(before: Option<Bytes>, bytes: Bytes, took: Millis) -> Bytes {
    let newest = u128::from(bytes.0) * 1000 / u128::from(took.0.max(1));
    let newest = u64::try_from(newest).unwrap_or(u64::MAX).max(1);
    Bytes(before.map_or(newest, |before| before.0 - before.0 * 3 / 10 + newest / 10 * 3))
}

fn lasts(bytes: Bytes, speed: Bytes) -> Millis {
    let time = u128::from(bytes.0) * 1000 / u128::from(speed.0.max(1));
    Millis(u64::try_from(time).unwrap_or(u64::MAX))
}

fn moved(speed: Bytes, time: Millis) -> Bytes {
    let bytes = u128::from(speed.0) * u128::from(time.0) / 1000;
    Bytes(u64::try_from(bytes).unwrap_or(u64::MAX))
}
