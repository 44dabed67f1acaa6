use super::stage::{Stage, grant, grants, lease, rows, shard, spec};
use crate::{Effect, JobId, Loss, Millis};

#[test]
fn a_broken_stream_has_five_seconds() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (one, effects) = stage.join("one");
    let first = grant(&effects);
    stage.lost(one, Loss::StreamBroken);
    let (_, effects) = stage.join("other");
    assert_eq!(effects, []);
    assert_eq!(
        stage.explain(1)[0],
        "4 rows are kept for one, whose connection broke; it has 5 s more to come back"
    );
    assert_eq!(stage.wait(Millis(4750)), []);
    // Half of what ended a process.
    let struck = grant(&stage.wait(Millis(250)));
    assert_eq!(struck.rows, rows(0, 2));
    // It is back all the same, and nobody could finish its rows meanwhile.
    let (back, effects) = stage.join_with("one", 1, &[first]);
    assert_eq!(
        effects[0],
        Effect::Revoke {
            session: back,
            lease: first.lease
        }
    );
    assert_eq!(grant(&effects).rows, rows(2, 4));
}

#[test]
fn who_comes_back_in_time_goes_on() {
    for loss in [Loss::StreamBroken, Loss::Replaced] {
        let mut stage = Stage::new();
        stage.open(1, spec(4));
        let (before, effects) = stage.join("one");
        let first = grant(&effects);
        stage.lost(before, loss);
        stage.wait(Millis(4000));
        let (session, effects) = stage.join_with("one", 1, &[first]);
        assert_eq!(effects, []);
        assert_eq!(stage.wait(Millis::seconds(20)), []);
        assert_eq!(stage.deliver(session, &first), [Effect::Land(shard(&first))]);
    }
}

#[test]
fn a_good_bye_opens_the_rows_as_they_were() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (one, _) = stage.join("one");
    let (_, effects) = stage.join("other");
    assert_eq!(effects, []);
    let effects = stage.lost(one, Loss::Goodbye);
    assert_eq!(grant(&effects).rows, rows(0, 4));
}

#[test]
fn silence_is_a_loss() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (one, _) = stage.join("one");
    stage.falls_silent(one);
    assert_eq!(stage.wait(Millis::seconds(30)), []);
    let effects = stage.wait(Millis(250));
    let why = "nothing was heard of one for 30 s".to_owned();
    assert_eq!(effects, [Effect::Disconnect { session: one, why }]);
    assert_eq!(stage.counts(1), [0, 0, 4, 0]);
    assert_eq!(stage.lost(one, Loss::StreamBroken), [], "that is known");
}

#[test]
fn what_was_taken_for_dead_and_is_not_counts_for_nothing() {
    let mut stage = Stage::new();
    let mut one_file = spec(1);
    one_file.lease_bytes = None;
    stage.open(1, one_file);
    let (mut session, effects) = stage.join("one");
    let first = grant(&effects);
    for _ in 0..5 {
        stage.lost(session, Loss::StreamBroken);
        stage.wait(Millis::seconds(6));
        let (back, effects) = stage.join_with("one", 1, &[first]);
        assert_eq!(effects, []);
        session = back;
    }
    stage.lost(session, Loss::Goodbye);
    let (_, effects) = stage.join("other");
    assert!(!grant(&effects).terms.give_up);
}

#[test]
fn only_what_is_free_is_taken_up_again() {
    let mut stage = Stage::of_epoch(5);
    stage.restore(1, spec(12), Vec::new());
    let of = |epoch, attempt, range| Stage::grant_of(1, lease(epoch, attempt), range);
    let good = of(4, 9, rows(2, 6));
    let foreign = crate::Grant { job: JobId(3), ..good };
    let in_hand = [
        good,
        of(4, 8, rows(5, 7)),
        of(4, 7, rows(10, 13)),
        of(4, 6, rows(8, 8)),
        of(6, 1, rows(8, 9)),
        foreign,
    ];
    let (session, effects) = stage.join_with("one", 1, &in_hand);
    let revoked: Vec<_> = effects
        .iter()
        .map(|effect| match effect {
            Effect::Revoke { session: of, lease } if *of == session => (lease.epoch.0, lease.attempt),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(revoked, [(4, 8), (4, 7), (4, 6), (6, 1), (4, 9)]);
    assert_eq!(stage.counts(1), [0, 4, 8, 0]);
    // Nor from a worker that is there.
    let (_, effects) = stage.join_with("two", 1, &[good]);
    assert!(matches!(effects[0], Effect::Revoke { .. }), "{effects:?}");
}

#[test]
fn a_shard_that_is_landing_is_settled_with_who_came_back() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (before, effects) = stage.join("one");
    let first = grant(&effects);
    stage.deliver(before, &first);
    stage.lost(before, Loss::StreamBroken);
    let (session, effects) = stage.join_with("one", 1, &[first]);
    assert_eq!(effects, []);
    let effects = stage.land(&first);
    assert!(
        effects.contains(&Effect::Settle {
            session,
            lease: first.lease
        }),
        "{effects:?}"
    );
    assert_eq!(grants(&effects), []);
}
