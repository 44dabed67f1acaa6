//! The same command once more, and another one after it: what is finished, what is gone on with, what is in the way.

use std::fs;
use std::path::{Path, PathBuf};

use trc2npy_synth::RunSpec;
use trc2npy_tests::{Bench, Convert, must_equal, outputs, records, states};

use crate::common::{leave_half_done, spec, twenty_rows, undisturbed};

const NOTHING_TO_DO: &str = "nothing to do";

fn is_array(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|end| end == "npy")
}

#[test]
fn whatever_of_the_outputs_is_lost_is_made_again_and_the_rest_is_left_alone() {
    let bench = Bench::new(&spec(6, 500, &[1, 2]));
    let conversion = Convert::new([&bench.run], bench.path("out"));
    let out = conversion.out();
    conversion.run().must_succeed();
    let reference = outputs(out);
    assert_eq!(reference.len(), 8);
    for name in reference.keys() {
        fs::remove_file(out.join(name)).unwrap();
        let before = modified(out);
        conversion.run().must_succeed();
        must_equal(out, &reference);
        let after = modified(out);
        if !is_array(name) {
            // Nothing needs to be decoded for a list.
            for (array, time) in before.iter().filter(|(name, _)| is_array(name)) {
                assert!(
                    after.contains(&(array.clone(), *time)),
                    "{array} was made anew for {name}"
                );
            }
        }
        conversion.run().must_succeed().must_say(&[NOTHING_TO_DO]);
    }
}

/// The outputs' names and times.
fn modified(out: &Path) -> Vec<(String, std::time::SystemTime)> {
    let names = outputs(out).into_keys();
    names
        .map(|name| {
            let time = fs::metadata(out.join(&name)).unwrap().modified().unwrap();
            (name, time)
        })
        .collect()
}

#[test]
fn an_output_that_somebody_changed_is_not_replaced_unasked() {
    let bench = Bench::new(&spec(6, 500, &[1]));
    let conversion = Convert::new([&bench.run], bench.path("out"));
    conversion.run().must_succeed();
    let reference = outputs(conversion.out());
    let array = conversion.out().join("C1--Trace.npy");
    fs::write(&array, "a result of my own").unwrap();
    conversion.run().must_end_with(1).must_say(&[
        "C1--Trace.npy is not as this command left it (16,096 bytes, now 18)",
        "--overwrite",
    ]);
    assert_eq!(fs::read(&array).unwrap(), b"a result of my own");
    conversion.clone().args(["--overwrite"]).run().must_succeed();
    must_equal(conversion.out(), &reference);
}

#[test]
fn a_command_is_the_same_however_its_inputs_are_written() {
    let bench = Bench::new(&spec(4, 300, &[1, 2]));
    spec(3, 300, &[1, 2])
        .write(&bench.path("r005-2"), &|_| std::ops::ControlFlow::Continue(()))
        .unwrap();
    let first = Convert::new(["r005", "r005-2"], "out")
        .args(["--channels", "1,2"])
        .from(&bench.path(""));
    first.run().must_succeed();
    let whole = bench.path("r005").display().to_string();
    let ways: [(&[&str], &str); 7] = [
        (&["r005/", "r005-2/"], "1,2"),
        (&["r005-2", "r005"], "1,2"),
        (&["r005", "r005-2"], "C2,C1"),
        (&["./r005", "r005-2/../r005-2"], "1,2"),
        (&[&whole, "r005-2"], "2,1,2"),
        (&["r005", "r005-2", "r005"], "1,2"),
        (&["r005*"], "1,2"),
    ];
    for (inputs, channels) in ways {
        let again = Convert::new(inputs, "out")
            .args(["--channels", channels])
            .from(&bench.path(""));
        let ended = again.run();
        ended.must_succeed().must_say(&[NOTHING_TO_DO]);
    }
    for other in [&["r005"][..], &["r005", "r005-2", "--baseline", "20"]] {
        let ended = Convert::new(other, "out").from(&bench.path("")).run();
        ended
            .must_end_with(1)
            .must_say(&["was not made by this command", "--name"]);
    }
}

#[test]
fn unfinished_work_is_gone_on_with_however_its_inputs_are_written() {
    let (bench, conversion) = twenty_rows();
    let reference = undisturbed(&bench, &conversion);
    leave_half_done(&conversion);
    let state = states(conversion.out());
    let roundabout = bench.run.join("..").join("r005").join("");
    let again = Convert::new([roundabout], conversion.out()).args(["--range-size", "80kB"]);
    again.run().must_succeed();
    must_equal(conversion.out(), &reference);
    assert_eq!(states(conversion.out()), state);

    // What another command has made is worth keeping, and said as it was typed.
    fs::remove_dir_all(conversion.out()).unwrap();
    leave_half_done(&conversion);
    let other = conversion.clone().args(["--dtype", "int16"]);
    let out = conversion.out().display();
    let asked = format!("trc2npy convert {} --out {out}\n", bench.run.display());
    other
        .run()
        .must_end_with(1)
        .must_say(&["is not finished", &asked, "--overwrite"]);
    conversion.run().must_succeed();
    must_equal(conversion.out(), &reference);
}

#[test]
fn a_command_that_could_never_succeed_is_not_in_the_way_of_the_right_one() {
    let bench = Bench::new(&spec(400, 300, &[1]));
    let small = ["--range-size", "12kB", "--sync-every", "1", "--threads", "1"];
    let convert = |options: &[&str]| {
        Convert::new([&bench.run], bench.path("out"))
            .args(small)
            .args(options)
            .run()
    };
    let change = |at: usize, bytes: &[u8]| {
        let path = bench.file(1, 377);
        let mut file = fs::read(&path).unwrap();
        let start = file.windows(8).position(|window| window == b"WAVEDESC").unwrap() + at;
        file[start..start + bytes.len()].copy_from_slice(bytes);
        fs::write(&path, &file).unwrap();
    };
    // Codes of 12 bits: their low bytes are not zero.
    convert(&["--dtype", "int8"])
        .must_end_with(1)
        .must_say(&["use --dtype int16"]);
    convert(&["--dtype", "int16"]).must_succeed();

    // SUBARRAY_COUNT: two rows of half the length, in a file that planning does not open.
    change(144, &2_i32.to_le_bytes());
    fs::remove_dir_all(bench.path("out")).unwrap();
    convert(&[])
        .must_end_with(1)
        .must_say(&["1 segment of 300 samples", "2 segments of 150 samples", "--probe all"]);
    assert!(records(&bench.path("out")).len() > 20, "work had been done");
    convert(&["--probe", "all"])
        .must_end_with(1)
        .must_say(&["--ragged bad"]);
    convert(&["--probe", "all", "--ragged", "bad"]).must_end_with(3);

    // HORIZ_INTERVAL.
    change(144, &1_i32.to_le_bytes());
    change(176, &2e-9_f32.to_le_bytes());
    fs::remove_dir_all(bench.path("out")).unwrap();
    convert(&[])
        .must_end_with(1)
        .must_say(&["HORIZ_INTERVAL", "--mixed warn"]);
    convert(&["--mixed", "warn"])
        .must_succeed()
        .must_say(&["warning: channel C1: HORIZ_INTERVAL not the same"]);

    // A gain may change, and is told of.
    change(176, &1e-9_f32.to_le_bytes());
    change(156, &0.5_f32.to_le_bytes());
    fs::remove_dir_all(bench.path("out")).unwrap();
    convert(&[])
        .must_succeed()
        .must_say(&["warning: channel C1: VERTICAL_GAIN not the same"]);
}

/// A file of the size of others that holds twice as many rows, half as long: `--probe all` plans it rightly where rows
/// may differ, and does not go on with what was planned wrongly.
#[test]
fn looking_at_every_file_begins_anew_where_it_finds_others() {
    let bench = Bench::new(&spec(400, 300, &[1]));
    let path = bench.file(1, 377);
    let mut file = fs::read(&path).unwrap();
    let start = file.windows(8).position(|window| window == b"WAVEDESC").unwrap();
    file[start + 144] = 2;
    fs::write(&path, file).unwrap();
    let convert = Convert::new([&bench.run], bench.path("out")).args(["--ragged", "truncate", "--sync-every", "1"]);
    convert
        .run()
        .must_end_with(1)
        .must_say(&["planned layout wrong", "run again with --probe all"]);
    let ended = convert.clone().args(["--probe", "all"]).run();
    ended.must_succeed();
    let array = trc2npy_tests::Npy::read(&bench.path("out").join("C1--Trace.npy"));
    assert!(array.header.contains("'shape': (401, 150)"), "{}", array.header);
}

#[test]
fn names_that_no_file_can_have_are_refused_before_the_work() {
    let bench = Bench::new(&spec(3, 300, &[1]));
    let out = bench.path("out");
    let long = format!("{{channel}}{}.npy", "y".repeat(245));
    let convert = Convert::new([&bench.run], &out);
    let ended = convert.clone().args(["--name", &long]).run();
    ended
        .must_end_with(1)
        .must_say(&["yyy", "choose a shorter or plainer name"]);
    fs::create_dir_all(out.join("C1--Trace.index.npy")).unwrap();
    let ended = convert.clone().args(["--overwrite"]).run();
    ended.must_end_with(1).must_say(&["C1--Trace.index.npy is a folder"]);
    assert!(states(&out).is_empty(), "a state was begun");
    let typo = Convert::new([&bench.run], bench.path("npy/{runs}")).run();
    typo.must_end_with(2).must_say(&["{runs} stands for nothing", "{run}"]);
    assert!(!bench.path("npy").exists());
}

/// Three runs beside one another; file 377 of the second holds other rows than it was taken to hold.
fn three_runs(bench: &Bench) -> [PathBuf; 3] {
    let runs = ["a", "b", "c"].map(|name| bench.path(name));
    for run in &runs {
        RunSpec::new(400, 300)
            .write(run, &|_| std::ops::ControlFlow::Continue(()))
            .unwrap();
    }
    let odd = runs[1].join("C1--Trace--00377.trc");
    let mut file = fs::read(&odd).unwrap();
    let start = file.windows(8).position(|window| window == b"WAVEDESC").unwrap();
    file[start + 144] = 2;
    fs::write(odd, file).unwrap();
    runs
}

#[test]
fn one_run_that_fails_does_not_cost_the_night_of_the_others() {
    let bench = Bench::new(&spec(1, 10, &[1]));
    let runs = three_runs(&bench);
    let ended = Convert::new(&runs, bench.path("npy/{run}")).run();
    ended.must_end_with(1).must_say(&[
        "npy/a/C1--Trace.npy",
        "npy/c/C1--Trace.npy",
        "error: run b: b/C1--Trace--00377.trc: planned layout wrong",
    ]);
    assert_eq!(outputs(&bench.path("npy/a")).len(), 4);
    assert!(outputs(&bench.path("npy/b")).is_empty());
    assert_eq!(outputs(&bench.path("npy/c")).len(), 4);
    let json = Convert::new(&runs, bench.path("npy/{run}"))
        .args(["--progress", "json"])
        .run();
    let end = trc2npy_tests::events(&json.must_end_with(1).stdout).pop().unwrap();
    assert_eq!(end["runs"].as_array().map(Vec::len), Some(2), "{end}");
    assert_eq!(end["failures"][0]["run"], "b", "{end}");
}

#[test]
fn a_small_range_size_takes_no_more_memory_than_allowed_for_its_records() {
    let mut many = spec(1, 10, &[1]);
    many.segments = 60_000;
    let bench = Bench::new(&many);
    let usual = Convert::new([&bench.run], bench.path("usual"));
    usual.run().must_succeed();
    let small = Convert::new([&bench.run], bench.path("small")).args(["--range-size", "1"]);
    small.run().must_succeed();
    let records = records(small.out()).len();
    assert!((10_000..33_000).contains(&records), "{records} records");
    must_equal(small.out(), &outputs(usual.out()));
}
