use trc2npy_common::units::Bytes;

use super::stage::{Stage, channel, grant, grants, rows, shard, spec};
use crate::{Beat, ChannelIndex, Effect, Event, JobId, Millis, Step};

#[test]
fn the_oldest_job_the_first_channel_the_lowest_rows() {
    let mut stage = Stage::new();
    let mut two = spec(5);
    two.channels.push(channel(3, 1));
    stage.open(2, spec(4));
    stage.open(1, two);
    let (session, effects) = stage.join("pc1");
    let mut next = grant(&effects);
    let mut order = Vec::new();
    for _ in 0..4 {
        order.push((next.job.0, next.channel.0, next.rows.start, next.rows.end));
        let effects = stage.deliver(session, &next);
        next = grants(&effects).first().map_or(next, |(_, grant)| *grant);
    }
    assert_eq!(order, [(1, 0, 0, 4), (1, 0, 4, 5), (1, 1, 0, 3), (2, 0, 0, 4)]);
}

#[test]
fn nothing_for_a_worker_that_cannot() {
    type Change = fn(&mut Beat);
    let cases: [(&str, Change); 5] = [
        ("pc1 gets nothing: its memory is full", |beat| {
            beat.memory_pressure = true;
        }),
        ("pc1 gets nothing: it is finishing what it has, and ends then", |beat| {
            beat.draining = true;
        }),
        ("pc1 gets nothing: it has room for no lease", |beat| beat.slots = 0),
        (
            "pc1 gets nothing: too little is free where it writes shards: 9.4 MB",
            |beat| {
                beat.disk_free = Some(Bytes::mib(9));
            },
        ),
        ("", |beat| beat.disk_free = Some(Bytes::mib(16))),
    ];
    for (expected, change) in cases {
        let mut stage = Stage::new();
        let (session, _) = stage.join("pc1");
        stage.says(session, change);
        let granted = grants(&stage.open(1, spec(8))).len();
        let said = stage.explain(1);
        if expected.is_empty() {
            assert_eq!(granted, 1, "{said:?}");
        } else {
            assert_eq!(granted, 0, "{said:?}");
            assert_eq!(said.last().map(String::as_str), Some(expected));
        }
    }
}

#[test]
fn nothing_for_a_worker_that_is_silent_or_lacks_a_root() {
    let mut stage = Stage::new();
    let (session, _) = stage.join("pc1");
    stage.falls_silent(session);
    stage.wait(Millis::seconds(16));
    assert_eq!(stage.open(1, spec(8)), []);
    assert_eq!(
        stage.explain(1).last().unwrap(),
        "pc1 gets nothing: nothing has been heard of it for 16 s"
    );
    let mut other = spec(8);
    other.roots.push("scope".to_owned());
    let (_, effects) = stage.join("pc2");
    assert_eq!(grants(&effects).len(), 1);
    stage.open(2, other);
    assert!(
        stage
            .explain(2)
            .contains(&"pc2 gets nothing: it has not mapped scope".to_owned()),
        "{:?}",
        stage.explain(2)
    );
    assert!(
        stage
            .explain(2)
            .contains(&"8 rows wait: no connected worker can work on this job".to_owned())
    );
}

#[test]
fn the_fastest_first_and_one_each() {
    let mut stage = Stage::new();
    stage.open(1, spec(8));
    let (slow, effects) = stage.join("slow");
    let first = grant(&effects);
    let (fast, effects) = stage.join("fast");
    let second = grant(&effects);
    stage.deliver_shard(slow, shard(&first), Millis::seconds(2));
    stage.deliver_shard(fast, shard(&second), Millis::seconds(1));
    for session in [slow, fast] {
        stage.says(session, |beat| beat.slots = 3);
    }
    let granted = grants(&stage.open(2, spec(20)));
    let order: Vec<_> = granted.iter().map(|(session, _)| *session).collect();
    assert_eq!(order, [fast, slow, fast, slow, fast]);
}

#[test]
fn leases_grow_with_speed_and_shrink_toward_the_end() {
    let mut stage = Stage::new();
    let mut large = spec(3000);
    large.lease_bytes = None;
    stage.open(1, large);
    let (session, effects) = stage.join("pc1");
    let mut next = grant(&effects);
    assert_eq!(next.rows, rows(0, 16), "16 MiB of a worker that is not known");
    let mut sizes = Vec::new();
    while stage.core.job(JobId(1)).is_some() {
        let took = Millis(next.rows.len() * 50);
        let effects = stage.deliver_shard(session, shard(&next), took);
        stage.land(&next);
        let Some((_, grant)) = grants(&effects).first().copied() else {
            break;
        };
        next = grant;
        sizes.push(next.rows.len());
    }
    assert_eq!(
        sizes[..2],
        [128, 300],
        "8 times what it was watched for, then 15 s of 20 MiB/s"
    );
    assert!(sizes[1..].is_sorted_by(|before, after| before >= after), "{sizes:?}");
    assert_eq!(sizes.last(), Some(&1));
}

#[test]
fn a_second_attempt_where_it_ends_sooner() {
    let mut stage = Stage::new();
    stage.open(1, spec(8));
    let (slow, effects) = stage.join("slow");
    let first = grant(&effects);
    let (fast, effects) = stage.join("fast");
    let quick = grant(&effects);
    stage.wait(Millis::seconds(4));
    stage.deliver(fast, &quick);
    // A tenth in 4 s: 36 s more, where the fast one would need 4.
    let effects = stage.progress(slow, first.lease, Bytes::kib(400), Step::Converting);
    assert_eq!(grants(&effects), []);
    let effects = stage.step(Event::Tick);
    let (session, second) = grants(&effects)[0];
    assert_eq!((session, second.rows), (fast, first.rows));
    assert_eq!(stage.core.job(JobId(1)).unwrap().second_attempts, 1);
    // A third one is not made, whoever comes.
    let (_, effects) = stage.join("third");
    assert_eq!(grants(&effects), []);

    let effects = stage.deliver(fast, &second);
    let revoke = Effect::Revoke {
        session: slow,
        lease: first.lease,
    };
    assert_eq!(effects, [revoke, Effect::Land(shard(&second))]);
    let late = stage.deliver(slow, &first);
    let settle = Effect::Settle {
        session: slow,
        lease: first.lease,
    };
    assert_eq!(late, [Effect::Discard(shard(&first)), settle]);
}

#[test]
fn no_second_attempt_that_would_end_later() {
    let mut stage = Stage::new();
    stage.open(1, spec(8));
    let (one, effects) = stage.join("one");
    let first = grant(&effects);
    let (other, effects) = stage.join("other");
    let quick = grant(&effects);
    stage.wait(Millis::seconds(3));
    stage.deliver(other, &quick);
    stage.progress(one, first.lease, Bytes::mib(3), Step::Converting);
    assert_eq!(grants(&stage.step(Event::Tick)), [], "1 s more there, 4 s here");
}

#[test]
fn what_does_not_get_on_goes_to_others_first() {
    let mut stage = Stage::new();
    stage.open(1, spec(12));
    let (stuck, effects) = stage.join("stuck");
    let first = grant(&effects);
    assert_eq!(grants(&stage.wait(Millis(59_750))), []);
    stage.wait(Millis(250));
    assert!(
        stage.explain(1)[0]
            .starts_with("4 rows do not get on at stuck, for 60 s now; no other worker has taken over yet")
    );
    let (other, effects) = stage.join("other");
    let second = grant(&effects);
    assert_eq!(second.rows, first.rows, "before the rows that nobody has");
    // It still counts where it comes all the same.
    let effects = stage.deliver(stuck, &first);
    let revoke = Effect::Revoke {
        session: other,
        lease: second.lease,
    };
    assert_eq!(effects[..2], [revoke, Effect::Land(shard(&first))]);
}

#[test]
fn a_sign_of_getting_on_gives_new_time() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (session, effects) = stage.join("pc1");
    let lease = grant(&effects).lease;
    stage.wait(Millis::seconds(50));
    stage.progress(session, lease, Bytes(1), Step::Converting);
    stage.wait(Millis::seconds(50));
    stage.progress(session, lease, Bytes(1), Step::Syncing);
    stage.wait(Millis::seconds(599));
    assert!(!stage.explain(1)[0].contains("do not get on"), "{:?}", stage.explain(1));
    // The same once more is no sign.
    stage.progress(session, lease, Bytes(1), Step::Converting);
    stage.wait(Millis::seconds(2));
    assert!(stage.explain(1)[0].contains("do not get on"), "{:?}", stage.explain(1));
    stage.progress(session, lease, Bytes(1), Step::Delivering);
    assert!(!stage.explain(1)[0].contains("do not get on"));
}

#[test]
fn what_nobody_else_takes_is_taken_back_in_the_end() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (session, effects) = stage.join("alone");
    let lease = grant(&effects).lease;
    let effects = stage.wait(Millis::seconds(659));
    assert_eq!(effects, []);
    let effects = stage.wait(Millis::seconds(1));
    assert_eq!(effects[0], Effect::Revoke { session, lease });
    assert_eq!(grant(&effects).rows, rows(0, 4));
}

#[test]
fn of_two_that_hang_the_older_makes_room() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (one, effects) = stage.join("one");
    let first = grant(&effects).lease;
    stage.join("two");
    stage.wait(Millis::seconds(60));
    let effects = stage.wait(Millis::seconds(61));
    assert!(
        effects.contains(&Effect::Revoke {
            session: one,
            lease: first
        }),
        "{effects:?}"
    );
    let (session, third) = grants(&effects)[0];
    assert_eq!((session, third.rows), (one, rows(0, 4)));
}

/// The process slept: nothing could be heard in the meantime, and nothing is held against anyone.
#[test]
fn a_leap_ends_no_deadline() {
    let mut stage = Stage::new();
    stage.open(1, spec(8));
    let (_, effects) = stage.join("pc1");
    assert_eq!(grants(&effects).len(), 1);
    stage.leap(Millis::seconds(3600));
    assert_eq!(stage.step(Event::Tick), []);
    assert_eq!(stage.wait(Millis(59_750)), []);
    assert!(!stage.explain(1)[0].contains("do not get on"));
    stage.wait(Millis(250));
    assert!(stage.explain(1)[0].contains("do not get on"));
}

#[test]
fn the_same_events_give_the_same_effects() {
    let run = || {
        let mut stage = Stage::new();
        let mut all = stage.open(1, spec(40));
        for name in ["a", "b", "c"] {
            all.extend(stage.join_with(name, 2, &[]).1);
        }
        for (session, grant) in grants(&all) {
            all.extend(stage.finish(session, &grant));
        }
        all.extend(stage.wait(Millis::seconds(90)));
        all
    };
    assert_eq!(run(), run());
    let channels: Vec<_> = grants(&run()).iter().map(|(_, grant)| grant.channel).collect();
    assert!(channels.iter().all(|&channel| channel == ChannelIndex(0)));
}
