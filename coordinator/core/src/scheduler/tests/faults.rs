use trc2npy_common::units::Bytes;

use super::stage::{Stage, channel, grant, grants, rows, spec};
use crate::{Effect, Ending, Fault, JobId, Loss, Millis, Step, Terms};

fn why() -> String {
    "r005/C1--Trace--00007.trc: permission denied".to_owned()
}

#[test]
fn what_is_given_back_is_open_and_the_worker_rests() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (session, effects) = stage.join("pc1");
    assert_eq!(stage.fails(session, grant(&effects).lease, Fault::Returned), []);
    assert_eq!(stage.counts(1), [0, 0, 4, 0]);
    let said = stage.explain(1);
    assert_eq!(
        said,
        ["pc1 gets nothing: it gave a lease back; it is left alone for 1 s more"]
    );
    assert_eq!(stage.wait(Millis(750)), []);
    assert_eq!(grant(&stage.wait(Millis(250))).rows, rows(0, 4));
}

#[test]
fn files_being_written_have_time_to_settle() {
    let mut stage = Stage::new();
    stage.open(1, spec(8));
    let (session, effects) = stage.join("pc1");
    let first = grant(&effects);
    let writing = vec![rows(1, 2), rows(3, 9), rows(0, 0)];
    let effects = stage.fails(session, first.lease, Fault::StillWriting(writing));
    let next = grant(&effects);
    assert_eq!(next.rows, rows(0, 1));
    assert_eq!(stage.counts(1), [0, 1, 5, 2]);
    let said = &stage.explain(1)[0];
    assert_eq!(
        said,
        "2 rows wait: files seemed to be still being written; the next try is in 10 s"
    );
    let mut left = next;
    let mut order = Vec::new();
    while let Some((_, next)) = grants(&stage.finish(session, &left)).first().copied() {
        order.push((next.rows.start, next.rows.end, next.terms.settled));
        left = next;
    }
    assert_eq!(order, [(2, 3, false), (4, 8, false)]);
    assert_eq!(stage.wait(Millis(9750)), []);
    let next = grant(&stage.wait(Millis(250)));
    let settled = Terms {
        settled: true,
        ..Terms::default()
    };
    assert_eq!((next.rows, next.terms), (rows(1, 2), settled));
    // A worker that names no rows of its lease has given it back.
    assert_eq!(
        stage.fails(session, next.lease, Fault::StillWriting(vec![rows(90, 99)])),
        []
    );
    assert_eq!(stage.counts(1), [6, 0, 2, 0]);
}

#[test]
fn an_unfit_worker_is_asked_again_after_a_while() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (session, effects) = stage.join("pc1");
    let unfit = Fault::Unfit("data: another folder is mapped".to_owned());
    let effects = stage.fails(session, grant(&effects).lease, unfit);
    assert_eq!(effects, [Effect::Look(JobId(1))]);
    let said =
        "pc1 gets nothing: it cannot work on this job, and is asked again in 300 s: data: another folder is mapped";
    assert_eq!(stage.explain(1).last().unwrap(), said);
    assert_eq!(
        grants(&stage.open(2, spec(4))).len(),
        1,
        "of another job it can have rows"
    );
    stage.says(session, |beat| beat.slots = 2);
    assert_eq!(grants(&stage.wait(Millis(299_750))).len(), 0);
    let next = grant(&stage.wait(Millis(250)));
    assert_eq!(next.job, JobId(1));
}

#[test]
fn two_workers_that_cannot_read_make_bad_rows() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (one, effects) = stage.join("one");
    let (other, _) = stage.join("other");
    let effects = stage.fails(one, grant(&effects).lease, Fault::Input(why()));
    let (session, second) = grants(&effects)[0];
    assert_eq!((session, second.terms.take_unreadable), (other, false));
    let effects = stage.fails(other, second.lease, Fault::Input(why()));
    assert!(grant(&effects).terms.take_unreadable);
}

#[test]
fn one_worker_alone_tries_three_times() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (one, effects) = stage.join("one");
    assert_eq!(stage.fails(one, grant(&effects).lease, Fault::Input(why())), []);
    let said = &stage.explain(1)[0];
    assert_eq!(
        said,
        "4 rows wait for another worker or a later try: files could not be read on one"
    );
    assert_eq!(stage.wait(Millis(750)), []);
    let second = grant(&stage.wait(Millis(250)));
    assert_eq!(stage.fails(one, second.lease, Fault::Input(why())), []);
    assert_eq!(stage.wait(Millis(3750)), []);
    let third = grant(&stage.wait(Millis(250)));
    assert!(!third.terms.take_unreadable);
    let effects = stage.fails(one, third.lease, Fault::Input(why()));
    assert!(grant(&effects).terms.take_unreadable);
}

#[test]
fn who_reads_nothing_where_others_do_is_unfit() {
    let mut stage = Stage::new();
    stage.open(1, spec(100));
    let (good, effects) = stage.join("good");
    let mut next = grant(&effects);
    let (bad, effects) = stage.join("bad");
    let mut failing = grant(&effects);
    for round in 0..3 {
        next = grant(&stage.finish(good, &next));
        let effects = stage.fails(bad, failing.lease, Fault::Input(why()));
        match grants(&effects).first() {
            Some((_, grant)) => failing = *grant,
            None => assert_eq!(round, 2),
        }
    }
    let said = "bad gets nothing: it cannot work on this job, and is asked again in 300 s: could not read the files of 3 \
                leases in succession; the last time: r005/C1--Trace--00007.trc: permission denied";
    assert!(stage.explain(1).contains(&said.to_owned()), "{:?}", stage.explain(1));
}

#[test]
fn failed_outputs_make_the_worker_rest_and_end_the_job() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (session, effects) = stage.join("pc1");
    let mut next = grant(&effects);
    for rest in [5, 10, 20, 40, 60] {
        assert_eq!(
            stage.fails(session, next.lease, Fault::Output("no space".to_owned())),
            [Effect::Look(JobId(1))]
        );
        let said = stage.explain(1);
        let expected =
            format!("pc1 gets nothing: it could not write a shard: no space; it is left alone for {rest} s more");
        assert_eq!(said, [expected]);
        assert_eq!(stage.wait(Millis(rest * 1000 - 250)), []);
        next = grant(&stage.wait(Millis(250)));
    }
    let effects = stage.fails(session, next.lease, Fault::Output("no space".to_owned()));
    let why = "6 shards in succession could not be written; the last one, on pc1: no space".to_owned();
    let close = Effect::Close {
        job: JobId(1),
        ending: Ending::Failed(why),
    };
    assert_eq!(effects.last(), Some(&close));
}

#[test]
fn a_landing_makes_up_for_failed_outputs() {
    let mut stage = Stage::new();
    stage.open(1, spec(100));
    let (good, effects) = stage.join("good");
    let mut next = grant(&effects);
    for _ in 0..8 {
        let (bad, effects) = stage.join("bad");
        stage.fails(bad, grant(&effects).lease, Fault::Output("no space".to_owned()));
        next = grant(&stage.finish(good, &next));
        stage.lost(bad, Loss::Goodbye);
    }
    assert_eq!(stage.core.jobs().len(), 1);
}

#[test]
fn what_ends_processes_is_found_by_halves_and_given_up() {
    let mut stage = Stage::new();
    let mut files = spec(8);
    files.channels[0] = channel(8, 2);
    files.lease_bytes = Some(Bytes::mib(100));
    stage.open(1, files);
    let (session, effects) = stage.join("pc1");
    let mut next = grant(&effects);
    let mut seen = Vec::new();
    // Row 5 crashes whoever reads it; all else is fine.
    loop {
        seen.push((next.rows.start, next.rows.end, next.terms.give_up));
        let effects = if next.rows.start <= 5 && next.rows.end > 5 && !next.terms.give_up {
            stage.fails(session, next.lease, Fault::Crashed("signal 11".to_owned()))
        } else {
            stage.finish(session, &next)
        };
        match grants(&effects).first() {
            Some((_, grant)) => next = *grant,
            None => break,
        }
    }
    let tries = [(0, 8), (0, 4), (4, 8), (4, 6), (4, 6), (4, 6)].map(|(start, end)| (start, end, false));
    assert_eq!(seen[..6], tries);
    assert_eq!(seen[6..], [(4, 6, true), (6, 8, false)]);
}

#[test]
fn processes_that_vanish_are_no_crashes_but_what_they_had_is_worked_on_apart() {
    let mut stage = Stage::new();
    stage.open(1, spec(1));
    for attempt in 0..9 {
        let (session, effects) = stage.join("pc1");
        let terms = grant(&effects).terms;
        assert_eq!((terms.apart, terms.give_up), (attempt > 0, false), "{attempt}");
        stage.lost(session, Loss::StreamBroken);
        stage.wait(Millis::seconds(5));
    }
    assert_eq!(stage.core.jobs()[0].channels[0].quarantined, 0);
    for _ in 0..3 {
        let (session, effects) = stage.join("pc1");
        let next = grant(&effects);
        assert!(!next.terms.give_up);
        stage.fails(session, next.lease, Fault::Crashed("signal 11".to_owned()));
        stage.lost(session, Loss::Goodbye);
    }
    assert_eq!(
        stage.explain(1)[1],
        "1 row becomes bad: three processes ended at work on nothing else"
    );
    assert_eq!(stage.core.jobs()[0].channels[0].quarantined, 1);
    let (session, effects) = stage.join("pc1");
    let last = grant(&effects);
    assert!(last.terms.give_up);
    assert_eq!(stage.core.jobs()[0].channels[0].quarantined, 1);
    stage.finish(session, &last);
    assert_eq!(stage.core.jobs()[0].channels[0].quarantined, 1);
}

#[test]
fn what_hangs_does_not_keep_the_rows() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (_, effects) = stage.join("stuck");
    assert_eq!(grant(&effects).terms, Terms::default());
    stage.wait(Millis::seconds(60));
    let (second, effects) = stage.join("second");
    // The first one does not get on: it is taken back, and the rows are free for what comes.
    let effects = stage.fails(second, grant(&effects).lease, Fault::StillWriting(vec![rows(0, 4)]));
    assert!(matches!(effects[0], Effect::Revoke { .. }), "{effects:?}");
    assert_eq!(stage.counts(1), [0, 0, 0, 4]);
}

#[test]
fn a_second_attempt_is_asked_what_has_been_learnt_since_the_first() {
    let mut stage = Stage::new();
    stage.open(1, spec(8));
    let (slow, effects) = stage.join("slow");
    let first = grant(&effects);
    let (fast, effects) = stage.join("fast");
    let quick = grant(&effects);
    stage.wait(Millis::seconds(4));
    stage.finish(fast, &quick);
    for (name, knows) in [("a", false), ("b", false), ("c", true)] {
        stage.says(fast, |beat| beat.slots = 0);
        stage.progress(slow, first.lease, Bytes::kib(400), Step::Converting);
        let (session, effects) = stage.join(name);
        let second = grant(&effects);
        assert_eq!(
            (second.rows, second.terms.take_unreadable),
            (first.rows, knows),
            "{name}"
        );
        // Not at once again, and never by one that has failed.
        assert_eq!(stage.fails(session, second.lease, Fault::Input(why())), []);
        assert_eq!(grants(&stage.wait(Millis::seconds(9))), []);
        stage.progress(slow, first.lease, Bytes::kib(410), Step::Converting);
        stage.says(session, |beat| beat.slots = 0);
        assert_eq!(grants(&stage.wait(Millis::seconds(2))), []);
    }
}

fn hopeless(file: u32) -> Fault {
    Fault::Hopeless(format!("C1--Trace--{file:05}.trc: changed since it was planned"))
}

fn ends_with(effects: &[Effect], why: &str) {
    let close = Effect::Close {
        job: JobId(1),
        ending: Ending::Hopeless(why.to_owned()),
    };
    assert_eq!(effects.last(), Some(&close));
}

#[test]
fn a_job_that_its_only_worker_finds_hopeless_ends() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (session, effects) = stage.join("pc1");
    let effects = stage.fails(session, grant(&effects).lease, hopeless(7));
    ends_with(
        &effects,
        "C1--Trace--00007.trc: changed since it was planned (found by pc1)",
    );
}

#[test]
fn one_of_several_workers_that_finds_a_job_hopeless_gets_no_more_of_it() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (first, effects) = stage.join("pc1");
    let lost = grant(&effects);
    let (second, _) = stage.join("pc2");
    let effects = stage.fails(first, lost.lease, hopeless(7));
    let (to, again) = grants(&effects)[0];
    assert_eq!((to, again.rows), (second, lost.rows));
    let why = "pc1 gets nothing: it cannot work on this job, and is asked again in 300 s: the files are others there: \
               C1--Trace--00007.trc: changed since it was planned";
    assert!(stage.explain(1).iter().any(|told| told == why));
    let effects = stage.fails(second, again.lease, hopeless(7));
    ends_with(
        &effects,
        "C1--Trace--00007.trc: changed since it was planned (found by pc1 and pc2)",
    );
}

#[test]
fn a_process_apart_that_was_ended_from_outside_is_no_crash_and_its_rows_are_halved() {
    let mut stage = Stage::new();
    stage.open(1, spec(4));
    let (session, effects) = stage.join("pc1");
    let mut next = grant(&effects);
    for _ in 0..5 {
        stage.fails(session, next.lease, Fault::Ended("signal 9".to_owned()));
        assert_eq!(grants(&stage.wait(Millis(4750))), []);
        next = grant(&stage.wait(Millis(250)));
        assert!(next.terms.apart && !next.terms.give_up, "{next:?}");
    }
    assert!(next.rows.len() < 4, "{next:?}");
}
