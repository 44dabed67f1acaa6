//! The first signal lets the work in flight end, the second ends at once; the same command goes on either way.

use rustix::process::Signal;
use trc2npy_tests::{Bench, Convert, Ended, committed_rows, must_equal, outputs, usable};

use crate::common::{
    MANY_COMMITS, complete, cut_short, set_time, spec, start_and_wait_for_file, twenty_rows, undisturbed,
};

const SIGNALS: [(&str, Signal); 3] = [
    ("SIGINT", Signal::INT),
    ("SIGTERM", Signal::TERM),
    ("SIGHUP", Signal::HUP),
];

/// Interrupts the conversion once some rows are committed, and others are not.
fn interrupt(conversion: &Convert, signal: Signal) -> Ended {
    // A machine that stalls the test can let the conversion end first.
    for _ in 0..50 {
        let mut running = conversion.start();
        running.poll("a committed row", |_| {
            (committed_rows(conversion.out()) > 0).then_some(())
        });
        if running.runs() {
            running.signal(signal);
        }
        let ended = running.wait();
        if ended.status.code() != Some(0) {
            return ended;
        }
        std::fs::remove_dir_all(conversion.out()).expect("the outputs can be removed");
    }
    panic!("the conversion always ended before the signal came");
}

#[test]
fn one_signal_keeps_what_is_done_and_says_how_to_go_on() {
    let bench = Bench::new(&spec(60, 20_000, &[1, 2]));
    let conversion = Convert::new([&bench.run], bench.path("out")).args(MANY_COMMITS);
    let reference = undisturbed(&bench, &conversion);
    for (name, signal) in SIGNALS {
        let out = bench.path(name);
        let conversion = conversion.clone().into_folder(&out);
        let ended = interrupt(&conversion, signal);
        let out_text = out.display().to_string();
        ended.must_end_with(130).must_say(&[
            "finishing what is in flight",
            "interrupted; what is done is kept",
            " convert ",
            &out_text,
            "--sync-every 1",
        ]);
        assert_eq!(ended.stdout, "", "{name}");
        assert!(outputs(&out).is_empty(), "{name}: nothing is published");
        let kept = committed_rows(&out);
        assert!((1..120).contains(&kept), "{name}: {kept} rows");
        assert!(!out.join(".trc2npy/owner.json").exists(), "{name}");
        conversion.run().must_end_with(0);
        must_equal(&out, &reference);
        assert_eq!(committed_rows(&out), 120, "{name}: no row was done twice");
    }
}

#[test]
fn a_signal_while_it_waits_for_a_file_ends_the_waiting() {
    let (bench, conversion) = twenty_rows();
    let reference = undisturbed(&bench, &conversion);
    let short = bench.file(1, 7);
    let missing = cut_short(&short);
    let running = start_and_wait_for_file(&conversion, 19);
    running.signal(Signal::INT);
    running.wait().must_end_with(130).must_say(&["what is done is kept"]);
    assert_eq!(committed_rows(conversion.out()), 19);
    // The instrument has finished the file meanwhile.
    complete(&short, &missing);
    conversion.run().must_end_with(0);
    must_equal(conversion.out(), &reference);
}

#[test]
fn a_second_signal_ends_at_once() {
    // One range of many bytes: what is in flight takes long.
    let bench = Bench::new(&spec(300, 400_000, &[1]));
    let conversion = Convert::new([&bench.run], bench.path("out")).args(["--threads", "1", "--range-size", "10GB"]);
    for attempt in 1.. {
        let mut running = conversion.start();
        running.poll("the state", |_| {
            conversion.out().join(".trc2npy").exists().then_some(())
        });
        running.signal(Signal::INT);
        running.says("press Ctrl-C again");
        if running.runs() {
            running.signal(Signal::INT);
        }
        let ended = running.wait();
        let _ = std::fs::remove_dir_all(conversion.out());
        if !ended.stderr.contains("what is done is kept") && ended.status.code() != Some(0) {
            ended.must_end_with(130);
            break;
        }
        assert!(attempt < 10, "it always ended before the second signal came: {ended}");
    }
}

#[test]
fn a_run_started_to_survive_the_hang_up_survives_it() {
    if !usable("nohup", ["true"]) {
        return;
    }
    let (bench, conversion) = twenty_rows();
    let _ = cut_short(&bench.file(1, 7));
    let conversion = conversion.launched_by(["nohup"]);
    let running = start_and_wait_for_file(&conversion, 19);
    // Were it heard, the next signal would be the second one, which ends without these words.
    running.signal(Signal::HUP);
    running.signal(Signal::INT);
    running.wait().must_end_with(130).must_say(&["what is done is kept"]);
}

#[test]
fn a_conversion_that_is_stopped_and_continued_goes_on() {
    let (bench, conversion) = twenty_rows();
    let reference = undisturbed(&bench, &conversion);
    let mut running = conversion.start();
    running.poll("a committed row", |_| {
        (committed_rows(conversion.out()) > 0).then_some(())
    });
    if running.stop() {
        running.signal(Signal::CONT);
    }
    running.wait().must_end_with(0);
    must_equal(conversion.out(), &reference);
    set_time(&bench.file(1, 0), std::time::SystemTime::UNIX_EPOCH);
}
