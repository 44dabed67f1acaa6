//! Rows that only some workers see.

use trc2npy_common::units::RowRange;

use super::stage::{Stage, grant, grants, rows, spec};
use crate::{Effect, Fault, JobSpec, Loss, Millis, Region, SessionId};

/// Eight rows: three in `one`, four in `two`, one that everybody sees.
fn apart() -> JobSpec {
    let region = |end, root: &str| Region {
        end,
        roots: vec![root.to_owned()],
    };
    let mut spec = spec(8);
    spec.channels[0].regions = vec![region(3, "one"), region(7, "two")];
    spec
}

fn join(stage: &mut Stage, name: &str, roots: &[&str]) -> (SessionId, Vec<Effect>) {
    stage.join_seeing(roots, name, 1, &[])
}

/// What a worker gets, lease by lease, until it gets nothing.
fn all_of(stage: &mut Stage, session: SessionId, effects: &[Effect]) -> Vec<RowRange> {
    let mut all = Vec::new();
    let mut next = grants(effects).first().map(|(_, grant)| *grant);
    while let Some(grant) = next {
        all.push(grant.rows);
        next = grants(&stage.finish(session, &grant)).first().map(|(_, grant)| *grant);
    }
    all
}

#[test]
fn each_worker_gets_the_rows_whose_roots_it_sees() {
    let mut stage = Stage::new();
    stage.open(1, apart());
    let (two, effects) = join(&mut stage, "pc2", &["data", "two"]);
    assert_eq!(all_of(&mut stage, two, &effects), [rows(3, 7), rows(7, 8)]);
    assert_eq!(
        stage.explain(1),
        [
            "3 rows wait: their files are in one, which no connected worker has mapped",
            "pc2 gets nothing: it has not mapped one"
        ]
    );
    let (one, effects) = join(&mut stage, "pc1", &["data", "one"]);
    assert_eq!(all_of(&mut stage, one, &effects), [rows(0, 3)]);
    assert!(stage.core.job(crate::JobId(1)).unwrap().publishing);
}

#[test]
fn a_lease_never_reaches_from_one_root_into_another() {
    let mut stage = Stage::new();
    stage.open(1, apart());
    let (all, effects) = join(&mut stage, "pc1", &["data", "one", "two"]);
    assert_eq!(all_of(&mut stage, all, &effects), [rows(0, 3), rows(3, 7), rows(7, 8)]);
}

#[test]
fn the_root_of_the_job_is_needed_for_all_rows() {
    let mut stage = Stage::new();
    stage.open(1, apart());
    let (_, effects) = join(&mut stage, "pc1", &["one", "two"]);
    assert_eq!(grants(&effects), []);
    assert!(
        stage
            .explain(1)
            .contains(&"pc1 gets nothing: it has not mapped data".to_owned())
    );
}

#[test]
fn rows_of_a_worker_that_is_lost_wait_for_one_that_sees_them() {
    let mut stage = Stage::new();
    stage.open(1, apart());
    let (one, effects) = join(&mut stage, "pc1", &["data", "one"]);
    assert_eq!(grant(&effects).rows, rows(0, 3));
    let (two, effects) = join(&mut stage, "pc2", &["data", "two"]);
    assert_eq!(all_of(&mut stage, two, &effects), [rows(3, 7), rows(7, 8)]);
    // Idle, and far faster than what is in hand: but it cannot see these files.
    assert_eq!(grants(&stage.wait(Millis::seconds(59))), []);
    stage.step(crate::Event::Lost {
        session: one,
        loss: Loss::Goodbye,
    });
    assert_eq!(grants(&stage.wait(Millis::seconds(59))), []);
    let (_, effects) = join(&mut stage, "pc3", &["data", "one"]);
    assert_eq!(grant(&effects).rows, rows(0, 3));
}

#[test]
fn who_alone_sees_the_rows_is_believed_that_they_cannot_be_done() {
    let mut stage = Stage::new();
    stage.open(1, apart());
    join(&mut stage, "pc2", &["data", "two"]);
    let (one, effects) = join(&mut stage, "pc1", &["data", "one"]);
    let effects = stage.fails(one, grant(&effects).lease, Fault::Hopeless("other files".to_owned()));
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Close { .. })),
        "{effects:?}"
    );
}
