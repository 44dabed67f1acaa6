//! Folders above those of the arrays: a folder for each channel, one for each run, or both.

use std::fs;
use std::path::Path;

use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Convert, Ended, run_python, scratch, write_run};

use super::common::{flip, verify};

fn two_channels(seed: u64) -> RunSpec {
    RunSpec {
        channels: vec![1, 2],
        seed,
        ..RunSpec::new(5, 300)
    }
}

/// `trc2npy COMMAND FOLDER ARGS`
fn call(command: &str, folder: &Path, args: &[&str]) -> Ended {
    Call::of(command).args([folder]).args(args).run()
}

const BOTH: [&str; 2] = ["C1--Trace.npy", "C2--Trace.npy"];

#[test]
fn a_run_whose_channels_have_folders_is_one_and_its_report_lies_above_them() {
    let base = scratch();
    let sources = base.path().join("generated_data/raw_trc/p06");
    for (run, seed) in [("r008", 1), ("r009", 2)] {
        write_run(&two_channels(seed), &sources.join(run));
        let args = ["--period", "06", "--run", &run[1..], "--progress", "none"];
        let args = args.iter().map(|arg| (*arg).into());
        let base = ["--base".into(), base.path().as_os_str().to_owned()];
        Call::of("tes-ana")
            .args(base.into_iter().chain(args))
            .run()
            .must_succeed();
    }
    let period = base.path().join("generated_data/raw/p06");
    let run = period.join("r009");
    let all = verify(&run, &["--sources"]);
    all.must_succeed()
        .must_say(&BOTH)
        .must_say(&["All 10 source files in r009"]);
    // One of its channels; also from within, where no path says what is above.
    verify(&run.join("C1"), &["--sources"])
        .must_succeed()
        .must_say(&["5 of the 10 source files"]);
    let within = Call::of("verify").args([".", "--sources"]).from(&run.join("C2"));
    within.run().must_succeed().must_say(&["5 of the 10 source files"]);
    verify(&period, &["--sources"])
        .must_succeed()
        .must_say(&["All 20 source files in r008 and r009"]);
    call("inspect", &run, &[]).must_succeed().must_say(&BOTH);
    call("preview", &run, &["--rows", "0:2"])
        .must_succeed()
        .must_say(&["r009, C1: rows 0 to 1", "r009, C2: rows 0 to 1"]);
    let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("../python");
    let told = run_python(
        "import sys; sys.path.insert(0, sys.argv[1]); import trc2npy; print(list(trc2npy.load(sys.argv[2])))",
        [module.as_path(), &run],
    );
    assert_eq!(told.trim(), "['C1', 'C2']");
    // A report that changed is found from wherever one looks.
    let report = run.join("report.json");
    let text = fs::read_to_string(&report).unwrap();
    let places = [text.find("{channel}/").unwrap() + 9, text.len() / 2];
    for place in places {
        flip(&report, place as u64 * 8 + 2);
        for folder in [&run, &run.join("C1")] {
            verify(folder, &[]).must_end_with(3).must_say(&["report.json"]);
        }
        fs::write(&report, &text).unwrap();
    }
}

#[test]
fn a_folder_of_runs_is_all_of_them_and_what_is_unfinished_is_said() {
    let root = scratch();
    let runs = ["r005", "r006"].map(|name| root.path().join(name));
    for (run, seed) in runs.iter().zip(1..) {
        write_run(&two_channels(seed), run);
    }
    let npy = root.path().join("npy");
    Convert::new(&runs, npy.join("{run}")).run().must_succeed();
    let array = |run: &str, channel: &str| {
        npy.join(run)
            .join(format!("{channel}--Trace.npy"))
            .display()
            .to_string()
    };
    let all = verify(&npy, &["--sources"]);
    all.must_succeed().must_say(&[
        &array("r005", "C1"),
        &array("r006", "C2"),
        "All 20 source files in r005 and r006",
    ]);
    call("inspect", &npy, &[])
        .must_succeed()
        .must_say(&[&array("r005", "C1"), &array("r006", "C2")]);
    // Begun, and nothing there yet.
    let begun = npy.join("r007");
    fs::create_dir_all(begun.join(".trc2npy")).unwrap();
    verify(&npy, &[]).must_succeed().must_say(&[
        "warning:",
        "r007: a conversion into it was begun",
        &array("r006", "C1"),
    ]);
    verify(&begun, &[]).must_end_with(2).must_say(&[
        "r007: no finished conversion",
        "was begun",
        "give the same command again",
    ]);
    // A report above that is another conversion's says nothing of these.
    fs::remove_dir_all(begun).unwrap();
    let above = npy.join("report.json");
    fs::rename(npy.join("r005/report.json"), &above).unwrap();
    verify(&npy.join("r005"), &["--sources"])
        .must_end_with(1)
        .must_say(&["r005", "report.json: it is not there"]);
    // Traces are not passed over for arrays further down.
    fs::rename(&npy, runs[0].join("npy")).unwrap();
    let inspected = call("inspect", &runs[0], &[]);
    assert!(!inspected.must_succeed().stdout.contains(".npy"), "{inspected}");
}
