//! How large a lease is, who may have one, and whether a second attempt pays. Plain functions of numbers.
//!
//! Knows no job, no worker and no row.

use trc2npy_common::units::Bytes;

use crate::event::Step;
use crate::ids::Millis;
use crate::pace::Pace;

/// How long a lease should take: long against what its beginning and end cost, short against a night.
const LEASE: Millis = Millis::seconds(15);
/// Times as long as its worker has been watched a lease may take: what is known of a moment's work is no ground for more.
const GROWTH: u64 = 8;
/// A worker's part of what is left of a job is cut into so many leases at least: what is done of the first is put into the
/// array while the next is made, and toward the end nobody has much more in hand than others.
const PARTS: u64 = 4;
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
    /// Of the worker.
    pub(crate) pace: Pace,
    /// What the job's owner wants.
    pub(crate) asked: Option<Bytes>,
    /// Of the job, in nobody's hands.
    pub(crate) remaining: Bytes,
    /// Of all workers.
    pub(crate) slots: u64,
    /// What all of them do in a second; 0: not known.
    pub(crate) rate: Bytes,
    /// What the worker's disk can take.
    pub(crate) room: Bytes,
}

/// Bytes that a lease should have: 15 s of work as far as the worker's speed is known, but toward the end no more than a
/// quarter of what it will have done of the rest when all of it is done.
pub(crate) fn target(sizing: &Sizing) -> Bytes {
    if let Some(asked) = sizing.asked {
        return Bytes(asked.0.clamp(1, MOST.0));
    }
    let speed = sizing.pace.speed();
    let by_speed = speed.map_or(FIRST.0, |speed| {
        let grown = Millis(sizing.pace.watched().0.saturating_mul(GROWTH)).min(LEASE);
        moved(speed, grown).max(moved(speed, LEASE).min(FIRST)).0
    });
    let by_rest = match speed {
        Some(speed) if sizing.rate >= speed => {
            let share =
                u128::from(sizing.remaining.0) * u128::from(speed.0) / (u128::from(PARTS) * u128::from(sizing.rate.0));
            u64::try_from(share).unwrap_or(u64::MAX)
        }
        // Nothing is known: as if all were alike.
        _ => sizing.remaining.0 / (PARTS * sizing.slots.max(1)),
    };
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
    /// When it last got on.
    pub(crate) moved: Millis,
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
        // A sync tells nothing until it is done, and can hang.
        (Step::Syncing | Step::Delivering, _) => Millis::seconds(1).max(course.now.since(course.moved)),
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

/// The workers that may take some rows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fleet {
    /// Bytes a second of all of them together, as far as they are known.
    pub(crate) rate: Bytes,
    /// Of one lease of the fastest.
    pub(crate) fastest: Bytes,
}

/// Whether rows are done earlier where a worker of this speed leaves them to a faster one, which has other things to do
/// first. `unfinished`: all that is not done of the job.
pub(crate) fn better_left(bytes: Bytes, speed: Option<Bytes>, unfinished: Bytes, fleet: Fleet) -> bool {
    let Some(speed) = speed.filter(|speed| *speed < fleet.fastest) else {
        return false;
    };
    lasts(bytes, speed) > lasts(unfinished, fleet.rate) + lasts(bytes, fleet.fastest) + Millis::seconds(1)
}

fn lasts(bytes: Bytes, speed: Bytes) -> Millis {
    let time = u128::from(bytes.0) * 1000 / u128::from(speed.0.max(1));
    Millis(u64::try_from(time).unwrap_or(u64::MAX))
}

fn moved(speed: Bytes, time: Millis) -> Bytes {
    let bytes = u128::from(speed.0) * u128::from(time.0) / 1000;
    Bytes(u64::try_from(bytes).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a worker that did so much in the time.
    fn pace(bytes: Bytes, took: Millis) -> Pace {
        let mut pace = Pace::default();
        pace.note(bytes, took);
        pace
    }

    #[test]
    fn a_lease_is_fifteen_seconds_of_work_within_bounds() {
        let long = Millis::seconds(10);
        let sizing = Sizing {
            pace: pace(Bytes::mib(100), long),
            asked: None,
            remaining: Bytes::gib(1000),
            slots: 10,
            rate: Bytes(0),
            room: Bytes(u64::MAX),
        };
        let cases = [
            (sizing, Bytes::mib(150)),
            (
                Sizing {
                    pace: Pace::default(),
                    ..sizing
                },
                Bytes::mib(16),
            ),
            (
                Sizing {
                    pace: pace(Bytes(10), long),
                    ..sizing
                },
                Bytes::mib(1),
            ),
            (
                Sizing {
                    pace: pace(Bytes::gib(10), long),
                    ..sizing
                },
                Bytes::gib(4),
            ),
            (
                Sizing {
                    pace: pace(Bytes(u64::MAX), long),
                    ..sizing
                },
                Bytes::gib(4),
            ),
            // Four for each slot of what is left.
            (
                Sizing {
                    remaining: Bytes::mib(200),
                    ..sizing
                },
                Bytes::mib(5),
            ),
            (
                Sizing {
                    remaining: Bytes::mib(200),
                    slots: 0,
                    ..sizing
                },
                Bytes::mib(50),
            ),
            // Of 200 MiB for 10 of the fleet's 50 MiB a second, a quarter of its part.
            (
                Sizing {
                    remaining: Bytes::mib(200),
                    rate: Bytes::mib(50),
                    ..sizing
                },
                Bytes::mib(10),
            ),
            (
                Sizing {
                    remaining: Bytes(5),
                    ..sizing
                },
                Bytes::mib(1),
            ),
            (
                Sizing {
                    room: Bytes::mib(7),
                    ..sizing
                },
                Bytes::mib(7),
            ),
            (
                Sizing {
                    asked: Some(Bytes::mib(3)),
                    ..sizing
                },
                Bytes::mib(3),
            ),
            (
                Sizing {
                    asked: Some(Bytes(0)),
                    ..sizing
                },
                Bytes(1),
            ),
        ];
        for (sizing, expected) in cases {
            assert_eq!(target(&sizing), expected, "{sizing:?}");
        }
    }

    #[test]
    fn a_lease_grows_with_what_is_known_of_its_worker() {
        let cases = [
            // 800 ms, then 15 s of work.
            (Bytes::mib(16), Millis(100), Bytes::mib(128)),
            (Bytes::mib(320), Millis(2000), Bytes::mib(2400)),
            // Slow, and watched for 10 ms: no less than a worker of which nothing is known, but for no more than 15 s.
            (Bytes::mib(1), Millis(10), Bytes::mib(16)),
            (Bytes(10_240), Millis(10), Bytes(15_360_000)),
        ];
        for (bytes, took, expected) in cases {
            let sizing = Sizing {
                pace: pace(bytes, took),
                remaining: Bytes::gib(1000),
                room: Bytes(u64::MAX),
                ..Sizing::default()
            };
            assert_eq!(target(&sizing), expected, "{sizing:?}");
        }
    }

    #[test]
    fn a_slow_worker_leaves_the_last_rows_to_a_faster_one() {
        let fleet = Fleet {
            rate: Bytes::mib(50),
            fastest: Bytes::mib(10),
        };
        let left = |speed, unfinished| better_left(Bytes::mib(100), speed, unfinished, fleet);
        let slow = Some(Bytes::mib(2));
        // 50 s by itself; 10 s by the fastest, once the rest is done.
        assert!(left(slow, Bytes::mib(1900)));
        assert!(!left(slow, Bytes::mib(2000)));
        assert!(!left(Some(Bytes::mib(10)), Bytes(0)));
        assert!(!left(None, Bytes(0)));
        assert!(!better_left(Bytes::mib(100), slow, Bytes(0), Fleet::default()));
    }

    #[test]
    fn room_is_half_of_what_is_free_beside_the_reserve() {
        let free = |bytes| Some(bytes);
        assert_eq!(room(None, Bytes::gib(9), Bytes::gib(9)), Bytes(u64::MAX));
        assert_eq!(room(free(Bytes::gib(5)), Bytes(0), Bytes::gib(9)), Bytes::gib(2));
        assert_eq!(room(free(Bytes::gib(5)), Bytes::gib(1), Bytes::gib(9)), Bytes::gib(1));
        assert_eq!(room(free(Bytes::gib(5)), Bytes::gib(3), Bytes::gib(9)), Bytes(0));
        // A small job on a small disk.
        assert_eq!(room(free(Bytes::mib(50)), Bytes(0), Bytes::mib(10)), Bytes::mib(20));
    }

    #[test]
    fn the_gravest_obstacle_is_named() {
        let fine = Condition {
            slots: 2,
            leases: 1,
            ..Condition::default()
        };
        let cases = [
            (fine, None),
            (Condition { leases: 2, ..fine }, Some(Obstacle::Busy)),
            (Condition { slots: 0, ..fine }, Some(Obstacle::NoSlots)),
            (
                Condition {
                    rest: Millis(1),
                    slots: 0,
                    ..fine
                },
                Some(Obstacle::Resting),
            ),
            (
                Condition {
                    memory_pressure: true,
                    rest: Millis(1),
                    ..fine
                },
                Some(Obstacle::MemoryPressure),
            ),
            (
                Condition {
                    silence: Millis(15_000),
                    ..fine
                },
                None,
            ),
            (
                Condition {
                    silence: Millis(15_001),
                    memory_pressure: true,
                    ..fine
                },
                Some(Obstacle::Silent),
            ),
            (
                Condition {
                    draining: true,
                    silence: Millis(15_001),
                    ..fine
                },
                Some(Obstacle::Draining),
            ),
        ];
        for (condition, expected) in cases {
            assert_eq!(obstacle(&condition), expected, "{condition:?}");
        }
    }

    #[test]
    fn the_end_of_a_lease_as_it_looks() {
        let course = Course {
            now: Millis(10_000),
            granted: Millis(6000),
            moved: Millis(9500),
            bytes: Bytes(1000),
            done: Bytes(250),
            step: Step::Converting,
            speed: Some(Bytes(100)),
        };
        let cases = [
            // A quarter in 4 s.
            (course, 22_000),
            // 10 s by its worker's speed, of which 4 are over.
            (
                Course {
                    done: Bytes(0),
                    ..course
                },
                16_000,
            ),
            // It should have been done long ago: a quarter of its age more.
            (
                Course {
                    done: Bytes(0),
                    granted: Millis(0),
                    speed: Some(Bytes(1000)),
                    ..course
                },
                12_500,
            ),
            // Nothing is known: as much again.
            (
                Course {
                    done: Bytes(0),
                    speed: None,
                    ..course
                },
                14_000,
            ),
            (
                Course {
                    step: Step::Syncing,
                    ..course
                },
                11_000,
            ),
            // A sync that has hung for 3 s: as much again.
            (
                Course {
                    step: Step::Syncing,
                    moved: Millis(7000),
                    ..course
                },
                13_000,
            ),
            (
                Course {
                    done: Bytes(2000),
                    ..course
                },
                10_000,
            ),
            (
                Course {
                    bytes: Bytes(u64::MAX),
                    done: Bytes(1),
                    granted: Millis(0),
                    ..course
                },
                u64::MAX,
            ),
        ];
        for (course, expected) in cases {
            assert_eq!(expected_end(&course), Millis(expected), "{course:?}");
        }
    }

    #[test]
    fn a_second_attempt_pays_where_it_wins_by_a_quarter_and_a_second() {
        let pays = |end| second_pays(Millis(1000), Millis(end), Bytes(8000), Bytes(1000));
        assert!(!pays(12_000));
        assert!(pays(12_001));
        assert!(!second_pays(Millis(1000), Millis(u64::MAX), Bytes(u64::MAX), Bytes(0)));
    }
}
