use trc2npy_common::units::Bytes;

use super::stage::{Stage, channel, grant, grants, lease, rows, shard, spec};
use crate::{Effect, Ending, Event, Fault, Found, JobId, Millis, Reached, Record, Shard};

const JOB: JobId = JobId(1);

/// `rows` of the only channel were committed, `bad_rows` of them bad.
fn ended(ending: &Ending, rows: u64, bad_rows: u64) -> [Effect; 2] {
    let ending = ending.clone();
    [
        Effect::Record(Record::Ended {
            job: JOB,
            ending: ending.clone(),
            reached: vec![Reached { rows, bad_rows }],
        }),
        Effect::Close { job: JOB, ending },
    ]
}

#[test]
fn from_submit_to_the_end() {
    let mut stage = Stage::new();
    assert_eq!(stage.open(1, spec(4)), []);
    let (session, effects) = stage.join("pc1");
    let lease = Stage::grant_of(1, lease(1, 1), rows(0, 4));
    assert_eq!(effects, [Effect::Grant { session, grant: lease }]);
    assert_eq!(stage.counts(1), [0, 4, 0, 0]);

    assert_eq!(stage.deliver(session, &lease), [Effect::Land(shard(&lease))]);
    let settle = Effect::Settle {
        session,
        lease: lease.lease,
    };
    let record = Effect::Record(Record::Committed(shard(&lease)));
    assert_eq!(stage.land(&lease), [record, settle, Effect::Publish(JOB)]);
    assert_eq!(
        stage.explain(1),
        ["all rows are there; the files are being given their names"]
    );
    assert_eq!(stage.step(Event::CancelAsked(JOB)), [], "too late");

    let published = stage.step(Event::Published {
        job: JOB,
        result: Ok(()),
    });
    assert_eq!(published, ended(&Ending::Done, 4, 0));
    assert!(stage.core.jobs().is_empty());
    assert_eq!(
        stage.step(Event::Published {
            job: JOB,
            result: Ok(())
        }),
        [],
        "only once"
    );
}

#[test]
fn a_job_without_rows_is_published_at_once() {
    let mut stage = Stage::new();
    let mut none = spec(0);
    assert_eq!(stage.open(1, none.clone()), [Effect::Publish(JOB)]);
    none.channels.clear();
    assert_eq!(stage.open(2, none), [Effect::Publish(JobId(2))]);
    let failed = stage.step(Event::Published {
        job: JOB,
        result: Err("C1--Trace.npy: no space".to_owned()),
    });
    assert_eq!(
        failed,
        ended(&Ending::Failed("C1--Trace.npy: no space".to_owned()), 0, 0)
    );
}

#[test]
fn an_ended_job_is_recorded_with_the_rows_that_it_has() {
    let mut stage = Stage::new();
    stage.open(1, spec(12));
    let (session, effects) = stage.join("pc1");
    let first = grant(&effects);
    let second = grant(&stage.deliver(session, &first));
    let found = Found {
        bad_rows: 1,
        unreadable: 0,
    };
    let shard = shard(&first);
    let rows = first.rows.len();
    stage.step(Event::Landed { shard, found });
    // One that is being landed is not there yet.
    stage.deliver(session, &second);
    let [record, _] = ended(&Ending::Cancelled, rows, 1);
    assert!(stage.step(Event::CancelAsked(JOB)).contains(&record));
}

#[test]
fn a_cancelled_job_leaves_nothing_in_hands() {
    let mut stage = Stage::new();
    stage.open(1, spec(12));
    let (session, effects) = stage.join_with("pc1", 2, &[]);
    let [(_, first), (_, second)] = grants(&effects)[..] else {
        panic!("{effects:?}");
    };
    stage.says(session, |beat| beat.slots = 0);
    stage.deliver(session, &first);
    let [record, close] = ended(&Ending::Cancelled, 0, 0);
    let revoke = Effect::Revoke {
        session,
        lease: second.lease,
    };
    let settle = Effect::Settle {
        session,
        lease: first.lease,
    };
    assert_eq!(
        stage.step(Event::CancelAsked(JOB)),
        [revoke, record, settle.clone(), close]
    );
    // What was on its way comes to nothing.
    assert_eq!(stage.land(&first), []);
    assert_eq!(stage.landing_fails(&first), []);
    assert_eq!(stage.fails(session, second.lease, Fault::Returned), []);
    let late = stage.deliver(session, &second);
    let settle_second = Effect::Settle {
        session,
        lease: second.lease,
    };
    assert_eq!(late, [Effect::Discard(shard(&second)), settle_second]);
}

#[test]
fn workers_of_before_a_restart_come_first() {
    let mut stage = Stage::of_epoch(2);
    stage.restore(1, spec(12), Vec::new());
    let (_, effects) = stage.join("new");
    assert_eq!(effects, [], "it waits");
    assert!(
        stage.explain(1)[0].contains("3 s more to come back"),
        "{:?}",
        stage.explain(1)
    );
    let old = Stage::grant_of(1, lease(1, 7), rows(3, 8));
    let (session, effects) = stage.join_with("old", 1, &[old]);
    assert_eq!(effects, []);
    assert_eq!(stage.counts(1), [0, 5, 7, 0]);
    assert_eq!(stage.wait(Millis(2750)), []);
    let granted = grant(&stage.wait(Millis(250)));
    assert_eq!((granted.lease, granted.rows), (lease(2, 1), rows(0, 3)));
    assert_eq!(stage.deliver(session, &old)[0], Effect::Land(shard(&old)));
}

#[test]
fn recorded_shards_land_once_more() {
    let mut stage = Stage::of_epoch(3);
    let of = |attempt, rows| shard(&Stage::grant_of(1, lease(1, attempt), rows));
    let (good, bad) = (of(1, rows(0, 3)), of(2, rows(3, 5)));
    let foreign = Shard {
        job: JobId(9),
        ..of(3, rows(5, 6))
    };
    let twice = of(4, rows(2, 6));
    let effects = stage.restore(1, spec(6), vec![good, bad, foreign, twice]);
    let expected = [
        Effect::Land(good),
        Effect::Land(bad),
        Effect::Discard(foreign),
        Effect::Discard(twice),
    ];
    assert_eq!(effects, expected);
    let found = Found {
        bad_rows: 2,
        unreadable: 1,
    };
    assert_eq!(
        stage.step(Event::Landed { shard: good, found }),
        [],
        "it is recorded already"
    );
    assert_eq!(stage.core.job(JOB).unwrap().channels[0].bad_rows, 2);
    let failed = stage.step(Event::LandingFailed {
        shard: bad,
        why: "gone".to_owned(),
    });
    let reopened = Record::Reopened {
        job: JOB,
        channel: bad.channel,
        rows: bad.rows,
    };
    assert_eq!(failed, [Effect::Record(reopened), Effect::Discard(bad)]);
    assert_eq!(stage.counts(1), [3, 0, 3, 0]);
}

#[test]
fn rows_in_place_need_no_work_and_keep_their_files() {
    let mut stage = Stage::of_epoch(2);
    let mut spec = spec(6);
    spec.channels[0].committed = vec![rows(0, 3), rows(5, 9)];
    stage.restore(1, spec, Vec::new());
    assert_eq!(stage.counts(1), [4, 0, 2, 0]);
    // Whose shard they are is not known: perhaps it is this one.
    let old = Stage::grant_of(1, lease(1, 7), rows(0, 3));
    let (session, effects) = stage.join_with("pc1", 1, &[old]);
    let settle = Effect::Settle {
        session,
        lease: old.lease,
    };
    assert_eq!(effects, std::slice::from_ref(&settle));
    assert_eq!(stage.deliver(session, &old), [settle]);
}

#[test]
fn too_many_unreadable_files_end_the_job() {
    let mut stage = Stage::new();
    stage.open(1, spec(12));
    let (session, effects) = stage.join("pc1");
    let mut next = grant(&effects);
    let found = Found {
        bad_rows: 1,
        unreadable: 1,
    };
    next = grant(&stage.deliver(session, &next));
    let first = Stage::grant_of(1, lease(1, 1), rows(0, 4));
    let effects = stage.step(Event::Landed {
        shard: shard(&first),
        found,
    });
    assert!(
        !effects.iter().any(|effect| matches!(effect, Effect::Close { .. })),
        "one is allowed: {effects:?}"
    );
    stage.deliver(session, &next);
    let effects = stage.step(Event::Landed {
        shard: shard(&next),
        found,
    });
    let why = "2 files could not be read, more than the 1 allowed; mend the storage and submit again".to_owned();
    assert_eq!(effects.last(), ended(&Ending::Failed(why), 8, 2).last());
}

#[test]
fn what_never_was_makes_no_trouble() {
    let mut stage = Stage::new();
    stage.open(1, spec(8));
    assert_eq!(stage.open(1, spec(99)), [], "a number is used once");
    let (session, _) = stage.join("pc1");
    for event in [
        Event::CancelAsked(JobId(5)),
        Event::DrainAsked(crate::SessionId(5)),
        Event::Published {
            job: JOB,
            result: Ok(()),
        },
        Event::Published {
            job: JobId(5),
            result: Ok(()),
        },
        Event::Lost {
            session: crate::SessionId(5),
            loss: crate::Loss::Goodbye,
        },
        Event::Beat {
            session: crate::SessionId(5),
            beat: Stage::beat(3),
        },
        Event::Failed {
            session,
            lease: lease(1, 99),
            fault: Fault::Hopeless(String::new()),
        },
        Event::Failed {
            session: crate::SessionId(5),
            lease: lease(1, 1),
            fault: Fault::Hopeless(String::new()),
        },
    ] {
        assert_eq!(stage.step(event.clone()), [], "{event:?}");
    }
    let mut many = spec(1);
    many.channels = vec![channel(3, 1), channel(2, 1)];
    many.lease_bytes = Some(Bytes(0));
    stage.open(2, many);
    assert_eq!(stage.core.jobs().len(), 2);
}
