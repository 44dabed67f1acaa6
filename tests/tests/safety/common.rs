//! What the tests of this binary share.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::SystemTime;

use fastrand::Rng;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Bench, Convert, Outputs, Running, committed_rows, outputs};

/// Randomness that a failure can be repeated with: `TRC2NPY_TEST_SEED`, else another seed each time. Printed.
pub(crate) fn random() -> Rng {
    let seed = std::env::var("TRC2NPY_TEST_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    eprintln!("TRC2NPY_TEST_SEED={seed}");
    Rng::with_seed(seed)
}

/// A run of `files` files of `samples` samples in each of `channels`.
pub(crate) fn spec(files: u64, samples: usize, channels: &[u8]) -> RunSpec {
    let mut spec = RunSpec::new(files, samples);
    spec.channels = channels.to_vec();
    spec
}

/// What the conversion leaves when nobody disturbs it.
pub(crate) fn undisturbed(bench: &Bench, conversion: &Convert) -> Outputs {
    let out = bench.path("undisturbed");
    let ended = conversion.clone().into_folder(&out).run();
    assert!(matches!(ended.status.code(), Some(0 | 3)), "{ended}");
    let outputs = outputs(&out);
    assert!(!outputs.is_empty());
    outputs
}

/// Options that give many small commits, so that there is always something to go on from.
pub(crate) const MANY_COMMITS: [&str; 4] = ["--range-size", "80kB", "--sync-every", "1"];

/// A run of one channel and 20 rows, each of them a commit of its own, and its conversion into `out`.
pub(crate) fn twenty_rows() -> (Bench, Convert) {
    let bench = Bench::new(&spec(20, 20_000, &[1]));
    let conversion = Convert::new([&bench.run], bench.path("out")).args(MANY_COMMITS);
    (bench, conversion)
}

/// Kills the conversion when some of its 20 rows are committed and others are not.
pub(crate) fn leave_half_done(conversion: &Convert) {
    let out = conversion.out();
    // A machine that stalls the test can let the conversion end first.
    for _ in 0..20 {
        let mut running = conversion.start();
        running.poll("five committed rows", |_| (committed_rows(out) >= 5).then_some(()));
        let ended = running.kill();
        if ended.status.code().is_none() && (5..20).contains(&committed_rows(out)) {
            assert!(outputs(out).is_empty(), "something is published already");
            return;
        }
        std::fs::remove_dir_all(out).expect("the outputs can be removed");
    }
    panic!("the conversion always ended before it could be killed");
}

/// Cuts a file in two, as an instrument has it that is still writing; gives back what is missing.
pub(crate) fn cut_short(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).expect("a file of the run");
    let (kept, missing) = bytes.split_at(bytes.len() / 2);
    std::fs::write(path, kept).expect("a file of the run");
    missing.to_vec()
}

/// Writes the rest of a file that was cut short.
pub(crate) fn complete(path: &Path, missing: &[u8]) {
    let mut file = File::options().append(true).open(path).expect("a file of the run");
    file.write_all(missing).expect("a file of the run");
}

/// Gives a file another time.
pub(crate) fn set_time(path: &Path, time: SystemTime) {
    let file = File::options().write(true).open(path).expect("a file of the run");
    file.set_modified(time).expect("the time can be set");
}

/// Starts the conversion of a run in which one file is cut short and young: it converts all else, then waits for it.
pub(crate) fn start_and_wait_for_file(conversion: &Convert, rows: u64) -> Running {
    let out = conversion.out();
    let mut running = conversion.clone().args(["--settle", "10m"]).start();
    let waiting = running.poll(format_args!("{rows} committed rows"), |_| {
        (committed_rows(out) == rows).then_some(())
    });
    assert!(waiting.is_some(), "it did not wait:\n{}", running.wait());
    running
}
