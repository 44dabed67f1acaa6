//! `--on-finish`: run once when the work has ended, with what became of it in its environment.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rustix::process::Signal;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Bench, Convert, Ended, binary, events};

/// A command that keeps its environment in a file; a second call would be seen as well.
fn keep(path: &Path) -> String {
    format!(
        "env -0 >> '{0}'; echo >> '{0}.calls'; echo from the command",
        path.display()
    )
}

/// What the command found in its environment under the names that are for it. It was called exactly once.
fn told(path: &Path) -> BTreeMap<String, String> {
    let calls = fs::read_to_string(format!("{}.calls", path.display())).unwrap();
    assert_eq!(calls, "\n", "called more than once");
    let text = fs::read_to_string(path).unwrap();
    text.split('\0')
        .filter_map(|fact| fact.strip_prefix("TRC2NPY_FINISH_")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[track_caller]
fn must_be_told(path: &Path, expected: &[(&str, &str)]) {
    let told = told(path);
    for (name, value) in expected {
        assert_eq!(told.get(*name).map(String::as_str), Some(*value), "{name}: {told:#?}");
    }
    assert!(told["SECONDS"].parse::<u64>().is_ok(), "{told:#?}");
}

/// A run of two channels and five files each, and its conversion, which keeps what it tells in the file named.
fn small(bad: bool) -> (Bench, impl Fn(&str, &[&str]) -> Ended) {
    let mut spec = RunSpec::new(5, 300);
    spec.channels = vec![1, 2];
    let bench = Bench::new(&spec);
    if bad {
        fs::write(bench.file(2, 3), "no waveform").unwrap();
    }
    let (run, out, facts) = (bench.run.clone(), bench.path("out"), bench.path(""));
    let convert = move |name: &str, args: &[&str]| {
        let command = keep(&facts.join(name));
        Convert::new([&run], &out)
            .args(["--on-finish", &command, "--settle", "0"])
            .args(args)
            .run()
    };
    (bench, convert)
}

#[test]
fn a_good_end_is_told_and_then_that_nothing_was_to_be_done() {
    let (bench, convert) = small(false);
    let ended = convert("first", &[]);
    ended.must_succeed();
    assert!(ended.stderr.ends_with("from the command\n"), "{ended}");
    assert!(!ended.stdout.contains("from the command"), "{ended}");
    let out = bench.path("out").display().to_string();
    let common = [("EXIT_CODE", "0"), ("OUT", &out), ("RUNS", "1"), ("FAILED_RUNS", "0")];
    must_be_told(&bench.path("first"), &common);
    let message = "1 run finished, 10 rows, 0 bad";
    let rest = [
        ("OUTCOME", "finished"),
        ("ROWS", "10"),
        ("BAD_ROWS", "0"),
        ("MESSAGE", message),
    ];
    must_be_told(&bench.path("first"), &rest);
    let command = &told(&bench.path("first"))["COMMAND"];
    assert!(
        command.contains(" convert ") && command.contains("--on-finish"),
        "{command}"
    );

    convert("second", &[]).must_succeed();
    must_be_told(&bench.path("second"), &common);
    must_be_told(&bench.path("second"), &[("OUTCOME", "nothing-to-do"), ("ROWS", "10")]);
}

#[test]
fn bad_rows_and_failures_are_told() {
    let (bench, convert) = small(true);
    convert("bad", &[]).must_end_with(3);
    must_be_told(
        &bench.path("bad"),
        &[
            ("OUTCOME", "bad-rows"),
            ("EXIT_CODE", "3"),
            ("ROWS", "10"),
            ("BAD_ROWS", "1"),
        ],
    );
    // The same outputs in another way: refused.
    let ended = convert("failed", &["--baseline", "10"]);
    ended.must_end_with(1);
    must_be_told(
        &bench.path("failed"),
        &[("OUTCOME", "failed"), ("EXIT_CODE", "1"), ("ROWS", "0"), ("OUT", "")],
    );
    must_be_told(&bench.path("failed"), &[("RUNS", "0"), ("FAILED_RUNS", "1")]);
    let message = &told(&bench.path("failed"))["MESSAGE"];
    assert!(message.contains("was not made by this command"), "{message}");
    // Said before the command is run, which may shut the computer down.
    let told = ended.stderr.find(&format!("error: {message}")).unwrap();
    assert!(told < ended.stderr.find("from the command").unwrap(), "{ended}");
    // Stopped by what planning finds, before there is a run.
    convert("stopped", &["--overwrite", "--on-bad-file", "fail"]).must_end_with(1);
    must_be_told(
        &bench.path("stopped"),
        &[("OUTCOME", "failed"), ("RUNS", "0"), ("FAILED_RUNS", "1")],
    );
}

#[test]
fn an_interruption_is_told() {
    let bench = crate::waiting::bench();
    let facts = bench.path("facts");
    let conversion = Convert::new([&bench.run], bench.path("out")).args(["--on-finish", &keep(&facts)]);
    let running = crate::waiting::start(&bench, &conversion);
    running.signal(Signal::INT);
    running.wait().must_end_with(130);
    let out = bench.path("out").display().to_string();
    let expected = [
        ("OUTCOME", "interrupted"),
        ("EXIT_CODE", "130"),
        ("OUT", &out),
        ("RUNS", "0"),
    ];
    must_be_told(&facts, &expected);
}

#[test]
fn where_nothing_is_begun_it_is_not_run() {
    let (bench, convert) = small(false);
    convert("not", &["--dry-run"]).must_succeed();
    convert("not", &["--print-config"]).must_succeed();
    convert("not", &["--baseline", "many"]).must_end_with(2);
    // A baseline longer than the rows: found out while planning.
    convert("not", &["--baseline", "5000"]).must_end_with(2);
    assert!(!bench.path("not.calls").exists());
}

#[test]
fn its_own_failure_is_a_warning() {
    let (_bench, convert) = small(false);
    let ended = convert("unused", &["--on-finish", "exit 7"]);
    ended
        .must_succeed()
        .must_say(&["warning: --on-finish: exit 7: ended with exit status: 7"]);
    let ended = convert("unused", &["--on-finish", "echo words; exit 7", "--progress", "json"]);
    // Every line is JSON.
    let all = events(&ended.must_succeed().stdout);
    assert_eq!(all.last().unwrap()["event"], "end", "{ended}");
    ended.must_say(&["words"]);
}

#[test]
fn a_command_that_calls_the_program_again_is_not_disturbed() {
    let (bench, _) = small(false);
    let (first, second, facts) = (bench.path("out"), bench.path("again"), bench.path("facts"));
    // Known to both calls: the second would call itself for ever.
    let again = format!(
        "{}; '{}' convert '{}' --out '{}' --progress none --dtype int16",
        keep(&facts),
        binary().display(),
        bench.run.display(),
        second.display()
    );
    let ended = Convert::new([&bench.run], &first)
        .launched_by(["env", &format!("TRC2NPY_ON_FINISH={again}")])
        .run();
    ended.must_succeed();
    must_be_told(&facts, &[("OUTCOME", "finished")]);
    assert!(second.join("C2--Trace.npy").exists(), "{ended}");
    assert!(!ended.stderr.contains("warning"), "{ended}");
    // Unless it says so itself.
    let last = bench.path("last");
    let asked = format!(
        "{again} --out '{}' --on-finish ': > \"{}\"'",
        bench.path("third").display(),
        last.display()
    );
    let asked = asked.replacen(&format!("--out '{}' ", second.display()), "", 1);
    let fourth = bench.path("fourth");
    let ended = Convert::new([&bench.run], &fourth).args(["--on-finish", &asked]).run();
    ended.must_succeed();
    assert!(last.exists(), "{ended}");
}
