//! SIGKILL at any moment costs work and never a byte.

use std::path::Path;

use trc2npy_tests::{
    Bench, Convert, Outputs, committed_rows, must_be_whole, must_equal, outputs, poll, records, states, usable,
};

use crate::common::{random, spec, undisturbed};

/// How far a conversion has come, in steps that another process can see: the state folder, its files, each committed
/// range, the beginning of publishing, each final name.
fn steps(out: &Path) -> usize {
    let folders = usize::from(out.join(".trc2npy").exists());
    let files = states(out)
        .iter()
        .flat_map(|state| ["plan.bin", "journal"].map(|name| state.join(name)))
        .filter(|path| path.exists())
        .count();
    let records = records(out)
        .iter()
        .filter(|record| record["record"] != "opened")
        .count();
    folders + files + records + finals(out)
}

fn finals(out: &Path) -> usize {
    std::fs::read_dir(out).map_or(0, |listing| {
        listing
            .flatten()
            .filter(|entry| {
                let name = entry.file_name();
                name.to_string_lossy().starts_with('C')
            })
            .count()
    })
}

/// Runs the conversion until it has come to `step`, and kills it there. False: it had ended before.
fn kill_at(conversion: &Convert, step: usize) -> bool {
    let mut running = conversion.start();
    let out = conversion.out();
    running.poll(format_args!("step {step}"), |_| (steps(out) >= step).then_some(()));
    let ended = running.kill();
    assert!(ended.status.code().is_none_or(|code| code == 0), "{ended}");
    ended.status.code().is_none()
}

#[test]
fn twenty_kills_at_random_moments_leave_the_same_bytes() {
    let mut random = random();
    let bench = Bench::new(&spec(60, 20_000, &[1, 2]));
    let conversion = Convert::new([&bench.run], bench.path("out")).args([
        "--baseline",
        "500",
        "--range-size",
        "160kB",
        "--sync-every",
        "1",
    ]);
    let reference = undisturbed(&bench, &conversion);
    // The last step but the record `done`, behind which there is nothing to disturb.
    let last = steps(&bench.path("undisturbed")) - 1;
    let publishing = last - reference.len();
    let rows = 3..publishing;
    assert!(rows.len() > 50, "too few steps to choose from: {rows:?}");
    let (mut killed, mut resumed) = (0, 0);
    for round in 0..5 {
        let out = bench.path(&format!("out{round}"));
        let conversion = conversion.clone().into_folder(&out);
        let middle = random.usize(rows.clone());
        let moments = [
            random.usize(0..=rows.start),
            random.usize(rows.start..=middle),
            random.usize(middle..=publishing),
            random.usize(publishing..=last),
        ];
        let mut kept = Vec::new();
        for moment in moments {
            let was_killed = kill_at(&conversion, moment);
            killed += usize::from(was_killed);
            must_be_whole(&out, &reference);
            let now = records(&out);
            assert!(
                now.starts_with(&kept),
                "round {round}, step {moment}: committed rows were forgotten"
            );
            resumed += usize::from(!kept.is_empty() && now.len() > kept.len());
            kept = now;
        }
        conversion.run().must_end_with(0);
        must_equal(&out, &reference);
        // No row was done twice.
        assert_eq!(committed_rows(&out), 120, "round {round}");
        std::fs::remove_dir_all(&out).expect("the outputs can be removed");
    }
    eprintln!("{killed} of 20 were killed in time, {resumed} went on from what an earlier one had committed");
    assert!(killed > 10 && resumed > 5, "{killed} kills, {resumed} resumed");
}

#[test]
fn what_was_committed_before_a_kill_is_not_done_again() {
    let mut run = spec(40, 2_000, &[1]);
    run.bad = vec!["truncated:1".parse().expect("a kind of damage")];
    let bench = Bench::new(&run);
    let out = bench.path("out");
    let conversion =
        Convert::new([&bench.run], &out).args(["--range-size", "8kB", "--sync-every", "1", "--progress", "json"]);
    // All but the short file's range are committed while it waits for that file.
    let mut waiting = conversion.clone().args(["--settle", "10m"]).start();
    waiting
        .poll("39 committed rows", |_| (committed_rows(&out) == 39).then_some(()))
        .expect("it waits for the short file");
    let _ = waiting.kill();
    let ended = conversion.args(["--settle", "2s"]).run();
    ended.must_end_with(3);
    let events = trc2npy_tests::events(&ended.stdout);
    let looks: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "progress" && event["phase"] == "settling")
        .collect();
    assert!(!looks.is_empty(), "{ended}");
    for look in looks {
        assert_eq!(look["rows_before"], 39, "{look}");
        assert_eq!(look["rows_total"], 40, "{look}");
    }
}

/// strace delivers the signal when the process enters the n-th call of a kind: a kill at a place, not at a time.
fn can_trace() -> bool {
    usable("strace", ["-f", "-qq", "-o", "/dev/null", "true"])
}

/// Kills `conversion` at its first, second, ... call of `calls`, each time in a folder that `prepare` has made, until
/// it gets through; looks at what each kill left, then lets the same command end.
fn kill_at_each(
    calls: &str,
    step: usize,
    conversion: &Convert,
    prepare: impl Fn(&Path),
    left: impl Fn(&Path),
    reference: &Outputs,
) {
    let out = conversion.out();
    for nth in (1..).step_by(step) {
        let _ = std::fs::remove_dir_all(out);
        prepare(out);
        let inject = format!("inject={calls}:signal=SIGKILL:when={nth}");
        let trace = format!("trace={calls}");
        let traced =
            conversion
                .clone()
                .launched_by(["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject]);
        let ended = traced.run();
        let killed = ended.status.code().is_none();
        left(out);
        conversion.run().must_end_with(0);
        must_equal(out, reference);
        if !killed {
            eprintln!("{calls}: {} kills", (nth - 1) / step);
            assert!(ended.status.success(), "{ended}");
            assert!(nth > 1, "{calls} is never called");
            return;
        }
    }
}

fn small() -> (Bench, Convert) {
    let bench = Bench::new(&spec(6, 500, &[1, 2]));
    let conversion = Convert::new([&bench.run], bench.path("out")).args(["--range-size", "4kB", "--sync-every", "1"]);
    (bench, conversion)
}

#[test]
fn a_kill_at_any_rename_or_sync_or_write_costs_no_byte() {
    if !can_trace() {
        return;
    }
    let (bench, conversion) = small();
    let reference = undisturbed(&bench, &conversion);
    let whole = |out: &Path| must_be_whole(out, &reference);
    for (calls, step) in [
        ("?rename,?renameat,?renameat2", 1),
        ("fsync", 3),
        ("fdatasync", 5),
        ("pwrite64", 5),
    ] {
        kill_at_each(calls, step, &conversion, |_| {}, whole, &reference);
    }
}

#[test]
fn an_overwrite_killed_anywhere_keeps_the_old_arrays_until_the_new_are_whole() {
    if !can_trace() {
        return;
    }
    let (bench, conversion) = small();
    let old = undisturbed(&bench, &conversion);
    let anew = conversion.clone().args(["--baseline", "50", "--overwrite"]);
    let new = undisturbed(&bench, &anew.clone().into_folder(&bench.path("undisturbed2")));
    assert_ne!(old, new);
    let prepare = |out: &Path| {
        conversion.clone().into_folder(out).run().must_end_with(0);
    };
    let left = |out: &Path| {
        let found = outputs(out);
        let publishing = records(out).iter().any(|record| record["record"] == "publishing");
        if !publishing {
            assert_eq!(found, old, "the old arrays stay until the new are whole");
        }
        for channel in ["C1", "C2"] {
            let of = |outputs: &Outputs| -> Outputs {
                let own = outputs.iter().filter(|(name, _)| name.starts_with(channel));
                own.map(|(name, bytes)| (name.clone(), bytes.clone())).collect()
            };
            for (name, bytes) in of(&found) {
                assert!(
                    bytes == old[&name] || bytes == new[&name],
                    "{name} is neither the old nor the new one"
                );
            }
            // The JSON says that all of the channel belongs together.
            if found.contains_key(&format!("{channel}--Trace.json")) {
                assert!(
                    of(&found) == of(&old) || of(&found) == of(&new),
                    "{channel} is called complete and is of two kinds"
                );
            }
        }
    };
    for calls in ["?rename,?renameat,?renameat2", "?unlink,?unlinkat,?rmdir"] {
        kill_at_each(calls, 1, &anew, prepare, left, &new);
    }
}

#[test]
fn an_interrupted_overwrite_is_neither_lost_nor_mistaken_for_the_old_command() {
    let bench = Bench::new(&spec(40, 20_000, &[1]));
    let out = bench.path("out");
    let conversion = Convert::new([&bench.run], &out).args(["--range-size", "80kB", "--sync-every", "1"]);
    conversion.run().must_end_with(0);
    let old = outputs(&out);
    let anew = conversion.clone().args(["--baseline", "50", "--overwrite"]);
    let mut running = anew.start();
    poll("rows of the new conversion", || {
        // The old conversion's own state says 40 until it is removed.
        (1..40).contains(&committed_rows(&out)).then_some(())
    });
    assert!(running.runs(), "it ended before it could be killed");
    let _ = running.kill();
    must_equal(&out, &old);
    // The old command would write under the same names: it must not drop the other's work unasked.
    conversion
        .run()
        .must_end_with(1)
        .must_say(&["is not finished", "--overwrite", &bench.run.display().to_string()]);
    must_equal(&out, &old);
    anew.run().must_end_with(0);
    assert_ne!(outputs(&out), old);
    // Asked for, it begins anew.
    conversion.clone().args(["--overwrite"]).run().must_end_with(0);
    must_equal(&out, &old);
}
