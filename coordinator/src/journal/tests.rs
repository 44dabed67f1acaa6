//! The journal on real files.

use std::time::Duration;

use serde_json::json;
use trc2npy_common::options::ByteOptions;
use trc2npy_common::plan::Probe;
use trc2npy_common::units::Bytes;

use trc2npy_common::plan::Findings;
use trc2npy_proto::Submission;

use super::*;

fn job(run: &str) -> JobRecord {
    JobRecord {
        submission: Submission {
            key: "k".to_owned(),
            inputs: vec![format!("data:{run}")],
            out: "data:npy".to_owned(),
            recursive: false,
            join: false,
            channels: None,
            stem: None,
            probe: Probe::Sample,
            settle: Duration::from_secs(10),
            overwrite: false,
            trust_size: false,
            name: "{channel}--Trace.npy".to_owned(),
            options: ByteOptions::default(),
            sync_every: Bytes::gib(1),
            range_size: None,
        },
        run: run.to_owned(),
        out: "data:npy".to_owned(),
        plan: "0".repeat(64),
        folder: "job-1".to_owned(),
        findings: Findings::default(),
        bad_files: Vec::new(),
        elsewhere: Vec::new(),
        seen: Vec::new(),
        trace: None,
        submitted_ms: 7,
        end: None,
        warnings: vec!["w".to_owned()],
        channels: Vec::new(),
    }
}

fn shard(job: JobId, rows: (u64, u64), attempt: u64) -> Shard {
    Shard {
        lease: LeaseId {
            epoch: Epoch(1),
            attempt,
        },
        job,
        channel: ChannelIndex(0),
        rows: RowRange::new(rows.0, rows.1),
    }
}

#[test]
fn a_state_is_begun_once_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let journal = Journal::open(&state).unwrap();
    assert_eq!(journal.epoch, Epoch(1));
    let ids = journal.accept(&[job("a"), job("b")]).unwrap();
    assert_eq!(ids, [JobId(1), JobId(2)]);
    let [a, b] = [JobId(1), JobId(2)];
    let commits = [shard(a, (0, 10), 1), shard(a, (20, 30), 2), shard(b, (0, 5), 3)];
    journal.record(&commits.map(Record::Committed), &[]).unwrap();
    let name = journal.coordinator.clone();
    drop(journal);

    let journal = Journal::open(&state).unwrap();
    assert_eq!((journal.epoch, &journal.coordinator), (Epoch(2), &name));
    assert_eq!(journal.jobs().unwrap(), [(a, job("a")), (b, job("b"))]);
    assert_eq!(journal.shards(a).unwrap(), commits[..2]);
    let reopened = Record::Reopened {
        job: a,
        channel: ChannelIndex(0),
        rows: RowRange::new(20, 30),
    };
    journal.record(&[reopened], &[]).unwrap();
    assert_eq!(journal.shards(a).unwrap(), commits[..1]);
    // The end of a job takes its shards along, and no others.
    let ended = JobRecord {
        end: Some(JobEnd {
            ending: Ended::Cancelled,
            at_ms: 9,
        }),
        ..job("a")
    };
    journal.record(&[], &[(a, ended.clone())]).unwrap();
    assert_eq!(journal.shards(a).unwrap(), []);
    assert_eq!(journal.shards(b).unwrap(), commits[2..]);
    assert_eq!(journal.jobs().unwrap()[0].1, ended);
    assert_eq!(journal.accept(&[job("c")]).unwrap(), [JobId(3)]);
}

#[test]
fn a_state_that_is_used_lost_newer_or_damaged_is_never_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path();
    let journal = Journal::open(state).unwrap();
    journal.accept(&[job("a")]).unwrap();
    assert!(matches!(Journal::open(state), Err(JournalError::InUse { .. })));
    drop(journal);

    let path = state.join(FILE);
    let good = std::fs::read(&path).unwrap();
    let database = Database::open(&path).unwrap();
    transact(&database, |transaction| {
        transaction.open_table(META)?.insert("version", 99)?;
        Ok(())
    })
    .unwrap();
    drop(database);
    let epoch = dump(state).unwrap()["meta"]["epoch"].clone();
    let told = Journal::open(state).unwrap_err().to_string();
    assert!(
        told.contains("version 99") && told.contains("start the newer trc2npy"),
        "{told}"
    );
    assert_eq!(
        dump(state).unwrap()["meta"]["epoch"],
        epoch,
        "the state of a newer program was changed"
    );

    std::fs::write(&path, b"rubbish").unwrap();
    assert!(matches!(Journal::open(state), Err(JournalError::Damaged { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), b"rubbish");
    std::fs::write(&path, &good[..good.len() / 2]).unwrap();
    assert!(Journal::open(state).is_err());

    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(state.join("plans")).unwrap();
    assert!(matches!(Journal::open(state), Err(JournalError::Missing { .. })));
}

#[test]
fn a_check_finds_what_should_not_be() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    assert!(matches!(check(&state), Err(JournalError::NotThere { .. })));
    let journal = Journal::open(&state).unwrap();
    let ids = journal.accept(&[job("a")]).unwrap();
    let commits = [
        shard(ids[0], (0, 10), 1),
        shard(ids[0], (5, 15), 2),
        shard(JobId(8), (0, 1), 3),
    ];
    journal.record(&commits.map(Record::Committed), &[]).unwrap();
    drop(journal);
    let findings = check(&state).unwrap().join("\n");
    for told in [
        "job 1: ",
        ".bin",
        "rows 5..15 are committed twice",
        "of a job 8 that is not there",
    ] {
        assert!(findings.contains(told), "{told}:\n{findings}");
    }
    let dump = dump(&state).unwrap();
    assert_eq!(dump["jobs"][0]["committed"][1]["rows"], json!([5, 15]));
    assert_eq!(dump["meta"]["version"], 1);
}

#[test]
fn damaged_pages_are_told_and_end_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (state, path) = (folder.path(), folder.path().join(FILE));
    let journal = Journal::open(state).unwrap();
    let ids = journal.accept(&[job("a"), job("b")]).unwrap();
    let commits: Vec<Record> = (0..500)
        .map(|n| Record::Committed(shard(ids[0], (n * 10, n * 10 + 5), n)))
        .collect();
    journal.record(&commits, &[]).unwrap();
    drop(journal);
    let good = std::fs::read(&path).unwrap();
    // Always the same: one in thousands of such files makes the database panic while it panics, and that nobody can catch.
    let mut random = fastrand::Rng::with_seed(4);
    let mut damaged = 0;
    for _ in 0..40 {
        let mut bytes = good.clone();
        for _ in 0..random.usize(1..300) {
            let at = random.usize(..bytes.len());
            bytes[at] ^= 1 << random.u8(..8);
        }
        std::fs::write(&path, &bytes).unwrap();
        // None of these may panic, whatever else they say.
        let opened = Journal::open(state).and_then(|journal| {
            journal.tidy()?;
            journal.shards(ids[0])
        });
        let looked = [opened.err(), check(state).err(), dump(state).err()];
        damaged += looked
            .iter()
            .flatten()
            .filter(|error| matches!(error, JournalError::Damaged { .. }))
            .count();
    }
    assert!(damaged > 0, "nothing was ever noticed");
}

#[test]
fn a_journal_that_is_removed_takes_no_records() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    std::fs::remove_file(folder.path().join(FILE)).unwrap();
    let told = journal.accept(&[job("a")]).unwrap_err();
    assert!(matches!(told, JournalError::Removed { .. }), "{told}");
}

#[test]
fn the_oldest_ended_jobs_and_plans_that_nobody_needs_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path()).unwrap();
    let number = |k: usize| JobRecord {
        folder: format!("job-{k}"),
        end: (k != 1).then_some(JobEnd {
            ending: Ended::Cancelled,
            at_ms: 9,
        }),
        ..job("a")
    };
    let jobs: Vec<JobRecord> = (0..ENDED_JOBS + 4).map(number).collect();
    let ids = journal.accept(&jobs).unwrap();
    std::fs::create_dir(folder.path().join(PLANS)).unwrap();
    for k in 0..3 {
        std::fs::write(journal.plan_path(&format!("job-{k}")), b"").unwrap();
    }
    let left: Vec<JobId> = journal.tidy().unwrap().into_iter().map(|(id, _)| id).collect();
    // Three too many; the one that goes on is none of them.
    let expected: Vec<JobId> = [ids[1]].into_iter().chain(ids[4..].iter().copied()).collect();
    assert_eq!(left, expected);
    assert_eq!(journal.jobs().unwrap().len(), left.len());
    let plans = std::fs::read_dir(folder.path().join(PLANS)).unwrap();
    let plans: Vec<_> = plans.map(|plan| plan.unwrap().path()).collect();
    assert_eq!(plans, [journal.plan_path("job-1")]);
}
