//! A job of very many files: what the coordinator takes for it, and that it is killed and started anew in the middle of it.

use std::time::{Duration, Instant};

use trc2npy_synth::RunSpec;
use trc2npy_tests::{Running, must_equal, poll};

use crate::common::Lab;

/// Files of all channels together, where `TRC2NPY_LARGE_FILES` says nothing else.
const SHORT: u64 = 200_000;
const CHANNELS: u8 = 8;

/// The most memory that a process ever had, in bytes.
fn peak(process: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    kib << 10
}

fn rows_done(lab: &Lab) -> Option<u64> {
    lab.told("job", &["1"])?["rows_done"].as_u64()
}

/// The long form prints how long everything took:
/// `TRC2NPY_LARGE_FILES=2000000 cargo test --release -p trc2npy-tests --test cluster large -- --nocapture`
#[test]
fn a_job_of_very_many_files_is_small_for_the_coordinator() {
    let files = std::env::var("TRC2NPY_LARGE_FILES").map_or(SHORT, |files| files.parse().unwrap());
    // On a disk: in memory, millions of files are more than many machines have.
    let lab = Lab::on_disk(&RunSpec {
        channels: (1..=CHANNELS).collect(),
        ..RunSpec::new(files / u64::from(CHANNELS), 32)
    });
    let reference = lab.reference("alone", &[], 0);
    let mut coordinator = lab.cluster.start_coordinator();
    let idle = peak(&coordinator);
    // The plan is 48 bytes a file; while it is made the listing is there as well.
    let allowed = (idle + (4 << 20) + 100 * files).min((64 << 20) + 64 * files);
    let must_be_small = |coordinator: &Running, when: &str| {
        let peak = peak(coordinator);
        println!("{files} files, {when}: {} of {} KiB", peak >> 10, allowed >> 10);
        assert!(peak <= allowed, "{when}: {peak} bytes, {idle} when idle");
    };

    let began = Instant::now();
    let args = ["data:run", "--out", "data:npy", "--range-size", "1MB", "--detach"];
    lab.cluster.client("submit").args(args).run().must_succeed();
    println!("planned and acknowledged after {:.2?}", began.elapsed());
    must_be_small(&coordinator, "submitted");

    let watching = lab.cluster.client("job").args(["1", "--watch"]).start();
    let workers = ["first", "second"].map(|name| lab.cluster.start_worker(name));
    let mut longest = Duration::ZERO;
    let (mut done, mut restarted, mut since) = (0, false, Instant::now());
    while done < files {
        let now = poll("more rows", || rows_done(&lab).filter(|&now| now > done));
        longest = longest.max(since.elapsed());
        (done, since) = (now, Instant::now());
        if !restarted && done > files / 4 {
            assert!(done < files, "the job was over before it could be disturbed");
            restarted = true;
            coordinator.kill_now();
            let began = Instant::now();
            coordinator = lab.cluster.start_coordinator();
            println!("started anew after {:.2?}", began.elapsed());
            must_be_small(&coordinator, "started anew");
        }
    }
    println!("never longer than {longest:.2?} without more rows");
    watching.wait().must_succeed();
    assert!(restarted, "nothing was disturbed");
    must_be_small(&coordinator, "at the end");
    must_equal(&lab.path("npy"), &reference);
    drop((workers, coordinator));
}
