//! What is shown on terminals of 80 and of 40 columns.

use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Terminal};

use crate::common::Lab;

/// Columns of the longest name of a fact, with the blanks behind it.
const NAME: usize = 14;

/// The lines as they were written: what the terminal would have broken is longer than it is wide. A word that no line
/// has room for is a path.
fn must_fit(call: Call, columns: u16) -> String {
    let ended = Terminal { rows: 50, columns }.run(call);
    ended.must_succeed();
    // What stood there while there was a bar is its own.
    let (_, text) = ended.stdout.rsplit_once('\x1b').unwrap_or(("", &ended.stdout));
    for line in text.lines().map(str::trim_end) {
        let length = line.chars().count();
        let longest = line.split(' ').map(|word| word.chars().count()).max().unwrap_or(0);
        assert!(
            length <= columns.into() || longest + NAME > columns.into(),
            "{length} characters: {line}\nof\n{ended}"
        );
    }
    text.replace("\r\n", "\n")
}

#[test]
fn tables_and_sentences_keep_to_the_terminal() {
    let lab = Lab::new(&RunSpec {
        channels: vec![1, 2],
        ..RunSpec::new(300, 500)
    });
    let coordinator = lab.cluster.start_coordinator();
    let out = "data:npy/period-06/analysis/of-the-whole-night/r005";
    let submit = || lab.cluster.client("submit").args(["data:run", "--out", out]);
    // Nobody works on it.
    submit().run().must_succeed();
    let client = |name: &str, args: &[&str]| lab.cluster.client(name).args(args);
    for columns in [80, 40] {
        let listed = must_fit(client("jobs", &[]), columns);
        assert!(listed.contains(out) && listed.contains("600"), "{listed}");
        must_fit(client("explain", &["1"]), columns);
        let none = must_fit(client("workers", &[]), columns);
        assert!(none.contains("no worker is connected"), "{none}");
        must_fit(client("job", &["1"]), columns);
    }
    // A worker that gets nothing, for a reason that is a sentence.
    let elsewhere = lab.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let mut lost = lab
        .cluster
        .worker_with("lost", &format!("data={}", elsewhere.display()))
        .start();
    lost.says("map the root data");
    trc2npy_tests::poll("the reason", || {
        let explained = client("explain", &["1"]).run().stdout;
        explained.contains("lost gets nothing").then_some(())
    });
    for columns in [80, 40] {
        let workers = must_fit(client("workers", &[]), columns);
        assert!(workers.contains("lost"), "{workers}");
        must_fit(client("explain", &["1"]), columns);
    }
    lost.kill();
    let worker = lab.cluster.start_worker("pc1");
    client("job", &["1", "--wait"]).run().must_succeed();
    for columns in [80, 40] {
        must_fit(client("workers", &[]), columns);
        let shown = must_fit(client("job", &["1"]), columns);
        assert!(shown.contains(&format!("{out}/C1--Trace.npy")), "{shown}");
        must_fit(client("jobs", &[]), columns);
        must_fit(submit().args(["--overwrite", "--watch"]), columns);
    }
    drop((worker, coordinator));
}
