//! `batch`: a tree of runs, night after night.
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failed unwrap fails the test")]
#![allow(clippy::print_stderr, reason = "what is left out is told")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Convert, Ended, events, must_equal, outputs, write_run};

/// A lab's tree: two runs of one name, one of them of two folders, and one that is short of a sample in a file.
struct Lab {
    folder: TempDir,
}

impl Lab {
    fn new() -> Self {
        let lab = Self {
            folder: TempDir::new().unwrap(),
        };
        lab.record("lab/p06/r005", 0..8);
        lab.record("lab/p06/r005-2", 0..4);
        lab.record("lab/p07/r005", 0..5);
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn record(&self, run: &str, files: std::ops::Range<u64>) {
        let mut spec = RunSpec::new(files.end - files.start, 300);
        spec.start = files.start;
        // Other samples in every run.
        spec.seed = run.bytes().map(u64::from).sum();
        write_run(&spec, &self.path(run));
    }

    fn batch(&self, args: &[&str]) -> Ended {
        let lab = self.path("lab");
        let usual = [["--progress", "none"], ["--settle", "0"], ["--idle", "0"]];
        let usual = usual.iter().filter(|option| !args.contains(&option[0])).flatten();
        Call::of("batch").args([&lab]).args(usual).args(args).run()
    }

    /// A batch that has done `p06/r005`, waits for a file of `p06/r006` and has still to do `p07/r005`; that file, and what
    /// it will hold.
    #[cfg(unix)]
    fn start_and_wait(&self) -> (trc2npy_tests::Running, PathBuf, Vec<u8>) {
        write_run(&RunSpec::new(20, 20_000), &self.path("lab/p06/r006"));
        let short = self.path("lab/p06/r006/C1--Trace--00007.trc");
        let whole = fs::read(&short).unwrap();
        fs::write(&short, &whole[..9_000]).unwrap();
        let out = self.path("lab-npy/p06/r006");
        let waiting = ["--idle", "0", "--settle", "10m"];
        let batch = Call::of("batch").args([self.path("lab")]).args(IN_SMALL_RANGES);
        let mut running = batch.args(waiting).start();
        let waits = running.poll("19 rows", |_| (trc2npy_tests::committed_rows(&out) == 19).then_some(()));
        assert!(waits.is_some(), "{}", running.wait());
        (running, short, whole)
    }

    /// Fails where the arrays of a run are not those that `convert` makes of its folders.
    fn must_be_converted(&self, run: &str, folders: &[&str]) {
        let apart = TempDir::new().unwrap();
        let folders = folders.iter().map(|folder| self.path("lab").join(folder));
        Convert::new(folders, apart.path()).run().must_succeed();
        must_equal(&self.path("lab-npy").join(run), &outputs(apart.path()));
    }
}

/// So that the rows before a file that is waited for are safe on the disk.
#[cfg(unix)]
const IN_SMALL_RANGES: [&str; 4] = ["--range-size", "80kB", "--sync-every", "1"];

/// The line of each run: what became of it, rows, bad rows.
fn lines(ended: &Ended) -> Vec<[String; 4]> {
    let table = ended.stdout.lines().skip(1).take_while(|line| !line.is_empty());
    table
        .map(|line| {
            let cells: Vec<&str> = line
                .split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect();
            let [run, became, rows, bad, seconds] = cells[..] else {
                panic!("{cells:?}")
            };
            assert!(seconds.parse::<f64>().is_ok(), "{line}");
            [run, became, rows, bad].map(str::to_owned)
        })
        .collect()
}

#[track_caller]
fn must_be(ended: &Ended, expected: &[[&str; 4]]) {
    assert_eq!(lines(ended), expected, "{ended}");
}

fn times(folder: &Path) -> Vec<(PathBuf, SystemTime)> {
    let mut times: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|entry| (entry.path(), entry.metadata().unwrap().modified().unwrap()))
        .collect();
    times.sort();
    times
}

#[test]
fn each_night_only_what_is_new_is_done() {
    let lab = Lab::new();
    let first = lab.batch(&[]);
    must_be(
        first.must_succeed(),
        &[
            ["p06/r005", "converted", "12", "0"],
            ["p07/r005", "converted", "5", "0"],
        ],
    );
    first.must_say(&["2 runs: 2 converted; 17 rows"]);
    lab.must_be_converted("p06/r005", &["p06/r005", "p06/r005-2"]);
    lab.must_be_converted("p07/r005", &["p07/r005"]);

    let made = times(&lab.path("lab-npy/p06/r005"));
    lab.record("lab/p08/deep/r1", 0..3);
    let second = lab.batch(&[]);
    must_be(
        second.must_succeed(),
        &[
            ["p06/r005", "done before", "12", "0"],
            ["p07/r005", "done before", "5", "0"],
            ["p08/deep/r1", "converted", "3", "0"],
        ],
    );
    second.must_say(&["3 runs: 1 converted, 2 done before; 20 rows"]);
    assert_eq!(times(&lab.path("lab-npy/p06/r005")), made);
    lab.must_be_converted("p08/deep/r1", &["p08/deep/r1"]);
    // What `convert` has made is found finished too.
    let convert = Convert::new([lab.path("lab/p07/r005")], lab.path("lab-npy/p07/r005")).run();
    convert.must_succeed().must_say(&["nothing to do"]);
}

/// Pastes the command that was said last into a shell.
#[cfg(unix)]
fn paste(ended: &Ended) {
    let command = ended.stderr.lines().rev().find_map(|line| {
        let command = line.trim().trim_end_matches(')');
        command.strip_prefix("trc2npy ").map(str::to_owned)
    });
    let command = command.unwrap_or_else(|| panic!("no command is said:\n{ended}"));
    let line = format!("'{}' {command}", trc2npy_tests::binary().display());
    let output = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(
        output.status.success(),
        "{line}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[cfg(unix)] // The command is pasted into a POSIX shell.
#[test]
fn new_files_and_folders_of_a_finished_run_are_told_with_what_to_do() {
    let lab = Lab::new();
    lab.batch(&["--baseline", "20"]).must_succeed();
    lab.record("lab/p07/r005", 5..7);
    let files = lab.batch(&["--baseline", "20"]);
    files.must_succeed().must_say(&[
        "warning: p07/r005: new since the run was planned, without rows: 2 files",
        "make it anew",
        "--baseline 20",
    ]);
    assert_eq!(lines(&files)[1], ["p07/r005", "done before", "5", "0"]);
    paste(&files);

    lab.record("lab/p07/r005-2", 0..2);
    let folder = lab.batch(&["--baseline", "20"]);
    must_be(
        folder.must_end_with(1),
        &[["p06/r005", "done before", "12", "0"], ["p07/r005", "failed", "-", "-"]],
    );
    folder.must_say(&["error: p07/r005: ", "made of fewer folders", "r005-2"]);
    paste(&folder);
    let last = lab.batch(&["--baseline", "20"]);
    must_be(
        last.must_succeed(),
        &[
            ["p06/r005", "done before", "12", "0"],
            ["p07/r005", "done before", "9", "0"],
        ],
    );
    assert!(!last.stderr.contains("warning"), "{last}");
}

#[test]
fn a_run_that_fails_does_not_stop_the_others() {
    let lab = Lab::new();
    fs::write(lab.path("lab/p06/r005/C1--Trace--00003.trc"), "no waveform").unwrap();
    let bad = lab.batch(&[]);
    must_be(
        bad.must_end_with(3),
        &[
            ["p06/r005", "converted", "12", "1"],
            ["p07/r005", "converted", "5", "0"],
        ],
    );
    bad.must_say(&["BAD ROWS: 1 of them are not to be used, in p06/r005"]);

    fs::remove_dir_all(lab.path("lab-npy")).unwrap();
    let facts = lab.path("facts");
    let keep = format!("env > '{}'", facts.display());
    let failed = lab.batch(&["--on-bad-file", "fail", "--on-finish", &keep]);
    must_be(
        failed.must_end_with(1),
        &[["p06/r005", "failed", "-", "-"], ["p07/r005", "converted", "5", "0"]],
    );
    failed.must_say(&[
        "error: p06/r005: ",
        "C1--Trace--00003.trc",
        "2 runs: 1 converted, 1 failed; 5 rows",
    ]);
    if cfg!(unix) {
        let told = fs::read_to_string(facts).unwrap();
        for fact in ["OUTCOME=failed", "RUNS=1", "FAILED_RUNS=1", "ROWS=5", "EXIT_CODE=1"] {
            let line = format!("\nTRC2NPY_FINISH_{fact}\n");
            assert!(told.contains(&line), "{fact} is not in {told}");
        }
    }
    let json = lab.batch(&["--on-bad-file", "fail", "--progress", "json"]);
    let all = events(&json.must_end_with(1).stdout);
    let runs: Vec<_> = all.iter().filter(|event| event["event"] == "run").collect();
    assert_eq!(
        (runs[0]["run"].as_str(), runs[0]["became"].as_str()),
        (Some("p06/r005"), Some("failed"))
    );
    assert_eq!(
        (runs[1]["became"].as_str(), runs[1]["rows"].as_u64()),
        (Some("done before"), Some(5))
    );
    assert_eq!(all.last().unwrap()["runs"]["failed"], 1);
}

#[test]
fn a_run_that_may_still_be_recorded_is_left_for_later() {
    let lab = Lab::new();
    let set = |folder: &str, time: SystemTime| {
        // Windows opens no folder so easily: there the run that was just written is all that is looked at.
        if cfg!(unix) {
            File::open(lab.path(folder)).unwrap().set_modified(time).unwrap();
        }
    };
    let now = SystemTime::now();
    set("lab/p06/r005", now - Duration::from_hours(5));
    set("lab/p07/r005", now - Duration::from_hours(5));
    lab.record("lab/p07/r9", 0..1);
    // A clock that is days ahead is wrong.
    set("lab/p07/r9", now + Duration::from_hours(50));
    let later = if cfg!(unix) { "converted" } else { "left for later" };
    let ended = lab.batch(&["--idle", "2h"]);
    let states: Vec<_> = lines(ended.must_succeed()).iter().map(|line| line[1].clone()).collect();
    // The second folder of the first run is new.
    assert_eq!(states, ["left for later", later, later], "{ended}");
    ended.must_say(&["note: p06/r005: its folders changed less than 7200 s ago", "--idle"]);
    assert!(!lab.path("lab-npy/p06").exists());
}

#[test]
fn outputs_that_would_meet_are_refused_before_anything_is_written() {
    let lab = Lab::new();
    let (one, other, out) = (lab.path("lab/p06"), lab.path("lab/p07"), lab.path("npy"));
    let words = |out: &Path| {
        let folders = [one.clone(), other.clone(), "--idle=0".into(), "--out".into()];
        folders.into_iter().chain([out.to_owned()]).collect::<Vec<PathBuf>>()
    };
    let ended = Call::of("batch").args(words(&out)).run();
    ended
        .must_end_with(2)
        .must_say(&["p06", "p07", "would both be written into"]);
    assert!(!out.exists());
    // Each below its own name, as it is without --out.
    let ended = Call::of("batch").args(&words(&out)[..3]).run();
    ended.must_succeed();
    for folder in ["lab/p06-npy/r005", "lab/p07-npy/r005"] {
        assert_eq!(outputs(&lab.path(folder)).len(), 4, "{ended}");
    }
    // The place of a run where it is asked for.
    fs::create_dir_all(&out).unwrap();
    lab.batch(&["--out", out.join("{run}-arrays").to_str().unwrap()])
        .must_succeed();
    assert_eq!(outputs(&out.join("p06/r005-arrays")).len(), 4);
    // A place that is none; a folder of a run that only looks like one is called so.
    lab.batch(&["--out", out.join("{runs}").to_str().unwrap()])
        .must_end_with(2)
        .must_say(&["{runs} stands for nothing"]);
    fs::rename(lab.path("lab/p07"), lab.path("lab/{run} {x}")).unwrap();
    lab.batch(&[]).must_succeed();
    assert_eq!(outputs(&lab.path("lab-npy/{run} {x}/r005")).len(), 4);
}

#[test]
fn wrong_folders_are_refused_with_what_is_there() {
    let lab = Lab::new();
    for (folder, code, said) in [
        ("nowhere", 2, "no such folder"),
        ("lab/p07/r005/C1--Trace--00000.trc", 2, "a file, not a folder"),
        ("empty", 2, "no traces found"),
    ] {
        fs::create_dir_all(lab.path("empty/below")).unwrap();
        let ended = Call::of("batch").args([lab.path(folder)]).run();
        ended.must_end_with(code).must_say(&[said]);
    }
    Call::of("batch").run().must_end_with(2).must_say(&["no FOLDER"]);
    let ended = lab.batch(&["--dry-run"]);
    ended
        .must_succeed()
        .must_say(&["p06/r005        2  ", "Nothing was written"]);
    assert!(!lab.path("lab-npy").exists());
}

#[cfg(unix)] // Signals are a unix matter.
#[test]
fn an_interrupted_batch_goes_on_where_it_stopped() {
    use rustix::process::Signal;
    let lab = Lab::new();
    let (running, short, whole) = lab.start_and_wait();
    running.signal(Signal::INT);
    let ended = running.wait();
    ended.must_end_with(130).must_say(&[
        "give the same command",
        "3 runs: 1 converted, 1 interrupted, 1 not begun",
    ]);
    assert_eq!(lines(&ended)[1], ["p06/r006", "interrupted", "-", "-"]);
    fs::write(&short, &whole).unwrap();
    let again = lab.batch(&IN_SMALL_RANGES);
    must_be(
        again.must_succeed(),
        &[
            ["p06/r005", "done before", "12", "0"],
            ["p06/r006", "converted", "20", "0"],
            ["p07/r005", "converted", "5", "0"],
        ],
    );
    lab.must_be_converted("p06/r006", &["p06/r006"]);
}

/// What another call works on is neither failed nor done.
#[cfg(unix)]
#[test]
fn a_run_that_another_batch_works_on_is_left_for_later() {
    use rustix::process::Signal;
    let lab = Lab::new();
    let (running, ..) = lab.start_and_wait();
    let second = lab.batch(&IN_SMALL_RANGES);
    must_be(
        second.must_succeed(),
        &[
            ["p06/r005", "done before", "12", "0"],
            ["p06/r006", "left for later", "-", "-"],
            ["p07/r005", "converted", "5", "0"],
        ],
    );
    let holder = format!("in use by process {}", running.pid());
    second.must_say(&[
        "note: p06/r006: ",
        &holder,
        "3 runs: 1 converted, 1 done before, 1 left for later",
    ]);
    running.signal(Signal::INT);
    running.wait().must_end_with(130);
}

#[cfg(target_os = "linux")] // Root is kept from what only others could be kept from.
#[test]
fn a_folder_that_cannot_be_read_is_told_and_the_rest_is_done() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = Lab::new();
    let closed = lab.path("lab/p05");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    let caps = "-dac_override,-dac_read_search";
    let as_others = ["setpriv", "--bounding-set", caps, "--inh-caps", caps];
    if !trc2npy_tests::usable(as_others[0], as_others[1..].iter().chain(&["true"])) {
        return;
    }
    let batch = Call::launched_by(as_others[0], &as_others[1..], "batch");
    let ended = batch.args([lab.path("lab")]).args(["--idle", "0"]).run();
    must_be(
        ended.must_end_with(1),
        &[
            ["p06/r005", "converted", "12", "0"],
            ["p07/r005", "converted", "5", "0"],
        ],
    );
    ended.must_say(&["error: ", "p05: cannot be listed", "1 folder not readable"]);
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
}

/// The screens of a batch of two runs that each wait for a file, `settle` seconds long.
#[cfg(unix)]
fn two_runs_that_wait(settle: u64) -> (Ended, Vec<String>, String) {
    use trc2npy_tests::Terminal;
    let folder = TempDir::new().unwrap();
    // Too short, and young when its run's turn comes.
    for (name, turn) in [("a", 0), ("b", settle - 1)] {
        let run = folder.path().join("lab").join(name);
        write_run(&RunSpec::new(5, 300), &run);
        let short = run.join("C1--Trace--00003.trc");
        fs::write(&short, &fs::read(&short).unwrap()[..500]).unwrap();
        let file = File::options().write(true).open(&short).unwrap();
        file.set_modified(SystemTime::now() + Duration::from_secs(turn))
            .unwrap();
    }
    let terminal = Terminal { rows: 24, columns: 80 };
    let (lab, settle) = (folder.path().join("lab"), format!("{settle}s"));
    let batch = Call::of("batch").args([lab]).args(["--idle", "0", "--settle", &settle]);
    let ended = terminal.run(batch);
    let screens = terminal.replay(&ended);
    let left = trc2npy_tests::lines(screens.last().unwrap()).join("\n");
    let seen = screens.iter().map(|screen| trc2npy_tests::lines(screen).join("\n"));
    (ended, seen.collect(), left)
}

#[cfg(unix)] // Pseudo-terminals.
#[test]
fn every_run_has_its_bar() {
    // On a machine that stalls the second file is no longer young.
    for settle in [3, 6, 12, 24] {
        let (ended, screens, left) = two_runs_that_wait(settle);
        ended.must_end_with(3);
        assert!(
            !left.contains("waiting") && left.contains("2 runs: 2 converted; 10 rows"),
            "{left}"
        );
        let is_seen = |name: &str| {
            let below_bar = format!("{name}: waiting for files: 4 of 5 traces");
            screens.iter().any(|screen| screen.contains(&below_bar))
        };
        if is_seen("a") && is_seen("b") {
            return;
        }
    }
    panic!("the bars of the runs are never both seen");
}
