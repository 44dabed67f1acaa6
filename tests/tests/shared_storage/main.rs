//! A cluster, and the commands of batch systems, on a real network file system that each machine has mounted for itself, with
//! its own caches: every byte is as on a local disk, seen from every machine, and nothing is left over.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, and their helpers have none"
)]

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use trc2npy_synth::RunSpec;
use trc2npy_tests::{Call, Convert, Moose, Outputs, Running, must_equal, outputs, poll, scratch, write_run};

/// Machine 0 has the disk and coordinates, the others work.
const MACHINES: usize = 4;
const PORT: &str = "7070";
/// How long there are disturbances, in seconds, where nobody wants them longer.
const SHORT: u64 = 40;
/// Least disturbances: else nothing is shown.
const LEAST: usize = 15;

struct Site {
    moose: Moose,
    /// The coordinator's state and what `convert` makes, on a disk of this machine.
    folder: TempDir,
}

impl Site {
    /// With the run `run` on the shared storage, written there by one of the machines that work.
    fn new(spec: &RunSpec) -> Option<Self> {
        let moose = Moose::new(MACHINES)?;
        write_run(spec, &moose.mount(1).join("run"));
        let folder = scratch();
        Some(Self { moose, folder })
    }

    fn reference(&self, code: i32) -> Outputs {
        let out = self.folder.path().join("alone");
        let convert = Convert::new([self.moose.mount(0).join("run")], &out);
        convert.args(["--settle", "0s"]).run().must_end_with(code);
        outputs(&out)
    }

    fn mapping(&self, machine: usize) -> String {
        format!("data={}", self.moose.mount(machine).display())
    }

    fn start_coordinator(&self) -> Running {
        let listen = format!("0.0.0.0:{PORT}");
        let call = self
            .moose
            .lan()
            .call(0, "coordinator")
            .args(["--listen", &listen, "--insecure"]);
        let call = call.args(["--root", &self.mapping(0), "--state"]);
        call.args([self.folder.path().join("state")]).start()
    }

    fn coordinator(&self) -> Running {
        let mut running = self.start_coordinator();
        running.says("listening on");
        running
    }

    fn worker(&self, machine: usize) -> Running {
        let address = format!("{}:{PORT}", self.moose.lan().address(0));
        let name = format!("pc{machine}");
        let call = self.moose.lan().call(machine, "worker");
        let call = call.args([
            "--coordinator",
            &address,
            "--insecure",
            "--root",
            &self.mapping(machine),
        ]);
        call.args(["--name", &name, "--cpus", "1"]).start()
    }

    /// A client's call on the coordinator's machine; nothing where it fails.
    fn asked(&self, subcommand: &str, args: &[&str]) -> Option<String> {
        let address = format!("127.0.0.1:{PORT}");
        let call = self.moose.lan().call(0, subcommand).args(args);
        let ended = call.args(["--coordinator", &address]).run();
        ended.status.success().then_some(ended.stdout)
    }

    fn submit(&self, out: &str) {
        let out = format!("data:{out}");
        let options = ["--settle", "0s", "--range-size", "1B", "--sync-every", "2MB"];
        self.asked("submit", &[&["data:run", "--out", &out], &options[..]].concat())
            .unwrap();
    }

    fn job(&self, number: usize) -> Option<Value> {
        let told = self.asked("job", &[&number.to_string(), "--json"])?;
        serde_json::from_str(&told).ok()
    }

    fn is_done(&self, number: usize) -> bool {
        let Some(job) = self.job(number) else { return false };
        let state = job["state"].as_str().unwrap();
        assert!(!matches!(state, "failed" | "cancelled"), "{job}");
        state == "done"
    }

    /// All machines see exactly what `convert` makes, and nothing beside it.
    fn is_right(&self, out: &str, expected: &Outputs) {
        for machine in 0..MACHINES {
            let out = self.moose.mount(machine).join(out);
            // Another machine's rename may be seen a moment later.
            poll("the outputs to be seen", || {
                (outputs(&out).len() == expected.len()).then_some(())
            });
            must_equal(&out, expected);
            let left = left_over(&out);
            assert!(left.is_empty(), "left behind, as machine {machine} sees it: {left:?}");
        }
    }
}

fn left_over(folder: &Path) -> Vec<String> {
    let mut left = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        let ending = path.extension().and_then(|ending| ending.to_str());
        if name.starts_with("job-") || matches!(ending, Some("part" | "tmp" | "made")) {
            left.push(path.display().to_string());
        }
        if path.is_dir() {
            left.extend(left_over(&path));
        }
    }
    left
}

fn spec() -> RunSpec {
    RunSpec {
        channels: vec![1, 2],
        bad: vec!["truncated:2".parse().unwrap()],
        ..RunSpec::new(1_500, 1_500)
    }
}

/// What a schedule has done to the machines.
struct Disturbed<'s> {
    site: &'s Site,
    running: Vec<Running>,
    cut: [bool; MACHINES],
    random: fastrand::Rng,
}

impl Disturbed<'_> {
    fn once(&mut self) {
        let machine = self.random.usize(..MACHINES);
        match self.random.u8(..4) {
            // One that is cut off from its storage does not even die before that gives up, after minutes.
            0 if !self.cut[machine] => {
                self.running[machine].kill_now();
                self.running[machine] = if machine == 0 {
                    self.site.coordinator()
                } else {
                    self.site.worker(machine)
                };
            }
            1 => {
                let running = &self.running[machine];
                running.signal(Signal::STOP);
                std::thread::sleep(Duration::from_millis(self.random.u64(100..1_500)));
                running.signal(Signal::CONT);
            }
            // The cable of a machine that works: coordinator and storage are gone for it, in the middle of whatever it
            // writes.
            _ if machine > 0 => {
                self.cut[machine] = !self.cut[machine];
                self.site.moose.lan().plug(machine, !self.cut[machine]);
            }
            _ => {}
        }
    }

    fn calm(&mut self) {
        for machine in 1..MACHINES {
            self.site.moose.lan().plug(machine, true);
        }
        // One that ended without a connection comes again.
        for machine in 1..MACHINES {
            if !self.running[machine].runs() {
                self.running[machine] = self.site.worker(machine);
            }
        }
    }
}

#[test]
fn chaos_on_shared_storage_leaves_the_bytes_of_convert() {
    let Some(site) = Site::new(&spec()) else { return };
    let reference = site.reference(3);
    let seed = std::env::var("TRC2NPY_TEST_SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    eprintln!("TRC2NPY_TEST_SEED={seed}");
    let mut disturbed = Disturbed {
        site: &site,
        running: Vec::new(),
        cut: [false; MACHINES],
        random: fastrand::Rng::with_seed(seed),
    };
    disturbed.running.push(site.coordinator());
    for machine in 1..MACHINES {
        let mut worker = site.worker(machine);
        worker.says("connected to");
        disturbed.running.push(worker);
    }
    let seconds = std::env::var("TRC2NPY_SHARED_SECONDS").map_or(SHORT, |seconds| seconds.parse().unwrap());
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut jobs, mut disturbances) = (1, 0);
    site.submit("npy1");
    while Instant::now() < end {
        if site.is_done(jobs) {
            if disturbances >= LEAST {
                break;
            }
            jobs += 1;
            site.submit(&format!("npy{jobs}"));
        }
        disturbed.once();
        disturbances += 1;
        std::thread::sleep(Duration::from_millis(disturbed.random.u64(100..500)));
    }
    disturbed.calm();
    eprintln!("{disturbances} disturbances, {jobs} jobs");
    assert!(disturbances >= LEAST, "only {disturbances} disturbances");
    poll("the end of the job", || site.is_done(jobs).then_some(()));
    for job in 1..=jobs {
        site.is_right(&format!("npy{job}"), &reference);
    }
    let mut running = std::mem::take(&mut disturbed.running);
    running.iter_mut().for_each(Running::kill_now);
    drop(running);
    let check = Call::of("coordinator").args(["journal", "check", "--state"]);
    check.args([site.folder.path().join("state")]).run().must_succeed();
}

/// The one machine that works is cut off while it has rows in hand, from its storage too, until it counts as lost.
#[test]
fn a_client_that_is_cut_off_in_the_middle_of_a_write_comes_back() {
    let Some(site) = Site::new(&RunSpec::new(2_000, 20_000)) else {
        return;
    };
    let reference = site.reference(0);
    let coordinator = site.coordinator();
    let mut worker = site.worker(1);
    worker.says("connected to");
    site.asked("submit", &["data:run", "--out", "data:npy", "--settle", "0s"])
        .unwrap();
    poll("rows that are done", || {
        (site.job(1)?["rows_done"].as_u64()? > 0).then_some(())
    });
    assert!(!site.is_done(1), "it was over too soon");
    site.moose.lan().plug(1, false);
    poll("it to be missed", || {
        let workers: Value = serde_json::from_str(&site.asked("workers", &["--json"])?).ok()?;
        let works = workers.as_array()?.iter().any(|worker| worker["state"] == "working");
        (!works).then_some(())
    });
    site.moose.lan().plug(1, true);
    poll("the end of the job", || site.is_done(1).then_some(()));
    site.is_right("npy", &reference);
    drop((worker, coordinator));
}

/// `plan` on one machine, the shares on others, one of them killed, `stitch` on a third.
#[test]
fn shares_of_a_batch_system_on_shared_storage() {
    const SHARES: usize = 6;
    let Some(site) = Site::new(&spec()) else { return };
    let reference = site.reference(3);
    let at = |machine: usize, path: &str| site.moose.mount(machine).join(path);
    let plan = site.moose.lan().call(1, "plan").args([at(1, "run")]);
    let plan = plan
        .args(["--settle", "0s", "--out"])
        .args([at(1, "npy")])
        .args(["-o"])
        .args([at(1, "run.plan")]);
    plan.run().must_succeed();
    // What it sees of the plan is another machine's.
    let share = |index: usize| {
        let machine = 1 + index % (MACHINES - 1);
        let call = site
            .moose
            .lan()
            .call(machine, "run-range")
            .args([at(machine, "run.plan")]);
        call.args(["--index", &index.to_string(), "--count", &SHARES.to_string()])
    };
    let stitch = site
        .moose
        .lan()
        .call(0, "stitch")
        .args([at(0, "run.plan")])
        .args(["--wait"]);
    let stitching = stitch.start();
    let mut running: Vec<Running> = (0..SHARES).map(|index| share(index).start()).collect();
    running[2].kill_now();
    running.push(share(2).start());
    running.push(share(0).start());
    for (index, running) in running.into_iter().enumerate() {
        if index != 2 {
            running.wait().must_succeed();
        }
    }
    stitching.wait().must_end_with(3);
    site.is_right("npy", &reference);
}
