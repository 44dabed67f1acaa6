use trc2npy_common::units::{Bytes, RowRange};

use super::stage::{Stage, grant, grants, rows, spec};
use crate::{Amount, Bin, ChannelIndex, Fault, JobId, MOST_BINS, Millis};

const fn mib(rows: u64) -> Amount {
    Amount {
        rows,
        bytes: Bytes::mib(rows),
    }
}

#[test]
fn a_job_in_sums() {
    let mut stage = Stage::new();
    stage.open(1, spec(20));
    let (one, effects) = stage.join_with("one", 2, &[]);
    let [(_, first), (_, second)] = grants(&effects)[..] else {
        panic!("{effects:?}");
    };
    stage.finish(one, &first);
    stage.fails(one, second.lease, Fault::StillWriting(vec![rows(5, 6)]));
    let view = stage.core.job(JobId(1)).unwrap();
    assert_eq!((view.leases, view.workers, view.publishing), (2, 1, false));
    let channel = view.channels[0];
    assert_eq!(
        (channel.all, channel.committed, channel.waiting),
        (mib(20), mib(4), mib(1))
    );
    assert_eq!((channel.leased, channel.open), (mib(5), mib(10)));
    assert_eq!(stage.core.job(JobId(2)), None);
    let worker = &stage.core.workers()[0];
    assert_eq!(
        (worker.leases, worker.delivered, worker.speed),
        (2, Bytes::mib(4), Some(Bytes::mib(1)))
    );
    assert_eq!(worker.idle.as_ref().unwrap().to_string(), "it is busy with 2 leases");
}

/// Against a table of rows.
#[test]
fn bins_agree_with_a_count_row_by_row() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..50 {
        let total = random.u64(1..200);
        let mut table = vec![' '; usize::try_from(total).unwrap()];
        let mut stage = Stage::new();
        let mut some = spec(total);
        some.lease_bytes = Some(Bytes::mib(random.u64(1..9)));
        stage.open(1, some);
        let (session, effects) = stage.join("pc1");
        let mut next = grant(&effects);
        let mark = |table: &mut Vec<char>, rows: RowRange, as_what| {
            table[usize::try_from(rows.start).unwrap()..usize::try_from(rows.end).unwrap()].fill(as_what);
        };
        mark(&mut table, next.rows, 'l');
        for _ in 0..random.usize(..6) {
            mark(&mut table, next.rows, 'c');
            let effects = stage.finish(session, &next);
            let Some((_, grant)) = grants(&effects).first().copied() else {
                break;
            };
            next = grant;
            mark(&mut table, next.rows, 'l');
        }
        if stage.core.job(JobId(1)).is_none() {
            continue;
        }
        let n = random.usize(1..=600);
        let bins = stage.core.bins(JobId(1), ChannelIndex(0), n);
        assert_eq!(bins.len(), n.min(MOST_BINS).min(table.len()));
        let mut at = 0;
        for bin in bins {
            let part = &table[at..at + usize::try_from(bin.rows).unwrap()];
            at += part.len();
            let count = |what| part.iter().filter(|&&row| row == what).count() as u64;
            assert_eq!((bin.committed, bin.leased), (count('c'), count('l')));
            assert!(!part.is_empty());
        }
        assert_eq!(at, table.len());
    }
}

#[test]
fn bins_of_what_is_not_there() {
    let mut stage = Stage::new();
    stage.open(1, spec(3));
    assert_eq!(stage.core.bins(JobId(1), ChannelIndex(1), 5), []);
    assert_eq!(stage.core.bins(JobId(2), ChannelIndex(0), 5), []);
    assert_eq!(stage.core.bins(JobId(1), ChannelIndex(0), 0), []);
    let one = Bin {
        rows: 1,
        ..Bin::default()
    };
    assert_eq!(stage.core.bins(JobId(1), ChannelIndex(0), 512), [one; 3]);
}

#[test]
fn why_rows_wait() {
    let mut stage = Stage::new();
    stage.open(1, spec(1004));
    stage.open(2, spec(4));
    assert_eq!(stage.explain(1), ["1,004 rows wait: no worker is connected"]);
    assert_eq!(
        stage.explain(2),
        ["4 rows wait: no worker is connected", "an older job comes first"]
    );
    assert_eq!(stage.explain(3), ["there is no such job, or it has ended"]);
    let (session, effects) = stage.join("pc1");
    let first = grant(&effects);
    assert_eq!(
        stage.explain(1),
        [
            "4 rows are being worked on, in 1 lease",
            "pc1 gets nothing: it is busy with 1 lease"
        ]
    );
    stage.says(session, |beat| beat.slots = 0);
    stage.fails(session, first.lease, Fault::Crashed("signal 11".to_owned()));
    let said = stage.explain(1);
    assert_eq!(
        said[0],
        "4 rows are tried again in smaller parts: a process ended at work on them"
    );
    stage.wait(Millis(250));
}
