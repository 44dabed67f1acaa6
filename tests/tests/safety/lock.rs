//! One output folder, one writer.

use trc2npy_tests::{must_equal, outputs};

use crate::common::{complete, cut_short, start_and_wait_for_file, twenty_rows, undisturbed};

#[test]
fn a_second_process_is_refused_and_a_killed_one_leaves_no_lock() {
    let (bench, conversion) = twenty_rows();
    let reference = undisturbed(&bench, &conversion);
    let short = bench.file(1, 7);
    let time = std::fs::metadata(&short)
        .and_then(|metadata| metadata.modified())
        .expect("a time");
    let missing = cut_short(&short);
    let first = start_and_wait_for_file(&conversion, 19);

    let host = host_name();
    let holder = format!("process {} on {host}", first.pid());
    let same = conversion.clone().args(["--settle", "0s"]);
    same.run().must_end_with(1).must_say(&["in use", &holder, "run again"]);
    // Other work into the same folder, with names of its own, and an overwrite are refused as well.
    let others: [&[&str]; 2] = [&["--name", "other-{channel}.npy"], &["--overwrite"]];
    for other in others {
        same.clone().args(other).run().must_end_with(1).must_say(&[&holder]);
    }
    assert!(outputs(conversion.out()).is_empty());
    // Another folder is free.
    let elsewhere = same.clone().into_folder(&bench.path("elsewhere"));
    elsewhere.run().must_end_with(3);

    let _ = first.kill();
    complete(&short, &missing);
    crate::common::set_time(&short, time);
    conversion.args(["--overwrite"]).run().must_end_with(0);
    must_equal(&bench.path("out"), &reference);
}

#[test]
fn of_two_started_at_once_one_does_the_work() {
    let (bench, conversion) = twenty_rows();
    let reference = undisturbed(&bench, &conversion);
    for _ in 0..5 {
        let runs = [conversion.start(), conversion.start(), conversion.start()];
        let ended = runs.map(trc2npy_tests::Running::wait);
        let good = ended.iter().filter(|ended| ended.status.code() == Some(0)).count();
        assert!(good >= 1, "{} {} {}", ended[0], ended[1], ended[2]);
        for ended in ended {
            if ended.status.code() != Some(0) {
                ended.must_end_with(1).must_say(&["in use by"]);
            }
        }
        must_equal(conversion.out(), &reference);
        std::fs::remove_dir_all(conversion.out()).expect("the outputs can be removed");
    }
}

/// The machine's name as another program knows it.
fn host_name() -> String {
    let output = std::process::Command::new("hostname").output();
    output.map_or_else(
        |error| {
            eprintln!("left out: the host's name in the message, since hostname cannot be started: {error}");
            String::new()
        },
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}
