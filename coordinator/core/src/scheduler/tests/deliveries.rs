use super::stage::{Stage, grant, grants, lease, rows, shard, spec};
use crate::{ChannelIndex, Effect, Ending, Event, Fault, JobId, Millis, Shard};

#[test]
fn a_shard_that_comes_twice_is_kept() {
    let mut stage = Stage::new();
    stage.open(1, spec(8));
    let (session, effects) = stage.join("pc1");
    let first = grant(&effects);
    stage.deliver(session, &first);
    assert_eq!(stage.deliver(session, &first), [], "its landing will be answered");
    let settle = Effect::Settle {
        session,
        lease: first.lease,
    };
    assert_eq!(stage.land(&first).last(), Some(&settle));
    assert_eq!(stage.land(&first), [], "an answer counts once");
    assert_eq!(stage.deliver(session, &first), [settle]);
}

#[test]
fn what_does_not_fit_is_removed() {
    let mut stage = Stage::new();
    stage.open(1, spec(12));
    let (session, effects) = stage.join("pc1");
    let first = shard(&grant(&effects));
    stage.says(session, |beat| beat.slots = 0);
    for wrong in [
        Shard { job: JobId(7), ..first },
        Shard {
            channel: ChannelIndex(1),
            ..first
        },
        Shard {
            channel: ChannelIndex(u16::MAX),
            ..first
        },
        // Open rows, and a lease that nobody has granted.
        Shard {
            rows: rows(4, 8),
            lease: lease(1, 2),
            ..first
        },
        Shard {
            rows: rows(4, 8),
            lease: lease(1, 0),
            ..first
        },
        Shard {
            rows: rows(4, 8),
            lease: lease(2, 1),
            ..first
        },
        Shard {
            rows: rows(4, 8),
            lease: lease(0, 1),
            ..first
        },
    ] {
        let known = wrong.lease.epoch.0 == 0;
        let effects = stage.deliver_shard(session, wrong, Millis(1));
        if known {
            // One of an earlier start can be: its rows are open.
            assert_eq!(effects, [Effect::Land(wrong)]);
        } else {
            let lease = wrong.lease;
            assert_eq!(
                effects,
                [Effect::Discard(wrong), Effect::Settle { session, lease }],
                "{wrong:?}"
            );
        }
    }
}

#[test]
fn a_lease_told_with_other_bounds_is_over() {
    for wrong in [
        rows(0, 5),
        rows(1, 4),
        rows(4, 0),
        rows(2, 2),
        rows(0, u64::MAX),
        rows(20, 30),
    ] {
        let mut stage = Stage::new();
        stage.open(1, spec(4));
        let (session, effects) = stage.join("pc1");
        let first = grant(&effects);
        let wrong = Shard {
            rows: wrong,
            ..shard(&first)
        };
        let effects = stage.deliver_shard(session, wrong, Millis(1));
        let settle = Effect::Settle {
            session,
            lease: first.lease,
        };
        assert_eq!(effects[..2], [Effect::Discard(wrong), settle]);
        assert_eq!(grant(&effects).rows, rows(0, 4), "they are to be made");
    }
}

/// The worker may remove its files at any moment, or has done so.
#[test]
fn what_was_revoked_never_counts_again() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (alone, effects) = stage.join("alone");
    let first = grant(&effects);
    stage.says(alone, |beat| beat.slots = 0);
    let effects = stage.wait(Millis::seconds(660));
    assert_eq!(
        effects,
        [Effect::Revoke {
            session: alone,
            lease: first.lease
        }]
    );
    assert_eq!(stage.counts(1), [0, 0, 4, 0]);
    let late = stage.deliver(alone, &first);
    assert_eq!(late[0], Effect::Discard(shard(&first)), "though its rows are open");
    let (session, effects) = stage.join_with("again", 0, &[first]);
    assert_eq!(
        effects,
        [Effect::Revoke {
            session,
            lease: first.lease
        }]
    );
}

#[test]
fn a_late_shard_counts_where_its_rows_are_open() {
    let mut stage = Stage::new();
    stage.open(1, spec(12));
    let (session, effects) = stage.join("pc1");
    let first = grant(&effects);
    stage.says(session, |beat| beat.slots = 0);
    stage.fails(session, first.lease, Fault::Returned);
    assert_eq!(stage.counts(1), [0, 0, 12, 0]);
    assert_eq!(stage.deliver(session, &first), [Effect::Land(shard(&first))]);
}

#[test]
fn a_worker_of_bad_shards_gets_no_more() {
    let mut stage = Stage::new();
    stage.open(1, spec(40));
    let (session, effects) = stage.join("pc1");
    let mut next = grant(&effects);
    for _ in 0..2 {
        let then = grant(&stage.deliver(session, &next));
        let effects = stage.landing_fails(&next);
        let settle = Effect::Settle {
            session,
            lease: next.lease,
        };
        assert_eq!(effects, [Effect::Discard(shard(&next)), settle]);
        next = then;
    }
    let then = grant(&stage.deliver(session, &next));
    stage.landing_fails(&next);
    let view = &stage.core.workers()[0];
    assert!(view.draining);
    let why = "several of its shards in succession could not be taken over, the last one: CRC32C 1 expected, 2 found";
    assert_eq!(view.idle.as_ref().unwrap().to_string(), why);
    assert_eq!(stage.counts(1), [0, 4, 36, 0], "the rows are open again");
    stage.deliver(session, &then);
    assert_eq!(
        stage.land(&then).last(),
        Some(&Effect::Dismiss(session)),
        "a good one does not make up for them"
    );
}

#[test]
fn six_failed_landings_are_the_job_s_own() {
    let mut stage = Stage::new();
    stage.open(1, spec(40));
    let mut effects = Vec::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        let (session, granted) = stage.join(name);
        let first = grant(&granted);
        stage.says(session, |beat| beat.slots = 0);
        stage.deliver(session, &first);
        effects = stage.landing_fails(&first);
    }
    let why = "6 shards in succession could not be taken over; the last one: CRC32C 1 expected, 2 found";
    let close = Effect::Close {
        job: JobId(1),
        ending: Ending::Failed(why.to_owned()),
    };
    assert_eq!(effects.last(), Some(&close));
}

#[test]
fn a_draining_worker_goes_when_all_is_settled() {
    let mut stage = Stage::new();
    stage.open(1, spec(8));
    let (session, effects) = stage.join("pc1");
    let first = grant(&effects);
    assert_eq!(stage.step(Event::DrainAsked(session)), []);
    assert_eq!(stage.deliver(session, &first), [Effect::Land(shard(&first))]);
    assert_eq!(stage.land(&first).last(), Some(&Effect::Dismiss(session)));
    assert_eq!(stage.wait(Millis::seconds(1)), [], "it is told once");
    let (other, effects) = stage.join("pc2");
    assert_eq!(grants(&effects)[0].0, other);
}

/// Its worker takes it for told, so that nobody would ever end it.
#[test]
fn a_lease_told_as_one_of_committed_rows_is_over() {
    let mut stage = Stage::of_epoch(2);
    let mut done = spec(4);
    done.channels[0].committed = vec![rows(0, 4)];
    stage.restore(1, done, Vec::new());
    stage.restore(2, spec(4), Vec::new());
    let old = Stage::grant_of(2, lease(1, 5), rows(0, 4));
    let (session, effects) = stage.join_with("pc1", 1, &[old]);
    assert_eq!(effects, []);
    let wrong = Shard {
        job: JobId(1),
        ..shard(&old)
    };
    stage.deliver_shard(session, wrong, Millis(1));
    assert_eq!(stage.counts(2), [0, 0, 4, 0]);
}
