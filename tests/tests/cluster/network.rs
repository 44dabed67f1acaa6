//! Cables are pulled, directions are lost, packets too: not a byte of the result changes, and nothing is left.

use std::time::{Duration, Instant};

use serde_json::Value;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Lan, Running, must_equal, poll};

use crate::common::Lab;

/// Machine 0 coordinates, the others work.
const MACHINES: usize = 4;
const PORT: &str = "7070";
/// How long there are disturbances, in seconds, where nobody wants them longer.
const SHORT: u64 = 30;
/// Least disturbances in this time: else nothing is shown.
const LEAST: u64 = 8;

fn spec() -> RunSpec {
    RunSpec {
        channels: vec![1, 2],
        bad: vec!["truncated:2".parse().unwrap()],
        ..RunSpec::new(1_500, 1_500)
    }
}

struct Site<'l> {
    lab: &'l Lab,
    lan: &'l Lan,
}

impl Site<'_> {
    fn coordinator(&self) -> Running {
        let listen = format!("0.0.0.0:{PORT}");
        let call = self
            .lan
            .call(0, "coordinator")
            .args(["--listen", &listen, "--insecure"]);
        let call = call.args(["--root", &self.lab.cluster.mapping(), "--state"]);
        let mut running = call.args([self.lab.cluster.state()]).start();
        running.says("listening on");
        running
    }

    fn worker(&self, machine: usize) -> Running {
        let address = format!("{}:{PORT}", self.lan.address(0));
        let name = format!("pc{machine}");
        let call = self
            .lan
            .call(machine, "worker")
            .args(["--coordinator", &address, "--insecure"]);
        let call = call.args(["--root", &self.lab.cluster.mapping(), "--name", &name, "--cpus", "1"]);
        let mut running = call.start();
        running.says("connected to");
        running
    }

    fn client(&self, subcommand: &str, args: &[&str]) -> String {
        let address = format!("127.0.0.1:{PORT}");
        let ended = self
            .lan
            .call(0, subcommand)
            .args(args)
            .args(["--coordinator", &address])
            .run();
        ended.must_succeed();
        ended.stdout
    }

    /// The job of this number.
    fn submit(&self, job: u64) {
        let options = ["--settle", "0s", "--range-size", "1B", "--sync-every", "2MB"];
        let out = format!("data:npy{job}");
        self.client("submit", &[&["data:run", "--out", &out], &options[..]].concat());
    }

    fn is_done(&self, job: u64) -> bool {
        let job: Value = serde_json::from_str(&self.client("job", &[&job.to_string(), "--json"])).unwrap();
        let state = job["state"].as_str().unwrap();
        assert!(!matches!(state, "failed" | "cancelled"), "{job}");
        state == "done"
    }
}

#[test]
fn cut_cables_and_lost_directions_change_no_byte() {
    let Some(lan) = Lan::new(MACHINES) else { return };
    let lab = Lab::new(&spec());
    let reference = lab.reference("alone", &["--settle", "0s"], 3);
    let site = Site { lab: &lab, lan: &lan };
    let seed = std::env::var("TRC2NPY_TEST_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("TRC2NPY_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let coordinator = site.coordinator();
    let workers: Vec<Running> = (1..MACHINES).map(|machine| site.worker(machine)).collect();
    site.submit(1);
    let mut cut = [false; MACHINES];
    // By machine: nothing reaches the coordinator from it, nothing reaches it from the coordinator.
    let mut silent = [[false; 2]; MACHINES];
    let mut disturbances = 0;
    let asked = std::env::var("TRC2NPY_NETWORK_SECONDS").ok();
    let seconds = asked.as_ref().map_or(SHORT, |seconds| seconds.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut jobs = 1;
    while Instant::now() < end {
        if site.is_done(jobs) {
            if asked.is_none() && disturbances >= LEAST {
                break;
            }
            jobs += 1;
            site.submit(jobs);
        }
        let machine = random.usize(..MACHINES);
        // The coordinator's cable is everybody's.
        if machine == 0 || random.bool() {
            cut[machine] = !cut[machine];
            lan.plug(machine, !cut[machine]);
        } else {
            let which = random.usize(..2);
            let state = &mut silent[machine][which];
            *state = !*state;
            let (from, to) = if which == 0 { (machine, 0) } else { (0, machine) };
            lan.silence(from, to, *state);
        }
        disturbances += 1;
        std::thread::sleep(Duration::from_millis(random.u64(200..800)));
    }
    eprintln!("{disturbances} disturbances, {jobs} jobs");
    assert!(disturbances >= LEAST, "only {disturbances} disturbances");
    for (machine, [out, back]) in silent.into_iter().enumerate() {
        lan.plug(machine, true);
        for (is_silent, from, to) in [(out, machine, 0), (back, 0, machine)] {
            if is_silent {
                lan.silence(from, to, false);
            }
        }
    }
    poll("the end of the job", || site.is_done(jobs).then_some(()));
    for job in 1..=jobs {
        must_equal(&lab.path(&format!("npy{job}")), &reference);
    }
    // All come back, and have nothing in hand any more.
    poll("all workers to be idle", || {
        let workers: Value = serde_json::from_str(&site.client("workers", &["--json"])).ok()?;
        let workers = workers.as_array()?;
        let idle = workers.iter().all(|worker| worker["leases"] == 0);
        (workers.len() == MACHINES - 1 && idle).then_some(())
    });
    drop((workers, coordinator));
}

#[test]
fn lost_packets_and_a_slow_line_change_no_byte() {
    let Some(lan) = Lan::new(MACHINES) else { return };
    for (what, result) in [
        ("no line can be slowed down", lan.slow_down(1, "50mbit")),
        ("no packets can be lost", lan.lose_packets()),
    ] {
        if let Err(why) = result {
            eprintln!("left out: {what} here: {why}");
        }
    }
    let lab = Lab::new(&RunSpec::new(300, 1_500));
    let reference = lab.reference("alone", &["--settle", "0s"], 0);
    let site = Site { lab: &lab, lan: &lan };
    let coordinator = site.coordinator();
    let workers: Vec<Running> = (1..MACHINES).map(|machine| site.worker(machine)).collect();
    site.submit(1);
    poll("the end of the job", || site.is_done(1).then_some(()));
    must_equal(&lab.path("npy1"), &reference);
    drop((workers, coordinator));
}
